//! A customer with whom every number is already talking: what `onActiveConversation` makes of the event.

use std::time::Duration;

use engage_simulator::{Conversation, FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::harness::{OUR_NUMBERS, World, conversation, destination, event_to, flow, merge, phone, sid};

/// A conversation destination with one number and this policy.
fn one_number(name: &str, policy: &str) -> Value {
    let mut action = conversation();
    merge(&mut action, &json!({"conversation": {"twilioNumber": [OUR_NUMBERS[0]], "onActiveConversation": policy}}));
    destination(name, &action)
}

fn conversations(world: &World) -> Vec<Conversation> {
    world.sim.state().conversations
}

/// How many messages of the only conversation are this event's.
fn openings(world: &World, event: &Value) -> usize {
    let id = event["messageId"].as_str().unwrap();
    let all = conversations(world);
    all.iter()
        .flat_map(|found| &found.messages)
        .filter(|message| message.attributes.contains(&format!("{id}\"")))
        .count()
}

/// Somebody else's conversation with the customer by that number.
async fn others_conversation(world: &World, customer: &str, number: &str) {
    let base = world.sim.twilio_base_url().replace("{product}", "conversations");
    let post = |path: String, form: Vec<(&'static str, String)>| {
        let request = world.http().post(format!("{base}{path}")).basic_auth(sid("AC", 1), Some("demo-auth-token"));
        async move { request.form(&form).send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let made = post("/v1/Conversations".into(), vec![("UniqueName", format!("support {customer}"))]).await;
    let binding = vec![
        ("MessagingBinding.Address", format!("whatsapp:{customer}")),
        ("MessagingBinding.ProxyAddress", format!("whatsapp:{number}")),
    ];
    let added = post(format!("/v1/Conversations/{}/Participants", made["sid"].as_str().unwrap()), binding).await;
    assert!(added["sid"].is_string(), "{added}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reuse_sends_into_the_conversation_that_stands_and_changes_nothing_else_of_it() {
    let world = World::ready(&[flow(), one_number("agent", "Reuse")]).await;
    let first = world.send("agent", &event_to(&phone(1))).await;
    assert_eq!(first.outcome(), (200, "sent", ""));
    let event = event_to(&phone(1));
    let reused = world.send("agent", &event).await;
    assert_eq!((reused.outcome(), &reused.result()["sid"]), ((200, "sent", ""), &first.result()["sid"]));
    assert_eq!(world.send("agent", &event).await.outcome(), (200, "duplicate", ""));
    let [found] = conversations(&world).try_into().unwrap();
    assert_eq!((found.webhooks.len(), found.participants.len(), found.messages.len()), (1, 1, 2));
    assert_eq!(openings(&world, &event), 1);
    // A reply starts the flow once, as if nothing had been reused.
    assert_eq!(world.sim.customer_reply(&phone(1), OUR_NUMBERS[0], "Yes").executions.len(), 1);
    // A closed conversation is not reused: its number is free again.
    world.sim.close_conversation(&found.sid);
    let next = world.send("agent", &event_to(&phone(1))).await;
    assert_eq!(next.outcome(), (200, "sent", ""));
    assert_ne!(next.result()["sid"], first.result()["sid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_is_not_reused_and_what_has_no_opening_message_is() {
    let mut silent = one_number("silent", "Skip");
    silent["spec"]["conversation"].as_object_mut().unwrap().remove("openingMessage");
    let world = World::ready(&[flow(), one_number("agent", "Reuse"), silent]).await;
    others_conversation(&world, &phone(1), OUR_NUMBERS[0]).await;
    let event = event_to(&phone(1));
    let answer = world.send("agent", &event).await;
    assert_eq!(answer.outcome(), (200, "suppressed", "ConversationActive"), "{answer:?}");
    assert!(conversations(&world)[0].messages.is_empty());

    let first = world.send("silent", &event_to(&phone(2))).await;
    assert_eq!(first.outcome(), (200, "sent", ""));
    let reused = world.send("agent", &event_to(&phone(2))).await;
    assert_eq!((reused.outcome(), &reused.result()["sid"]), ((200, "sent", ""), &first.result()["sid"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_in_a_reused_conversation_is_settled_there() {
    let world = World::ready(&[flow(), one_number("agent", "Reuse")]).await;
    let faults = [
        FaultKind::ErrorBefore { status: 503 },
        FaultKind::DropAfter,
        FaultKind::DropThenLateEffect { after_ms: 1_500 },
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let name = fault.name();
        assert_eq!(world.send("agent", &event_to(&phone(n))).await.outcome(), (200, "sent", ""));
        world.sim.set_faults(vec![FaultRule::on("conversation_messages.create", fault).times(1)]);
        let event = event_to(&phone(n));
        let answer = world.send_until_settled("agent", &event).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(openings(&world, &event), 1, "{name}");
    }
    assert_eq!(conversations(&world).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_a_conversation_is_reused_costs_a_look_into_it() {
    let mut world = World::ready(&[flow(), one_number("agent", "Reuse")]).await;
    let first = world.send("agent", &event_to(&phone(1))).await;
    world
        .sim
        .set_faults(vec![FaultRule::on("conversation_messages.create", FaultKind::Latency { ms: 4_000 }).times(1)]);
    let event = event_to(&phone(1));
    world.send_until_asked("agent", &event, "conversation_messages.create").await;
    world.kill();
    world.start().await;
    let answer = world.send_until_settled("agent", &event).await;
    assert_eq!((answer.status, &answer.result()["sid"]), (200, &first.result()["sid"]), "{answer:?}");
    assert_eq!(openings(&world, &event), 1);
    assert_eq!(conversations(&world).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_at_once_that_reuse_one_conversation_are_each_sent_once() {
    let world = World::ready(&[flow(), one_number("agent", "Reuse")]).await;
    let events: Vec<_> = (0..6).map(|_| event_to(&phone(1))).collect();
    let answers = futures::future::join_all(events.iter().map(|event| world.send_until_settled("agent", event))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.result()["sid"].is_string()), "{answers:?}");
    let [found] = conversations(&world).try_into().unwrap();
    assert_eq!((found.messages.len(), found.participants.len()), (6, 1));
    assert!(events.iter().all(|event| openings(&world, event) == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_for_good_leaves_the_reused_conversation_as_it_is() {
    // A placeholder of more than 16 characters, which Twilio refuses (error 50540).
    let mut refused = one_number("refused", "Reuse");
    refused["spec"]["verification"] = json!("Warn");
    refused["spec"]["conversation"]["openingMessage"]["contentVariables"] = json!({"a_name_that_is_long": "x"});
    let ready = [flow(), one_number("agent", "Skip")];
    let world = World::with(&[ready.as_slice(), &[refused]].concat()).await;
    world.all_ready(&ready).await;
    world.reason("EngageDestination", "refused", "Ready", "NotEnforced").await;
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    let answer = world.send("refused", &event_to(&phone(1))).await;
    assert_eq!(answer.outcome(), (422, "rejected", "InvalidVariable"), "{answer:?}");
    let [found] = conversations(&world).try_into().unwrap();
    assert_eq!((found.messages.len(), found.participants.len(), found.webhooks.len()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_not_complete_is_not_reused_before_it_is() {
    let world = World::ready(&[flow(), one_number("agent", "Reuse")]).await;
    let (first, second) = (event_to(&phone(1)), event_to(&phone(1)));
    world.sim.set_faults(vec![
        FaultRule::on("conversation_messages.create", FaultKind::ErrorBefore { status: 400 }).times(1),
    ]);
    assert_eq!(world.send("agent", &first).await.outcome(), (503, "retry", "TwilioRefused"));
    let early = world.send("agent", &second).await;
    assert_eq!(early.outcome(), (503, "retry", "ConversationActive"), "{early:?}");
    assert_eq!(world.send_until_settled("agent", &first).await.outcome(), (200, "sent", ""));
    assert_eq!(world.send_until_settled("agent", &second).await.outcome(), (200, "sent", ""));
    assert_eq!((openings(&world, &first), openings(&world, &second)), (1, 1));
    assert_eq!(conversations(&world).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_retry_the_event_is_kept_until_a_number_is_free() {
    let world = World::ready(&[flow(), one_number("agent", "Retry")]).await;
    let first = world.send("agent", &event_to(&phone(1))).await;
    let event = event_to(&phone(1));
    for _ in 0..2 {
        let answer = world.send("agent", &event).await;
        assert_eq!((answer.outcome(), answer.retry_after), ((503, "retry", "ConversationActive"), true), "{answer:?}");
    }
    assert_eq!(conversations(&world).len(), 1, "nothing is made for an event that waits");
    world.sim.close_conversation(first.result()["sid"].as_str().unwrap());
    assert_eq!(world.send("agent", &event).await.outcome(), (200, "sent", ""));
}

/// The list of a customer's conversations lags, so numbers seem free that another program has just taken: Twilio refuses the
/// pair (error 50416) and names the conversation that has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_for_the_numbers_leads_to_the_next_one_and_in_the_end_to_the_policy() {
    let policies = ["Skip", "Retry", "Reuse"];
    let mut destinations: Vec<Value> =
        policies.iter().map(|policy| one_number(&policy.to_lowercase(), policy)).collect();
    for destination in &mut destinations {
        destination["spec"]["conversation"]["twilioNumber"] = json!(OUR_NUMBERS);
    }
    let world = World::ready(&[&[flow()], destinations.as_slice()].concat()).await;
    let lag = || {
        world.sim.set_faults(vec![FaultRule::on("participant_conversations.list", FaultKind::ListLag { ms: 600_000 })]);
    };
    for (n, policy) in policies.into_iter().enumerate() {
        let (name, customer) = (policy.to_lowercase(), phone(n));
        world.sim.clear_faults();
        others_conversation(&world, &customer, OUR_NUMBERS[0]).await;
        lag();
        let before = conversations(&world).len();
        let second = world.send(&name, &event_to(&customer)).await;
        assert_eq!(second.outcome(), (200, "sent", ""), "{policy}: {second:?}");
        let made = conversations(&world).pop().unwrap();
        assert_eq!(
            made.participants[0].proxy_address.as_deref(),
            Some(format!("whatsapp:{}", OUR_NUMBERS[1]).as_str())
        );

        let event = event_to(&customer);
        let answer = world.send(&name, &event).await;
        let expected = if policy == "Skip" { (200, "suppressed") } else { (503, "retry") };
        assert_eq!(answer.outcome(), (expected.0, expected.1, "ConversationActive"), "{policy}: {answer:?}");
        assert_eq!(conversations(&world).len(), before + 1, "{policy}: what was made for it is taken away");

        world.sim.clear_faults();
        let again = world.send(&name, &event).await;
        match policy {
            "Skip" => assert_eq!(again.outcome(), (200, "duplicate", "ConversationActive")),
            "Retry" => assert_eq!(again.outcome(), (503, "retry", "ConversationActive"), "{again:?}"),
            // What it had begun has settled by now.
            _ => assert_eq!((again.status, &again.result()["sid"]), (200, &second.result()["sid"]), "{again:?}"),
        }
    }
}
