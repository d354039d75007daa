//! `engage-operator controller`.

use std::net::SocketAddr;

use clap::Args;
use url::Url;

use super::{
    logging,
    signals::run_until_asked_to_end,
    upstream::{ClusterFlags, TwilioFlags},
};
use crate::kubernetes::controller::{ControllerOptions, run};

/// Run the controller in a cluster: check destinations, provision flows, write status.
///
/// Several may run; the one that holds the Lease `engage-operator-controller` works, and another takes over within twenty
/// seconds of its end. It needs `get` on the Secrets that resources name, and never lists or watches them.
#[derive(Debug, Args)]
pub struct Controller {
    /// Address for /livez, /readyz and /metrics; keep it inside.
    #[arg(long, env = "ENGAGE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,

    /// Address under which Segment reaches the gateway, for example `https://engage.example.com`; it begins every `status.url`.
    #[arg(long, env = "ENGAGE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// The gateway's admin listener, for example `http://engage-operator-gateway-admin:9090`: it is asked what became of events
    /// and messages, for the status of destinations. Without it only the gateway's metrics say it.
    #[arg(long, env = "ENGAGE_GATEWAY_ADMIN_URL", value_name = "URL")]
    gateway_admin_url: Option<Url>,

    /// Name of this cluster in the marker by which its Studio flows are found again. Two clusters that share a Twilio account
    /// need two names.
    #[arg(long, env = "ENGAGE_CLUSTER_ID", value_name = "NAME", default_value = "default")]
    cluster_id: String,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    twilio: TwilioFlags,
}

impl Controller {
    pub fn execute(self) -> anyhow::Result<()> {
        logging::start();
        let Self { admin_listen, public_url, gateway_admin_url, cluster_id, cluster, twilio } = self;
        let options = ControllerOptions {
            admin_listen,
            identity: cluster.identity(),
            namespaces: cluster.watch_namespaces,
            own_namespace: cluster.namespace,
            public_url,
            gateway_admin_url,
            cluster_id,
            twilio: twilio.bases()?,
        };
        run_until_asked_to_end(|shutdown| run(options, shutdown))
    }
}
