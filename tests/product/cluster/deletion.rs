//! What becomes of a flow in Studio when its StudioFlow is deleted, with and without a finalizer.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{SOON, world::Cluster};
use crate::harness::{conversation, destination, flow, merge, sid};

fn flow_with(spec: &Value) -> Value {
    let mut flow = flow();
    merge(&mut flow["spec"], spec);
    flow
}

async fn ready(cluster: &Cluster, flow: &Value) -> String {
    cluster.apply(flow).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    cluster.sim.state().flows[0].sid.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_flow_has_no_finalizer_and_stays_in_the_account() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    ready(&cluster, &flow()).await;
    assert_eq!(cluster.get("StudioFlow", "connect-to-agent").await["metadata"].get("finalizers"), None);
    cluster.delete("StudioFlow", "connect-to-agent").await;
    assert_eq!(cluster.get("StudioFlow", "connect-to-agent").await, Value::Null);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.sim.state().flows.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_to_be_deleted_waits_for_its_destinations_and_then_goes() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("agent", &conversation())).await.unwrap();
    ready(&cluster, &flow_with(&json!({"deletionPolicy": "Delete"}))).await;
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    cluster.delete("StudioFlow", "connect-to-agent").await;
    let message = cluster.reason("StudioFlow", "connect-to-agent", "Ready", "DeletionBlocked", SOON).await;
    assert!(message.contains("EngageDestination `agent`"), "{message}");
    assert_eq!(cluster.sim.state().flows.len(), 1);
    // Customers are served until the destination is gone too.
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    cluster.delete("EngageDestination", "agent").await;
    cluster.gone("StudioFlow", "connect-to-agent", SOON).await;
    assert_eq!(cluster.sim.state().flows.len(), 0);
    cluster.event("StudioFlow", "connect-to-agent", "FlowDeleted").await;

    // Somebody who knows better does not wait.
    ready(&cluster, &flow_with(&json!({"deletionPolicy": "Delete"}))).await;
    cluster.apply(&destination("agent", &conversation())).await.unwrap();
    cluster.delete("StudioFlow", "connect-to-agent").await;
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "DeletionBlocked", SOON).await;
    let now = json!({"metadata": {"annotations": {"engage-operator.dev/deletion": "Now"}}});
    let flows = cluster.api("StudioFlow");
    flows.patch("connect-to-agent", &PatchParams::default(), &Patch::Merge(&now)).await.unwrap();
    cluster.gone("StudioFlow", "connect-to-agent", SOON).await;
    assert_eq!(cluster.sim.state().flows.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_deleted_although_its_secret_is_gone_and_after_a_change_of_mind_it_is_kept() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let deleted = flow_with(&json!({"deletionPolicy": "Delete"}));
    ready(&cluster, &deleted).await;
    cluster.delete_secret("twilio").await;
    cluster.delete("StudioFlow", "connect-to-agent").await;
    cluster.gone("StudioFlow", "connect-to-agent", SOON).await;
    assert_eq!(cluster.sim.state().flows.len(), 0);
    // Retain takes the finalizer away, also while the flow is in use.
    cluster.put_secrets().await;
    ready(&cluster, &deleted).await;
    cluster.apply(&flow_with(&json!({"deletionPolicy": "Retain"}))).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    assert_eq!(cluster.get("StudioFlow", "connect-to-agent").await["metadata"].get("finalizers"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_controller_that_cannot_delete_says_so_and_lets_go_when_it_is_told_to_retain() {
    let Some((cluster, controller)) = Cluster::running().await else { return };
    let flow_sid = ready(&cluster, &flow_with(&json!({"deletionPolicy": "Delete"}))).await;
    drop(controller);
    cluster.delete_secret("twilio").await;
    let _controller = cluster.controller("two");
    cluster.delete("StudioFlow", "connect-to-agent").await;
    let message =
        cluster.reason("StudioFlow", "connect-to-agent", "Ready", "SecretNotFound", Duration::from_mins(1)).await;
    assert!(message.contains("could not be deleted yet") && message.contains("`twilio`"), "{message}");
    cluster.apply(&flow_with(&json!({"deletionPolicy": "Retain"}))).await.unwrap();
    cluster.gone("StudioFlow", "connect-to-agent", SOON).await;
    assert_eq!(cluster.sim.state().flows[0].sid, flow_sid);
    let note = cluster.event("StudioFlow", "connect-to-agent", "FlowKept").await;
    assert!(note.contains(&flow_sid) && note.contains(&sid("AC", 1)), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_flow_is_neither_written_nor_deleted_and_goes_on_serving() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("agent", &conversation())).await.unwrap();
    let flow_sid = ready(&cluster, &flow_with(&json!({"deletionPolicy": "Delete"}))).await;
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    cluster.apply(&flow_with(&json!({"deletionPolicy": "Delete", "suspend": true}))).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Suspended", SOON).await;
    // An edit in the Console stays for as long as nobody compares.
    let mut edited = (*cluster.sim.state().flows[0].revisions[0].definition).clone();
    edited["description"] = json!("edited");
    cluster.sim.edit_flow(&flow_sid, Some(edited), "published");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(cluster.sim.state().flows[0].revisions.len(), 2);
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    cluster.delete("StudioFlow", "connect-to-agent").await;
    cluster.gone("StudioFlow", "connect-to-agent", SOON).await;
    assert_eq!(cluster.sim.state().flows.len(), 1);
}
