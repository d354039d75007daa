//! Conditions of one generation, as they are being written for either kind.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};

use crate::api::conditions::{self, Truth};

/// Whether waiting or acting helps a resource that is not ready, as kstatus tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may become ready without anybody doing anything: `Reconciling`.
    Waiting,
    /// Only a person can help: `Stalled`.
    Stuck,
    /// It is as somebody wants it to be.
    Intended,
}

/// The conditions of a status, for one generation and one moment.
#[derive(Debug)]
pub struct ConditionWriter {
    conditions: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl ConditionWriter {
    /// Starts from the conditions as they were last written.
    pub const fn new(conditions: Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self { conditions, generation, now }
    }

    pub fn set(&mut self, type_: &str, truth: Truth, reason: &str, message: impl Into<String>) {
        conditions::set(&mut self.conditions, type_, truth, reason, message, self.generation, self.now);
    }

    pub fn remove(&mut self, type_: &str) {
        conditions::remove(&mut self.conditions, type_);
    }

    /// `Ready` is true, so neither waiting nor acting is called for.
    pub fn ready(&mut self, reason: &str, message: impl Into<String>) {
        self.set(conditions::READY, Truth::True, reason, message);
        self.remove(conditions::RECONCILING);
        self.remove(conditions::STALLED);
    }

    /// `Ready` is not true, and `outlook` says what helps.
    pub fn not_ready(&mut self, truth: Truth, reason: &str, message: &str, outlook: Outlook) {
        self.set(conditions::READY, truth, reason, message);
        for (type_, wanted) in [(conditions::RECONCILING, Outlook::Waiting), (conditions::STALLED, Outlook::Stuck)] {
            if outlook == wanted {
                self.set(type_, Truth::True, reason, message);
            } else {
                self.remove(type_);
            }
        }
    }

    /// The condition as it was last written for this generation.
    pub fn current(&self, type_: &str) -> Option<&Condition> {
        conditions::find(&self.conditions, type_).filter(|condition| condition.observed_generation == self.generation)
    }

    /// Whether the condition is true for this generation.
    pub fn holds(&self, type_: &str) -> bool {
        self.current(type_).is_some_and(|condition| condition.status == Truth::True.as_str())
    }

    /// The conditions so far.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    pub fn into_conditions(self) -> Vec<Condition> {
        self.conditions
    }

    /// The moment as resources write it, to the second.
    pub fn time(&self) -> String {
        time(self.now)
    }
}

/// A time as resources write it, to the second.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time that something is counted from, to the millisecond.
pub fn precise_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Messages as one.
pub fn joined(messages: impl Iterator<Item = String>) -> String {
    messages.collect::<Vec<_>>().join("; ")
}
