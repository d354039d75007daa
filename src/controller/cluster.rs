//! Where resources and Secrets come from and where status goes: a config folder or a Kubernetes API server. The
//! reconcilers know no more of either than this.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus,
        engage_destination::DeliveriesStatus,
    },
    controller::driver::ObjectRef,
    delivery::credentials::SecretSource,
};

/// The place that the resources live in could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClusterError {
    #[error("failed to read {what}: {problem}")]
    Read { what: String, problem: String },
    #[error("failed to write {what}: {problem}")]
    Write { what: String, problem: String },
    /// Somebody else changed or deleted the object since it was read; the next reconcile sees the new one.
    #[error("{what} has changed since it was read")]
    Conflict { what: String },
    /// Another process may be at work by now.
    #[error("this process does not hold the lease any more")]
    NotLeading,
}

/// The text values of a ConfigMap.
pub type ConfigMapData = BTreeMap<String, String>;

/// The objects that reconcilers read beside the one they work on, and the status they write.
#[async_trait]
pub trait Cluster: SecretSource {
    /// The destination as last seen, with its status.
    fn destination(&self, key: &ObjectKey) -> Option<Arc<EngageDestination>>;

    /// The flow as last seen, with its status.
    fn studio_flow(&self, key: &ObjectKey) -> Option<Arc<StudioFlow>>;

    /// What leads customers to this flow: the destinations whose replies start it, and the flows that run it as a subflow.
    fn referring_to(&self, flow: &ObjectKey) -> Vec<ObjectRef>;

    /// The ConfigMap as it is now; `None` when there is none of that name.
    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMapData>, ClusterError>;

    /// Whether this process may act in an account: of several, one may. To be asked right before each write.
    fn may_act(&self) -> bool;

    /// Has the resource stay when it is deleted, until it is let go. Durable when this returns.
    async fn hold(&self, flow: &StudioFlow) -> Result<(), ClusterError>;

    /// Lets the resource go when it is deleted; one that is being deleted is gone then.
    async fn let_go(&self, flow: &StudioFlow) -> Result<(), ClusterError>;

    /// Writes the status durably before it returns: a create that is about to begin is recorded by it. A status equal to
    /// the stored one is not written again.
    async fn write_flow_status(&self, flow: &StudioFlow, status: &StudioFlowStatus) -> Result<(), ClusterError>;

    /// As [`Cluster::write_flow_status`].
    async fn write_destination_status(
        &self,
        destination: &EngageDestination,
        status: &EngageDestinationStatus,
    ) -> Result<(), ClusterError>;

    /// Writes what became of the events and messages of a destination into its status, and leaves the rest as it is there at
    /// that moment.
    async fn write_deliveries(&self, key: &ObjectKey, deliveries: &DeliveriesStatus) -> Result<(), ClusterError>;

    /// Whether a gateway serves this generation of the destination, or why none does.
    fn programmed(&self, destination: &EngageDestination) -> Programmed;
}

/// What is known of the gateways that would serve a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programmed {
    /// A gateway has this generation in its table.
    Yes,
    /// A gateway runs and has not taken this generation in yet.
    NotYet,
    /// No gateway runs.
    NoGateway,
}
