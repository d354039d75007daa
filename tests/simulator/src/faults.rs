//! Faults on demand. A rule says which requests it concerns, what goes wrong and how often; the draws depend only on
//! the seed, the rule's position and how many requests it has seen, so the same requests meet the same faults.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::rng::unit;
use crate::tables::Product;

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRule {
    /// Which requests; an empty match is every request.
    #[serde(rename = "match", default)]
    pub matches: FaultMatch,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How likely, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// At most this often; unlimited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl FaultRule {
    /// A rule that always applies to the operation of this name (a row of the tables, e.g. `messages.create`).
    pub fn on(operation: &str, kind: FaultKind) -> Self {
        let matches = FaultMatch { operation: Some(operation.to_owned()), ..FaultMatch::default() };
        Self { matches, kind, probability: always(), times: None }
    }

    /// A rule for every request of a product.
    pub fn on_product(product: Product, kind: FaultKind) -> Self {
        let matches = FaultMatch { product: Some(product), ..FaultMatch::default() };
        Self { matches, kind, probability: always(), times: None }
    }

    /// Only this often.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only this likely.
    #[must_use]
    pub const fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

const fn always() -> f64 {
    1.0
}

/// What a request must look like for a rule to concern it; all given conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMatch {
    /// `api`, `conversations`, … `profiles`, `tracking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// Name of a table row, e.g. `messages.create`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `GET`, `POST`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Part of the request path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429/20429 (Segment: `rate_limit_error`), with `Retry-After` when given; nothing is done.
    Throttle {
        /// Seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// An error status and no effect.
    ErrorBefore {
        /// HTTP status.
        status: u16,
    },
    /// The effect, then an error status.
    ErrorAfter {
        /// HTTP status.
        status: u16,
    },
    /// The effect, then this wait, then the real answer.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed without an answer and without effect.
    DropBefore,
    /// The effect, then the connection is closed without an answer.
    DropAfter,
    /// The connection is closed without an answer; the effect comes later.
    DropThenLateEffect {
        /// Milliseconds after the drop.
        after_ms: u64,
    },
    /// What is younger than this is missing from lists.
    ListLag {
        /// Milliseconds.
        ms: u64,
    },
    /// Messages are shown with `date_sent: null`.
    NullDateSent,
    /// A read shows the state before updates younger than this (Studio).
    StaleRead {
        /// Milliseconds.
        ms: u64,
    },
    /// 404 for what is younger than this.
    NotFoundAfterCreate {
        /// Milliseconds.
        ms: u64,
    },
}

impl FaultKind {
    /// The name in control requests and in the request log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::ErrorBefore { .. } => "error_before",
            Self::ErrorAfter { .. } => "error_after",
            Self::Latency { .. } => "latency",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::DropThenLateEffect { .. } => "drop_then_late_effect",
            Self::ListLag { .. } => "list_lag",
            Self::NullDateSent => "null_date_sent",
            Self::StaleRead { .. } => "stale_read",
            Self::NotFoundAfterCreate { .. } => "not_found_after_create",
        }
    }
}

/// Faults that change what a read returns; zero means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadFaults {
    /// Lists miss what is younger (ms).
    pub list_lag_ms: i64,
    /// `date_sent` is null.
    pub null_date_sent: bool,
    /// Updates younger than this are not shown (ms).
    pub stale_ms: i64,
    /// What is younger than this is 404 (ms).
    pub hidden_ms: i64,
}

/// What the rules decided for one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The first rule that replaces or breaks the answer.
    pub breaking: Option<FaultKind>,
    /// Sum of all latencies.
    pub latency_ms: u64,
    /// Changes to reads.
    pub reads: ReadFaults,
    /// Names of all rules that applied, joined with `+`; for the log.
    pub applied: Option<String>,
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    any: AtomicBool,
    rules: RwLock<Vec<Armed>>,
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    seen: AtomicU64,
    fired: AtomicU64,
}

impl Faults {
    /// No rules yet.
    pub const fn new(seed: u64) -> Self {
        Self { seed, any: AtomicBool::new(false), rules: RwLock::new(Vec::new()) }
    }

    /// Replaces all rules and restarts their draws.
    pub fn set(&self, rules: Vec<FaultRule>) {
        let armed: Vec<Armed> =
            rules.into_iter().map(|rule| Armed { rule, seen: AtomicU64::new(0), fired: AtomicU64::new(0) }).collect();
        self.any.store(!armed.is_empty(), Ordering::Release);
        *crate::lock::write(&self.rules) = armed;
    }

