//! What every reconcile needs and none of them owns.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use url::Url;

use crate::{
    api::ObjectKey,
    controller::{account::Accounts, cluster::Cluster, credentials::RememberedCredentials},
    twilio::TwilioClients,
};

/// How long what was written to Studio may not be seen in what is read from it. Only after it is absence believed.
pub const SETTLE: Duration = Duration::from_mins(1);

/// Shared by the reconcilers of both kinds, one for the process.
pub struct Context {
    pub cluster: Arc<dyn Cluster>,
    pub accounts: Accounts,
    pub remembered: RememberedCredentials,
    /// Name of this cluster in the marker that flows of this operator carry.
    pub cluster_id: String,
    /// Address under which Segment reaches the gateway, where it was given.
    pub public_url: Option<Url>,
    /// Address that the gateway listens on; it stands in where no public URL was given.
    pub listen: SocketAddr,
    /// Whether outcomes of events survive a restart.
    pub journal_durable: bool,
    /// [`SETTLE`], unless a test is in a hurry.
    pub settle: Duration,
}

impl Context {
    /// A context with no public URL and a durable journal; change the fields as needed.
    pub fn new(cluster: Arc<dyn Cluster>, twilio: TwilioClients, cluster_id: impl Into<String>) -> Self {
        Self {
            cluster,
            accounts: Accounts::new(twilio),
            remembered: RememberedCredentials::default(),
            cluster_id: cluster_id.into(),
            public_url: None,
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            journal_durable: true,
            settle: SETTLE,
        }
    }

    /// Where Segment posts the events of a destination.
    pub fn destination_url(&self, key: &ObjectKey) -> String {
        let base = match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        };
        format!("{base}/v1/destinations/{}/{}", key.namespace, key.name)
    }
}
