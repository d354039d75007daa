//! `engage-operator run`: controller and gateway on a config folder.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    controller::{Context, deliveries::publish, driver},
    delivery::journal::{JournalChoice, JournalError},
    gateway::{
        Routes,
        admin::{self, Readiness},
        serve::serve,
        service::{GatewayService, ListenError, Surroundings, listen},
    },
    metrics,
    segment::{RegionalUrls, profile::ProfileClient, tracking::TrackingClient},
    standalone::{cluster::FolderCluster, folder, state::StateFolder, watch::FolderWatch},
    twilio::{BaseUrls, TwilioClients},
};

/// What `run` is told.
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub config_dir: PathBuf,
    pub state_dir: PathBuf,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub public_url: Option<Url>,
    /// Default: a file in the state folder.
    pub journal: Option<JournalChoice>,
    pub cluster_id: String,
    pub twilio: BaseUrls,
    pub profiles: RegionalUrls,
    pub tracking: RegionalUrls,
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
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(#[from] reqwest::Error),
}

/// How long an object must be missing from the config folder to count as deleted.
const CERTAINLY_GONE: Duration = Duration::from_secs(2);

/// Runs until `shutdown`. What cannot be mended while running is an error at the start; everything else is in the status of a
/// resource.
pub async fn run(options: RunOptions, shutdown: CancellationToken) -> Result<(), RunError> {
    let RunOptions {
        config_dir,
        state_dir,
        listen: listen_address,
        admin_listen,
        public_url,
        journal,
        cluster_id,
        twilio,
        profiles,
        tracking,
    } = options;
    let state_error = |source| RunError::StateDir { path: state_dir.clone(), source };
    let state = StateFolder::open(&state_dir).map_err(state_error)?;
    let journal = journal.unwrap_or_else(|| JournalChoice::File(state.journal())).open()?;

    let listener = listen(listen_address).await?;
    let listen_address = listener.local_addr().unwrap_or(listen_address);
    let admin_listener = listen(admin_listen).await?;
    let routes = Arc::new(Routes::default());
    let (cluster, woken) = FolderCluster::new(state, Arc::clone(&routes));
    let clients = TwilioClients::new(twilio)?;
    let mut registry = metrics::registry();
    let around = Surroundings {
        twilio: clients.clone(),
        profiles: ProfileClient::new(profiles)?,
        tracking: TrackingClient::new(tracking)?,
        secrets: Arc::clone(&cluster) as _,
        public_url: public_url.clone(),
    };
    let (service, suspected) = GatewayService::new(Arc::clone(&journal), around, Arc::clone(&routes), &mut registry);
    let readiness = Readiness::default();
    let admin_router = admin::router(readiness.clone(), Arc::new(registry)).merge(service.desk());
    let admin = tokio::spawn(serve(admin_listener, admin_router, CancellationToken::new()));

    let objects =
        folder::read(&config_dir).map_err(|source| RunError::ConfigDir { path: config_dir.clone(), source })?;
    report_problems(&objects);
    cluster.take(objects).map_err(state_error)?;
    service.recover().await?;

    let context = Arc::new(Context {
        public_url,
        listen: listen_address,
        journal_durable: journal.is_durable(),
        ..Context::new(Arc::clone(&cluster) as _, clients, cluster_id)
    });
    let deliveries = publish(Arc::clone(service.tallies()) as _, Arc::clone(&cluster) as _);
    let background = [
        tokio::spawn(until(shutdown.clone(), deliveries)),
        tokio::spawn(until(shutdown.clone(), driver::doubt(suspected, Arc::clone(&context), cluster.waker()))),
        tokio::spawn(until(shutdown.clone(), watch(config_dir, Arc::clone(&cluster)))),
        tokio::spawn(until(shutdown.clone(), keep_routes(Arc::clone(&cluster)))),
        tokio::spawn(driver::drive(context, woken, shutdown.clone())),
    ];
    readiness.set(true);
    tracing::info!(listen = %listen_address, %admin_listen, destinations = routes.current().len(), "serving");
    let public = tokio::spawn(service.run(listener, shutdown.clone()));

    shutdown.cancelled().await;
    readiness.set(false);
    tracing::info!("shutting down");
    let _ = public.await;
    for task in background {
        let _ = task.await;
    }
    admin.abort();
    Ok(())
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
        tokio::select! {
            () = watch.changed() => {}
            () = cluster.gone.notified() => {}
        }
        let mut read = folder::read(&config_dir);
        if read.as_ref().is_ok_and(|objects| cluster.would_lose(objects)) {
            // A file that is being written in place is empty for a moment; what Segment sends then would be answered 404.
            tokio::time::sleep(CERTAINLY_GONE).await;
            read = folder::read(&config_dir);
        }
        match read {
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
