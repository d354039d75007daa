//! What is counted of callbacks and of what Segment is told. Labels are words from known sets.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{progress::Status, reason};
use crate::api::ObjectKey;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    namespace: String,
    destination: String,
    status: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallbackLabels {
    result: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToldLabels {
    namespace: String,
    destination: String,
    result: String,
}

/// What came of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackResult {
    /// It said something new.
    New,
    Repeated,
    /// Of an event of which no message is expected.
    UnknownEvent,
    /// Not about a message, or in a word that is not known.
    Ignored,
    /// Not proven to be Twilio's.
    Refused,
    /// It could not be taken, and Twilio is to repeat it.
    Failed,
}

/// What came of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldResult {
    Told,
    /// As many waited as may.
    NoRoom,
    /// Segment did not take it for a week.
    Expired,
}

/// Counters of callbacks and announcements.
#[derive(Debug, Clone)]
pub struct ReceiptMetrics {
    statuses: Family<StatusLabels, Counter>,
    callbacks: Family<CallbackLabels, Counter>,
    told: Family<ToldLabels, Counter>,
    waiting: Gauge,
}

impl ReceiptMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            statuses: Family::default(),
            callbacks: Family::default(),
            told: Family::default(),
            waiting: Gauge::default(),
        };
        registry.register(
            "message_status",
            "Messages that have come to a status, each counted once in each",
            metrics.statuses.clone(),
        );
        registry.register("callbacks", "Status callbacks received, by what came of them", metrics.callbacks.clone());
        registry.register(
            "announcements",
            "Events that told Segment what became of a message, or were not told",
            metrics.told.clone(),
        );
        registry.register("announcements_waiting", "Events that wait to be told Segment", metrics.waiting.clone());
        metrics
    }

    /// A message has come to a status for the first time.
    pub fn status(&self, destination: &ObjectKey, status: Status, error_code: Option<u32>) {
        let reason = if status == Status::Failed { reason::late(error_code).0 } else { "" };
        let labels = StatusLabels {
            namespace: destination.namespace.clone(),
            destination: destination.name.clone(),
            status: status.as_str().to_owned(),
            reason: reason.to_owned(),
        };
        self.statuses.get_or_create(&labels).inc();
    }

    /// A callback was answered.
    pub fn callback(&self, result: CallbackResult) {
        let result = match result {
            CallbackResult::New => "new",
            CallbackResult::Repeated => "repeated",
            CallbackResult::UnknownEvent => "unknown_event",
            CallbackResult::Ignored => "ignored",
            CallbackResult::Refused => "refused",
            CallbackResult::Failed => "failed",
        };
        self.callbacks.get_or_create(&CallbackLabels { result: result.to_owned() }).inc();
    }

    /// Announcements have left, or never will.
    pub fn told(&self, destination: &ObjectKey, result: ToldResult, count: u64) {
        let result = match result {
            ToldResult::Told => "told",
            ToldResult::NoRoom => "no_room",
            ToldResult::Expired => "expired",
        };
        let labels = ToldLabels {
            namespace: destination.namespace.clone(),
            destination: destination.name.clone(),
            result: result.to_owned(),
        };
        self.told.get_or_create(&labels).inc_by(count);
    }

    /// So many announcements wait.
    pub fn waiting(&self, count: u64) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
