//! The status of a flow while it is being worked on: the one thing that outlives a crash.

use crate::{
    api::{StudioFlow, StudioFlowStatus},
    controller::cluster::{Cluster, ClusterError},
};

/// The status as it is on record, and the way to change that.
pub struct Journal<'a> {
    cluster: &'a dyn Cluster,
    flow: &'a StudioFlow,
    status: StudioFlowStatus,
    on_record: Option<StudioFlowStatus>,
}

impl<'a> Journal<'a> {
    /// Starts from the status that the resource was read with.
    pub fn open(flow: &'a StudioFlow, cluster: &'a dyn Cluster) -> Self {
        let on_record = flow.status.clone();
        Self { cluster, flow, status: on_record.clone().unwrap_or_default(), on_record }
    }

    pub const fn status(&self) -> &StudioFlowStatus {
        &self.status
    }

    /// To be asked right before each write to the account: another process may have taken over since the last record.
    pub fn may_act(&self) -> Result<(), ClusterError> {
        if self.cluster.may_act() { Ok(()) } else { Err(ClusterError::NotLeading) }
    }

    /// Changes the status without writing it yet: for what is found again by looking.
    pub fn note<T>(&mut self, change: impl FnOnce(&mut StudioFlowStatus) -> T) -> T {
        change(&mut self.status)
    }

    /// Changes the status and returns once that outlives a crash.
    pub async fn record(&mut self, change: impl FnOnce(&mut StudioFlowStatus)) -> Result<(), ClusterError> {
        change(&mut self.status);
        if self.on_record.as_ref() != Some(&self.status) {
            self.cluster.write_flow_status(self.flow, &self.status).await?;
            self.on_record = Some(self.status.clone());
        }
        Ok(())
    }
}
