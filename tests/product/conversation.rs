//! A conversation that reaches an agent: its steps, what is repeated and what is taken away.

use std::time::Duration;

use engage_simulator::{ConversationState, FaultKind, FaultRule};
use serde_json::json;

use crate::harness::{LEAD_1, OUR_NUMBERS, World, conversation, destination, event, event_to, flow, merge, phone};

async fn world() -> World {
    World::ready(&[flow(), destination("agent", &conversation())]).await
}

/// The conversations in which this customer takes part.
fn conversations_of(world: &World, phone: &str) -> Vec<engage_simulator::Conversation> {
    let address = format!("whatsapp:{phone}");
    let state = world.sim.state();
    state
        .conversations
        .into_iter()
        .filter(|conversation| conversation.participants.iter().any(|p| p.address.as_deref() == Some(&address)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_a_conversation_whose_reply_reaches_an_agent() {
    let world = world().await;
    let event = event("lead-1");
    let answer = world.send("agent", &event).await;
    assert_eq!(answer.outcome(), (200, "sent", ""));
    assert_eq!(world.send("agent", &event).await.outcome(), (200, "duplicate", ""));

    let found = conversations_of(&world, LEAD_1);
    let [conversation] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(answer.result()["sid"], conversation.sid);
    assert_eq!((conversation.webhooks.len(), conversation.messages.len()), (1, 1));
    let unique_name = conversation.unique_name.clone().unwrap();
    assert!(!unique_name.contains("lead-1") && !unique_name.contains("personas"), "{unique_name}");

    // No reply can miss the flow: its webhook is there before the customer is.
    let order: Vec<_> = world.sim.requests().into_iter().filter_map(|request| request.operation).collect();
    let position = |operation: &str| order.iter().position(|found| *found == operation).unwrap();
    assert!(position("conversations.create") < position("webhooks.create"));
    assert!(position("webhooks.create") < position("participants.create"));
    assert!(position("participants.create") < position("conversation_messages.create"));

    let reply = world.sim.customer_reply(LEAD_1, OUR_NUMBERS[0], "Yes, please");
    assert_eq!(reply.executions.len(), 1);
    let state = world.sim.state();
    let [task] = state.tasks.as_slice() else { panic!("{:?}", state.tasks) };
    assert_eq!(task.task_channel_unique_name, "chat");
    assert_eq!(task.workflow_sid, crate::harness::sid("WW", 1));
    let conversation = &conversations_of(&world, LEAD_1)[0];
    assert!(conversation.messages.iter().any(|message| message.origin == "studio"), "{conversation:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_any_step_leaves_one_whole_conversation() {
    let world = world().await;
    let steps = ["conversations.create", "webhooks.create", "participants.create", "conversation_messages.create"];
    let faults = || {
        [
            FaultKind::ErrorBefore { status: 503 },
            FaultKind::DropAfter,
            FaultKind::DropThenLateEffect { after_ms: 1_500 },
        ]
    };
    let mut n = 0;
    for step in steps {
        for fault in faults() {
            n += 1;
            let (phone, name) = (phone(n), fault.name());
            world.sim.set_faults(vec![FaultRule::on(step, fault).times(1)]);
            let answer = world.send_until_settled("agent", &event_to(&phone)).await;
            assert_eq!(answer.status, 200, "{step} {name}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(1_600)).await;
            let found = conversations_of(&world, &phone);
            let [conversation] = found.as_slice() else { panic!("{step} {name}: {found:?}") };
            assert_eq!(conversation.webhooks.len(), 1, "{step} {name}");
            assert_eq!(conversation.messages.len(), 1, "{step} {name}");
        }
    }
    // None was left without a customer either.
    assert_eq!(world.sim.state().conversations.len(), n);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_shows_late_is_not_added_again_although_the_looks_for_it_fail() {
    let world = world().await;
    world.sim.set_faults(vec![
        FaultRule::on("webhooks.create", FaultKind::DropThenLateEffect { after_ms: 1_500 }).times(1),
        FaultRule::on("webhooks.list", FaultKind::ErrorBefore { status: 503 }).times(1),
    ]);
    let answer = world.send_until_settled("agent", &event_to(&phone(1))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    let found = conversations_of(&world, &phone(1));
    let [conversation] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(conversation.webhooks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_half_way_leaves_nothing_behind() {
    let world = world().await;
    // The "customer" is one of our own numbers, which Twilio refuses when the participant is added (error 50409).
    let event = event_to(OUR_NUMBERS[0]);
    let answer = world.send("agent", &event).await;
    assert_eq!(answer.outcome(), (422, "rejected", "RecipientInvalid"), "{answer:?}");
    assert_eq!(world.sim.requests_of("conversations.create").len(), 1);
    assert!(world.sim.state().conversations.is_empty());
    assert_eq!(world.send("agent", &event).await.outcome(), (422, "duplicate", "RecipientInvalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_half_way_that_can_be_mended_is_resumed_with_what_was_made() {
    let world = world().await;
    let event = event_to(&phone(1));
    world.sim.set_faults(vec![FaultRule::on("participants.create", FaultKind::ErrorBefore { status: 400 }).times(1)]);
    let answer = world.send("agent", &event).await;
    assert_eq!(answer.outcome(), (503, "retry", "TwilioRefused"), "{answer:?}");
    assert_eq!(world.send_until_settled("agent", &event).await.outcome(), (200, "sent", ""));
    assert_eq!(world.sim.state().conversations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_number_is_taken_and_when_none_is_left_the_event_is_suppressed() {
    let world = world().await;
    for (n, number) in OUR_NUMBERS.iter().enumerate() {
        let answer = world.send("agent", &event_to(&phone(1))).await;
        assert_eq!(answer.outcome(), (200, "sent", ""));
        let conversation = &conversations_of(&world, &phone(1))[n];
        assert_eq!(conversation.participants[0].proxy_address.as_deref(), Some(format!("whatsapp:{number}").as_str()));
    }
    let event = event_to(&phone(1));
    assert_eq!(world.send("agent", &event).await.outcome(), (200, "suppressed", "ConversationActive"));
    assert_eq!(world.send("agent", &event).await.outcome(), (200, "duplicate", "ConversationActive"));
    assert_eq!(world.sim.state().conversations.len(), 2);
    // A closed conversation gives its number back.
    let first = conversations_of(&world, &phone(1))[0].sid.clone();
    world.sim.close_conversation(&first);
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_at_once_to_one_customer_never_take_the_same_pair() {
    let world = world().await;
    let events: Vec<_> = (0..6).map(|_| event_to(&phone(1))).collect();
    let answers = futures::future::join_all(events.iter().map(|event| world.send_until_settled("agent", event))).await;
    let sent = answers.iter().filter(|answer| answer.result()["outcome"] == "sent").count();
    assert_eq!(sent, 2, "{answers:?}");
    let state = world.sim.state();
    let open = state.conversations.iter().filter(|c| c.state != ConversationState::Closed).count();
    assert_eq!((state.conversations.len(), open), (2, 2), "no orphan is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_cut_off_by_a_kill_is_resumed() {
    let mut world = world().await;
    for (n, step) in ["webhooks.create", "participants.create", "conversation_messages.create"].into_iter().enumerate()
    {
        let phone = phone(n);
        world.sim.set_faults(vec![FaultRule::on(step, FaultKind::Latency { ms: 4_000 }).times(1)]);
        let event = event_to(&phone);
        world.send_until_asked("agent", &event, step).await;
        world.kill();
        world.start().await;
        let answer = world.send_until_settled("agent", &event).await;
        assert_eq!(answer.status, 200, "{step}: {answer:?}");
        let found = conversations_of(&world, &phone);
        let [conversation] = found.as_slice() else { panic!("{step}: {found:?}") };
        assert_eq!((conversation.webhooks.len(), conversation.messages.len()), (1, 1), "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_timeout_no_timer_is_sent_and_with_one_its_state_is() {
    let mut untimed = conversation();
    merge(&mut untimed, &json!({"conversation": {"timeout": 0}}));
    let resources = [flow(), destination("agent", &conversation()), destination("patient", &untimed)];
    let world = World::ready(&resources).await;
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.status, 200);
    assert_eq!(world.send("patient", &event_to(&phone(2))).await.status, 200);
    let created = world.sim.requests_of("conversations.create");
    assert_eq!((created[0].param("Timers.Closed"), created[0].param("State")), (Some("PT3600S"), Some("active")));
    assert_eq!((created[1].param("Timers.Closed"), created[1].param("State")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_opening_message_the_conversation_waits_for_the_customer() {
    let mut silent = conversation();
    silent["conversation"].as_object_mut().unwrap().remove("openingMessage");
    let world = World::ready(&[flow(), destination("agent", &silent)]).await;
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    assert!(conversations_of(&world, &phone(1))[0].messages.is_empty());
    assert_eq!(world.sim.customer_reply(&phone(1), OUR_NUMBERS[0], "hello").executions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_conversation_is_never_taken_away_even_when_the_journal_is_lost() {
    let resources = [flow(), destination("agent", &conversation())];
    let options = engage_simulator::Options::default();
    let mut world = World::with_options(&resources, options, &["--journal", "memory"]).await;
    world.all_ready(&resources).await;
    for closed in [false, true] {
        let event = event_to(&phone(usize::from(closed)));
        let first = world.send("agent", &event).await;
        assert_eq!(first.outcome(), (200, "sent", ""));
        if closed {
            world.sim.close_conversation(first.result()["sid"].as_str().unwrap());
        }
        world.kill();
        world.start().await;
        let again = world.send_until_settled("agent", &event).await;
        assert_eq!((again.outcome(), &again.result()["sid"]), ((200, "sent", ""), &first.result()["sid"]));
        let found = conversations_of(&world, &phone(usize::from(closed)));
        assert_eq!((found.len(), found[0].messages.len(), found[0].webhooks.len()), (1, 1, 1));
    }
}
