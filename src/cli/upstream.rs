//! Flags that several roles share: where Twilio and Segment are, and who this process is in the cluster.

use clap::Args;
use url::Url;

use crate::{
    segment::{RegionalUrls, profile, tracking},
    twilio::{BaseUrls, client::BaseUrlError},
};

/// Where Twilio is found.
#[derive(Debug, Args)]
pub struct TwilioFlags {
    /// Where Twilio is found; the literal {product} stands for api, conversations, studio and so on.
    #[arg(long, env = "ENGAGE_TWILIO_BASE_URL", value_name = "URL", default_value = BaseUrls::DEFAULT)]
    twilio_base_url: String,
}

impl TwilioFlags {
    pub fn bases(&self) -> Result<BaseUrls, BaseUrlError> {
        BaseUrls::parse(&self.twilio_base_url)
    }
}

/// Where Segment is found.
#[derive(Debug, Args)]
pub struct SegmentFlags {
    /// Where Segment's Profile API is found. Default: by the region of each destination.
    #[arg(long, env = "ENGAGE_SEGMENT_PROFILES_BASE_URL", value_name = "URL")]
    segment_profiles_base_url: Option<Url>,

    /// Where Segment's Tracking API is found. Default: by the region of each destination.
    #[arg(long, env = "ENGAGE_SEGMENT_TRACKING_BASE_URL", value_name = "URL")]
    segment_tracking_base_url: Option<Url>,
}

impl SegmentFlags {
    pub fn profiles(&self) -> RegionalUrls {
        given(self.segment_profiles_base_url.as_ref()).unwrap_or_else(profile::base_urls)
    }

    pub fn tracking(&self) -> RegionalUrls {
        given(self.segment_tracking_base_url.as_ref()).unwrap_or_else(tracking::base_urls)
    }
}

fn given(url: Option<&Url>) -> Option<RegionalUrls> {
    url.map(|url| RegionalUrls::fixed(url.as_str()))
}

/// Who this process is in the cluster, and what it looks after.
#[derive(Debug, Args)]
pub struct ClusterFlags {
    /// Look after this namespace only; repeatable. Default: all namespaces.
    #[arg(long = "watch-namespace", env = "ENGAGE_WATCH_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Namespace of this process, where its Leases are.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,

    /// Name of this process, unlike any other's. Default: a random one.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,
}

impl ClusterFlags {
    /// A name that no other run of any process has: a pod that was restarted is not who it was.
    pub fn identity(&self) -> String {
        let run = uuid::Uuid::new_v4();
        format!("{}_{run}", self.identity.as_deref().unwrap_or("engage-operator"))
    }
}
