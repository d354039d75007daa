//! The API server as the cluster of the reconcilers: objects from its watch, Secrets by name, status by replacing it at the
//! version that was read.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    MANAGER,
    heartbeat::GatewayPresence,
    index::{Index, Watched},
    leader::Leadership,
};
use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus,
        annotations::FLOW_FINALIZER,
        conditions::{self, Truth},
        engage_destination::DeliveriesStatus,
        reasons::condition as reasons,
        secret::SecretData,
    },
    controller::{
        Cluster, ClusterError, ConfigMapData, Programmed,
        driver::{ObjectRef, Waker},
    },
    delivery::credentials::{SecretError, SecretSource},
};

/// Reads Secrets one at a time, by name: the only right that is needed on them is `get`.
pub struct SecretReader(pub Client);

#[async_trait]
impl SecretSource for SecretReader {
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
        let api: Api<Secret> = Api::namespaced(self.0.clone(), &key.namespace);
        let secret = api
            .get_opt(&key.name)
            .await
            .map_err(|error| SecretError::Unreadable { key: key.clone(), problem: error.to_string() })?;
        Ok(secret.map(|secret| {
            SecretData::from_bytes(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)))
        }))
    }
}

/// The cluster as one controller sees it.
pub struct KubeCluster {
    client: Client,
    secrets: SecretReader,
    recorder: Recorder,
    leadership: Leadership,
    wake: Waker,
    pub destinations: Index<EngageDestination>,
    pub flows: Index<StudioFlow>,
    pub gateway: GatewayPresence,
}

impl KubeCluster {
    /// What refers to a flow is woken by `wake` when the flow is written.
    pub fn new(client: Client, identity: String, leadership: Leadership, wake: Waker) -> Self {
        let reporter = Reporter { controller: MANAGER.into(), instance: Some(identity) };
        Self {
            secrets: SecretReader(client.clone()),
            recorder: Recorder::new(client.clone(), reporter),
            client,
            leadership,
            wake,
            destinations: Index::default(),
            flows: Index::default(),
            gateway: GatewayPresence::default(),
        }
    }

    /// Replaces the status at the version that is known here; a conflict means that somebody else has written, and that what was
    /// decided was decided on something old.
    async fn write<K>(&self, index: &Index<K>, updated: K) -> Result<(), ClusterError>
    where
        K: Watched + Serialize + DeserializeOwned,
    {
        let key = ObjectKey::of(&updated);
        if !self.leadership.holds() {
            return Err(ClusterError::NotLeading);
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), &key.namespace);
        let written = api.replace_status(&key.name, &PostParams::default(), &updated).await;
        written.map(|stored| take(index, stored)).map_err(|error| failed::<K>(&key, error))
    }

    /// Writes the finalizers at the version that is known here; everything else of the resource is left alone.
    async fn write_finalizers(&self, flow: &StudioFlow, held: bool) -> Result<(), ClusterError> {
        let key = ObjectKey::of(flow);
        if !self.leadership.holds() {
            return Err(ClusterError::NotLeading);
        }
        let Some(current) = self.flows.get(&key).filter(|current| current.uid() == flow.uid()) else {
            return Err(ClusterError::Conflict { what: format!("StudioFlow `{key}`") });
        };
        let mut finalizers: Vec<_> = current.finalizers().iter().filter(|it| *it != FLOW_FINALIZER).collect();
        let ours = FLOW_FINALIZER.to_owned();
        if held {
            finalizers.push(&ours);
        }
        let patch = json!({"metadata": {"resourceVersion": current.resource_version(), "finalizers": finalizers}});
        let api: Api<StudioFlow> = Api::namespaced(self.client.clone(), &key.namespace);
        let written = api.patch(&key.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        // Of one that is gone with its last finalizer, the watch tells.
        let gone = |stored: &StudioFlow| stored.metadata.deletion_timestamp.is_some() && stored.finalizers().is_empty();
        let stored = written.map_err(|error| failed::<StudioFlow>(&key, error))?;
        if !gone(&stored) {
            take(&self.flows, stored);
        }
        Ok(())
    }

    /// Tells of a change of `Ready` as an event.
    async fn tell<K: Resource<DynamicType = ()>>(&self, object: &K, before: &[Condition], after: &[Condition]) {
        let Some(ready) = conditions::ready_changed(before, after) else { return };
        // What passes by itself, as when everything is applied at once, is nobody's concern.
        let passing = [reasons::VERIFYING, reasons::PENDING, reasons::FLOW_NOT_READY].contains(&ready.reason.as_str());
        let good = ready.status == Truth::True.as_str() || passing;
        let type_ = if good { EventType::Normal } else { EventType::Warning };
        self.publish(object, type_, &ready.reason, ready.message.clone()).await;
    }

    /// Failing to do so fails nothing else.
    async fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, type_: EventType, reason: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(conditions::truncated(note)),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(%error, "an event was not recorded");
        }
    }
}

/// What was written, ahead of what the watch tells.
fn take<K: Watched>(index: &Index<K>, mut stored: K) {
    stored.managed_fields_mut().clear();
    index.put(stored);
}

