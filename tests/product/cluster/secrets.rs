//! Secrets come late, go and are rotated, and nothing is restarted and no event lost for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{SECRET, destination, event, event_to, merge, messages_to, phone, sid, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_is_named_and_one_that_comes_is_taken_in() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.start_gateway().await;
    let _controller = cluster.controller("one");
    let mut welcome = whatsapp();
    merge(&mut welcome, &json!({"resyncInterval": "5s"}));
    cluster.apply(&destination("welcome", &welcome)).await.unwrap();
    let message = cluster.reason("EngageDestination", "welcome", "ResolvedRefs", "SecretNotFound", SOON).await;
    assert!(message.contains("`twilio`") && message.contains("`segment`"), "{message}");
    cluster.reason("EngageDestination", "welcome", "Ready", "SecretNotFound", SOON).await;
    let (status, body) = cluster.send("welcome", &event("lead-1")).await;
    assert_eq!((status, body["reason"].as_str()), (503, Some("SecretNotFound")), "{body}");

    cluster.put_secrets().await;
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    assert_eq!(cluster.send_until_settled("welcome", &event("lead-1")).await.0, 200);

    // Gone again, it is named again; what it said is not used any more.
    cluster.delete_secret("segment").await;
    let message = cluster.reason("EngageDestination", "welcome", "Ready", "SecretNotFound", SOON).await;
    assert!(!message.contains("`twilio`") && message.contains("`segment`"), "{message}");
    eventually("refused", async || cluster.send("welcome", &event("lead-1")).await.0 == 503).await;
}

/// A Secret that was read this long ago is read again for a signature that does not match; whoever rotates waits as long.
const READ_AGAIN: Duration = Duration::from_secs(6);
/// A Secret that everything matches is read again within this time, give or take.
const REVOKED_WITHIN: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn while_every_secret_is_rotated_under_traffic_no_event_is_lost_and_none_doubled() {
    let Some((cluster, controller)) = Cluster::running().await else { return };
    let cluster = Arc::new(cluster);
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;

    // Segment, which signs with `SECRET` until it is told to sign with the new one.
    let (rotated, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let segment = {
        let (cluster, rotated, over) = (Arc::clone(&cluster), Arc::clone(&rotated), Arc::clone(&over));
        tokio::spawn(async move {
            let mut sending = Vec::new();
            while !over.load(Ordering::Acquire) {
                let event = event_to(&phone(sending.len()));
                let (cluster, rotated) = (Arc::clone(&cluster), Arc::clone(&rotated));
                sending.push(tokio::spawn(async move { settled(&cluster, &event, &rotated).await }));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            futures::future::join_all(sending).await
        })
    };

    tokio::time::sleep(Duration::from_secs(1)).await;
    // The token, all at once: in the account first, and a moment later in the Secret.
    cluster.sim.rotate_auth_token("rotated", false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let twilio = json!({"TWILIO_ACCOUNT_SID": sid("AC", 1), "TWILIO_AUTH_TOKEN": "rotated"});
    cluster.put_secret("twilio", &twilio).await;
    // The webhook's secret: both in the Secret, then Segment signs with the new one, then the old one goes.
    let segment_secret = async |webhook: &str| {
        let values = json!({"SEGMENT_PROFILES_API_TOKEN": "demo-profiles-token", "SEGMENT_WEBHOOK_SECRET": webhook});
        cluster.put_secret("segment", &values).await;
    };
    segment_secret(&format!("{SECRET},new-secret")).await;
    tokio::time::sleep(READ_AGAIN).await;
    rotated.store(true, Ordering::Release);
    tokio::time::sleep(Duration::from_secs(2)).await;
    segment_secret("new-secret").await;
    let revoked = Instant::now();
    while cluster.send("welcome", &event("lead-1")).await.0 != 401 {
        assert!(revoked.elapsed() < REVOKED_WITHIN, "the old secret is still accepted");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    over.store(true, Ordering::Release);
    let outcomes: Vec<Value> = segment.await.unwrap().into_iter().map(Result::unwrap).collect();
    assert!(outcomes.len() > 100, "{}", outcomes.len());
    for (n, body) in outcomes.iter().enumerate() {
        let outcome = body["results"][0]["outcome"].as_str();
        assert!(matches!(outcome, Some("sent" | "duplicate")), "{n}: {body}\n{}", cluster.log("gateway"));
        assert_eq!(messages_to(&cluster.sim, &phone(n)), 1, "{n}");
    }
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    drop(controller);
}

/// Sends an event as Segment does, again after 503, and gives the body of its last answer.
async fn settled(cluster: &Cluster, event: &Value, rotated: &AtomicBool) -> Value {
    let begin = Instant::now();
    loop {
        let secret = if rotated.load(Ordering::Acquire) { "new-secret" } else { SECRET };
        let (status, body) = cluster.send_signed("welcome", event, secret).await;
        if !matches!(status, 0 | 503) || begin.elapsed() > SOON {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
