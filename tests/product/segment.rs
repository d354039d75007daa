//! Requests as Segment sends them: plain, wrapped, signed, with a token, and with what its events bring.

use std::time::Duration;

use engage_simulator::segment::sender::{Mode, Sign};
use serde_json::{Value, json};

use crate::harness::{
    NAMESPACE, SECRET, World, delivered, destination, event, event_to, merge, messages_to, phone, sign, whatsapp,
};

const TOKEN: &str = "demo-webhook-token";

/// A Secret for Segment under this name, with these keys beside the Profile API token.
fn segment_secret(name: &str, keys: &Value) -> Value {
    let mut data = json!({"SEGMENT_PROFILES_API_TOKEN": "demo-profiles-token"});
    merge(&mut data, keys);
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data})
}

/// A destination that takes this Secret.
fn with_secret(destination_name: &str, secret: &str) -> Value {
    let mut action = whatsapp();
    action["segment"] = json!({"credentialsRef": {"name": secret}});
    destination(destination_name, &action)
}

/// Destinations `signed`, `token` and `both`, named after what their Secret holds.
async fn world() -> World {
    let destinations = ["signed", "token", "both"].map(|name| with_secret(name, name));
    let secrets = [
        segment_secret("signed", &json!({"SEGMENT_WEBHOOK_SECRET": SECRET})),
        segment_secret("token", &json!({"SEGMENT_WEBHOOK_TOKEN": format!("next-token, {TOKEN}")})),
        segment_secret("both", &json!({"SEGMENT_WEBHOOK_SECRET": SECRET, "SEGMENT_WEBHOOK_TOKEN": TOKEN})),
    ];
    let world = World::with(&[&secrets[..], &destinations[..]].concat()).await;
    world.all_ready(&destinations).await;
    world
}