fn failed<K: Watched>(key: &ObjectKey, error: kube::Error) -> ClusterError {
    let what = format!("{} `{key}`", K::kind(&()));
    match error {
        kube::Error::Api(status) if status.is_conflict() || status.is_not_found() => ClusterError::Conflict { what },
        error => ClusterError::Write { what, problem: error.to_string() },
    }
}

#[async_trait]
impl SecretSource for KubeCluster {
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
        self.secrets.secret(key).await
    }
}

#[async_trait]
impl Cluster for KubeCluster {
    fn destination(&self, key: &ObjectKey) -> Option<Arc<EngageDestination>> {
        self.destinations.get(key)
    }

    fn studio_flow(&self, key: &ObjectKey) -> Option<Arc<StudioFlow>> {
        self.flows.get(key)
    }

    fn referring_to(&self, flow: &ObjectKey) -> Vec<ObjectRef> {
        let (destinations, flows) = (self.destinations.all(), self.flows.all());
        let known = self.flows.get(flow);
        let sid = known.as_ref().and_then(|flow| flow.status.as_ref()?.sid.as_deref());
        let destinations = destinations.iter().filter(|destination| destination.refers_to(flow, sid));
        let destinations = destinations.map(|it| ObjectRef::Destination(ObjectKey::of(it.as_ref())));
        let parents = flows.iter().filter(|parent| parent.runs(flow, sid));
        destinations.chain(parents.map(|it| ObjectRef::Flow(ObjectKey::of(it.as_ref())))).collect()
    }

    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMapData>, ClusterError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &key.namespace);
        let found = api
            .get_opt(&key.name)
            .await
            .map_err(|error| ClusterError::Read { what: format!("ConfigMap `{key}`"), problem: error.to_string() })?;
        Ok(found.map(|config_map| config_map.data.unwrap_or_default()))
    }

    fn may_act(&self) -> bool {
        self.leadership.holds()
    }

    async fn hold(&self, flow: &StudioFlow) -> Result<(), ClusterError> {
        self.write_finalizers(flow, true).await
    }

    async fn let_go(&self, flow: &StudioFlow) -> Result<(), ClusterError> {
        self.write_finalizers(flow, false).await
    }

    async fn write_flow_status(&self, flow: &StudioFlow, status: &StudioFlowStatus) -> Result<(), ClusterError> {
        let key = ObjectKey::of(flow);
        let Some(current) = self.flows.get(&key).filter(|current| current.uid() == flow.uid()) else {
            return Err(ClusterError::Conflict { what: format!("StudioFlow `{key}`") });
        };
        if current.status.as_ref() == Some(status) {
            return Ok(());
        }
        let updated = StudioFlow { status: Some(status.clone()), ..StudioFlow::clone(&current) };
        self.write(&self.flows, updated).await?;
        let before = current.status.as_ref();
        if let Some(drift) = &status.drift
            && before.and_then(|before| before.drift.as_ref()) != Some(drift)
        {
            self.publish(current.as_ref(), EventType::Warning, reasons::FLOW_EDITED, drift.to_string()).await;
        }
        let before = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
        self.tell(current.as_ref(), before, &status.conditions).await;
        if let Some(linted) = conditions::find(&status.conditions, conditions::LINTED)
            && conditions::find(before, conditions::LINTED).map(|before| &before.message) != Some(&linted.message)
        {
            self.publish(current.as_ref(), EventType::Warning, &linted.reason, linted.message.clone()).await;
        }
        // The watch says nothing of what is known here already.
        for referring in self.referring_to(&key) {
            let _ = self.wake.send(referring);
        }
        Ok(())
    }

    async fn write_destination_status(
        &self,
        destination: &EngageDestination,
        status: &EngageDestinationStatus,
    ) -> Result<(), ClusterError> {
        let key = ObjectKey::of(destination);
        let Some(current) = self.destinations.get(&key).filter(|current| current.uid() == destination.uid()) else {
            return Err(ClusterError::Conflict { what: format!("EngageDestination `{key}`") });
        };
        if current.status.as_ref() == Some(status) {
            return Ok(());
        }
        let mut status = status.clone();
        // These are not the reconcilers' and may be newer than what they have read.
        status.deliveries = current.status.as_ref().and_then(|current| current.deliveries.clone());
        let updated = EngageDestination { status: Some(status.clone()), ..EngageDestination::clone(&current) };
        self.write(&self.destinations, updated).await?;
        let before = current.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        self.tell(current.as_ref(), before, &status.conditions).await;
        Ok(())
    }

    async fn write_deliveries(&self, key: &ObjectKey, deliveries: &DeliveriesStatus) -> Result<(), ClusterError> {
        let Some(current) = self.destinations.get(key) else {
            return Err(ClusterError::Conflict { what: format!("EngageDestination `{key}`") });
        };
        let mut updated = EngageDestination::clone(&current);
        updated.status.get_or_insert_default().deliveries = Some(deliveries.clone());
        self.write(&self.destinations, updated).await
    }

    fn programmed(&self, _: &EngageDestination) -> Programmed {
        // The gateway builds its table from the same watch, so where one runs it has the generation a moment later at most.
        if self.gateway.is_present() { Programmed::Yes } else { Programmed::NoGateway }
    }
}
