//! The gateway as a whole: what it is put together from, and how it runs and ends. A folder and a cluster differ only in where
//! its routing table and its Secrets come from.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    api::ObjectKey,
    delivery::{
        credentials::{SecretCache, SecretSource},
        engine::Engine,
        journal::{Journal, JournalError},
        metrics::DeliveryMetrics,
        phone,
        recovery::RouteLookup,
    },
    gateway::{Gateway, Routes, router, serve::serve},
    metrics::GatewayMetrics,
    segment::profile::ProfileClient,
    twilio::TwilioClients,
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
}

impl GatewayService {
    /// Puts a gateway together. Also gives the destinations whose deliveries find the account other than it was checked.
    pub fn new(
        journal: Arc<dyn Journal>,
        twilio: TwilioClients,
        profiles: ProfileClient,
        secrets: Arc<dyn SecretSource>,
        routes: Arc<Routes>,
        registry: &mut Registry,
    ) -> (Self, mpsc::Receiver<ObjectKey>) {
        let secrets = SecretCache::new(secrets);
        std::thread::spawn(phone::warm_up);
        let delivery_metrics = DeliveryMetrics::new(registry);
        let (engine, suspected) = Engine::new(journal, twilio, profiles, Arc::clone(&secrets), delivery_metrics);
        let lookup: RouteLookup = {
            let routes = Arc::clone(&routes);
            Arc::new(move |uid| routes.current().by_uid(uid).cloned())
        };
        let gateway = Gateway::new(routes, Arc::clone(&engine), Arc::clone(&secrets), GatewayMetrics::new(registry));
        (Self { gateway, engine, secrets, lookup }, suspected)
    }

    /// Looks for what an earlier run left behind. To be called once the destinations are known, before the first event is taken.
    pub async fn recover(&self) -> Result<(), JournalError> {
        let adopted = self.engine.recover(&self.lookup).await?;
        if adopted > 0 {
            tracing::info!(attempts = adopted, "looking for attempts that an earlier run left behind");
        }
        Ok(())
    }

    /// Serves until `shutdown`, then lets requests and deliveries end.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        let sweeper = tokio::spawn(sweep(Arc::clone(&self.engine), self.lookup, self.secrets));
        serve(listener, router(self.gateway), shutdown).await;
        let left = self.engine.drain(DRAIN).await;
        if left > 0 {
            tracing::info!(deliveries = left, "left to be looked for at the next start");
        }
        sweeper.abort();
    }
}

async fn sweep(engine: Arc<Engine>, lookup: RouteLookup, secrets: Arc<SecretCache>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = engine.sweep(&lookup).await {
            tracing::error!(%error, "the journal could not be tidied up");
        }
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
