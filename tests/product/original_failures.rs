//! Where the two Destination Functions and the hand-imported flow failed, and this does not. The numbers are those of the
//! list in `docs/decisions.md`, which also names the tests of the failures that other files prove.

use engage_simulator::{FaultKind, FaultRule};
use serde_json::json;

use crate::harness::{World, conversation, destination, event, event_to, flow, messages_to, phone, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn failure_1_a_status_of_twilio_never_counts_as_delivered() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    for status in [400, 401, 403, 404, 409, 500, 502, 503] {
        world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::ErrorBefore { status }).times(1)]);
        let answer = world.send("welcome", &event_to(&phone(usize::from(status)))).await;
        if status < 500 {
            assert_eq!((answer.status, answer.result()["outcome"].as_str()), (503, Some("retry")), "{status}");
        } else {
            // Lost, looked for, found absent and sent.
            assert!(answer.status == 503 || answer.result()["outcome"] == "sent", "{status}: {answer:?}");
        }
    }
    for status in [429, 500, 503] {
        world.sim.set_faults(vec![FaultRule::on("profiles.traits", FaultKind::ErrorBefore { status }).times(1)]);
        let answer = world.send("welcome", &event("lead-1")).await;
        assert_eq!((answer.status, answer.result()["outcome"].as_str()), (503, Some("retry")), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_2_and_11_no_orphan_and_no_reply_without_a_flow() {
    let world = World::ready(&[flow(), destination("agent", &conversation())]).await;
    world.sim.set_faults(vec![FaultRule::on("webhooks.create", FaultKind::ErrorBefore { status: 404 }).times(1)]);
    let event = event_to(&phone(1));
    assert_eq!(world.send("agent", &event).await.status, 503);
    assert_eq!(world.send_until_settled("agent", &event).await.outcome(), (200, "sent", ""));
    let state = world.sim.state();
    assert_eq!(state.conversations.len(), 1);
    assert_eq!(state.conversations[0].webhooks.len(), 1);
    // The customer answers the moment the message is there; the flow answers.
    let reply = world.sim.customer_reply(&phone(1), crate::harness::OUR_NUMBERS[0], "hi");
    assert_eq!(reply.executions.len(), 1);
    assert!(world.sim.state().unmatched_replies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_3_a_retry_after_a_timeout_sends_nothing_again() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Latency { ms: 1_500 })]);
    let sender = {
        let mut sender = world.segment("welcome", std::time::Duration::from_secs(20));
        sender.timeout = std::time::Duration::from_millis(500);
        sender
    };
    let events: Vec<_> = (0..5).map(|n| event_to(&phone(n))).collect();
    let deliveries = sender.send(&events).await.unwrap();
    assert_eq!(crate::harness::delivered(&deliveries), 5, "{deliveries:?}");
    assert!(deliveries.iter().all(|delivery| delivery.attempts.len() > 1));
    for n in 0..5 {
        assert_eq!(messages_to(&world.sim, &phone(n)), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_7_and_8_no_hole_in_a_message_and_no_number_as_it_was_typed() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    let mut event = event_to("(11) 98888-0001");
    event["properties"]["first_name"] = json!(null);
    event["properties"]["plan"] = json!("  ");
    // `plan` is only white space and its template has no default for that.
    let answer = world.send("welcome", &event).await;
    assert_eq!(answer.outcome(), (422, "rejected", "MissingTrait"), "{answer:?}");
    let mut event = event_to("(11) 98888-0001");
    event["properties"]["first_name"] = json!("");
    assert_eq!(world.send("welcome", &event).await.outcome(), (200, "sent", ""));
    let message = &world.sim.state().messages[0];
    assert_eq!(message.to, "whatsapp:+5511988880001");
    assert_eq!(message.content_variables.as_deref(), Some(r#"{"1":"there","2":"pro"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_12_a_success_is_as_visible_as_a_failure() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    let event = event("lead-1");
    let sid = world.send("welcome", &event).await.result()["sid"].as_str().unwrap().to_owned();
    let log = world.log();
    let line = log.lines().find(|line| line.contains(&sid)).expect("a line about the success");
    assert!(line.contains(event["messageId"].as_str().unwrap()) && line.contains("marketing/welcome"), "{line}");
    assert!(world.metric("engage_events_total", &[("outcome", "sent")]).await > 0.0);
}
