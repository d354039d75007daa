//! `engage-operator controller`: checks destinations, provisions flows and writes status, while it holds the lease.

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    CONTROLLER_LEASE, RoleError, client, cluster::KubeCluster, deliveries::GatewayDeliveries, leader::Elector,
};
use crate::{
    api::ObjectKey,
    controller::{
        Cluster, Context,
        deliveries::publish,
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
    /// The gateway's admin listener, to be asked what became of events.
    pub gateway_admin_url: Option<Url>,
    pub cluster_id: String,
    pub twilio: BaseUrls,
}

/// Destinations that the gateway named and that are not looked at yet.
const MAX_SUSPECTS: usize = 1_024;

/// Runs until `shutdown`. Losing the lease is an error: what was begun may have been taken over.
pub async fn run(options: ControllerOptions, shutdown: CancellationToken) -> Result<(), RoleError> {
    let ControllerOptions {
        admin_listen,
        namespaces,
        own_namespace,
        identity,
        public_url,
        gateway_admin_url,
        cluster_id,
        twilio,
    } = options;
    let gateway = gateway_admin_url.as_ref().map(GatewayDeliveries::at).transpose()?;
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
    let (wake, woken) = tokio::sync::mpsc::unbounded_channel();
    let cluster = Arc::new(KubeCluster::new(client.clone(), identity, leadership, wake.clone()));
    let context =
        Context { public_url, ..Context::new(Arc::clone(&cluster) as _, TwilioClients::new(twilio)?, cluster_id) };
    let context = Arc::new(context);
    let (suspect, suspected) = tokio::sync::mpsc::channel(MAX_SUSPECTS);
    let doubt = driver::doubt(suspected, Arc::clone(&context), wake.clone());
    let deliveries = {
        let cluster = Arc::clone(&cluster);
        async move {
            if let Some(gateway) = gateway {
                publish(Arc::new(gateway), cluster).await;
            }
        }
    };
    let working = CancellationToken::new();
    let work = {
        let (cluster, namespaces, client) = (Arc::clone(&cluster), namespaces, client);
        async move {
            let send = |object: ObjectRef| drop(wake.send(object));
            let changed = |key: &ObjectKey| send(ObjectRef::Destination(key.clone()));
            let destinations = cluster.destinations.follow(client.clone(), &namespaces, changed, || ());
            let changed = |key: &ObjectKey| {
                send(ObjectRef::Flow(key.clone()));
                for referring in cluster.referring_to(key) {
                    send(referring);
                }
            };
            let flows = cluster.flows.follow(client.clone(), &namespaces, changed, || ());
            let come_or_gone = || {
                for destination in cluster.destinations.all() {
                    send(ObjectRef::Destination(ObjectKey::of(destination.as_ref())));
                }
            };
            // One that finds no room is named again by its next event.
            let suspected = |key: ObjectKey| drop(suspect.try_send(key));
            let gateway = cluster.gateway.follow(client.clone(), own_namespace, come_or_gone, suspected);
            tokio::join!(destinations, flows, gateway, doubt, deliveries);
        }
    };
    let driver = tokio::spawn(driver::drive(context, woken, working.clone()));
    let lost = tokio::select! {
        lost = elector.hold(&shutdown) => lost,
        () = work => false,
    };
    working.cancel();
    let _ = driver.await;
    admin.abort();
    if lost { Err(RoleError::LeaseLost) } else { Ok(()) }
}
