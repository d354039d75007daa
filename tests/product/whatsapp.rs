//! A template to one customer, once, whatever Twilio does.

use std::time::Duration;

use engage_simulator::{FaultKind, FaultRule};
use serde_json::json;

use crate::harness::{World, destination, event, event_to, merge, messages_to, phone, whatsapp};

async fn world() -> World {
    World::ready(&[destination("welcome", &whatsapp())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_the_template_and_its_repetition_nothing() {
    let world = world().await;
    let event = event("lead-1");
    let first = world.send("welcome", &event).await;
    assert_eq!(first.outcome(), (200, "sent", ""));
    let again = world.send("welcome", &event).await;
    assert_eq!(again.outcome(), (200, "duplicate", ""));
    assert_eq!(again.result()["sid"], first.result()["sid"]);
    let messages = world.sim.state().messages;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].content_variables.as_deref(), Some(r#"{"1":"Ana","2":"pro"}"#));
    let sent = &world.sim.requests_of("messages.create")[0];
    let names: Vec<&str> = sent.form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["To", "MessagingServiceSid", "ContentSid", "ContentVariables", "StatusCallback"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn traits_by_position_fill_the_template_in_order() {
    let mut action = whatsapp();
    action["whatsapp"].as_object_mut().unwrap().remove("contentVariables");
    merge(&mut action, &json!({"whatsapp": {"includeTraits": ["first_name", "plan"]}}));
    let world = World::ready(&[destination("welcome", &action)]).await;
    assert_eq!(world.send("welcome", &event("lead-1")).await.status, 200);
    assert_eq!(world.sim.state().messages[0].content_variables.as_deref(), Some(r#"{"1":"Ana","2":"pro"}"#));
    // A profile without the trait: no hole is sent.
    let missing = world.send("welcome", &event("lead-5")).await;
    assert_eq!(missing.outcome(), (422, "rejected", "MissingTrait"));
    assert_eq!(world.sim.state().messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_would_come_too_late_is_not_to_come_at_all() {
    let mut timely = whatsapp();
    timely["whatsapp"]["validity"] = json!("4h");
    let world = World::ready(&[destination("welcome", &whatsapp()), destination("timely", &timely)]).await;
    for name in ["welcome", "timely"] {
        assert_eq!(world.send(name, &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    }
    let sent = world.sim.requests_of("messages.create");
    assert_eq!((sent[0].param("ValidityPeriod"), sent[1].param("ValidityPeriod")), (None, Some("14400")));
}

/// Every way in which the answer of a POST can be lost, with and without its effect.
fn lost_answers() -> [FaultKind; 5] {
    [
        FaultKind::ErrorBefore { status: 503 },
        FaultKind::ErrorAfter { status: 500 },
        FaultKind::DropBefore,
        FaultKind::DropAfter,
        FaultKind::DropThenLateEffect { after_ms: 1_500 },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_costs_a_look_and_never_a_second_message() {
    let world = world().await;
    for (n, fault) in lost_answers().into_iter().enumerate() {
        let (phone, name) = (phone(n), fault.name());
        world.sim.set_faults(vec![FaultRule::on("messages.create", fault).times(1)]);
        let answer = world.send_until_settled("welcome", &event_to(&phone)).await;
        assert!(answer.status == 200, "{name}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(messages_to(&world.sim, &phone), 1, "{name}");
    }
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lags_and_a_date_that_is_null_do_not_make_it_send_twice() {
    let world = world().await;
    world.sim.set_faults(vec![
        FaultRule::on("messages.create", FaultKind::DropAfter).times(1),
        FaultRule::on("messages.list", FaultKind::ListLag { ms: 2_000 }),
        FaultRule::on("messages.list", FaultKind::NullDateSent),
    ]);
    let answer = world.send_until_settled("welcome", &event_to(&phone(1))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_event_to_a_customer_waits_until_the_first_is_settled() {
    let world = world().await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::DropAfter).times(1)]);
    let (first, second) = (event_to(&phone(1)), event_to(&phone(1)));
    let (a, b) =
        tokio::join!(world.send_until_settled("welcome", &first), world.send_until_settled("welcome", &second),);
    assert_eq!((a.status, b.status), (200, 200));
    assert_ne!(a.result()["sid"], b.result()["sid"]);
    assert_eq!(messages_to(&world.sim, &phone(1)), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn parking_leaves_what_cannot_be_told_to_a_person() {
    let mut action = whatsapp();
    merge(&mut action, &json!({"delivery": {"onUnknownOutcome": "Park"}}));
    let world = World::ready(&[destination("welcome", &action)]).await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::DropBefore).times(1)]);
    let event = event_to(&phone(1));
    let answer = world.send_until_settled("welcome", &event).await;
    assert!(matches!(answer.outcome(), (409, "unknown" | "duplicate", "OutcomeUnknown")), "{answer:?}");
    assert_eq!(messages_to(&world.sim, &phone(1)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn being_told_to_slow_down_keeps_the_event() {
    let world = world().await;
    for retry_after in [None, Some(1)] {
        world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Throttle { retry_after }).times(1)]);
        let event = event_to(&phone(1));
        let throttled = world.send("welcome", &event).await;
        assert_eq!(throttled.outcome(), (503, "retry", "Throttled"));
        assert!(throttled.retry_after);
        assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "sent", ""));
    }
    assert_eq!(messages_to(&world.sim, &phone(1)), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_outlives_its_request_and_the_answer_comes_with_the_next() {
    let world = world().await;
    world.sim.set_faults(vec![
        FaultRule::on("profiles.traits", FaultKind::Latency { ms: 3_000 }).times(1),
        FaultRule::on("messages.create", FaultKind::Latency { ms: 6_000 }).times(1),
    ]);
    let event = event("lead-1");
    assert_eq!(world.send("welcome", &event).await.outcome(), (503, "retry", "StillSending"));
    let answer = world.send_until_settled("welcome", &event).await;
    assert_eq!(answer.outcome(), (200, "duplicate", ""));
    assert_eq!(world.sim.state().messages.len(), 1);
    assert!(world.metric("engage_late_outcomes_total", &[("outcome", "sent")]).await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_events_own_fault_or_one_that_can_be_mended() {
    let mut options = engage_simulator::Options::default();
    options.seed.recipients.insert(phone(1), "sync_63003".into());
    let resources = [destination("welcome", &whatsapp())];
    let world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;
    assert_eq!(world.send("welcome", &event_to(&phone(1))).await.outcome(), (422, "rejected", "NotOnWhatsApp"));
    // The token is rotated in Twilio first, in the Secret a moment later; the event is kept meanwhile.
    world.sim.rotate_auth_token("rotated", false);
    let event = event_to(&phone(2));
    assert_eq!(world.send("welcome", &event).await.outcome(), (503, "retry", "TwilioCredentialsRejected"));
    world.write("secrets.yaml", &crate::harness::secrets().replace("demo-auth-token", "rotated"));
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "sent", ""));
    assert_eq!(messages_to(&world.sim, &phone(2)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_remembered_through_a_restart() {
    let mut world = world().await;
    let event = event_to(&phone(1));
    assert_eq!(world.send("welcome", &event).await.outcome(), (200, "sent", ""));
    assert!(world.terminate().success(), "{}", world.log());
    world.start().await;
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "duplicate", ""));
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_under_way_when_the_process_was_killed_is_found_not_repeated() {
    let mut world = world().await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Latency { ms: 5_000 }).times(1)]);
    let event = event_to(&phone(1));
    world.send_until_asked("welcome", &event, "messages.create").await;
    world.kill();
    world.start().await;
    let answer = world.send_until_settled("welcome", &event).await;
    assert_eq!(answer.outcome(), (200, "duplicate", ""), "{answer:?}");
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}
