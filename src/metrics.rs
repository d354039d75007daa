//! What the process counts beside its deliveries. Labels are words from a known set, never paths, texts or people.

use axum::http::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, info::Info},
    registry::Registry,
};

use crate::segment::proof::Proof;

/// A registry with the prefix of every metric of this program and the version that runs.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("engage");
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The version that runs", build);
    registry
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: u16,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProofLabels {
    proof: String,
}

/// Counters of the public listener.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    requests: Family<RequestLabels, Counter>,
    proofs: Family<ProofLabels, Counter>,
}

impl GatewayMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self { requests: Family::default(), proofs: Family::default() };
        registry.register(
            "gateway_requests",
            "Requests answered, by status, and by reason when refused as a whole",
            metrics.requests.clone(),
        );
        registry.register(
            "gateway_signatures",
            "Requests that were proven to be Segment's, by what proved it",
            metrics.proofs.clone(),
        );
        metrics
    }

    /// A request was answered; `reason` is empty when its events were looked at.
    pub fn request(&self, status: StatusCode, reason: &str) {
        let labels = RequestLabels { code: status.as_u16(), reason: reason.to_owned() };
        self.requests.get_or_create(&labels).inc();
    }

    /// A request was proven to be Segment's.
    pub fn proof(&self, proof: Proof) {
        self.proofs.get_or_create(&ProofLabels { proof: proof.as_str().to_owned() }).inc();
    }
}
