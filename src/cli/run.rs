//! `engage-operator run`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use url::Url;

use super::{
    logging,
    signals::run_until_asked_to_end,
    upstream::{SegmentFlags, TwilioFlags},
};
use crate::{
    delivery::journal::JournalChoice,
    standalone::run::{RunOptions, run},
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

    /// Address under which Segment and Twilio reach --listen, for example <https://engage.example.com>. Without it Twilio is
    /// not asked what becomes of messages.
    #[arg(long, env = "ENGAGE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// Where outcomes are remembered: `file:PATH`, or `memory`, which forgets them when the process ends and so can message a
    /// customer twice after a restart. Default: a file in --state-dir.
    #[arg(long, env = "ENGAGE_JOURNAL", value_name = "JOURNAL")]
    journal: Option<JournalChoice>,

    /// Name of this installation in the marker by which its Studio flows are found again. Two installations that share a
    /// Twilio account need two names.
    #[arg(long, env = "ENGAGE_CLUSTER_ID", value_name = "NAME", default_value = "default")]
    cluster_id: String,

    #[command(flatten)]
    twilio: TwilioFlags,

    #[command(flatten)]
    segment: SegmentFlags,
}

impl Run {
    pub fn execute(self) -> anyhow::Result<()> {
        logging::start();
        let Self { config_dir, state_dir, listen, admin_listen, public_url, journal, cluster_id, twilio, segment } =
            self;
        let options = RunOptions {
            config_dir,
            state_dir,
            listen,
            admin_listen,
            public_url,
            journal,
            cluster_id,
            twilio: twilio.bases()?,
            profiles: segment.profiles(),
            tracking: segment.tracking(),
        };
        run_until_asked_to_end(|shutdown| run(options, shutdown))
    }
}
