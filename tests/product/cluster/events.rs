//! What `kubectl describe` tells: an event whenever `Ready` changes, with the reason of the condition, and none otherwise.

use std::time::Duration;

use serde_json::json;

use super::{SOON, world::Cluster};
use crate::harness::{destination, flow, merge, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_of_each_change_of_ready_and_of_nothing_else() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.start_gateway().await;
    let _controller = cluster.controller("one");
    let mut often = whatsapp();
    merge(&mut often, &json!({"resyncInterval": "5s"}));
    cluster.apply(&destination("welcome", &often)).await.unwrap();
    cluster.apply(&flow()).await.unwrap();
    let objects = [("EngageDestination", "welcome"), ("StudioFlow", "connect-to-agent")];
    for (kind, name) in objects {
        cluster.reason(kind, name, "Ready", "SecretNotFound", SOON).await;
    }
    cluster.put_secrets().await;
    for (kind, name) in objects {
        cluster.reason(kind, name, "Ready", "Ready", SOON).await;
    }
    merge(&mut often, &json!({"suspend": true}));
    cluster.apply(&destination("welcome", &often)).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Suspended", SOON).await;
    // Looked at again several times by now, with nothing to tell.
    tokio::time::sleep(Duration::from_secs(12)).await;

    let told = async |kind, name| {
        let events = cluster.events(kind, name).await;
        assert!(events.iter().all(|(_, _, count)| *count == 1), "{events:?}");
        let mut told: Vec<String> = events.into_iter().map(|(reason, kind, _)| format!("{kind} {reason}")).collect();
        // A gateway's first beat may be seen a moment after the first look.
        told.retain(|event| event != "Warning NoGateway");
        told
    };
    let destination = told("EngageDestination", "welcome").await;
    assert_eq!(destination, ["Warning SecretNotFound", "Normal Ready", "Warning Suspended"]);
    let flow = told("StudioFlow", "connect-to-agent").await;
    assert_eq!(flow, ["Warning SecretNotFound", "Normal Ready"]);
}