fn wrapped(events: &[&Value]) -> String {
    let events: Vec<String> = events.iter().map(|event| format!(r#"{{"json":{event}}}"#)).collect();
    format!("[{}]", events.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapped_batch_is_proven_by_its_first_event_and_believed_no_further() {
    let world = world().await;
    let (first, mut forged) = (event_to(&phone(1)), event_to(&phone(2)));
    forged["userId"] = json!("lead-4");
    let body = wrapped(&[&first, &forged]);
    let answer = world.post_signed("signed", &body, Some(&sign(SECRET, &first.to_string()))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((messages_to(&world.sim, &phone(1)), messages_to(&world.sim, &phone(2))), (1, 0));
    assert_eq!(messages_to(&world.sim, "+5511987654322"), 1, "the profile's own number");
    assert!(world.metric("engage_gateway_signatures_total", &[("proof", "first_event")]).await > 0.0);
    // Signed whole, as Segment may do one day, it is believed whole.
    let body = wrapped(&[&event_to(&phone(3)), &event_to(&phone(4))]);
    assert_eq!(world.post("signed", &body).await.status, 200);
    assert_eq!((messages_to(&world.sim, &phone(3)), messages_to(&world.sim, &phone(4))), (1, 1));
    // What is signed is the event, not what it is wrapped in.
    let element = format!(r#"{{"json":{}}}"#, event_to(&phone(5)));
    let body = format!("[{element},{element}]");
    assert_eq!(world.post_signed("signed", &body, Some(&sign(SECRET, &element))).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_an_extensible_webhook_arrive_over_segments_retries() {
    let world = world().await;
    let events: Vec<Value> = (0..40).map(|n| event_to(&phone(n))).collect();
    let mut sender = world.segment("token", Duration::from_secs(20)).mode(Mode::Wrapped { size: 7 });
    sender.sign = Sign::None;
    sender.headers = vec![("Authorization".into(), format!("Bearer {TOKEN}"))];
    assert_eq!(delivered(&sender.send(&events).await.unwrap()), 40);
    for n in 0..40 {
        assert_eq!(messages_to(&world.sim, &phone(n)), 1, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_proves_every_event_with_or_without_a_signature() {
    let world = world().await;
    let signature = sign(SECRET, "something else");
    for (n, (name, authorization, signature)) in [
        ("token", format!("Bearer {TOKEN}"), None),
        ("token", TOKEN.to_owned(), None),
        ("token", "bearer next-token".to_owned(), None),
        ("both", format!("Bearer {TOKEN}"), None),
        ("both", format!("Bearer {TOKEN}"), Some(signature.as_str())),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!([event_to(&phone(2 * n)), event_to(&phone(2 * n + 1))]).to_string();
        let headers = [("authorization", authorization.as_str()), ("x-signature", signature.unwrap_or_default())];
        let headers = if signature.is_some() { &headers[..] } else { &headers[..1] };
        let answer = world.post_with(name, &body, headers).await;
        assert_eq!(answer.status, 200, "{name} {authorization}: {answer:?}");
        assert_eq!((messages_to(&world.sim, &phone(2 * n)), messages_to(&world.sim, &phone(2 * n + 1))), (1, 1));
    }
    assert!((world.metric("engage_gateway_signatures_total", &[("proof", "bearer")]).await - 5.0).abs() < f64::EPSILON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_proves_nothing_and_takes_nothing_from_a_signature() {
    let world = world().await;
    let body = event_to(&phone(1)).to_string();
    let right = sign(SECRET, &body);
    for (name, authorization, signature) in [
        ("token", "Bearer undefined", None),
        ("token", "Bearer", None),
        ("token", "Basic ZGVtbw==", Some(&right)),
        ("signed", TOKEN, None),
        ("both", "Bearer other", None),
    ] {
        let mut headers = vec![("authorization", authorization)];
        headers.extend(signature.map(|signature| ("x-signature", signature.as_str())));
        let answer = world.post_with(name, &body, &headers).await;
        assert_eq!(
            (answer.status, answer.body["reason"].as_str()),
            (401, Some("BadSignature")),
            "{name} {authorization}"
        );
        assert!(!answer.body.to_string().contains(TOKEN));
    }
    assert_eq!(messages_to(&world.sim, &phone(1)), 0);
    let headers = [("authorization", "Bearer other"), ("x-signature", right.as_str())];
    assert_eq!(world.post_with("both", &body, &headers).await.outcome(), (200, "sent", ""));
    assert!(!world.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_just_changed_is_taken_without_a_restart() {
    let world = world().await;
    let batch = |n: usize| json!([event_to(&phone(n)), event_to(&phone(n + 1))]).to_string();
    assert_eq!(world.post_with("both", &batch(1), &[("authorization", TOKEN)]).await.status, 200);
    let changed = json!({"SEGMENT_WEBHOOK_SECRET": SECRET, "SEGMENT_WEBHOOK_TOKEN": "new-token"});
    world.apply(&segment_secret("both", &changed));
    // A Secret is read again once the value at hand is five seconds old.
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    // The signature alone would do, but not for the second event.
    let events = [event_to(&phone(11)), event_to(&phone(12))];
    let signature = sign(SECRET, &events[0].to_string());
    let headers = [("authorization", "new-token"), ("x-signature", signature.as_str())];
    let answer = world.post_with("both", &json!(events).to_string(), &headers).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((messages_to(&world.sim, &phone(11)), messages_to(&world.sim, &phone(12))), (1, 1));
    assert_eq!(world.post_with("both", &batch(21), &[("authorization", TOKEN)]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_with_neither_is_said_to_lack_both() {
    let welcome = with_secret("welcome", "bare");
    let world = World::with(&[segment_secret("bare", &json!({})), welcome]).await;
    let message = world.reason("EngageDestination", "welcome", "Ready", "SecretKeyMissing").await;
    assert!(message.contains("`SEGMENT_WEBHOOK_SECRET`") && message.contains("`SEGMENT_WEBHOOK_TOKEN`"), "{message}");
    assert_eq!(world.send("welcome", &event("lead-1")).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_id_stands_in_for_a_phone_that_is_nowhere_else_and_only_where_it_is_proven() {
    let world = world().await;
    let with_id = |user: Value, number: &str| {
        let mut event = event("nobody");
        event["userId"] = user;
        event["properties"] = json!({"first_name": "Bia", "plan": "pro"});
        event["external_ids"] =
            json!([{"id": number, "type": "phone", "isSubscribed": "true", "channelType": "whatsapp"}]);
        event
    };
    // No user, a user without a profile, a profile without a phone.
    for (n, user) in [Value::Null, json!("nobody"), json!("lead-2")].into_iter().enumerate() {
        let answer = world.send("signed", &with_id(user.clone(), &phone(n))).await;
        assert_eq!(answer.outcome(), (200, "sent", ""), "{user}: {answer:?}");
        assert_eq!(messages_to(&world.sim, &phone(n)), 1, "{user}");
    }
    // The profile's own phone comes first.
    assert_eq!(world.send("signed", &with_id(json!("lead-1"), &phone(9))).await.outcome(), (200, "sent", ""));
    assert_eq!(messages_to(&world.sim, &phone(9)), 0);
    // Behind a signed first event it is not believed.
    let (first, forged) = (event("lead-1"), with_id(json!("lead-2"), &phone(8)));
    let signature = sign(SECRET, &first.to_string());
    let answer = world.post_signed("signed", &format!("[{first},{forged}]"), Some(&signature)).await;
    assert_eq!(answer.body["results"][1]["reason"], "NoPhone", "{answer:?}");
    assert_eq!(messages_to(&world.sim, &phone(8)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_audience_is_messaged_only_where_when_asks_for_it() {
    let mut goodbye = whatsapp();
    goodbye["when"] = json!("event.event == 'Audience Exited'");
    let resources = [destination("welcome", &whatsapp()), destination("goodbye", &goodbye)];
    let world = World::ready(&resources).await;
    let mut exit = event("lead-1");
    merge(&mut exit, &json!({"event": "Audience Exited", "properties": {"audience_key": "vip", "vip": "false"}}));
    assert_eq!(world.send("welcome", &exit).await.outcome(), (200, "suppressed", "AudienceExited"));
    assert_eq!(world.send("goodbye", &exit).await.outcome(), (200, "sent", ""));
    let mut left = event("lead-1");
    merge(&mut left, &json!({"event": "VIP Changed", "properties": {"audience_key": "vip", "vip": false}}));
    assert_eq!(world.send("welcome", &left).await.outcome(), (200, "suppressed", "AudienceExited"));
    assert_eq!(world.send("goodbye", &left).await.outcome(), (200, "suppressed", "ConditionFalse"));
}
