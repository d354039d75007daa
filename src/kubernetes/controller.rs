//! `engage-operator controller`: checks destinations, provisions flows and writes status, while it holds the lease.

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;
use url::Url;

use super::{CONTROLLER_LEASE, RoleError, client, cluster::KubeCluster, leader::Elector};
use crate::{
    api::ObjectKey,
    controller::{
        Context,
        driver::{self, ObjectRef},
    },
    gateway::{
        admin::{self, Readiness},
        serve::serve,
        service::listen,
    },
    metrics,
    twilio::{BaseUrls, TwilioClients},
};

/// What `controller` is told.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    pub admin_listen: SocketAddr,
    /// Namespaces to work in; none for all.
    pub namespaces: Vec<String>,
    /// Namespace of the leases.
    pub own_namespace: String,
    pub identity: String,
    pub public_url: Option<Url>,
    pub cluster_id: String,
    pub twilio: BaseUrls,
}

/// Runs until `shutdown`. Losing the lease is an error: what was begun may have been taken over.
pub async fn run(options: ControllerOptions, shutdown: CancellationToken) -> Result<(), RoleError> {
    let ControllerOptions { admin_listen, namespaces, own_namespace, identity, public_url, cluster_id, twilio } =
        options;
    let client = client().await?;
    let readiness = Readiness::default();
    let admin_router = admin::router(readiness.clone(), Arc::new(metrics::registry()));
    let admin = tokio::spawn(serve(listen(admin_listen).await?, admin_router, CancellationToken::new()));
    // One that waits for its turn is as ready as the one that has it.
    readiness.set(true);
    tracing::info!(identity, "waiting for the lease");
    let mut elector = Elector::new(client.clone(), &own_namespace, CONTROLLER_LEASE, identity.clone());
    if !elector.acquire(&shutdown).await {
        return Ok(());
    }
    tracing::info!(identity, "holding the lease");

    let leadership = elector.leadership();
    let cluster = Arc::new(KubeCluster::new(client.clone(), identity, leadership));
    let (wake, woken) = tokio::sync::mpsc::unbounded_channel();
    let context =
        Context { public_url, ..Context::new(Arc::clone(&cluster) as _, TwilioClients::new(twilio)?, cluster_id) };
    let working = CancellationToken::new();
    let work = {
        let (cluster, namespaces, client) = (Arc::clone(&cluster), namespaces, client);
        async move {
            let send = |object: ObjectRef| drop(wake.send(object));
            let changed = |key: &ObjectKey| send(ObjectRef::Destination(key.clone()));
            let destinations = cluster.destinations.follow(client.clone(), &namespaces, changed, || ());
            let changed = |key: &ObjectKey| {
                send(ObjectRef::Flow(key.clone()));
                for destination in referring(&cluster, key) {
                    send(ObjectRef::Destination(destination));
                }
            };
            let flows = cluster.flows.follow(client.clone(), &namespaces, changed, || ());
            let gateway = cluster.gateway.follow(client.clone(), own_namespace, || {
                for destination in cluster.destinations.all() {
                    send(ObjectRef::Destination(ObjectKey::of(destination.as_ref())));
                }
            });
            tokio::join!(destinations, flows, gateway);
        }
    };
    let driver = tokio::spawn(driver::drive(Arc::new(context), woken, working.clone()));
    let lost = tokio::select! {
        lost = elector.hold(&shutdown) => lost,
        () = work => false,
    };
    working.cancel();
    let _ = driver.await;
    admin.abort();
    if lost { Err(RoleError::LeaseLost) } else { Ok(()) }
}

/// The destinations that refer to a flow.
fn referring(cluster: &KubeCluster, flow: &ObjectKey) -> Vec<ObjectKey> {
    let destinations = cluster.destinations.all();
    let referring = destinations.iter().filter(|destination| destination.refers_to(flow));
    referring.map(|destination| ObjectKey::of(destination.as_ref())).collect()
}
