//! `engage-operator gateway`.

use std::net::SocketAddr;

use clap::Args;
use url::Url;

use super::{
    logging,
    signals::run_until_asked_to_end,
    upstream::{ClusterFlags, SegmentFlags, TwilioFlags},
};
use crate::{
    delivery::journal::JournalChoice,
    kubernetes::gateway::{GatewayOptions, run},
};

/// Run the gateway in a cluster: serve the webhooks of all destinations and deliver their events.
///
/// One process at a time has a file journal. It goes on serving what it knows while the API server is away. It needs `get` on
/// the Secrets that destinations name, and never lists or watches them.
#[derive(Debug, Args)]
pub struct Gateway {
    /// Address that takes Segment's events.
    #[arg(long, env = "ENGAGE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    /// Address for /livez, /readyz, /metrics and /deliveries, what became of events; keep it inside.
    #[arg(long, env = "ENGAGE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,

    /// Address under which Twilio reaches --listen, for example <https://engage.example.com>. Without it Twilio is not asked
    /// what becomes of messages.
    #[arg(long, env = "ENGAGE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// Where outcomes are remembered: `file:PATH` on a volume that survives restarts, or `memory`, which forgets them when the
    /// process ends and so can message a customer twice.
    #[arg(long, env = "ENGAGE_JOURNAL", value_name = "JOURNAL")]
    journal: JournalChoice,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    twilio: TwilioFlags,

    #[command(flatten)]
    segment: SegmentFlags,
}

impl Gateway {
    pub fn execute(self) -> anyhow::Result<()> {
        logging::start();
        let Self { listen, admin_listen, public_url, journal, cluster, twilio, segment } = self;
        let options = GatewayOptions {
            listen,
            admin_listen,
            public_url,
            journal,
            identity: cluster.identity(),
            namespaces: cluster.watch_namespaces,
            own_namespace: cluster.namespace,
            twilio: twilio.bases()?,
            profiles: segment.profiles(),
            tracking: segment.tracking(),
        };
        run_until_asked_to_end(|shutdown| run(options, shutdown))
    }
}
