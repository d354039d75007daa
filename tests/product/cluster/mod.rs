//! The two roles on a real Kubernetes API server.

mod config_maps;
mod control_plane;
mod deletion;
mod suspicion;
mod world;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use world::Cluster;

use crate::harness::{conversation, destination, event, flow, merge, sid, whatsapp};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_the_api_server_in_words() {
    let Some(cluster) = Cluster::start().await else { return };
    let changed = |action: Value, change: Value| {
        let mut action = action;
        merge(&mut action, &change);
        action
    };
    for (spec, message) in [
        (
            changed(whatsapp(), conversation()),
            "a destination does exactly one thing: set either whatsapp or conversation",
        ),
        (json!({}), "a destination does exactly one thing"),
        (
            changed(whatsapp(), json!({"whatsapp": {"contentSid": "HX1"}})),
            "contentSid is HX followed by 32 hexadecimal digits",
        ),
        (
            changed(whatsapp(), json!({"whatsapp": {"includeTraits": ["a"]}})),
            "set includeTraits (by position) or contentVariables",
        ),
        (
            changed(conversation(), json!({"conversation": {"timeout": 599}})),
            "timeout is in seconds: 0 for none, otherwise at least 600",
        ),
        (changed(conversation(), json!({"conversation": {"flowSid": sid("FW", 1)}})), "name the flow once"),
        (changed(conversation(), json!({"conversation": {"twilioNumber": ["0119"]}})), "each twilioNumber is in E.164"),
        (changed(whatsapp(), json!({"phone": {"defaultRegion": "br"}})), "defaultRegion is two capital letters"),
        (changed(whatsapp(), json!({"delivery": {"maxAge": "1w"}})), "maxAge"),
    ] {
        let error = cluster.apply(&destination("wrong", &spec)).await.unwrap_err().to_string();
        assert!(error.contains(message), "{message}: {error}");
    }
    let mut nameless = flow();
    nameless["spec"]["references"][0]["taskChannel"] = json!({"uniqueName": "chat"});
    let error = cluster.apply(&nameless).await.unwrap_err().to_string();
    assert!(error.contains("set either workflow or taskChannel"), "{error}");
    for right in [
        destination("welcome", &whatsapp()),
        destination("agent", &conversation()),
        destination("untimed", &changed(conversation(), json!({"conversation": {"timeout": 0}}))),
        flow(),
    ] {
        cluster.apply(&right).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_becomes_ready_and_an_event_reaches_an_agent_and_then_nothing_is_written() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("agent", &conversation())).await.unwrap();
    let mut flow = flow();
    flow["spec"]["resyncInterval"] = json!("10m");
    cluster.apply(&flow).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    let event = event("lead-1");
    let (status, body) = cluster.send_until_settled("agent", &event).await;
    assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{body}");
    let (_, again) = cluster.send("agent", &event).await;
    assert_eq!(again["results"][0]["outcome"], "duplicate");
    assert_eq!(cluster.sim.state().conversations.len(), 1);

    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = [cluster.get("EngageDestination", "agent").await, cluster.get("StudioFlow", "connect-to-agent").await];
    tokio::time::sleep(Duration::from_secs(8)).await;
    let after = [cluster.get("EngageDestination", "agent").await, cluster.get("StudioFlow", "connect-to-agent").await];
    assert_eq!(before.each_ref().map(version), after.each_ref().map(version));

    // Taken out of the cluster, it is no longer served.
    cluster.delete("EngageDestination", "agent").await;
    let begin = Instant::now();
    while cluster.send("agent", &event).await.0 != 404 {
        assert!(begin.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_later_and_one_that_is_rotated_are_taken_in_without_a_restart() {
    let Some(mut cluster) = Cluster::start().await else { return };
    cluster.start_gateway().await;
    let _controller = cluster.controller("one");
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    let message = cluster.reason("EngageDestination", "welcome", "ResolvedRefs", "SecretNotFound", SOON).await;
    assert!(message.contains("`twilio`"), "{message}");
    cluster.put_secrets().await;
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    let (status, _) = cluster.send_until_settled("welcome", &event("lead-1")).await;
    assert_eq!(status, 200);
    cluster.sim.rotate_auth_token("rotated", false);
    let rotated = json!({"TWILIO_ACCOUNT_SID": sid("AC", 1), "TWILIO_AUTH_TOKEN": "rotated"});
    cluster.put_secret("twilio", &rotated).await;
    let (status, body) = cluster.send_until_settled("welcome", &event("lead-1")).await;
    assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{body}");
    assert_eq!(cluster.sim.state().messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_programmed_while_no_gateway_runs() {
    let Some((mut cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Programmed", "Programmed", SOON).await;
    cluster.stop_gateway();
    cluster.reason("EngageDestination", "welcome", "Programmed", "NoGateway", SOON).await;
    cluster.start_gateway().await;
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_controller_writes_at_a_time_and_another_takes_over() {
    let Some((cluster, first)) = Cluster::running().await else { return };
    cluster.apply(&destination("a", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "a", "Ready", "Ready", SOON).await;
    let second = cluster.controller("two");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!cluster.log("two").contains("holding the lease"));
    // Paused, it loses the lease; resumed, it ends without having written.
    first.signal("-STOP");
    cluster.apply(&destination("b", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "b", "Ready", "Ready", Duration::from_mins(1)).await;
    first.signal("-CONT");
    let mut first = first;
    let begin = Instant::now();
    while first.0.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < SOON, "the first goes on\n{}", cluster.log("one"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(cluster.log("one").contains("was lost") || !first.0.wait().unwrap().success());
    // Asked to end, the second gives the lease back at once.
    second.signal("-TERM");
    let third = cluster.controller("one");
    cluster.apply(&destination("c", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "c", "Ready", "Ready", Duration::from_secs(12)).await;
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_serves_while_the_api_server_is_away() {
    let Some((mut cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    let (status, _) = cluster.send_until_settled("welcome", &event("lead-1")).await;
    assert_eq!(status, 200);
    cluster.plane.stop_apiserver();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        let (status, body) = cluster.send("welcome", &event("lead-1")).await;
        assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{body}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    cluster.plane.start_apiserver().await;
    // The controller has lost its lease meanwhile and ended, as a pod that is started again would.
    let _second = cluster.controller("two");
    cluster.apply_patiently(&destination("second", &whatsapp())).await;
    cluster.reason("EngageDestination", "second", "Ready", "Ready", Duration::from_mins(1)).await;
    assert_eq!(cluster.send_until_settled("second", &event("lead-1")).await.0, 200);
}
