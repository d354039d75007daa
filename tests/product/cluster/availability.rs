//! While the API server is away: events are answered as before, and afterwards everything goes on.

use std::time::{Duration, Instant};

use super::{
    AFTER_A_TAKEOVER, SOON,
    world::{Cluster, eventually},
};
use crate::harness::{destination, event, event_to, messages_to, phone, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_the_api_server_costs_no_event_and_changes_are_taken_in_after_it() {
    let Some((mut cluster, mut controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    assert_eq!(cluster.send_until_settled("welcome", &event("lead-1")).await.0, 200);

    cluster.plane.stop_apiserver();
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < Duration::from_mins(1) {
        let (status, body) = cluster.send("welcome", &event_to(&phone(sent))).await;
        assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{sent}: {body}");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!((0..sent).all(|n| messages_to(&cluster.sim, &phone(n)) == 1));
    // What is not known may be new.
    let (status, body) = cluster.send("second", &event("lead-1")).await;
    assert_eq!((status, body["reason"].as_str()), (503, Some("NotKnownYet")), "{body}");
    assert_eq!(cluster.gateway_readiness().await, Some(200));
    // A controller that cannot renew its lease ends, and is started again.
    let status = controller.ended(SOON).await;
    assert!(status.is_some_and(|status| !status.success()), "{status:?}\n{}", cluster.log("one"));
    let _restarted = cluster.controller("two");
    tokio::time::sleep(Duration::from_secs(1)).await;

    cluster.plane.start_apiserver().await;
    cluster.apply_patiently(&destination("second", &whatsapp())).await;
    cluster.reason("EngageDestination", "second", "Ready", "Ready", AFTER_A_TAKEOVER).await;
    assert_eq!(cluster.send_until_settled("second", &event("lead-1")).await.0, 200);
    eventually("what is unknown is not new", async || cluster.send("third", &event("lead-1")).await.0 == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_ready_once_the_resources_are_read_and_not_before() {
    let Some((mut cluster, controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    cluster.stop_gateway().await;
    drop(controller);
    cluster.plane.stop_apiserver();
    cluster.spawn_gateway();
    eventually("it answers that it is not ready", async || cluster.gateway_readiness().await == Some(503)).await;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        assert_eq!(cluster.gateway_readiness().await, Some(503));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cluster.plane.start_apiserver().await;
    eventually("ready", async || cluster.gateway_readiness().await == Some(200)).await;
    assert_eq!(cluster.send_until_settled("welcome", &event("lead-1")).await.0, 200);
}
