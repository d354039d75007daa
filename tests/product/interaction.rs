//! A task for an agent: one for each event, about the customer's conversation, whatever is lost on the way.

use std::time::Duration;

use engage_simulator::{ConversationState, FaultKind, FaultRule, Task};
use serde_json::{Value, json};

use crate::harness::{
    Answer, LEAD_1, OUR_NUMBERS, World, conversation, destination, event, event_to, flow, interaction, merge, phone,
    sid,
};

async fn world() -> World {
    World::ready(&[destination("task", &interaction())]).await
}

/// The tasks about this customer, whatever became of them.
fn tasks_of(world: &World, phone: &str) -> Vec<Task> {
    let address = json!(format!("whatsapp:{phone}"));
    let state = world.sim.state();
    state.tasks.into_iter().filter(|task| task.attributes["customerAddress"] == address).collect()
}

/// The tasks about this customer that agents have.
fn pending_of(world: &World, phone: &str) -> Vec<Task> {
    tasks_of(world, phone).into_iter().filter(|task| task.assignment_status == "pending").collect()
}

/// Sends an event until its delivery has come to an end, which a busy machine may not bring it to within one request.
async fn send_until_done(world: &World, event: &Value) -> Answer {
    loop {
        let answer = world.send("task", event).await;
        if !matches!(answer.outcome().2, "StillSending" | "InFlight") {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_one_task_about_a_conversation_with_the_customer() {
    let world = world().await;
    let event = event("lead-1");
    let answer = world.send("task", &event).await;
    assert_eq!(answer.outcome(), (200, "sent", ""));
    assert_eq!(world.send("task", &event).await.outcome(), (200, "duplicate", ""));

    let found = tasks_of(&world, LEAD_1);
    let [task] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(answer.result()["sid"], task.interaction_sid);
    assert_eq!((task.workflow_sid.as_str(), task.task_channel_unique_name.as_str()), (sid("WW", 1).as_str(), "chat"));
    assert_eq!((task.priority, task.timeout), (5, 7_200));
    assert_eq!((&task.attributes["customerName"], &task.attributes["plan"]), (&json!("Ana"), &json!("pro")));
    let state = world.sim.state();
    let [conversation] = state.conversations.as_slice() else { panic!("{:?}", state.conversations) };
    assert_eq!(task.attributes["conversationSid"], json!(conversation.sid));
    let proxy = format!("whatsapp:{}", OUR_NUMBERS[0]);
    assert_eq!(conversation.participants[0].proxy_address.as_deref(), Some(proxy.as_str()));
    // Nothing is sent to the customer, and no personal data is in what finds the task again.
    assert!(conversation.messages.is_empty() && state.messages.is_empty());
    let unique_name = conversation.unique_name.clone().unwrap();
    assert!(!unique_name.contains("lead-1") && task.attributes["engageTask"] == json!(unique_name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_any_step_leaves_one_task_in_one_conversation() {
    let world = world().await;
    let faults = || {
        [
            FaultKind::ErrorBefore { status: 503 },
            FaultKind::ErrorAfter { status: 500 },
            FaultKind::DropAfter,
            FaultKind::DropThenLateEffect { after_ms: 1_500 },
        ]
    };
    let mut n = 0;
    for step in ["conversations.create", "participants.create", "interactions.create"] {
        for fault in faults() {
            n += 1;
            let (phone, name) = (phone(n), fault.name());
            world.sim.set_faults(vec![FaultRule::on(step, fault).times(1)]);
            let answer = world.send_until_settled("task", &event_to(&phone)).await;
            assert_eq!(answer.status, 200, "{step} {name}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(1_600)).await;
            let found = tasks_of(&world, &phone);
            let [task] = found.as_slice() else { panic!("{step} {name}: {found:?}") };
            assert_eq!(answer.result()["sid"], task.interaction_sid, "{step} {name}");
        }
    }
    let conversations = world.sim.state().conversations;
    assert_eq!(conversations.len(), n, "none is left without a customer");
    assert!(conversations.iter().all(|conversation| conversation.participants.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_in_which_the_customer_is_gets_the_task() {
    let world =
        World::ready(&[flow(), destination("agent", &conversation()), destination("task", &interaction())]).await;
    let opened = world.send("agent", &event_to(&phone(1))).await;
    assert_eq!(opened.outcome(), (200, "sent", ""));
    assert_eq!(world.send("task", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    assert_eq!(tasks_of(&world, &phone(1))[0].attributes["conversationSid"], opened.result()["sid"]);
    assert_eq!(world.sim.state().conversations.len(), 1);
    // It has a task now, so that the next one is about a conversation by the other number, and then there is none left.
    assert_eq!(world.send("task", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    assert_eq!(world.sim.state().conversations.len(), 2);
    let event = event_to(&phone(1));
    assert_eq!(world.send("task", &event).await.outcome(), (200, "suppressed", "ConversationActive"));
    assert_eq!(world.send("task", &event).await.outcome(), (200, "duplicate", "ConversationActive"));
    assert_eq!(tasks_of(&world, &phone(1)).len(), 2);
    // One that is closed gives its number back.
    world.sim.close_conversation(opened.result()["sid"].as_str().unwrap());
    assert_eq!(world.send("task", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_half_made_conversation_of_one_event_is_no_place_for_the_task_of_another() {
    let mut one_number = interaction();
    one_number["interaction"]["twilioNumber"] = json!([OUR_NUMBERS[0]]);
    let world = World::ready(&[destination("task", &one_number)]).await;
    world.sim.set_faults(vec![FaultRule::on("interactions.create", FaultKind::ErrorBefore { status: 400 }).times(1)]);
    let first = event_to(&phone(1));
    assert_eq!(world.send("task", &first).await.outcome(), (503, "retry", "TwilioRefused"));
    assert_eq!(world.send("task", &event_to(&phone(1))).await.outcome(), (200, "suppressed", "ConversationActive"));
    // What was begun is gone on with.
    assert_eq!(world.send("task", &first).await.outcome(), (200, "sent", ""));
    assert_eq!((tasks_of(&world, &phone(1)).len(), world.sim.state().conversations.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_is_seen_and_what_was_made_is_taken_away() {
    let world = world().await;
    for (n, (code, first, last)) in [
        (45_361, (422, "rejected", "InteractionFailed"), (422, "duplicate", "InteractionFailed")),
        (63_003, (422, "rejected", "NotOnWhatsApp"), (422, "duplicate", "NotOnWhatsApp")),
        (45_352, (503, "retry", "InteractionFailed"), (200, "sent", "")),
    ]
    .into_iter()
    .enumerate()
    {
        let (event, phone) = (event_to(&phone(n)), phone(n));
        world.sim.fail_interactions(&[code]);
        let answer = send_until_done(&world, &event).await;
        let of_first = |found: (u16, &str, &str)| found == first || found == (first.0, "duplicate", first.2);
        assert!(of_first(answer.outcome()), "{code}: {answer:?}");
        assert!(pending_of(&world, &phone).is_empty(), "{code}: a task is left");
        assert_eq!(world.sim.state().conversations.len(), 0, "{code}: a conversation is left");
        assert_eq!(send_until_done(&world, &event).await.outcome(), last, "{code}");
        assert_eq!(pending_of(&world, &phone).len(), usize::from(last.1 == "sent"), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_in_the_customers_own_conversation_leaves_that_open() {
    let world =
        World::ready(&[flow(), destination("agent", &conversation()), destination("task", &interaction())]).await;
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    world.sim.fail_interactions(&[45_361]);
    let answer = world.send("task", &event_to(&phone(1))).await;
    assert_eq!(answer.outcome(), (422, "rejected", "InteractionFailed"), "{answer:?}");
    assert!(pending_of(&world, &phone(1)).is_empty());
    let state = world.sim.state();
    assert_eq!((state.conversations.len(), state.conversations[0].state), (1, ConversationState::Active));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_set_up_slowly_is_waited_for_and_not_asked_for_again() {
    let options = engage_simulator::Options { interaction_setup_ms: 60_000, ..Default::default() };
    let resources = [destination("task", &interaction())];
    let world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;
    let event = event_to(&phone(1));
    // The answer to the one that waited is given while it still does, or to a repetition of it.
    let answer = send_until_done(&world, &event).await;
    assert_eq!(answer.outcome(), (503, "retry", "TwilioUnavailable"), "{answer:?}");
    world.sim.advance_clock(61);
    assert_eq!(world.send_until_settled("task", &event).await.outcome(), (200, "sent", ""));
    assert_eq!(tasks_of(&world, &phone(1)).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_cut_off_by_a_kill_is_found_or_made_and_never_twice() {
    let mut world = world().await;
    for (n, step) in ["conversations.create", "participants.create", "interactions.create"].into_iter().enumerate() {
        let phone = phone(n);
        world.sim.set_faults(vec![FaultRule::on(step, FaultKind::Latency { ms: 4_000 }).times(1)]);
        let event = event_to(&phone);
        world.send_until_asked("task", &event, step).await;
        world.kill();
        world.start().await;
        let answer = world.send_until_settled("task", &event).await;
        assert_eq!(answer.status, 200, "{step}: {answer:?}");
        assert_eq!(tasks_of(&world, &phone).len(), 1, "{step}");
    }
    assert_eq!(world.sim.state().conversations.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_done_is_not_made_again_even_when_the_journal_is_lost() {
    let resources = [destination("task", &interaction())];
    let options = engage_simulator::Options::default();
    let mut world = World::with_options(&resources, options, &["--journal", "memory"]).await;
    world.all_ready(&resources).await;
    let event = event_to(&phone(1));
    let first = world.send("task", &event).await;
    assert_eq!(first.outcome(), (200, "sent", ""));
    world.kill();
    world.start().await;
    let again = world.send_until_settled("task", &event).await;
    assert_eq!((again.outcome(), &again.result()["sid"]), ((200, "sent", ""), &first.result()["sid"]));
    assert_eq!(tasks_of(&world, &phone(1)).len(), 1);
}

fn changed(change: &Value) -> Value {
    let mut action = interaction();
    merge(&mut action, &json!({ "interaction": change }));
    action
}

/// Where the task goes by SIDs, to the workflow of that number.
fn by_sid(workflow: u32) -> Value {
    let mut action = interaction();
    action["interaction"]["workspace"] = json!({"sid": sid("WS", 1)});
    action["interaction"]["workflow"] = json!({"sid": sid("WW", workflow)});
    action["interaction"]["taskChannel"] = json!({"sid": sid("TC", 1)});
    action
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_a_task_needs_of_the_account_is_checked() {
    let cases = [
        ("workflow", changed(&json!({"workflow": {"friendlyName": "Nobody"}})), "WorkflowNotFound"),
        (
            "workflow-sid",
            changed(&json!({"workflow": {"sid": sid("WW", 9), "friendlyName": null}})),
            "WorkflowNotFound",
        ),
        ("channel", changed(&json!({"taskChannel": {"uniqueName": "fax"}})), "TaskChannelNotFound"),
        ("workspace", changed(&json!({"workspace": {"friendlyName": "Elsewhere"}})), "WorkspaceNotFound"),
        ("offline", changed(&json!({"twilioNumber": ["+5511900000003"]})), "SenderOffline"),
        ("not-ours", changed(&json!({"twilioNumber": ["+5511911111111"]})), "SenderNotFound"),
    ];
    let mut resources: Vec<Value> = cases.iter().map(|(name, action, _)| destination(name, action)).collect();
    resources.push(destination("by-sid", &by_sid(2)));
    let world = World::with(&resources).await;
    for (name, _, reason) in &cases {
        let message = world.reason("ed", name, "Verified", reason).await;
        assert!(message.contains("spec.interaction."), "{name}: {message}");
        let answer = world.send(name, &event("lead-1")).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some(*reason)), "{name}");
    }
    world.reason("ed", "by-sid", "Ready", "Ready").await;
    let status = &world.get("ed", "by-sid").unwrap()["status"]["interaction"];
    let expected = json!({"workspaceSid": sid("WS", 1), "workflowSid": sid("WW", 2), "taskChannelSid": sid("TC", 1)});
    assert_eq!(*status, expected);
    assert!(world.get("ed", "channel").unwrap()["status"]["interaction"].is_null());
    assert!(world.sim.requests_of("interactions.create").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_that_flex_would_not_see_are_noticed() {
    let seed = engage_simulator::Seed { flex: None, ..Default::default() };
    let options = engage_simulator::Options { seed, ..Default::default() };
    let resources = [flow(), destination("task", &interaction())];
    let world = World::with_options(&resources, options, &[]).await;
    world.reason("ed", "task", "Verified", "FlexNotSetUp").await;

    let resources = [destination("task", &interaction())];
    let options = engage_simulator::Options::default();
    let world = World::with_options(&[], options, &[]).await;
    world.sim.set_default_service(&sid("IS", 9));
    for resource in &resources {
        world.apply(resource);
    }
    world.apply(&flow());
    world.apply(&destination("agent", &conversation()));
    for name in ["task", "agent"] {
        let message = world.reason("ed", name, "Verified", "NotFlexService").await;
        assert!(message.contains(&sid("IS", 9)) && message.contains(&sid("IS", 1)), "{message}");
    }
}
