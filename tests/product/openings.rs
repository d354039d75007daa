//! What became of the opening message of a conversation, of which nobody calls back: it is looked at a few times after it was
//! sent, counted once, shown, and told Segment. The first look is after ten seconds, the second after a minute.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule, Options};
use serde_json::{Value, json};

use crate::{
    harness::{NAMESPACE, World, conversation, destination, event_to, flow, merge, outcomes, phone, secrets, sid},
    reports::{OUTSIDE_WINDOW, READS, names, told, until},
};

/// The customer of the seed whose number has no WhatsApp, which shows late.
const NOT_ON_WHATSAPP: &str = "+5511955550002";

fn resources() -> [Value; 2] {
    let mut action = conversation();
    merge(&mut action, &outcomes());
    [flow(), destination("agent", &action)]
}

async fn world(options: Options, extra: &[&str]) -> World {
    let world = World::with_options(&resources(), options, extra).await;
    world.all_ready(&resources()).await;
    world
}

async fn statuses(world: &World, status: &str) -> f64 {
    world.metric("engage_message_status_total", &[("destination", "agent"), ("status", status)]).await
}

async fn looks(world: &World, result: &str) -> f64 {
    world.metric("engage_receipt_looks_total", &[("result", result)]).await
}

async fn waiting(world: &World) -> f64 {
    world.metric("engage_receipt_looks_waiting", &[]).await
}

