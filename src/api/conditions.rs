//! The conditions of both kinds, and how one is set so that only a real change moves its time.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Sum of the others: `True` when the resource does its work now.
pub const READY: &str = "Ready";
/// Present and `True` while the operator is on its way to the wanted state (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// Present and `True` when only a person can help (kstatus).
pub const STALLED: &str = "Stalled";
/// The spec can be worked with.
pub const ACCEPTED: &str = "Accepted";
/// Every Secret, flow and name that the spec points at was found.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// The account was checked: sender, template, numbers and flow are as the spec needs them.
pub const VERIFIED: &str = "Verified";
/// A gateway serves this generation.
pub const PROGRAMMED: &str = "Programmed";
/// The live flow is as the spec says.
pub const SYNCED: &str = "Synced";
/// Present and `False` while the flow is kept as it is written although something in it deserves a look.
pub const LINTED: &str = "Linted";
/// Present and `False` when outcomes are kept in memory only and are forgotten on restart.
pub const DURABLE: &str = "Durable";
/// Present and `False` when nothing is known of messages after Twilio took them.
pub const FOLLOWED: &str = "Followed";

/// Longest message in bytes; Events are cut at the same length by the API server.
const MAX_MESSAGE: usize = 1_024;

/// `True`, `False` or `Unknown`, as the API spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// The condition of that type, if it is there.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// `Ready` as it is now, if its status or reason is another than before: what is worth telling a person.
pub fn ready_changed<'a>(before: &[Condition], after: &'a [Condition]) -> Option<&'a Condition> {
    let ready = find(after, READY)?;
    let same = find(before, READY).is_some_and(|before| before.status == ready.status && before.reason == ready.reason);
    (!same).then_some(ready)
}

/// Whether the condition of that type is there and `True`.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == Truth::True.as_str())
}

/// Sets the condition of that type; `lastTransitionTime` moves only when the status does.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Truth,
    reason: &str,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let message = truncated(message.into());
    let existing = conditions.iter().position(|condition| condition.type_ == type_);
    let last_transition_time = match existing.map(|at| &conditions[at]) {
        Some(before) if before.status == status.as_str() => before.last_transition_time.clone(),
        _ => Time(now),
    };
    let condition = Condition {
        last_transition_time,
        message,
        observed_generation: generation,
        reason: reason.to_owned(),
        status: status.as_str().to_owned(),
        type_: type_.to_owned(),
    };
    match existing {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}

/// Takes the condition of that type away.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|condition| condition.type_ != type_);
}

/// Cut so that it may be a condition's message, and an event's note.
pub fn truncated(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE - '…'.len_utf8();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_of_a_condition_moves_only_with_its_status() {
        let mut conditions = Vec::new();
        set(&mut conditions, READY, Truth::False, "A", "first", Some(1), at(10));
        set(&mut conditions, READY, Truth::False, "B", "second", Some(2), at(20));
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].last_transition_time.0, at(10));
        assert_eq!(conditions[0].reason, "B");
        set(&mut conditions, READY, Truth::True, "C", "third", Some(2), at(30));
        assert_eq!(conditions[0].last_transition_time.0, at(30));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut conditions = Vec::new();
        set(&mut conditions, READY, Truth::False, "A", "é".repeat(1_000), None, at(0));
        assert!(conditions[0].message.len() <= MAX_MESSAGE);
        assert!(conditions[0].message.ends_with('…'));
    }
}
