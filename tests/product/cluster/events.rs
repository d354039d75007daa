//! What `kubectl describe` tells: an event whenever `Ready` changes, with the reason of the condition, and none otherwise.

use std::time::Duration;

use serde_json::json;

use super::{
    SOON,
    world::{Cluster, eventually},
};
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

#[tokio::test(flavor = "multi_thread")]
async fn what_the_lint_warns_of_is_told_once_and_anew_only_when_it_is_another() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.put_secrets().await;
    let controller = cluster.controller("one");
    let mut warned = flow();
    warned["spec"]["resyncInterval"] = json!("5s");
    warned["spec"]["definition"]["states"][2]["transitions"][1] = json!({"event": "failedToEnqueue"});
    cluster.apply(&warned).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Linted", "LintWarnings", SOON).await;
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    let told = async || {
        let mut told = cluster.events("StudioFlow", "connect-to-agent").await;
        told.retain(|(reason, _, _)| reason == "LintWarnings");
        told
    };
    // Looked at again several times by one controller, and by another that knows nothing of what was told.
    tokio::time::sleep(Duration::from_secs(12)).await;
    drop(controller);
    let _another = cluster.controller("two");
    cluster.sim.clear_requests();
    eventually("it looks", async || !cluster.sim.requests_of("flows.fetch").is_empty()).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let times = |count: usize| vec![("LintWarnings".to_owned(), "Warning".to_owned(), 1); count];
    assert_eq!(told().await, times(1));
    warned["spec"]["definition"]["states"][1]["properties"]["body"] = json!("Hello {{widgets.nobody.x}}");
    cluster.apply(&warned).await.unwrap();
    eventually("the other warning is told", async || told().await.len() == 2).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(told().await, times(2));
}