    /// The rules in force and how often each has fired.
    pub fn rules(&self) -> Vec<(FaultRule, u64)> {
        let rules = crate::lock::read(&self.rules);
        rules.iter().map(|armed| (armed.rule.clone(), armed.fired.load(Ordering::Relaxed))).collect()
    }

    /// Draws for one request.
    pub fn decide(&self, product: Product, operation: Option<&str>, method: &str, path: &str) -> Decision {
        let mut decision = Decision::default();
        if !self.any.load(Ordering::Acquire) {
            return decision;
        }
        for (stream, armed) in (0_u64..).zip(crate::lock::read(&self.rules).iter()) {
            if !armed.rule.matches.concerns(product, operation, method, path) {
                continue;
            }
            let position = armed.seen.fetch_add(1, Ordering::Relaxed);
            if unit(self.seed, stream, position) < armed.rule.probability && armed.take() {
                decision.add(&armed.rule.kind);
            }
        }
        decision
    }
}

impl Armed {
    fn take(&self) -> bool {
        let limit = self.rule.times.unwrap_or(u64::MAX);
        let next = |fired: u64| (fired < limit).then(|| fired + 1);
        self.fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

impl FaultMatch {
    fn concerns(&self, product: Product, operation: Option<&str>, method: &str, path: &str) -> bool {
        self.product.is_none_or(|wanted| wanted == product)
            && self.operation.as_deref().is_none_or(|wanted| operation == Some(wanted))
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_deref().is_none_or(|part| path.contains(part))
    }
}

impl Decision {
    fn add(&mut self, kind: &FaultKind) {
        let millis = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        match kind {
            FaultKind::Latency { ms } => self.latency_ms += ms,
            FaultKind::ListLag { ms } => self.reads.list_lag_ms = millis(*ms),
            FaultKind::NullDateSent => self.reads.null_date_sent = true,
            FaultKind::StaleRead { ms } => self.reads.stale_ms = millis(*ms),
            FaultKind::NotFoundAfterCreate { ms } => self.reads.hidden_ms = millis(*ms),
            _ if self.breaking.is_some() => return,
            breaking => self.breaking = Some(breaking.clone()),
        }
        match &mut self.applied {
            Some(names) => {
                names.push('+');
                names.push_str(kind.name());
            }
            None => self.applied = Some(kind.name().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, rules: &[FaultRule]) -> Vec<Decision> {
        let faults = Faults::new(seed);
        faults.set(rules.to_vec());
        (0..50).map(|_| faults.decide(Product::Api, Some("messages.create"), "POST", "/x")).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let rules = [FaultRule::on("messages.create", FaultKind::DropAfter).probability(0.5)];
        assert_eq!(draws(1, &rules), draws(1, &rules));
        assert_ne!(draws(1, &rules), draws(2, &rules));
        let hits = draws(1, &rules).iter().filter(|d| d.breaking.is_some()).count();
        assert!((10..40).contains(&hits), "{hits}");
    }

    #[test]
    fn a_rule_fires_only_as_often_as_it_says() {
        let rules = [FaultRule::on("messages.create", FaultKind::DropBefore).times(2)];
        assert_eq!(draws(1, &rules).iter().filter(|d| d.breaking.is_some()).count(), 2);
    }

    #[test]
    fn rules_are_read_from_json() {
        let text = r#"[{"match":{"product":"api","method":"POST"},"kind":"throttle","retry_after":2,"times":1},
                       {"kind":"drop_before"}, {"kind":"latency","ms":5,"probability":0.5}]"#;
        let rules: Vec<FaultRule> = serde_json::from_str(text).unwrap();
        assert_eq!(rules[0].kind, FaultKind::Throttle { retry_after: Some(2) });
        assert_eq!(rules[1].kind, FaultKind::DropBefore);
        assert!(serde_json::from_str::<FaultRule>(r#"{"kind":"explode"}"#).is_err());
    }

    #[test]
    fn only_matching_requests_are_concerned() {
        let faults = Faults::new(1);
        faults.set(vec![FaultRule::on_product(Product::Studio, FaultKind::DropBefore)]);
        assert_eq!(faults.decide(Product::Api, None, "GET", "/"), Decision::default());
        assert!(faults.decide(Product::Studio, None, "GET", "/").breaking.is_some());
    }
}
