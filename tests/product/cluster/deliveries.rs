//! What became of events and messages is in the status, although the gateway may write none.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{SOON, world::Cluster};
use crate::harness::{destination, event, event_to, phone, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_writes_what_the_gateway_has_counted_and_nothing_at_rest() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    let (status, body) = cluster.send("welcome", &event_to(&phone(1))).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = cluster.send("welcome", &event("nobody")).await;
    assert_eq!(status, 422, "{body}");
    let deliveries = async || cluster.get("EngageDestination", "welcome").await["status"]["deliveries"].clone();
    // Each destination is written once a minute at most.
    let begin = Instant::now();
    let written = loop {
        let deliveries = deliveries().await;
        if deliveries["outcomes"]["rejected"] == 1 && deliveries["messages"]["delivered"] == 1 {
            break deliveries;
        }
        assert!(begin.elapsed() < Duration::from_mins(2), "{deliveries:#}\n{}", cluster.log("one"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(written["outcomes"]["sent"], 1);
    assert_eq!(written["lastFailure"]["reason"], "NoProfile");
    assert_eq!(written["refusedSince"], Value::Null);
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    let version = async || cluster.get("EngageDestination", "welcome").await["metadata"]["resourceVersion"].clone();
    let before = version().await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(version().await, before);
}
