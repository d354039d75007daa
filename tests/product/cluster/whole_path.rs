//! From `kubectl apply` to an agent: both resources become ready, an event becomes a conversation, its reply a task, and then
//! nothing is written any more.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{LEAD_1, OUR_NUMBERS, conversation, destination, event, flow, merge};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_becomes_ready_and_an_event_reaches_an_agent_and_then_nothing_is_written() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let mut agent = conversation();
    merge(&mut agent, &json!({"resyncInterval": "5s"}));
    cluster.apply(&destination("agent", &agent)).await.unwrap();
    cluster.apply(&flow()).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    let object = cluster.get("EngageDestination", "agent").await;
    let url = object["status"]["url"].as_str().unwrap();
    assert_eq!(url, cluster.url("agent"));

    let event = event("lead-1");
    let (status, body) = cluster.send_until_settled("agent", &event).await;
    assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{body}");
    let (_, again) = cluster.send("agent", &event).await;
    assert_eq!(again["results"][0]["outcome"], "duplicate");
    assert_eq!(cluster.sim.state().conversations.len(), 1);
    let reply = cluster.sim.customer_reply(LEAD_1, OUR_NUMBERS[0], "Yes, please");
    assert_eq!(reply.executions.len(), 1);
    assert_eq!(cluster.sim.state().tasks.len(), 1);

    let versions = async || {
        let agent = cluster.get("EngageDestination", "agent").await;
        let flow = cluster.get("StudioFlow", "connect-to-agent").await;
        [agent, flow].map(|object: Value| object["metadata"]["resourceVersion"].clone())
    };
    // What became of the events is in the status too, a minute after what was written of them before at the latest.
    let begin = Instant::now();
    while cluster.get("EngageDestination", "agent").await["status"]["deliveries"]["outcomes"]["duplicate"] != 1 {
        assert!(begin.elapsed() < Duration::from_mins(2), "{}", cluster.log("one"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let before = versions().await;
    cluster.sim.clear_requests();
    tokio::time::sleep(Duration::from_secs(12)).await;
    // Both were looked at again, more than once, and found as they were.
    for operation in ["senders.list", "flows.fetch"] {
        assert!(!cluster.sim.requests_of(operation).is_empty(), "{operation}");
    }
    assert_eq!(before, versions().await);

    // Taken out of the cluster, it is no longer served.
    cluster.delete("EngageDestination", "agent").await;
    eventually("no longer served", async || cluster.send("agent", &event).await.0 == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_programmed_while_no_gateway_runs() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &crate::harness::whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Programmed", "Programmed", SOON).await;
    cluster.stop_gateway().await;
    cluster.reason("EngageDestination", "welcome", "Programmed", "NoGateway", SOON).await;
    cluster.start_gateway().await;
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
}
