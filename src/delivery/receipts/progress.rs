//! How far a message has come, as plain functions. Whatever order and however often callbacks come, the end is the same, and
//! each status is told at most once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{delivery::journal::UnixMillis, twilio::sid::ConversationSid};

/// Where a message stands, from the least to the most that can be said of it. What reached the customer did, whatever failed
/// on another way, so a delivery outweighs a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Twilio has it.
    Queued,
    /// WhatsApp has it.
    Sent,
    /// It did not and will not reach the customer.
    Failed,
    Delivered,
    Read,
}

/// Twilio's word for a scheduled message that was taken back.
pub const CANCELED: &str = "canceled";

impl Status {
    /// Reads Twilio's word; `None` for one that says nothing of this or is not known.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "accepted" | "scheduled" | "queued" | "sending" => Some(Self::Queued),
            "sent" => Some(Self::Sent),
            "failed" | "undelivered" | CANCELED => Some(Self::Failed),
            "delivered" => Some(Self::Delivered),
            "read" => Some(Self::Read),
            _ => None,
        }
    }

    /// The word for metrics, logs and statuses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// What one callback says, or one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub message: String,
    pub status: Status,
    /// Of a failure: the number in Twilio's error dictionary.
    pub error_code: Option<u32>,
    /// Of a message that was looked at.
    pub seen: Option<Seen>,
}

/// What is known of a message that was looked at, and not called back about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The conversation that the message is in.
    pub conversation: ConversationSid,
    /// When it came to its status, where Twilio says so.
    pub at: Option<UnixMillis>,
}

/// What is known of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    seen: BTreeSet<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
}

/// What a receipt changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    pub progress: Progress,
    /// The status, if it is to be told.
    pub told: Option<Status>,
}

impl Progress {
    /// The most that can be said.
    pub fn furthest(&self) -> Option<Status> {
        self.seen.last().copied()
    }

    /// Of a message that failed.
    pub const fn error_code(&self) -> Option<u32> {
        self.error_code
    }

    /// What a receipt adds to it; `None` when it says nothing new.
    pub fn advance(&self, receipt: &Receipt) -> Option<Advance> {
        let mut progress = self.clone();
        let is_new = progress.seen.insert(receipt.status);
        if receipt.status == Status::Failed {
            // Of several codes the smallest, so that their order does not matter.
            progress.error_code = progress.error_code.into_iter().chain(receipt.error_code).min();
        }
        if !is_new && progress == *self {
            return None;
        }
        // Of a message that the customer has, nobody is told that it failed.
        let outweighed = receipt.status == Status::Failed && progress.furthest() > Some(Status::Failed);
        Some(Advance { told: Some(receipt.status).filter(|_| is_new && !outweighed), progress })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn receipt(status: Status, error_code: Option<u32>) -> Receipt {
        Receipt { message: "SM1".into(), status, error_code, seen: None }
    }

    fn fold(receipts: &[Receipt]) -> (Progress, Vec<Status>) {
        let mut progress = Progress::default();
        let mut told = Vec::new();
        for receipt in receipts {
            if let Some(advance) = progress.advance(receipt) {
                told.extend(advance.told);
                progress = advance.progress;
            }
        }
        (progress, told)
    }

    fn receipts() -> impl Strategy<Value = Vec<Receipt>> {
        let status =
            prop::sample::select(vec![Status::Queued, Status::Sent, Status::Failed, Status::Delivered, Status::Read]);
        let code = prop::option::of(prop::sample::select(vec![63_016_u32, 63_049, 30_008]));
        prop::collection::vec(
            (status, code).prop_map(|(status, code)| receipt(status, code.filter(|_| status == Status::Failed))),
            1..12,
        )
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_comes_to_the_same_end(
            (once, shuffled) in receipts().prop_flat_map(|once| {
                // Everything at least once, some of it twice, in any order.
                let mut twice = once.clone();
                twice.extend(once.iter().step_by(2).cloned());
                (Just(once), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(fold(&once).0, fold(&shuffled).0);
        }

        #[test]
        fn each_status_is_told_at_most_once_and_the_last_one_always(receipts in receipts()) {
            let (progress, told) = fold(&receipts);
            let unique: BTreeSet<_> = told.iter().copied().collect();
            prop_assert_eq!(unique.len(), told.len());
            prop_assert!(told.contains(&progress.furthest().unwrap()));
        }

        #[test]
        fn a_message_never_moves_backwards(receipts in receipts()) {
            let mut progress = Progress::default();
            for receipt in receipts {
                let before = progress.furthest();
                if let Some(advance) = progress.advance(&receipt) {
                    progress = advance.progress;
                }
                prop_assert!(progress.furthest() >= before);
            }
        }
    }

    #[test]
    fn a_delivery_outweighs_a_failure_that_is_told_late() {
        let (progress, told) = fold(&[receipt(Status::Delivered, None), receipt(Status::Failed, Some(63_024))]);
        assert_eq!((progress.furthest(), told), (Some(Status::Delivered), vec![Status::Delivered]));
        let (progress, told) = fold(&[receipt(Status::Failed, Some(63_024)), receipt(Status::Delivered, None)]);
        assert_eq!((progress.furthest(), told), (Some(Status::Delivered), vec![Status::Failed, Status::Delivered]));
    }

    #[test]
    fn words_of_twilio_that_are_not_known_say_nothing() {
        assert_eq!(Status::of_word("undelivered"), Some(Status::Failed));
        assert_eq!(Status::of_word("partially_delivered"), None);
        assert_eq!(Status::of_word("received"), None);
    }
}