fn is(value: f64, expected: f64) -> bool {
    (value - expected).abs() < f64::EPSILON
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_message_is_followed_to_its_reader_and_segment_is_told() {
    for extra in [&[][..], &["--journal", "memory"]] {
        let world = world(Options::default(), extra).await;
        let mut event = event_to(READS);
        event["userId"] = json!("u-42");
        let sent = world.send("agent", &event).await;
        assert_eq!(sent.outcome(), (200, "sent", ""));
        let conversation = sent.result()["sid"].as_str().unwrap();
        assert!(conversation.starts_with("CH"));
        until("it is known to wait", &world, async || is(waiting(&world).await, 1.0)).await;
        until("three events", &world, async || told(&world).len() == 3).await;
        let told = told(&world);
        assert_eq!(names(&told), ["WhatsApp Delivered", "WhatsApp Read", "WhatsApp Sent"]);
        let message = world.sim.state().conversations[0].messages[0].sid.clone();
        for (name, told) in &told {
            assert_eq!(told["userId"], "u-42", "{name}");
            let properties = &told["properties"];
            assert_eq!(told["messageId"], format!("wa-{message}-{}", properties["status"].as_str().unwrap()));
            assert_eq!(
                (&properties["message_sid"], &properties["conversation_sid"]),
                (&json!(message), &json!(conversation))
            );
            assert_eq!(properties["content_sid"], sid("HX", 1));
            assert_eq!(properties["destination"], format!("{NAMESPACE}/agent"));
            assert_eq!(properties["source_message_id"], event["messageId"]);
            assert!(!told.to_string().contains(&READS[1..]), "{told}");
        }
        for status in ["sent", "delivered", "read"] {
            assert!(is(statuses(&world, status).await, 1.0), "{status}");
        }
        // It was read: there is nothing more to see. Its SID was known, so nothing was searched for.
        until("nothing waits", &world, async || is(waiting(&world).await, 0.0)).await;
        assert_eq!(world.sim.requests_of("receipts.list").len(), 1);
        assert_eq!(world.sim.requests_of("conversation_messages.list").len(), 0);
        assert_eq!(world.sim.state().tracked.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_was_not_reached_is_seen_in_metric_status_log_and_segment() {
    let world = world(Options::default(), &[]).await;
    for (customer, code, reason) in
        [(OUTSIDE_WINDOW, 63_016, "OutsideWindow"), (NOT_ON_WHATSAPP, 63_003, "NotOnWhatsApp")]
    {
        assert_eq!(world.send("agent", &event_to(customer)).await.outcome(), (200, "sent", ""));
        until("the failure is counted", &world, async || {
            let labels = [("destination", "agent"), ("status", "failed"), ("reason", reason)];
            world.metric("engage_message_status_total", &labels).await >= 1.0
        })
        .await;
        let is_told =
            |(name, event): &(String, Value)| name == "WhatsApp Failed" && event["properties"]["error_code"] == code;
        until("Segment is told", &world, async || told(&world).iter().any(is_told)).await;
        assert!(world.log().contains(reason) && !world.log().contains(&customer[3..]), "{}", world.log());
    }
    until("nothing waits", &world, async || is(waiting(&world).await, 0.0)).await;
    // A status is written once a minute at most: what comes right after the first write waits for the second.
    let begin = Instant::now();
    let deliveries =
        async || world.get("EngageDestination", "agent").unwrap_or_default()["status"]["deliveries"].clone();
    while deliveries().await["lastFailure"]["reason"] != "NotOnWhatsApp" {
        assert!(begin.elapsed() < Duration::from_secs(90), "{:#}", deliveries().await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let deliveries = deliveries().await;
    assert_eq!((&deliveries["messages"]["failed"], &deliveries["outcomes"]), (&json!(2), &json!({"sent": 2})));
    assert!(deliveries["lastFailure"]["detail"].as_str().unwrap().contains("63003"));
    world.reason("EngageDestination", "agent", "Ready", "Ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_before_and_amid_the_looks_loses_none_and_tells_nothing_twice() {
    const EVENTS: usize = 60;
    const ALL: f64 = 60.0;
    let mut world = world(Options::default(), &[]).await;
    for n in 0..EVENTS {
        assert_eq!(world.send("agent", &event_to(&phone(n))).await.status, 200);
    }
    world.kill();
    assert!(told(&world).is_empty());
    world.start().await;
    until("they are known to wait", &world, async || waiting(&world).await >= ALL).await;
    // At twenty a second it takes a while: the end comes in between.
    until("some are told", &world, async || !told(&world).is_empty()).await;
    world.kill();
    assert!(told(&world).len() < 2 * EVENTS);
    world.start().await;
    until("all are told", &world, async || told(&world).len() == 2 * EVENTS).await;
    until("no look is due", &world, async || world.sim.requests_of("receipts.list").len() >= EVENTS).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = told(&world);
    for name in ["WhatsApp Sent", "WhatsApp Delivered"] {
        assert_eq!(told.iter().filter(|(told, _)| told == name).count(), EVENTS, "{name}");
    }
    // A customer may still read what was delivered.
    assert!(is(waiting(&world).await, ALL));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_puts_looks_off_and_stops_none() {
    const EVENTS: usize = 30;
    const ALL: f64 = 30.0;
    let world = world(Options::default(), &[]).await;
    world.sim.set_faults(vec![
        FaultRule::on("receipts.list", FaultKind::Throttle { retry_after: Some(1) }).times(6),
        FaultRule::on("receipts.list", FaultKind::Throttle { retry_after: None }).probability(0.1),
    ]);
    for n in 0..EVENTS {
        assert_eq!(world.send("agent", &event_to(&phone(n))).await.status, 200);
    }
    let begin = Instant::now();
    while statuses(&world, "delivered").await < ALL {
        assert!(begin.elapsed() < Duration::from_secs(90), "{}", world.metrics().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(looks(&world, "throttled").await >= 6.0);
    assert!(is(statuses(&world, "delivered").await, ALL));
    assert!(is(looks(&world, "failed").await + looks(&world, "given_up").await, 0.0));
}

/// Waits until something holds that only the second look can bring.
async fn until_the_second_look(world: &World, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(90), "{}\n{}", world.metrics().await, world.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_further_between_two_looks_is_seen_by_the_second() {
    // It is sent after 9.8 s, delivered after 14.7 s and read after 19.6 s.
    let world = world(Options { message_step_ms: 4_900, ..Options::default() }, &[]).await;
    assert_eq!(world.send("agent", &event_to(READS)).await.status, 200);
    until("it is sent", &world, async || is(statuses(&world, "sent").await, 1.0)).await;
    assert!(is(statuses(&world, "read").await, 0.0));
    until_the_second_look(&world, async || is(statuses(&world, "read").await, 1.0)).await;
    until("each is told once", &world, async || told(&world).len() == 3).await;
    assert_eq!(world.sim.requests_of("receipts.list").len(), 2);
    let told = told(&world);
    let at =
        |name: &str| told.iter().find(|(told, _)| told == name).unwrap().1["timestamp"].as_str().unwrap().to_owned();
    assert!(at("WhatsApp Sent") < at("WhatsApp Read"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_refuses_is_asked_again_later() {
    let world = world(Options::default(), &[]).await;
    assert_eq!(world.send("agent", &event_to(READS)).await.status, 200);
    world.sim.rotate_auth_token("rotated-token", false);
    until("it is refused", &world, async || is(looks(&world, "refused").await, 1.0)).await;
    // Not at once, however often.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(is(looks(&world, "refused").await, 1.0) && is(waiting(&world).await, 1.0));
    world.write("secrets.yaml", &secrets().replace("demo-auth-token", "rotated-token"));
    assert_eq!(world.send_until_settled("agent", &event_to(&phone(1))).await.status, 200);
    until_the_second_look(&world, async || is(statuses(&world, "read").await, 1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_gone_ends_the_looks_in_sight() {
    let world = world(Options::default(), &[]).await;
    let sent = world.send("agent", &event_to(&phone(1))).await;
    let path = format!("/v1/Conversations/{}", sent.result()["sid"].as_str().unwrap());
    let url = world.sim.twilio_base_url().replace("{product}", "conversations") + &path;
    let deleted = world.http().delete(url).basic_auth(sid("AC", 1), Some("demo-auth-token")).send().await.unwrap();
    assert_eq!(deleted.status().as_u16(), 204);
    until("it is seen to be gone", &world, async || is(looks(&world, "gone").await, 1.0)).await;
    until("nothing waits", &world, async || is(waiting(&world).await, 0.0)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.sim.requests_of("receipts.list").len(), 1);
    assert!(told(&world).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_or_cut_off_by_a_kill_is_followed_too() {
    let mut world = world(Options::default(), &[]).await;
    world.sim.set_faults(vec![FaultRule::on("conversation_messages.create", FaultKind::DropAfter).times(1)]);
    assert_eq!(world.send("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    world
        .sim
        .set_faults(vec![FaultRule::on("conversation_messages.create", FaultKind::Latency { ms: 4_000 }).times(1)]);
    let event = event_to(&phone(2));
    world.send_until_asked("agent", &event, "conversation_messages.create").await;
    world.kill();
    world.start().await;
    assert_eq!(world.send_until_settled("agent", &event).await.status, 200);
    until("both are delivered", &world, async || names(&told(&world)).len() == 4).await;
    let receipts = world.sim.requests_of("receipts.list");
    assert!(receipts.len() <= 3, "{receipts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_key_opening_messages_are_followed_since_nothing_has_to_be_proven() {
    let world = World::with(&resources()).await;
    let key = format!("TWILIO_API_KEY: {}, TWILIO_API_SECRET: demo-main-secret", sid("SK", 2));
    world.write("secrets.yaml", &secrets().replace("TWILIO_AUTH_TOKEN: demo-auth-token", &key));
    world.all_ready(&resources()).await;
    assert_eq!(world.send_until_settled("agent", &event_to(&phone(1))).await.status, 200);
    until("it is delivered", &world, async || is(statuses(&world, "delivered").await, 1.0)).await;
    let status = world.get("EngageDestination", "agent").unwrap_or_default()["status"].clone();
    let conditions = status["conditions"].as_array().unwrap();
    assert!(conditions.iter().all(|condition| condition["type"] != "Followed"), "{conditions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_waits_for_the_customer_has_nothing_to_be_looked_at() {
    let mut silent = conversation();
    silent["conversation"].as_object_mut().unwrap().remove("openingMessage");
    let world = World::ready(&[flow(), destination("agent", &silent)]).await;
    assert_eq!(world.send_until_settled("agent", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(is(waiting(&world).await, 0.0));
}
