//! One entry into an audience or a journey step, and the several events by which Segment tells of it: one message.

use engage_simulator::{FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::harness::{World, conversation, destination, event_to, flow, merge, messages_to, phone, whatsapp};

/// An event that a step of a journey makes, for the passage `epoch`.
fn step(phone: &str, epoch: &str) -> Value {
    let mut event = event_to(phone);
    event["context"]["personas"]["computation_id"] = json!("cart__reminder_8943l");
    event["properties"]["journey_metadata"] = json!({"journey_id": "2GKsjADZkD", "epoch_id": epoch});
    event
}

/// An event of an audience, which has no id of the passage.
fn audience(phone: &str, at: &str) -> Value {
    let mut event = event_to(phone);
    event["event"] = json!("Audience Entered");
    event["timestamp"] = json!(at);
    event["context"]["personas"] = json!({"space_id": "spa_demo", "computation_class": "audience",
        "computation_id": "aud_2NQx81", "computation_key": "vip_lapsed"});
    event["properties"]["vip_lapsed"] = json!(true);
    event
}

async fn world() -> World {
    World::ready(&[destination("welcome", &whatsapp())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_each_identifier_of_a_profile_makes_one_message() {
    let world = world().await;
    let (first, second) = (step(&phone(1), "e-1"), step(&phone(1), "e-1"));
    assert_eq!(world.send("welcome", &first).await.outcome(), (200, "sent", ""));
    let answer = world.send("welcome", &second).await;
    assert_eq!(answer.outcome(), (200, "duplicate", "SameEntry"));
    let detail = answer.result()["detail"].as_str().unwrap();
    assert!(detail.contains(first["messageId"].as_str().unwrap()) && detail.contains("SM"), "{detail}");
    assert_eq!(world.send("welcome", &second).await.outcome(), (200, "duplicate", "SameEntry"), "from the record");
    // The next passage through the same step is another entry.
    assert_eq!(world.send("welcome", &step(&phone(1), "e-2")).await.outcome(), (200, "sent", ""));
    assert_eq!(messages_to(&world.sim, &phone(1)), 2);
    assert!(world.metric("engage_events_total", &[("outcome", "duplicate"), ("reason", "SameEntry")]).await > 1.0);
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_entry_that_come_at_once_are_told_apart_in_one_request() {
    let world =
        World::ready(&[destination("welcome", &whatsapp()), destination("agent", &conversation()), flow()]).await;
    for destination in ["welcome", "agent"] {
        world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Latency { ms: 300 })]);
        // Each identifier its own number: the user is who they have in common.
        let batch = json!([step(&phone(1), "e-1"), step(&phone(2), "e-1"), step(&phone(3), "e-1")]);
        let answer = world.send(destination, &batch).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let outcomes: Vec<&str> = answer.body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["outcome"].as_str().unwrap())
            .collect();
        let count = |word: &str| outcomes.iter().filter(|outcome| **outcome == word).count();
        assert_eq!((count("sent"), count("duplicate")), (1, 2), "{answer:?}");
    }
    assert_eq!(world.sim.state().messages.len(), 1);
    assert_eq!(world.sim.state().conversations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_reaches_nobody_leaves_the_entry_to_the_next() {
    let mut options = engage_simulator::Options::default();
    options.seed.recipients.insert(phone(1), "sync_63003".into());
    let resources = [destination("welcome", &whatsapp())];
    let world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;
    assert_eq!(world.send("welcome", &step(&phone(1), "e-1")).await.outcome(), (422, "rejected", "NotOnWhatsApp"));
    assert_eq!(world.send("welcome", &step(&phone(2), "e-1")).await.outcome(), (200, "sent", ""));
    assert_eq!(world.send("welcome", &step(&phone(3), "e-1")).await.outcome(), (200, "duplicate", "SameEntry"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_id_of_the_passage_the_time_tells_entries_apart() {
    let world = world().await;
    let now = jiff::Timestamp::now();
    let ago = |seconds: i64| (now - jiff::SignedDuration::from_secs(seconds)).to_string();
    for (seconds, outcome) in [(600, "sent"), (570, "duplicate"), (541, "duplicate"), (540, "sent"), (300, "sent")] {
        let answer = world.send("welcome", &audience(&phone(1), &ago(seconds))).await;
        assert_eq!(answer.outcome().1, outcome, "{seconds} s ago: {answer:?}");
    }
    // An event that no audience or journey made tells of no entry.
    for _ in 0..2 {
        assert_eq!(world.send("welcome", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_switched_off_each_event_is_acted_on() {
    let mut action = whatsapp();
    merge(&mut action, &json!({"delivery": {"onSameEntry": "Send"}}));
    let world = World::ready(&[destination("welcome", &action)]).await;
    for _ in 0..2 {
        assert_eq!(world.send("welcome", &step(&phone(1), "e-1")).await.outcome(), (200, "sent", ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_event_was_cut_off_waits_until_it_is_settled_and_is_not_acted_on_twice() {
    let mut world = world().await;
    // The message is made, and the program is killed before it hears of it.
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Latency { ms: 2_000 }).times(1)]);
    let (first, second) = (step(&phone(1), "e-1"), step(&phone(2), "e-1"));
    world.send_until_asked("welcome", &first, "messages.create").await;
    world.kill();
    world.start().await;
    // It may take a moment until it is known what became of the first.
    let early = world.send("welcome", &second).await;
    assert!(matches!(early.outcome(), (503, "retry", "EntryInFlight") | (200, "duplicate", "SameEntry")), "{early:?}");
    let answer = world.send_until_settled("welcome", &second).await;
    let sent = world.send_until_settled("welcome", &first).await;
    assert_eq!(answer.outcome(), (200, "duplicate", "SameEntry"));
    assert_eq!((sent.status, sent.outcome().1), (200, "duplicate"), "from the record");
    assert_eq!(messages_to(&world.sim, &phone(1)) + messages_to(&world.sim, &phone(2)), 1);
    world.assert_every_event_has_an_outcome().await;
}
