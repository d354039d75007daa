//! What became of an event. Every event ends in exactly one of these.

use serde::{Deserialize, Serialize};

/// The word for an outcome, in answers, metrics and the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    Sent,
    Duplicate,
    Suppressed,
    Rejected,
    Retry,
    Unknown,
}

impl OutcomeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Duplicate => "duplicate",
            Self::Suppressed => "suppressed",
            Self::Rejected => "rejected",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an event came out as it did: a stable word, and a sentence for a person. Neither holds personal data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    pub word: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Reason {
    pub fn new(word: &str, detail: impl Into<String>) -> Self {
        Self { word: word.to_owned(), detail: detail.into() }
    }
}

/// An outcome that is final: it is recorded, and a repetition of the event is answered from the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Final {
    /// The effect took place; the SID is that of the message or the conversation. It is empty where a person said that it took
    /// place, and not by which.
    Sent { sid: String },
    /// The event is not meant for this recipient or this destination.
    Suppressed { reason: Reason },
    /// Another event of the same entry was acted on.
    Duplicate { reason: Reason },
    /// This event can never succeed.
    Rejected { reason: Reason },
    /// An attempt was made and cannot be found; whether it had its effect is for a person to decide.
    Unknown { reason: Reason },
}

impl Final {
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Sent { .. } => OutcomeKind::Sent,
            Self::Suppressed { .. } => OutcomeKind::Suppressed,
            Self::Duplicate { .. } => OutcomeKind::Duplicate,
            Self::Rejected { .. } => OutcomeKind::Rejected,
            Self::Unknown { .. } => OutcomeKind::Unknown,
        }
    }

    pub fn sid(&self) -> Option<&str> {
        match self {
            Self::Sent { sid } => Some(sid.as_str()).filter(|sid| !sid.is_empty()),
            Self::Suppressed { .. } | Self::Duplicate { .. } | Self::Rejected { .. } | Self::Unknown { .. } => None,
        }
    }

    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Sent { .. } => None,
            Self::Suppressed { reason }
            | Self::Duplicate { reason }
            | Self::Rejected { reason }
            | Self::Unknown { reason } => Some(reason),
        }
    }
}

/// What one event is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It came to its end in this request.
    Final(Final),
    /// It had come to its end before; the record is repeated.
    Duplicate(Final),
    /// It has not come to its end; Segment should send it again.
    Retry(Reason),
}

impl Outcome {
    pub fn retry(word: &str, detail: impl Into<String>) -> Self {
        Self::Retry(Reason::new(word, detail))
    }

    pub fn suppressed(word: &str, detail: impl Into<String>) -> Self {
        Self::Final(Final::Suppressed { reason: Reason::new(word, detail) })
    }

    pub fn rejected(word: &str, detail: impl Into<String>) -> Self {
        Self::Final(Final::Rejected { reason: Reason::new(word, detail) })
    }

    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Final(outcome) => outcome.kind(),
            Self::Duplicate(_) => OutcomeKind::Duplicate,
            Self::Retry(_) => OutcomeKind::Retry,
        }
    }

    pub fn sid(&self) -> Option<&str> {
        match self {
            Self::Final(outcome) | Self::Duplicate(outcome) => outcome.sid(),
            Self::Retry(_) => None,
        }
    }

    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Final(outcome) | Self::Duplicate(outcome) => outcome.reason(),
            Self::Retry(reason) => Some(reason),
        }
    }

    /// The HTTP status that this event alone is answered with. Segment repeats 503 for four hours and shows 409 and 422 as
    /// failed; a duplicate has the status of what it repeats.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Retry(_) => 503,
            Self::Final(outcome) | Self::Duplicate(outcome) => match outcome {
                Final::Sent { .. } | Final::Suppressed { .. } | Final::Duplicate { .. } => 200,
                Final::Rejected { .. } => 422,
                Final::Unknown { .. } => 409,
            },
        }
    }
}

/// The one status of a whole request: 503 while anything is to be repeated, otherwise success if anything succeeded.
pub fn status_of_all<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> u16 {
    let (mut success, mut rejected) = (false, false);
    for outcome in outcomes {
        match outcome.status() {
            503 => return 503,
            200 => success = true,
            422 => rejected = true,
            _ => {}
        }
    }
    match (success, rejected) {
        (true, _) => 200,
        (false, true) => 422,
        (false, false) => 409,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Outcome {
        Outcome::Final(Final::Sent { sid: "SM1".into() })
    }

    fn unknown() -> Outcome {
        Outcome::Final(Final::Unknown { reason: Reason::new("OutcomeUnknown", "") })
    }

    #[test]
    fn a_batch_is_repeated_while_anything_in_it_is_and_succeeds_if_anything_did() {
        let (retry, rejected, suppressed) =
            (Outcome::retry("X", ""), Outcome::rejected("X", ""), Outcome::suppressed("X", ""));
        assert_eq!(status_of_all([&sent(), &retry, &rejected]), 503);
        assert_eq!(status_of_all([&sent(), &rejected, &unknown()]), 200);
        assert_eq!(status_of_all([&suppressed, &rejected]), 200);
        assert_eq!(status_of_all([&rejected, &unknown()]), 422);
        assert_eq!(status_of_all([&unknown()]), 409);
    }

    #[test]
    fn a_duplicate_has_the_status_of_what_it_repeats() {
        for outcome in [sent(), unknown(), Outcome::rejected("X", ""), Outcome::suppressed("X", "")] {
            let Outcome::Final(recorded) = &outcome else { unreachable!() };
            assert_eq!(Outcome::Duplicate(recorded.clone()).status(), outcome.status());
        }
    }
}
