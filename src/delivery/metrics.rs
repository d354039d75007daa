//! What the delivery path counts. `received = Σ outcomes + in flight` holds at every moment, for each destination.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    api::ObjectKey,
    delivery::{
        outcome::{Outcome, OutcomeKind},
        receipts::metrics::ReceiptMetrics,
        tally::Tallies,
    },
};

/// A destination, as labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DestinationLabels {
    pub namespace: String,
    pub destination: String,
}

impl From<&ObjectKey> for DestinationLabels {
    fn from(key: &ObjectKey) -> Self {
        Self { namespace: key.namespace.clone(), destination: key.name.clone() }
    }
}

/// A destination and what an event of it came to. Reasons are the constants of `api::reasons`, so their number is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    pub namespace: String,
    pub destination: String,
    pub outcome: OutcomeKind,
    pub reason: String,
}

/// A destination and what a person has decided about an event of it, one of a few words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    pub namespace: String,
    pub destination: String,
    pub decision: &'static str,
}

impl EncodeLabelValue for OutcomeKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// Counters of the delivery path.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    received: Family<DestinationLabels, Counter>,
    in_flight: Family<DestinationLabels, Gauge>,
    events: Family<OutcomeLabels, Counter>,
    late: Family<OutcomeLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    unresolved: Gauge,
    duration: Family<DestinationLabels, Histogram>,
    pub receipts: ReceiptMetrics,
    /// The same, summed up for the status of each destination.
    pub tallies: Arc<Tallies>,
}

/// From a millisecond to the eight seconds that a request waits.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 8.0];

impl DeliveryMetrics {
    /// Makes the counters and registers them; their names get the registry's prefix `engage_`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            received: Family::default(),
            in_flight: Family::default(),
            events: Family::default(),
            late: Family::default(),
            decisions: Family::default(),
            unresolved: Gauge::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            receipts: ReceiptMetrics::new(registry),
            tallies: Arc::default(),
        };
        registry.register("events_received", "Events received, repetitions included", metrics.received.clone());
        registry.register("events_in_flight", "Events received and not answered yet", metrics.in_flight.clone());
        registry.register("events", "Events answered, by outcome and reason", metrics.events.clone());
        registry.register(
            "late_outcomes",
            "Final outcomes of deliveries that went on after their request was answered `retry`",
            metrics.late.clone(),
        );
        registry.register("decisions", "Decisions of people about events", metrics.decisions.clone());
        registry.register(
            "attempts_unresolved",
            "Attempts whose answer was lost and that are being looked for in Twilio",
            metrics.unresolved.clone(),
        );
        registry.register(
            "event_duration_seconds",
            "Time from an event's arrival to its answer",
            metrics.duration.clone(),
        );
        metrics
    }

    /// An event has come; it is in flight until the returned value has been told its outcome.
    pub fn received(&self, destination: &ObjectKey) -> InFlight {
        let labels = DestinationLabels::from(destination);
        self.received.get_or_create(&labels).inc();
        self.in_flight.get_or_create(&labels).inc();
        let destination = destination.clone();
        InFlight { metrics: self.clone(), destination, labels, began: std::time::Instant::now() }
    }

    /// A delivery has ended after its request was answered.
    pub fn ended_late(&self, destination: &ObjectKey, outcome: &Outcome) {
        self.late.get_or_create(&outcome_labels(&destination.into(), outcome)).inc();
        self.tallies.outcome(destination, outcome);
    }

    /// A person has decided about an event. It was counted under its outcome when it came to it, and is not once more.
    pub fn decided(&self, destination: &ObjectKey, decision: &'static str) {
        let DestinationLabels { namespace, destination } = destination.into();
        self.decisions.get_or_create(&DecisionLabels { namespace, destination, decision }).inc();
    }

    /// Counts an attempt as unresolved until the returned value is dropped.
    pub fn unresolved(&self) -> Unresolved {
        self.unresolved.inc();
        Unresolved(self.unresolved.clone())
    }
}

fn outcome_labels(destination: &DestinationLabels, outcome: &Outcome) -> OutcomeLabels {
    OutcomeLabels {
        namespace: destination.namespace.clone(),
        destination: destination.destination.clone(),
        outcome: outcome.kind(),
        reason: outcome.reason().map(|reason| reason.word.clone()).unwrap_or_default(),
    }
}

/// An event that has been counted as received.
#[derive(Debug)]
#[must_use]
pub struct InFlight {
    metrics: DeliveryMetrics,
    destination: ObjectKey,
    labels: DestinationLabels,
    began: std::time::Instant,
}

impl InFlight {
    /// The event has its outcome.
    pub fn ended(self, outcome: &Outcome) {
        let Self { metrics, destination, labels, began } = self;
        metrics.tallies.outcome(&destination, outcome);
        metrics.events.get_or_create(&outcome_labels(&labels, outcome)).inc();
        metrics.in_flight.get_or_create(&labels).dec();
        metrics.duration.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    }
}

/// An attempt that is counted as unresolved.
#[derive(Debug)]
#[must_use]
pub struct Unresolved(Gauge);

impl Drop for Unresolved {
    fn drop(&mut self) {
        self.0.dec();
    }
}
