//! On Kubernetes: the API server as the source of resources and the place of their status, and the two roles that run there.

pub mod cluster;
pub mod controller;
mod deliveries;
pub mod gateway;
pub mod heartbeat;
mod index;
pub mod leader;

/// Lease by which controllers elect the one that writes.
pub const CONTROLLER_LEASE: &str = "engage-operator-controller";
/// Lease that the gateway renews, by which controllers know that one runs.
pub const GATEWAY_LEASE: &str = "engage-operator-gateway";
/// Who changed a field or reports an event, as the API server shows it.
pub const MANAGER: &str = "engage-operator";

/// Why a role could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error("no way to the API server: {0}")]
    Config(#[from] kube::config::InferConfigError),
    #[error("no client for the API server: {0}")]
    Client(#[from] kube::Error),
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(#[from] reqwest::Error),
    #[error(transparent)]
    Journal(#[from] crate::delivery::journal::JournalError),
    #[error(transparent)]
    Listen(#[from] crate::gateway::service::ListenError),
    /// Another controller may be writing by now; this one must not.
    #[error("the lease {CONTROLLER_LEASE} was lost")]
    LeaseLost,
}

/// A client for the API server of this pod, or of the kubeconfig.
pub async fn client() -> Result<kube::Client, RoleError> {
    Ok(kube::Client::try_from(kube::Config::infer().await?)?)
}
