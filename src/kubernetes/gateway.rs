//! `engage-operator gateway`: serves the webhooks of all destinations that the API server tells of, also while it is away.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{RoleError, client, cluster::SecretReader, heartbeat, index::Index};
use crate::{
    api::EngageDestination,
    delivery::journal::JournalChoice,
    gateway::{
        Routes,
        admin::{self, Readiness},
        serve::serve,
        service::{GatewayService, Surroundings, listen},
    },
    metrics,
    segment::{RegionalUrls, profile::ProfileClient, tracking::TrackingClient},
    twilio::{BaseUrls, TwilioClients},
};

/// Longest time that a change waits for others to be taken in with it.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What `gateway` is told.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    /// Address under which Twilio reaches the gateway.
    pub public_url: Option<Url>,
    pub journal: JournalChoice,
    /// Namespaces to serve; none for all.
    pub namespaces: Vec<String>,
    /// Namespace of the lease.
    pub own_namespace: String,
    pub identity: String,
    pub twilio: BaseUrls,
    pub profiles: RegionalUrls,
    pub tracking: RegionalUrls,
}

/// Runs until `shutdown`, then lets every request end.
pub async fn run(options: GatewayOptions, shutdown: CancellationToken) -> Result<(), RoleError> {
    let GatewayOptions {
        listen: listen_address,
        admin_listen,
        public_url,
        journal,
        namespaces,
        own_namespace,
        identity,
        twilio,
        profiles,
        tracking,
    } = options;
    let journal = journal.open()?;
    let client = client().await?;
    let listener = listen(listen_address).await?;
    let routes = Arc::new(Routes::default());
    let mut registry = metrics::registry();
    let around = Surroundings {
        twilio: TwilioClients::new(twilio)?,
        profiles: ProfileClient::new(profiles)?,
        tracking: TrackingClient::new(tracking)?,
        secrets: Arc::new(SecretReader(client.clone())),
        public_url,
    };
    let (service, suspected) = GatewayService::new(journal, around, Arc::clone(&routes), &mut registry);
    let readiness = Readiness::default();
    let admin_router = admin::router(readiness.clone(), Arc::new(registry))
        .merge(admin::deliveries(Arc::clone(service.tallies())))
        .merge(service.desk());
    let admin = tokio::spawn(serve(listen(admin_listen).await?, admin_router, CancellationToken::new()));

    let destinations: Arc<Index<EngageDestination>> = Arc::default();
    let changed = Arc::new(Notify::new());
    let follower = {
        let (destinations, client, changed) = (Arc::clone(&destinations), client.clone(), Arc::clone(&changed));
        let namespaces = namespaces.clone();
        let routes = Arc::clone(&routes);
        tokio::spawn(async move {
            let health = || routes.set_complete(destinations.is_complete());
            destinations.follow(client, &namespaces, |_| changed.notify_one(), health).await;
        })
    };
    tokio::select! {
        () = destinations.ready(namespaces.len().max(1)) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    rebuild(&routes, &destinations);
    service.recover().await?;
    let tables = {
        let routes = Arc::clone(&routes);
        tokio::spawn(async move {
            loop {
                changed.notified().await;
                let begin = Instant::now();
                rebuild(&routes, &destinations);
                // Where thousands are applied at once, many are taken in together: this takes a fifth of the time at most.
                tokio::time::sleep((begin.elapsed() * 4).min(LONGEST_PAUSE)).await;
            }
        })
    };
    let heart = tokio::spawn(heartbeat::beat(client, own_namespace, identity, suspected, shutdown.clone()));
    readiness.set(true);
    tracing::info!(listen = %listen_address, destinations = routes.current().len(), "serving");
    let public = tokio::spawn(service.run(listener, shutdown.clone()));

    shutdown.cancelled().await;
    readiness.set(false);
    tracing::info!("shutting down");
    let _ = public.await;
    let _ = heart.await;
    for task in [follower, tables, admin] {
        task.abort();
    }
    Ok(())
}

fn rebuild(routes: &Routes, destinations: &Index<EngageDestination>) {
    let (readable, unreadable) = (destinations.all(), destinations.unreadable());
    routes.replace(readable.iter().map(AsRef::as_ref), unreadable);
}
