//! What is counted of callbacks, of looks and of what Segment is told. Labels are words from known sets.

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
struct ResultLabels {
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

/// What came of a look at an opening message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookResult {
    /// It said something new.
    New,
    Repeated,
    /// The conversation has no message of this event.
    NotListed,
    /// Twilio asked to slow down; it is taken later.
    Throttled,
    /// Twilio refused the credentials; it is taken again.
    Refused,
    /// It could not be taken, and is taken again.
    Failed,
    /// The conversation or the message was deleted: it was the last.
    Gone,
    /// None could be taken until the last moment: what became of the message will not be known.
    GivenUp,
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

/// Counters of callbacks, looks and announcements.
#[derive(Debug, Clone)]
pub struct ReceiptMetrics {
    statuses: Family<StatusLabels, Counter>,
    callbacks: Family<ResultLabels, Counter>,
    looks: Family<ResultLabels, Counter>,
    looks_waiting: Gauge,
    told: Family<ToldLabels, Counter>,
    waiting: Gauge,
}

impl ReceiptMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            statuses: Family::default(),
            callbacks: Family::default(),
            looks: Family::default(),
            looks_waiting: Gauge::default(),
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
            "receipt_looks",
            "Looks at what became of opening messages, by what came of them",
            metrics.looks.clone(),
        );
        registry.register(
            "receipt_looks_waiting",
            "Opening messages that are still to be looked at",
            metrics.looks_waiting.clone(),
        );
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
        self.callbacks.get_or_create(&ResultLabels { result: result.to_owned() }).inc();
    }

    /// A look was taken, or never will be.
    pub fn look(&self, result: LookResult) {
        let result = match result {
            LookResult::New => "new",
            LookResult::Repeated => "repeated",
            LookResult::NotListed => "not_listed",
            LookResult::Throttled => "throttled",
            LookResult::Refused => "refused",
            LookResult::Failed => "failed",
            LookResult::Gone => "gone",
            LookResult::GivenUp => "given_up",
        };
        self.looks.get_or_create(&ResultLabels { result: result.to_owned() }).inc();
    }

    /// So many messages are still to be looked at.
    pub fn looks_waiting(&self, count: u64) {
        self.looks_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
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
