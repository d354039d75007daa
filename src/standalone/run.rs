//! `engage-operator run`: controller and gateway on a config folder.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    api::ObjectKey,
    controller::{Context, account::Accounts},
    delivery::{
        credentials::SecretCache,
        engine::Engine,
        journal::{Journal, JournalError, file::FileJournal, memory::MemoryJournal},
        metrics::DeliveryMetrics,
        recovery::RouteLookup,
    },
    gateway::{
        Gateway, Routes,
        admin::{self, Readiness},
        router,
        serve::serve,
    },
    metrics::{self, GatewayMetrics},
    segment::profile::{ProfileBaseUrls, ProfileClient},
    standalone::{
        cluster::{FolderCluster, ObjectRef},
        driver::drive,
        folder,
        state::StateFolder,
        watch::FolderWatch,
    },
    twilio::{BaseUrls, TwilioClients},
};

/// Where outcomes are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalChoice {
    /// In the state folder.
    StateFolder,
    File(PathBuf),
    Memory {
        capacity: usize,
    },
}

/// What `run` is told.
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub config_dir: PathBuf,
    pub state_dir: PathBuf,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub public_url: Option<Url>,
    pub journal: JournalChoice,
    pub cluster_id: String,
    pub twilio: BaseUrls,
    pub profiles: ProfileBaseUrls,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the config folder {path} cannot be read: {source}")]
    ConfigDir { path: PathBuf, source: std::io::Error },
    #[error("the state folder {path} cannot be used: {source}")]
    StateDir { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(#[from] reqwest::Error),
}

/// Shortest time between two checks that deliveries ask for.
const DOUBT: Duration = Duration::from_secs(5);
/// Time between two rounds of tidying up.
const SWEEP: Duration = Duration::from_mins(1);
/// Time that deliveries have after the last request was answered; what they started is found again at the next start.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs until `shutdown`. What cannot be mended while running is an error at the start; everything else is in the status of a
/// resource.
pub async fn run(options: RunOptions, shutdown: CancellationToken) -> Result<(), RunError> {
    let RunOptions { config_dir, state_dir, listen, admin_listen, public_url, journal, cluster_id, twilio, profiles } =
        options;
    let state_error = |source| RunError::StateDir { path: state_dir.clone(), source };
    let state = StateFolder::open(&state_dir).map_err(state_error)?;
    let journal = open_journal(&journal, &state)?;

    let mut registry = metrics::registry();
    let delivery_metrics = DeliveryMetrics::new(&mut registry);
    let gateway_metrics = GatewayMetrics::new(&mut registry);
    let readiness = Readiness::default();
    let listener = bind(listen).await?;
    let listen = listener.local_addr().unwrap_or(listen);
    let admin_listener = bind(admin_listen).await?;
    let admin_router = admin::router(readiness.clone(), Arc::new(registry));
    let admin = tokio::spawn(serve(admin_listener, admin_router, CancellationToken::new()));

    let routes = Arc::new(Routes::default());
    let (cluster, woken) = FolderCluster::new(state, Arc::clone(&routes));
    let objects =
        folder::read(&config_dir).map_err(|source| RunError::ConfigDir { path: config_dir.clone(), source })?;
    report_problems(&objects);
    cluster.take(objects).map_err(state_error)?;

    let clients = TwilioClients::new(twilio)?;
    let secrets = SecretCache::new(Arc::clone(&cluster) as _);
    let (engine, suspected) = Engine::new(
        Arc::clone(&journal),
        clients.clone(),
        ProfileClient::new(profiles)?,
        Arc::clone(&secrets),
        delivery_metrics,
    );
    let lookup: RouteLookup = {
        let routes = Arc::clone(&routes);
        Arc::new(move |uid| routes.current().by_uid(uid).cloned())
    };
    let adopted = engine.recover(&lookup).await?;
    if adopted > 0 {
        tracing::info!(attempts = adopted, "looking for attempts that an earlier run left behind");
    }

    let context = Context {
        public_url,
        listen,
        journal_durable: journal.is_durable(),
        ..Context::new(Arc::clone(&cluster) as _, clients, cluster_id)
    };
    let context = Arc::new(context);
    let doubter = doubt(suspected, Arc::clone(&cluster), context.accounts.clone());
    let doubter = tokio::spawn(until(shutdown.clone(), doubter));
    let driver = tokio::spawn(drive(Arc::clone(&cluster), context, woken, shutdown.clone()));
    let watcher = tokio::spawn(until(shutdown.clone(), watch(config_dir, Arc::clone(&cluster))));
    let tables = tokio::spawn(until(shutdown.clone(), keep_routes(Arc::clone(&cluster))));
    let sweeper = tokio::spawn(until(shutdown.clone(), sweep(Arc::clone(&engine), lookup, Arc::clone(&secrets))));

    let gateway = Gateway::new(Arc::clone(&routes), Arc::clone(&engine), secrets, gateway_metrics);
    let public = tokio::spawn(serve(listener, router(gateway), shutdown.clone()));
    readiness.set(true);
    tracing::info!(%listen, %admin_listen, destinations = routes.current().len(), "serving");

    shutdown.cancelled().await;
    readiness.set(false);
    tracing::info!("shutting down");
    let _ = public.await;
    let left = engine.drain(DRAIN).await;
    if left > 0 {
        tracing::info!(deliveries = left, "left to be looked for at the next start");
    }
    for task in [driver, doubter, watcher, tables, sweeper] {
        let _ = task.await;
    }
    admin.abort();
    Ok(())
}

fn open_journal(choice: &JournalChoice, state: &StateFolder) -> Result<Arc<dyn Journal>, JournalError> {
    Ok(match choice {
        JournalChoice::StateFolder => Arc::new(FileJournal::open(&state.journal())?),
        JournalChoice::File(path) => Arc::new(FileJournal::open(path)?),
        JournalChoice::Memory { capacity } => Arc::new(MemoryJournal::new(*capacity)),
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })
}

fn report_problems(objects: &folder::Objects) {
    for problem in &objects.problems {
        tracing::error!(%problem, "not used");
    }
}

async fn until(shutdown: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => {}
        () = shutdown.cancelled() => {}
    }
}

/// Takes the folder in whenever it changes.
async fn watch(config_dir: PathBuf, cluster: Arc<FolderCluster>) {
    let watch = FolderWatch::new(&config_dir);
    let mut known_problems = Vec::new();
    loop {
        watch.changed().await;
        match folder::read(&config_dir) {
            Ok(objects) => {
                if objects.problems != known_problems {
                    report_problems(&objects);
                    known_problems.clone_from(&objects.problems);
                }
                if let Err(error) = cluster.take(objects) {
                    tracing::error!(%error, "the state folder cannot be written");
                }
            }
            // What was read last stays in force.
            Err(error) => tracing::error!(%error, "the config folder cannot be read"),
        }
    }
}

/// Makes the routing table anew when a status has changed.
async fn keep_routes(cluster: Arc<FolderCluster>) {
    loop {
        cluster.routes_changed.notified().await;
        cluster.rebuild_routes();
    }
}

/// Has destinations checked again that a delivery found to be other than they were checked.
async fn doubt(mut suspected: mpsc::Receiver<ObjectKey>, cluster: Arc<FolderCluster>, accounts: Accounts) {
    while let Some(key) = suspected.recv().await {
        let mut keys = BTreeSet::from([key]);
        while let Ok(key) = suspected.try_recv() {
            keys.insert(key);
        }
        accounts.forget();
        cluster.look_at(keys.into_iter().map(ObjectRef::Destination));
        tokio::time::sleep(DOUBT).await;
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
