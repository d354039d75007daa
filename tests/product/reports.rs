//! What became of a message after Twilio took it: followed by callbacks in whatever order, counted once, shown, and told
//! Segment.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule, Options, sign_callback};
use serde_json::{Value, json};

use crate::harness::{
    NAMESPACE, SECRET, WRITE_KEY, World, destination, event, event_to, merge, messages_to, outcomes, phone, secrets,
    sid, whatsapp,
};

/// Customers of the seed whose messages fail late, and are read.
pub const OUTSIDE_WINDOW: &str = "+5511955550003";
pub const READS: &str = "+5511955550005";

fn followed() -> Value {
    let mut action = whatsapp();
    merge(&mut action, &outcomes());
    destination("welcome", &action)
}

async fn world(options: Options) -> World {
    let resources = [followed()];
    let world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;
    world
}

/// Waits until something holds.
pub async fn until(what: &str, world: &World, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(30), "not in time: {what}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events that Segment was told and kept, by name.
pub fn told(world: &World) -> Vec<(String, Value)> {
    let tracked = world.sim.state().tracked;
    let kept = tracked.into_iter().filter(|tracked| tracked.discarded.is_none());
    let mut events: Vec<_> =
        kept.map(|tracked| (tracked.event["event"].as_str().unwrap().to_owned(), tracked.event)).collect();
    events.sort_by(|a, b| a.0.cmp(&b.0));
    events
}

pub fn names(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

async fn statuses(world: &World, status: &str) -> f64 {
    world.metric("engage_message_status_total", &[("destination", "welcome"), ("status", status)]).await
}

/// A callback as Twilio makes it, for the operator at this address.
struct Callback {
    url: String,
    signed_url: String,
    token: &'static str,
    parameters: Vec<(String, String)>,
}

impl Callback {
    fn of(world: &World, event: &str, status: &str) -> Self {
        let url = format!("{}/v1/callbacks/{NAMESPACE}/welcome?event={event}", world.public_url());
        let parameters = [("MessageSid", sid("SM", 77)), ("MessageStatus", status.into()), ("To", String::new())];
        Self {
            signed_url: url.clone(),
            url,
            token: "demo-auth-token",
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        }
    }

    async fn send(&self, world: &World) -> u16 {
        let signature = sign_callback(self.token, &self.signed_url, &self.parameters);
        let request = world.http().post(&self.url).header("X-Twilio-Signature", signature).form(&self.parameters);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_followed_to_its_reader_and_segment_is_told() {
    let world = world(Options::default()).await;
    let mut event = event_to(READS);
    event["userId"] = json!("u-42");
    event["properties"]["journey_metadata"] = json!({"journey_id": "j-1", "epoch_id": "e-1"});
    let sent = world.send("welcome", &event).await;
    assert_eq!(sent.outcome(), (200, "sent", ""));
    until("three events", &world, async || told(&world).len() == 3).await;
    let told = told(&world);
    assert_eq!(names(&told), ["WhatsApp Delivered", "WhatsApp Read", "WhatsApp Sent"]);
    let message = sent.result()["sid"].as_str().unwrap();
    for (name, told) in &told {
        assert_eq!(told["userId"], "u-42", "{name}");
        let properties = &told["properties"];
        assert_eq!(properties["message_sid"], message);
        assert_eq!(properties["content_sid"], sid("HX", 1));
        assert_eq!(properties["destination"], format!("{NAMESPACE}/welcome"));
        assert_eq!(properties["source_message_id"], event["messageId"]);
        assert_eq!(properties["journey_id"], "j-1");
        assert!(!told.to_string().contains(&READS[1..]), "{told}");
    }
    for status in ["sent", "delivered", "read"] {
        assert!((statuses(&world, status).await - 1.0).abs() < f64::EPSILON, "{status}");
    }
    // Every callback was taken at once.
    let callbacks = world.sim.state().callbacks;
    assert!(!callbacks.is_empty());
    assert!(callbacks.iter().all(|callback| callback.answered == Some(204) && callback.attempts == 1), "{callbacks:?}");
    let names: Vec<String> =
        world.sim.requests_of("messages.create")[0].form.iter().map(|(name, _)| name.clone()).collect();
    assert!(names.contains(&"StatusCallback".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_and_the_number_of_callbacks_change_nothing() {
    let options =
        Options { reorder_callbacks: true, duplicate_callbacks: true, message_step_ms: 1, ..Options::default() };
    let world = world(options).await;
    for n in 0..20 {
        assert_eq!(world.send("welcome", &event_to(&phone(n))).await.status, 200);
    }
    until("all are delivered", &world, async || statuses(&world, "delivered").await >= 20.0).await;
    until("each status is told", &world, async || told(&world).len() == 40).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!((statuses(&world, "sent").await - 20.0).abs() < f64::EPSILON);
    assert!((statuses(&world, "delivered").await - 20.0).abs() < f64::EPSILON);
    assert!(world.metric("engage_callbacks_total", &[("result", "repeated")]).await >= 20.0);
    // None was told twice, not even to be dropped.
    assert_eq!(world.sim.state().tracked.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_is_seen_in_metric_status_and_segment() {
    let world = world(Options::default()).await;
    assert_eq!(world.send("welcome", &event_to(OUTSIDE_WINDOW)).await.outcome(), (200, "sent", ""));
    until("the failure is counted", &world, async || {
        let labels = [("destination", "welcome"), ("status", "failed"), ("reason", "OutsideWindow")];
        world.metric("engage_message_status_total", &labels).await >= 1.0
    })
    .await;
    until("Segment is told", &world, async || names(&told(&world)).contains(&"WhatsApp Failed")).await;
    let told = told(&world);
    let failed = &told.iter().find(|(name, _)| name == "WhatsApp Failed").unwrap().1["properties"];
    assert_eq!((&failed["error_code"], &failed["reason"]), (&json!(63_016), &json!("OutsideWindow")));
    let status = async || world.get("EngageDestination", "welcome").unwrap_or_default()["status"].clone();
    // A status is written once a minute at most: what comes right after the first write waits for the second.
    let begin = Instant::now();
    while status().await["deliveries"]["lastFailure"]["reason"] != "OutsideWindow" {
        assert!(begin.elapsed() < Duration::from_secs(90), "{:#}", status().await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let deliveries = &status().await["deliveries"];
    assert_eq!(deliveries["outcomes"], json!({"sent": 1}));
    assert_eq!(deliveries["messages"]["failed"], 1);
    assert!(deliveries["lastFailure"]["detail"].as_str().unwrap().contains("63016"));
    assert_eq!(deliveries["refusedSince"], Value::Null);
    assert!(!deliveries.to_string().contains(&OUTSIDE_WINDOW[1..]));
    world.reason("EngageDestination", "welcome", "Ready", "Ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_twilio_signed_is_believed_in_either_form_of_the_port() {
    let world = world(Options::default()).await;
    let event = event_to(&phone(1));
    assert_eq!(world.send("welcome", &event).await.status, 200);
    until("it is delivered", &world, async || statuses(&world, "delivered").await >= 1.0).await;
    let id = event["messageId"].as_str().unwrap();
    let counted = async || statuses(&world, "read").await + statuses(&world, "sent").await;

    let without_port = Callback {
        signed_url: format!("http://127.0.0.1/v1/callbacks/{NAMESPACE}/welcome?event={id}"),
        ..Callback::of(&world, id, "read")
    };
    assert_eq!(without_port.send(&world).await, 204);
    assert_eq!(Callback::of(&world, id, "sent").send(&world).await, 204);
    let before = counted().await;
    assert!((before - 3.0).abs() < f64::EPSILON, "{before}");

    let mut changed = Callback::of(&world, id, "failed");
    changed.url = changed.url.replace(id, "personas_0");
    let elsewhere = Callback { signed_url: "https://127.0.0.1/v1/x".into(), ..Callback::of(&world, id, "failed") };
    let other_token = Callback { token: "guessed", ..Callback::of(&world, id, "failed") };
    for forged in [changed, elsewhere, other_token] {
        assert_eq!(forged.send(&world).await, 403);
    }
    let unsigned = world.http().post(Callback::of(&world, id, "read").url).form(&[("MessageSid", "x")]);
    assert_eq!(unsigned.send().await.unwrap().status(), 403);
    assert!((counted().await - before).abs() < f64::EPSILON);
    assert!((statuses(&world, "failed").await).abs() < f64::EPSILON);

    // Genuine, and of nothing that is known.
    assert_eq!(Callback::of(&world, "personas_none", "read").send(&world).await, 204);
    assert_eq!(Callback::of(&world, id, "partially_delivered").send(&world).await, 204);
    let elsewhere = format!("{}/v1/callbacks/{NAMESPACE}/nobody?event=x", world.public_url());
    let nobody = Callback { signed_url: elsewhere.clone(), url: elsewhere, ..Callback::of(&world, id, "read") };
    assert_eq!(nobody.send(&world).await, 404);
    for (result, count) in [("unknown_event", 1.0), ("ignored", 1.0), ("refused", 5.0)] {
        let counted = world.metric("engage_callbacks_total", &[("result", result)]).await;
        assert!((counted - count).abs() < f64::EPSILON, "{result}: {counted}");
    }
    let large =
        world.http().post(world.public_url() + "/v1/callbacks/marketing/welcome").form(&[("a", "x".repeat(20_000))]);
    assert_eq!(large.send().await.unwrap().status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_rotated_proves_as_soon_as_the_secret_has_it() {
    let world = world(Options::default()).await;
    let event = event_to(&phone(1));
    assert_eq!(world.send("welcome", &event).await.status, 200);
    let id = event["messageId"].as_str().unwrap();
    let rotated = Callback { token: "rotated-token", ..Callback::of(&world, id, "read") };
    assert_eq!(rotated.send(&world).await, 403);
    world.write("secrets.yaml", &secrets().replace("demo-auth-token", "rotated-token"));
    let begin = Instant::now();
    loop {
        let status = rotated.send(&world).await;
        if status == 204 {
            break;
        }
        assert!(status == 403 && begin.elapsed() < Duration::from_secs(15), "{status}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_segment_does_not_take_is_told_later_also_after_a_kill() {
    let mut world = world(Options::default()).await;
    let tracking = |kind: FaultKind| FaultRule::on("tracking.batch", kind);
    world.sim.set_faults(vec![tracking(FaultKind::ErrorBefore { status: 503 })]);
    for n in 0..30 {
        assert_eq!(world.send("welcome", &event_to(&phone(n))).await.status, 200);
    }
    until("all are delivered", &world, async || statuses(&world, "delivered").await >= 30.0).await;
    until("it is seen that they wait", &world, async || waiting(&world).await >= 60.0).await;
    world.kill();
    assert!(told(&world).is_empty());
    world.sim.set_faults(vec![tracking(FaultKind::Throttle { retry_after: Some(6) }).times(1)]);
    let asked = world.sim.requests_of("tracking.batch").len();
    world.start().await;
    until("it is told to wait", &world, async || world.sim.requests_of("tracking.batch").len() > asked).await;
    // Taken, and the answer lost: told again, and dropped by its id.
    world.sim.set_faults(vec![tracking(FaultKind::DropAfter).times(1)]);
    let throttled = Instant::now();
    until("all is told", &world, async || told(&world).len() == 60).await;
    assert!(throttled.elapsed() >= Duration::from_millis(5_800), "{:?}", throttled.elapsed());
    until("nothing waits", &world, async || waiting(&world).await < 0.5).await;
    let counted = world.metric("engage_announcements_total", &[("result", "told")]).await;
    assert!((counted - 60.0).abs() < f64::EPSILON, "{counted}");
    assert_eq!(world.sim.state().tracked.len(), 120, "each once more, which Segment drops");
}

async fn waiting(world: &World) -> f64 {
    world.metric("engage_announcements_waiting", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_no_callback_that_was_taken_is_lost() {
    let mut world = world(Options { message_step_ms: 100, ..Options::default() }).await;
    let mut events = 0;
    for round in 0..6 {
        for n in 0..10 {
            // One that the kill cut off comes again, as from Segment.
            let event = event_to(&phone(round * 10 + n));
            assert_eq!(world.send_until_settled("welcome", &event).await.status, 200);
            events += 1;
        }
        tokio::time::sleep(Duration::from_millis(60 * round as u64)).await;
        world.kill();
        world.start().await;
    }
    let taken = |status: &str| {
        let callbacks = world.sim.state().callbacks;
        callbacks.iter().filter(|callback| callback.status == status && callback.answered == Some(204)).count()
    };
    until("every callback was sent", &world, async || {
        let sent = world.sim.state().callbacks.iter().filter(|callback| callback.status == "delivered").count();
        sent == events
    })
    .await;
    assert!(taken("delivered") > events / 2, "{} of {events}", taken("delivered"));
    until("what was taken is told", &world, async || {
        let told = told(&world);
        ["sent", "delivered"].iter().all(|status| {
            let of = told.iter().filter(|(_, event)| event["properties"]["status"] == *status).count();
            of >= taken(status)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_starts_nothing() {
    let world = world(Options::default()).await;
    assert_eq!(world.send("welcome", &event_to(&phone(1))).await.status, 200);
    until("two events", &world, async || told(&world).len() == 2).await;
    for (_, mut told) in told(&world) {
        // As the source's mapping would forward it, with a phone at hand.
        told["properties"]["phone"] = json!(phone(1));
        assert_eq!(world.send("welcome", &told).await.outcome(), (200, "suppressed", "OwnOutcome"));
    }
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_key_alone_messages_are_sent_and_not_followed() {
    let resources = [followed()];
    let world = World::with(&resources).await;
    let key = format!("TWILIO_API_KEY: {}, TWILIO_API_SECRET: demo-main-secret", sid("SK", 2));
    world.write("secrets.yaml", &secrets().replace("TWILIO_AUTH_TOKEN: demo-auth-token", &key));
    let message = world.reason("EngageDestination", "welcome", "Followed", "CallbacksUnverifiable").await;
    assert!(message.contains("auth token"), "{message}");
    world.all_ready(&resources).await;
    assert_eq!(world.send_until_settled("welcome", &event_to(&phone(1))).await.status, 200);
    let form = &world.sim.requests_of("messages.create")[0].form;
    assert!(form.iter().all(|(name, _)| name != "StatusCallback"), "{form:?}");
    // With the token it is, and the condition goes.
    world.write("secrets.yaml", &secrets());
    until("the condition goes", &world, async || {
        let status = world.get("EngageDestination", "welcome").unwrap_or_default()["status"].clone();
        status["conditions"].as_array().is_some_and(|all| all.iter().all(|one| one["type"] != "Followed"))
    })
    .await;
    // The gateway reads a Secret again that is half a minute old.
    let begin = Instant::now();
    for n in 2.. {
        assert!(begin.elapsed() < Duration::from_secs(45), "{}", world.log());
        assert_eq!(world.send_until_settled("welcome", &event_to(&phone(n))).await.status, 200);
        if statuses(&world, "delivered").await >= 1.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_key_that_is_missing_is_said_before_anything_is_sent() {
    let world = World::with(&[followed()]).await;
    world.write("secrets.yaml", &secrets().replace("SEGMENT_WRITE_KEY", "OTHER"));
    let message = world.reason("EngageDestination", "welcome", "Ready", "SecretKeyMissing").await;
    assert!(message.contains("spec.outcomes.credentialsRef") && message.contains("SEGMENT_WRITE_KEY"), "{message}");
    let refused = world.send("welcome", &event("lead-1")).await;
    assert_eq!((refused.status, refused.body["reason"].as_str()), (503, Some("SecretKeyMissing")));
    until("the status says since when", &world, async || {
        let status = world.get("EngageDestination", "welcome").unwrap_or_default()["status"].clone();
        status["deliveries"]["refusedSince"].is_string()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_settles_an_answer_that_was_lost_before_the_list_does() {
    let world = world(Options::default()).await;
    world.sim.set_faults(vec![
        FaultRule::on("messages.create", FaultKind::DropAfter).times(1),
        FaultRule::on("messages.list", FaultKind::ListLag { ms: 60_000 }),
    ]);
    let answer = world.send("welcome", &event_to(&phone(1))).await;
    assert_eq!(answer.outcome(), (200, "sent", ""), "{}", world.log());
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_customers_nor_secrets_are_logged_or_shown() {
    let world = world(Options::default()).await;
    world.sim.set_faults(vec![FaultRule::on("tracking.batch", FaultKind::ErrorBefore { status: 503 }).times(1)]);
    let unreal = "+5511955550001";
    for number in [OUTSIDE_WINDOW, READS, unreal] {
        world.send("welcome", &event_to(number)).await;
    }
    let forged = Callback { token: "guessed", ..Callback::of(&world, "personas_1", "read") };
    assert_eq!(forged.send(&world).await, 403);
    until("the failure is logged", &world, async || world.log().contains("OutsideWindow")).await;
    until("Segment is told", &world, async || told(&world).len() >= 4).await;
    let (table, _) = world.get_text(&["all", "-o", "yaml"]);
    let metrics = world.metrics().await;
    assert!(metrics.contains("engage_message_status_total"));
    let customers = [OUTSIDE_WINDOW, READS, unreal].map(|number| &number[3..]);
    for output in [world.log(), table, metrics] {
        for hidden in [&["demo-auth-token", SECRET, "demo-profiles-token", WRITE_KEY, "Bia"], &customers[..]].concat() {
            assert!(!output.contains(hidden), "{hidden} in {output}");
        }
    }
}
