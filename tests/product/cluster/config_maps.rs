//! A definition that is kept in a ConfigMap.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{SOON, world::Cluster};
use crate::harness::{NAMESPACE, flow};

async fn put(cluster: &Cluster, definition: &Value) {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flows"},
        "data": {"agent.json": definition.to_string()}});
    api.patch("flows", &PatchParams::apply("test").force(), &Patch::Apply(&config_map)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_taken_from_a_config_map_when_it_comes_and_when_it_changes() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let mut flow = flow();
    let mut definition = flow["spec"].as_object_mut().unwrap().remove("definition").unwrap();
    flow["spec"]["definitionFrom"] = json!({"configMapKeyRef": {"name": "flows", "key": "agent.json"}});
    flow["spec"]["resyncInterval"] = json!("10m");
    cluster.apply(&flow).await.unwrap();
    let message = cluster.reason("StudioFlow", "connect-to-agent", "ResolvedRefs", "ConfigMapNotFound", SOON).await;
    assert!(message.contains("no ConfigMap `flows` in namespace `marketing`"), "{message}");
    put(&cluster, &definition).await;
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    assert_eq!(cluster.sim.state().flows[0].revisions.len(), 1);
    definition["description"] = json!("changed in git");
    definition["states"].as_array_mut().unwrap().iter_mut().for_each(|state| {
        if state["type"] == "send-message" {
            state["properties"]["body"] = json!("Changed in git");
        }
    });
    put(&cluster, &definition).await;
    cluster
        .until("the changed definition is published", Duration::from_mins(1), || {
            let published = cluster.sim.state().flows[0].latest_published().map(|it| it.definition.to_string());
            published.is_some_and(|text| text.contains("Changed in git"))
        })
        .await;
    assert_eq!(cluster.sim.state().flows[0].revisions.len(), 2);
}
