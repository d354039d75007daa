//! `engage-operator run`.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::logging;
use crate::{
    delivery::journal::memory::DEFAULT_CAPACITY,
    segment::profile::ProfileBaseUrls,
    standalone::run::{JournalChoice, RunOptions, run},
    twilio::BaseUrls,
};

/// Run without Kubernetes: read resources from a folder, keep the account as they say, and serve their webhooks.
///
/// The folder holds the same YAML that a cluster would get (EngageDestination, StudioFlow, Secret), in any number of files.
/// Changed files are taken in while it runs. `engage-operator get` shows what became of each resource.
#[derive(Debug, Args)]
pub struct Run {
    /// Folder with the resources, as YAML.
    #[arg(long, env = "ENGAGE_CONFIG_DIR", value_name = "DIR")]
    config_dir: PathBuf,

    /// Folder for status and journal; it must survive restarts. One process at a time.
    #[arg(long, env = "ENGAGE_STATE_DIR", value_name = "DIR")]
    state_dir: PathBuf,

    /// Address that takes Segment's events.
    #[arg(long, env = "ENGAGE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    /// Address for /livez, /readyz and /metrics; keep it inside.
    #[arg(long, env = "ENGAGE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,

    /// Address under which Segment reaches --listen, for example <https://engage.example.com>.
    #[arg(long, env = "ENGAGE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// Where outcomes are remembered: `file:PATH`, or `memory`, which forgets them when the process ends and so can message a
    /// customer twice after a restart. Default: a file in --state-dir.
    #[arg(long, env = "ENGAGE_JOURNAL", value_name = "JOURNAL")]
    journal: Option<JournalFlag>,

    /// Name of this installation in the marker by which its Studio flows are found again. Two installations that share a
    /// Twilio account need two names.
    #[arg(long, env = "ENGAGE_CLUSTER_ID", value_name = "NAME", default_value = "default")]
    cluster_id: String,

    /// Where Twilio is found; the literal {product} stands for api, conversations, studio and so on.
    #[arg(long, env = "ENGAGE_TWILIO_BASE_URL", value_name = "URL", default_value = BaseUrls::DEFAULT)]
    twilio_base_url: String,

    /// Where Segment's Profile API is found. Default: by the region of each destination.
    #[arg(long, env = "ENGAGE_SEGMENT_PROFILES_BASE_URL", value_name = "URL")]
    segment_profiles_base_url: Option<Url>,
}

#[derive(Debug, Clone)]
struct JournalFlag(JournalChoice);

impl FromStr for JournalFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self(JournalChoice::Memory { capacity: DEFAULT_CAPACITY })),
            Some(("file", path)) if !path.is_empty() => Ok(Self(JournalChoice::File(path.into()))),
            _ => Err("write `memory` or `file:PATH`".into()),
        }
    }
}

impl Run {
    pub fn execute(self) -> anyhow::Result<()> {
        logging::start();
        let Self {
            config_dir,
            state_dir,
            listen,
            admin_listen,
            public_url,
            journal,
            cluster_id,
            twilio_base_url,
            segment_profiles_base_url,
        } = self;
        let options = RunOptions {
            config_dir,
            state_dir,
            listen,
            admin_listen,
            public_url,
            journal: journal.map_or(JournalChoice::StateFolder, |flag| flag.0),
            cluster_id,
            twilio: BaseUrls::parse(&twilio_base_url)?,
            profiles: segment_profiles_base_url
                .map_or_else(ProfileBaseUrls::default, |url| ProfileBaseUrls::fixed(url.as_str())),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let shutdown = CancellationToken::new();
            tokio::spawn(cancel_on_signal(shutdown.clone()));
            run(options, shutdown).await
        })?;
        Ok(())
    }
}

/// The first SIGTERM or SIGINT lets requests under way end; the second ends the process at once.
async fn cancel_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for first in [true, false] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if !first {
            std::process::exit(130);
        }
        shutdown.cancel();
    }
}
