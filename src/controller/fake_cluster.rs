//! A cluster in memory, for tests of the reconcilers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus,
        engage_destination::DeliveriesStatus, secret::SecretData,
    },
    controller::{
        cluster::{Cluster, ClusterError, ConfigMapData, Programmed},
        driver::ObjectRef,
    },
    delivery::credentials::{SecretError, SecretSource},
};

#[derive(Default)]
pub struct FakeCluster {
    pub secrets: BTreeMap<ObjectKey, SecretData>,
    pub config_map: Option<ConfigMapData>,
    pub unreadable: bool,
    /// Called whenever a destination is looked up.
    pub on_look: Option<Box<dyn Fn() + Send + Sync>>,
    pub destination_writes: Mutex<Vec<EngageDestinationStatus>>,
    pub flow_writes: Mutex<Vec<StudioFlowStatus>>,
    pub deliveries_writes: Mutex<Vec<DeliveriesStatus>>,
    pub destination: Option<Arc<EngageDestination>>,
}

impl FakeCluster {
    /// A cluster whose namespace `marketing` has the two usual Secrets.
    pub fn with_secrets() -> Self {
        let mut cluster = Self::default();
        cluster.put_secret(
            "twilio",
            &[("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"), ("TWILIO_AUTH_TOKEN", "token")],
        );
        cluster.put_secret("segment", &[("SEGMENT_WEBHOOK_SECRET", "secret"), ("SEGMENT_PROFILES_API_TOKEN", "token")]);
        cluster
    }

    /// A cluster that has one destination, with a status.
    pub fn with_destination(key: &ObjectKey) -> Self {
        let spec = serde_json::json!({
            "twilio": {"credentialsRef": {"name": "twilio"}}, "segment": {"credentialsRef": {"name": "segment"}}
        });
        let mut destination = EngageDestination::new(&key.name, serde_json::from_value(spec).unwrap());
        destination.metadata.namespace = Some(key.namespace.clone());
        destination.status = Some(EngageDestinationStatus::default());
        Self { destination: Some(Arc::new(destination)), ..Self::default() }
    }

    pub fn put_secret(&mut self, name: &str, values: &[(&str, &str)]) {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        self.secrets.insert(ObjectKey::new("marketing", name), SecretData::from_bytes(values));
    }
}

#[async_trait]
impl SecretSource for FakeCluster {
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
        if self.unreadable {
            return Err(SecretError::Unreadable { key: key.clone(), problem: "down".into() });
        }
        Ok(self.secrets.get(key).cloned())
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    fn destination(&self, _: &ObjectKey) -> Option<Arc<EngageDestination>> {
        if let Some(on_look) = &self.on_look {
            on_look();
        }
        self.destination.clone()
    }

    fn studio_flow(&self, _: &ObjectKey) -> Option<Arc<StudioFlow>> {
        None
    }

    fn referring_to(&self, _: &ObjectKey) -> Vec<ObjectRef> {
        Vec::new()
    }

    async fn config_map(&self, _: &ObjectKey) -> Result<Option<ConfigMapData>, ClusterError> {
        Ok(self.config_map.clone())
    }

    fn may_act(&self) -> bool {
        true
    }

    async fn hold(&self, _: &StudioFlow) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn let_go(&self, _: &StudioFlow) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn write_flow_status(&self, _: &StudioFlow, status: &StudioFlowStatus) -> Result<(), ClusterError> {
        self.flow_writes.lock().unwrap().push(status.clone());
        Ok(())
    }

    async fn write_destination_status(
        &self,
        _: &EngageDestination,
        status: &EngageDestinationStatus,
    ) -> Result<(), ClusterError> {
        self.destination_writes.lock().unwrap().push(status.clone());
        Ok(())
    }

    async fn write_deliveries(&self, _: &ObjectKey, deliveries: &DeliveriesStatus) -> Result<(), ClusterError> {
        self.deliveries_writes.lock().unwrap().push(deliveries.clone());
        Ok(())
    }

    fn programmed(&self, _: &EngageDestination) -> Programmed {
        Programmed::Yes
    }
}
