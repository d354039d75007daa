//! What comes in wrong: each has its answer, a reason a person can act on, and a counter; none ends the process.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{LEAD_1, SECRET, World, destination, event, event_to, messages_to, phone, sign, whatsapp};

async fn world() -> World {
    World::ready(&[destination("welcome", &whatsapp())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_events_is_refused_as_a_whole() {
    let world = world().await;
    for (body, detail) in [
        ("", "the body is empty"),
        ("[]", "the batch is empty"),
        ("[null]", "element 0 of the batch is not an object"),
        ("null", "neither an event"),
        ("{", "not JSON"),
        ("\u{0}", "not JSON"),
    ] {
        let answer = world.post("welcome", body).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (400, Some("Malformed")), "{body}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(detail), "{body}: {answer:?}");
    }
    assert!(world.metric("engage_gateway_requests_total", &[("code", "400"), ("reason", "Malformed")]).await >= 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_segment_is_turned_away() {
    let world = world().await;
    let body = event("lead-1").to_string();
    for signature in [None, Some(String::new()), Some("0".repeat(40)), Some(sign("another secret", &body))] {
        let answer = world.post_signed("welcome", &body, signature.as_deref()).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (401, Some("BadSignature")), "{signature:?}");
    }
    assert_eq!(world.sim.state().messages.len(), 0);
    let unknown = world.post("elsewhere", &body).await;
    assert_eq!((unknown.status, unknown.body["reason"].as_str()), (404, Some("UnknownDestination")));
    assert!(unknown.body["detail"].as_str().unwrap().contains("marketing/elsewhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_forged_behind_a_signed_first_one_cannot_choose_whom_to_message_or_what() {
    let world = world().await;
    let first = event("lead-1");
    let mut forged = event_to(&phone(66));
    forged["userId"] = json!("lead-4");
    forged["properties"]["first_name"] = json!("click http://evil.example");
    let body = format!("[{first},{forged}]");
    let answer = world.post_signed("welcome", &body, Some(&sign(SECRET, &first.to_string()))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(messages_to(&world.sim, &phone(66)), 0);
    for message in world.sim.state().messages {
        assert!(!message.content_variables.unwrap_or_default().contains("evil"));
    }
    // A batch that is signed whole is believed whole.
    let proven = format!("[{},{}]", event("lead-1"), event_to(&phone(67)));
    assert_eq!(world.post("welcome", &proven).await.status, 200);
    assert_eq!(messages_to(&world.sim, &phone(67)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_read_to_its_end_and_answered() {
    let world = world().await;
    let body = format!("[{}]", "x".repeat(9 * 1024 * 1024));
    for chunked in [false, true] {
        let mut stream = TcpStream::connect(("127.0.0.1", world.port())).await.unwrap();
        let length =
            if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {}", body.len()) };
        let head = format!(
            "POST /v1/destinations/marketing/welcome HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        if chunked {
            stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
        }
        // The whole of it can be written, as a sender does that reads the answer only afterwards.
        stream.write_all(body.as_bytes()).await.unwrap();
        if chunked {
            stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("TooLarge"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cancels_nothing() {
    let world = world().await;
    world.sim.set_faults(vec![
        engage_simulator::FaultRule::on("messages.create", engage_simulator::FaultKind::Latency { ms: 800 }).times(1),
    ]);
    let event = event_to(&phone(1));
    let body = event.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", world.port())).await.unwrap();
    let head = format!(
        "POST /v1/destinations/marketing/welcome HTTP/1.1\r\nHost: x\r\nX-Signature: {}\r\nContent-Length: {}\r\n\r\n{body}",
        sign(SECRET, &body),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    // In the middle of its body, too.
    let mut half = TcpStream::connect(("127.0.0.1", world.port())).await.unwrap();
    half.write_all(&head.as_bytes()[..head.len() - 20]).await.unwrap();
    drop(half);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "duplicate", ""));
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_can_never_succeed_says_what_is_wrong_with_it() {
    let world = world().await;
    let mut nameless = event("lead-1");
    nameless.as_object_mut().unwrap().remove("messageId");
    let mut userless = event("lead-1");
    userless["userId"] = Value::Null;
    for (event, reason) in [
        (event("lead-2"), "NoPhone"),
        (event("lead-3"), "InvalidPhone"),
        (event("nobody"), "NoProfile"),
        (event_to("not a number"), "InvalidPhone"),
        (nameless, "MalformedEvent"),
        (userless, "NoUser"),
    ] {
        let answer = world.send("welcome", &event).await;
        assert_eq!(answer.outcome(), (422, "rejected", reason));
        let detail = answer.result()["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty() && !detail.contains("not a number"), "{detail}");
        assert!(world.metric("engage_events_total", &[("outcome", "rejected"), ("reason", reason)]).await >= 1.0);
    }
    assert_eq!(world.send("welcome", &event("lead-4")).await.outcome(), (200, "sent", ""));
    assert_eq!(messages_to(&world.sim, "+5511987654322"), 1, "a local number is read by spec.phone.defaultRegion");
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_the_destination_is_a_success_that_is_counted() {
    let mut action = whatsapp();
    action["when"] = json!("event.event == 'Lead Qualified' && traits.plan != 'free'");
    action["consent"] = json!({"trait": "whatsapp_opt_in"});
    let world = World::ready(&[destination("welcome", &action)]).await;
    let with = |change: Value| {
        let mut event = event_to(&phone(1));
        event["properties"]["whatsapp_opt_in"] = json!(true);
        crate::harness::merge(&mut event, &change);
        event
    };
    for (event, reason) in [
        (with(json!({"type": "identify"})), "NotTrack"),
        (with(json!({"event": "Lead Lost"})), "ConditionFalse"),
        (with(json!({"properties": {"plan": "free"}})), "ConditionFalse"),
        (with(json!({"properties": {"whatsapp_opt_in": false}})), "NoConsent"),
        (with(json!({"properties": {"whatsapp_opt_in": "no"}})), "NoConsent"),
        (with(json!({"timestamp": "2020-01-01T00:00:00Z"})), "TooOld"),
    ] {
        assert_eq!(world.send("welcome", &event).await.outcome(), (200, "suppressed", reason));
    }
    assert_eq!(world.send("welcome", &with(json!({}))).await.outcome(), (200, "sent", ""));
    assert_eq!(world.sim.state().messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_status_and_a_small_answer() {
    let world = world().await;
    let twin = event_to(&phone(1));
    let batch = json!([twin, event("lead-2"), twin, event("lead-3")]).to_string();
    let answer = world.post("welcome", &batch).await;
    assert_eq!(answer.status, 200);
    let outcomes: Vec<_> = answer.body["results"].as_array().unwrap().iter().map(|r| r["outcome"].clone()).collect();
    assert_eq!(outcomes, ["sent", "rejected", "duplicate", "rejected"]);

    let large: Vec<Value> = (0..300).map(|n| event_to(&phone(100 + n))).collect();
    let answer = world.post("welcome", &Value::Array(large).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["counts"]["sent"], 300);
    assert!(answer.body.to_string().len() < 16 * 1024);
    assert_eq!(world.sim.state().messages.len(), 301);
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secrets_nor_customers_are_in_any_output() {
    let world = world().await;
    world.send("welcome", &event("lead-1")).await;
    world.send("welcome", &event("lead-3")).await;
    let metrics = world.metrics().await;
    assert!(metrics.contains("engage_events_total"), "{metrics}");
    let (table, _) = world.get_text(&["all", "-o", "yaml"]);
    for output in [world.log(), table, metrics] {
        for secret in ["demo-auth-token", SECRET, "demo-profiles-token", LEAD_1, "Ana"] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
    }
}
