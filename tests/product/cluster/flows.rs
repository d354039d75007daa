//! A StudioFlow on the API server: changed in git, edited in the Console, its name taken, and left alone otherwise.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{flow, merge};

/// A cluster in which the sample flow is in place; it is compared again every five seconds.
async fn with_flow() -> Option<(Cluster, super::world::Role)> {
    let (cluster, controller) = Cluster::running().await?;
    cluster.apply(&flow()).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    assert_eq!(revisions(&cluster), 1);
    Some((cluster, controller))
}

fn revisions(cluster: &Cluster) -> usize {
    let flows = cluster.sim.state().flows;
    assert_eq!(flows.len(), 1, "{flows:?}");
    flows[0].revisions.len()
}

fn described(description: &str) -> Value {
    let mut flow = flow();
    flow["spec"]["definition"]["description"] = json!(description);
    flow
}

/// Longer than the interval at which the flow is compared again.
const ANOTHER_LOOK: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_git_is_one_published_revision_and_a_restart_is_none() {
    let Some((cluster, controller)) = with_flow().await else { return };
    cluster.apply(&described("Changed in git")).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    let object = cluster.get("StudioFlow", "connect-to-agent").await;
    assert_eq!(object["metadata"]["generation"], 2);
    assert_eq!(object["status"]["observedGeneration"], 2);
    assert_eq!((&object["status"]["revision"], &object["status"]["publishedRevision"]), (&json!(2), &json!(2)));
    let live = cluster.sim.state().flows[0].latest_published().unwrap().definition.clone();
    assert_eq!(live["description"], "Changed in git");

    // What means the same is no change, and neither is what is not in the definition.
    let mut same = described("Changed in git");
    same["spec"]["definition"]["states"].as_array_mut().unwrap().reverse();
    merge(&mut same, &json!({"metadata": {"labels": {"team": "crm"}}}));
    cluster.apply(&same).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    assert_eq!(revisions(&cluster), 2);

    // Another process finds it in place, writes nothing to it and nothing about it.
    controller.kill();
    cluster.forget_lease().await;
    let version = async || cluster.get("StudioFlow", "connect-to-agent").await["metadata"]["resourceVersion"].clone();
    let before = version().await;
    cluster.sim.clear_requests();
    let _restarted = cluster.controller("two");
    eventually("it looks", async || !cluster.sim.requests_of("flows.fetch").is_empty()).await;
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&cluster), 2);
    assert_eq!(version().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_console_is_reported_told_of_and_put_back() {
    let Some((cluster, _controller)) = with_flow().await else { return };
    let before = cluster.sim.state().flows[0].clone();
    let mut edited = (*before.revisions[0].definition).clone();
    let widgets = edited["states"].as_array_mut().unwrap();
    let message = widgets.iter_mut().find(|state| state["type"] == "send-message").unwrap();
    let widget = message["name"].clone();
    message["properties"]["body"] = json!("Edited by hand");
    cluster.sim.edit_flow(&before.sid, Some(edited), "published");
    eventually("it is put back", async || revisions(&cluster) == 3).await;
    let live = cluster.sim.state().flows[0].latest_published().unwrap().clone();
    assert_eq!(live.definition, before.revisions[0].definition);
    eventually("it is reported", async || {
        cluster.get("StudioFlow", "connect-to-agent").await["status"]["revision"] == 3
    })
    .await;
    let status = cluster.get("StudioFlow", "connect-to-agent").await["status"].clone();
    assert_eq!((&status["drift"]["revision"], &status["drift"]["widgets"]), (&json!(2), &json!([widget])), "{status}");
    assert!(status["drift"]["authorSid"].as_str().is_some_and(|author| author.starts_with("US")), "{status}");
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&cluster), 3);
    let note = cluster.event("StudioFlow", "connect-to-agent", "FlowEdited").await;
    assert!(note.contains("revision 2") && note.contains(widget.as_str().unwrap()), "{note}");
    let told = cluster.events("StudioFlow", "connect-to-agent").await;
    let drift = told.iter().filter(|(reason, kind, count)| reason == "FlowEdited" && kind == "Warning" && *count == 1);
    assert_eq!(drift.count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_says_so_and_nothing_is_written_until_it_is_free() {
    let Some((cluster, _controller)) = with_flow().await else { return };
    let sid = cluster.sim.state().flows[0].sid.clone();
    let mut other = flow();
    merge(&mut other, &json!({"metadata": {"name": "other"}}));
    cluster.apply(&other).await.unwrap();
    let message = cluster.reason("StudioFlow", "other", "Ready", "NameTaken", SOON).await;
    assert!(message.contains("spec.friendlyName") && message.contains(&sid), "{message}");
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&cluster), 1);
    merge(&mut other, &json!({"spec": {"friendlyName": "Another"}}));
    cluster.apply(&other).await.unwrap();
    cluster.reason("StudioFlow", "other", "Ready", "Ready", SOON).await;
    assert_eq!(cluster.sim.state().flows.len(), 2);
}
