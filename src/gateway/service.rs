//! The gateway as a whole: what it is put together from, and how it runs and ends. A folder and a cluster differ only in where
//! its routing table and its Secrets come from.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    api::ObjectKey,
    delivery::{
        credentials::{SecretCache, SecretSource},
        engine::Engine,
        journal::{Journal, JournalError},
        metrics::DeliveryMetrics,
        phone,
        receipts::{lookups::Lookups, outbox::Outbox},
        recovery::RouteLookup,
        tally::{Presence, Tallies},
    },
    gateway::{Gateway, Routes, desk, router, serve::serve},
    metrics::GatewayMetrics,
    segment::{profile::ProfileClient, tracking::TrackingClient},
    twilio::{CallbackUrls, TwilioClients},
};

/// Time between two rounds of tidying up.
const SWEEP: Duration = Duration::from_mins(1);
/// Time that deliveries have after the last request was answered; what they started is found again at the next start.
const DRAIN: Duration = Duration::from_secs(3);

/// A gateway that is ready to serve.
pub struct GatewayService {
    gateway: Arc<Gateway>,
    engine: Arc<Engine>,
    secrets: Arc<SecretCache>,
    lookup: RouteLookup,
    routes: Arc<Routes>,
    outbox: Outbox,
    tallies: Arc<Tallies>,
    journal: Arc<dyn Journal>,
}

/// Where the gateway finds others, and where they find it.
pub struct Surroundings {
    pub twilio: TwilioClients,
    pub profiles: ProfileClient,
    pub tracking: TrackingClient,
    pub secrets: Arc<dyn SecretSource>,
    /// Address under which Twilio reaches the gateway. Without one nothing is known of messages after Twilio took them.
    pub public_url: Option<Url>,
}

impl GatewayService {
    /// Puts a gateway together. Also gives the destinations whose deliveries find the account other than it was checked.
    pub fn new(
        journal: Arc<dyn Journal>,
        around: Surroundings,
        routes: Arc<Routes>,
        registry: &mut Registry,
    ) -> (Self, mpsc::Receiver<ObjectKey>) {
        let Surroundings { twilio, profiles, tracking, secrets, public_url } = around;
        let secrets = SecretCache::new(secrets);
        std::thread::spawn(phone::warm_up);
        let metrics = DeliveryMetrics::new(registry);
        let tallies = Arc::clone(&metrics.tallies);
        let callbacks = public_url.as_ref().and_then(callbacks);
        let (engine, suspected) = Engine::new(
            Arc::clone(&journal),
            twilio,
            profiles,
            Arc::clone(&secrets),
            callbacks.clone(),
            metrics.clone(),
        );
        let lookup: RouteLookup = {
            let routes = Arc::clone(&routes);
            Arc::new(move |uid| routes.current().by_uid(uid).cloned())
        };
        let outbox = Outbox::new(Arc::clone(&journal), tracking, Arc::clone(&secrets), Arc::clone(&lookup), metrics);
        let gateway_metrics = GatewayMetrics::new(registry);
        let (table, shared) = (Arc::clone(&routes), Arc::clone(&secrets));
        let gateway = Gateway::new(table, Arc::clone(&engine), shared, gateway_metrics, callbacks);
        (Self { gateway, engine, secrets, lookup, routes, outbox, tallies, journal }, suspected)
    }

    /// What became of the events and messages of each destination.
    pub const fn tallies(&self) -> &Arc<Tallies> {
        &self.tallies
    }

    /// What the admin listener has for people on call.
    pub fn desk(&self) -> Router {
        desk::router(Arc::clone(&self.engine), Arc::clone(&self.routes))
    }

    /// Looks for what an earlier run left behind. To be called once the destinations are known, before the first event is taken.
    pub async fn recover(&self) -> Result<(), JournalError> {
        self.tallies.restore(self.journal.receipts()).await?;
        let adopted = self.engine.recover(&self.lookup).await?;
        if adopted > 0 {
            tracing::info!(attempts = adopted, "looking for attempts that an earlier run left behind");
        }
        Ok(())
    }

    /// Serves until `shutdown`, then lets requests and deliveries end.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        let Self { gateway, engine, secrets, lookup, routes, outbox, tallies, journal } = self;
        let keeper = Keeper { tallies, journal, routes };
        let outbox = tokio::spawn(outbox.run());
        let lookups = tokio::spawn(Lookups::new(Arc::clone(&engine), Arc::clone(&lookup), shutdown.clone()).run());
        let sweeper = tokio::spawn(sweep(Arc::clone(&engine), lookup, secrets, keeper.clone()));
        serve(listener, router(gateway), shutdown).await;
        let left = engine.drain(DRAIN).await;
        if left > 0 {
            tracing::info!(deliveries = left, "left to be looked for at the next start");
        }
        // What was not told or looked at yet is on disk; what was seen is counted with the rest.
        let looks = lookups.abort_handle();
        if tokio::time::timeout(DRAIN, lookups).await.is_err() {
            looks.abort();
        }
        outbox.abort();
        sweeper.abort();
        keeper.keep().await;
    }
}

/// The public address as Twilio calls it back.
fn callbacks(public_url: &Url) -> Option<CallbackUrls> {
    match CallbackUrls::at(public_url) {
        Ok(callbacks) => {
            if callbacks.is_plain() {
                tracing::warn!(%public_url, "Twilio calls back in the clear: give --public-url with https");
            }
            Some(callbacks)
        }
        Err(error) => {
            tracing::error!(%error, "--public-url: Twilio is not asked what becomes of messages");
            None
        }
    }
}

/// Writes what was counted beside the journal.
#[derive(Clone)]
struct Keeper {
    tallies: Arc<Tallies>,
    journal: Arc<dyn Journal>,
    routes: Arc<Routes>,
}

impl Keeper {
    async fn keep(&self) {
        let table = self.routes.current();
        let presence = |key: &ObjectKey| match table.get(key) {
            Some(served) => Presence::There { uid: served.uid.clone() },
            None if table.is_unreadable(key) || !self.routes.is_complete() => Presence::Unclear,
            None => Presence::Gone,
        };
        if let Err(error) = self.tallies.keep(self.journal.receipts(), presence).await {
            tracing::error!(%error, "what was counted could not be written");
        }
    }
}

async fn sweep(engine: Arc<Engine>, lookup: RouteLookup, secrets: Arc<SecretCache>, keeper: Keeper) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = engine.sweep(&lookup).await {
            tracing::error!(%error, "the journal could not be tidied up");
        }
        keeper.keep().await;
        secrets.forget_unused();
    }
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Listens on an address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}
