//! When an opening message is looked at, and what a look says, as plain functions. Nobody calls back about a message in a
//! conversation, so its receipts are read a few times.
//!
//! What always holds: a message is looked at at most once for each time of [`SCHEDULE`], and a look that comes late stands
//! for all that were due before it; so a backlog grows no faster than it is worked off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::progress::{Progress, Receipt, Seen, Status};
use crate::{
    delivery::journal::{UnixMillis, machine::after},
    twilio::{
        conversations::DeliveryReceipt,
        sid::{ConversationMessageSid, ConversationSid},
    },
};

/// When a message is looked at, after it was sent. A phone that is online has it, and a refusal of WhatsApp or Meta is there,
/// within seconds; most customers read within the day. Twilio itself gives up after ten hours. The last two are for those who
/// read the next morning, and whose phone was off over a weekend: WhatsApp goes on trying for days.
const SCHEDULE: [Duration; 8] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(11),
    Duration::from_hours(24),
    Duration::from_hours(72),
];
/// Longest time after which a look that failed is taken again.
const AGAIN: Duration = Duration::from_mins(10);
/// Until when a look that fails is taken again, after the message was sent.
pub const END: Duration = Duration::from_hours(96);

/// An opening message that is still to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub conversation: ConversationSid,
    /// Absent where it has to be found by its event first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ConversationMessageSid>,
    pub sent: UnixMillis,
    pub due: UnixMillis,
}

/// How it goes on after a look, where the message has not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is looked at at the next time of the schedule.
    Next,
    /// The look itself failed, and is taken again.
    Again,
    /// There is nothing to look at any more.
    End,
}

impl Look {
    /// The first look at a message that was sent now.
    pub fn first(conversation: ConversationSid, message: Option<ConversationMessageSid>, now: UnixMillis) -> Self {
        Self { conversation, message, sent: now, due: after(now, SCHEDULE[0]) }
    }

    /// When the next look is due; `None` when there is none. `progress` is what is known of the message.
    pub fn next(&self, then: Then, progress: Option<&Progress>, now: UnixMillis) -> Option<UnixMillis> {
        if progress.and_then(Progress::furthest).is_some_and(is_end) {
            return None;
        }
        let scheduled = SCHEDULE.iter().map(|pause| after(self.sent, *pause)).find(|due| *due > now);
        match then {
            Then::Next => scheduled,
            Then::Again if self.is_over(now) => None,
            Then::Again => Some(scheduled.unwrap_or(UnixMillis::MAX).min(after(now, AGAIN))),
            Then::End => None,
        }
    }

    /// Whether a look that fails now is not taken again.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        now >= after(self.sent, END)
    }
}

/// Whether nothing can follow that would be told.
const fn is_end(status: Status) -> bool {
    match status {
        Status::Read | Status::Failed => true,
        Status::Queued | Status::Sent | Status::Delivered => false,
    }
}

/// What the receipts of a message say, in an order in which a delivery outweighs a failure. A look sees only where a message
/// is now: what was read was delivered before, and what was delivered was sent.
pub fn said(message: &str, conversation: &ConversationSid, receipts: &[DeliveryReceipt]) -> Vec<Receipt> {
    let mut said: Vec<Receipt> = Vec::new();
    for receipt in receipts {
        let Some(status) = receipt.status.as_deref().and_then(Status::of_word) else { continue };
        let at = receipt.updated_at().map(jiff::Timestamp::as_millisecond);
        for status in passed(status) {
            if !said.iter().any(|known| known.status == *status) {
                said.push(Receipt {
                    message: message.to_owned(),
                    status: *status,
                    error_code: receipt.error_code.filter(|_| *status == Status::Failed),
                    seen: Some(Seen { conversation: conversation.clone(), at }),
                });
            }
        }
    }
    said.sort_by_key(|receipt| (receipt.status == Status::Failed, receipt.status));
    said
}

/// The statuses that a message has come through when it is at this one.
const fn passed(status: Status) -> &'static [Status] {
    match status {
        Status::Queued => &[],
        Status::Sent => &[Status::Sent],
        Status::Failed => &[Status::Failed],
        Status::Delivered => &[Status::Sent, Status::Delivered],
        Status::Read => &[Status::Sent, Status::Delivered, Status::Read],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look() -> Look {
        Look::first(format!("CH{:032}", 1).parse().unwrap(), None, 0)
    }

    fn seconds(millis: Option<UnixMillis>) -> Option<i64> {
        millis.map(|millis| millis / 1_000)
    }

    fn receipt(status: &str, error_code: Option<u32>) -> DeliveryReceipt {
        DeliveryReceipt { status: Some(status.into()), error_code, date_updated: Some("2026-03-02T11:02:20Z".into()) }
    }

    fn statuses(receipts: &[DeliveryReceipt]) -> Vec<(Status, Option<u32>)> {
        said("IM1", &look().conversation, receipts).iter().map(|said| (said.status, said.error_code)).collect()
    }

    fn progress(statuses: &[Status]) -> Progress {
        statuses.iter().fold(Progress::default(), |progress, status| {
            let receipt = Receipt { message: "IM1".into(), status: *status, error_code: None, seen: None };
            progress.advance(&receipt).map_or(progress, |advance| advance.progress)
        })
    }

    #[test]
    fn a_late_look_stands_for_those_that_were_due_before_it() {
        let look = look();
        assert_eq!(seconds(Some(look.due)), Some(10));
        let next = |now: i64| seconds(look.next(Then::Next, None, now * 1_000));
        assert_eq!((next(10), next(11), next(60)), (Some(60), Some(60), Some(300)));
        assert_eq!((next(3_600), next(20 * 3_600)), (Some(7_200), Some(86_400)));
        assert_eq!((next(72 * 3_600), next(1_000 * 3_600)), (None, None));
    }

    #[test]
    fn what_has_come_to_its_end_is_not_looked_at_again() {
        let next = |statuses: &[Status]| look().next(Then::Next, Some(&progress(statuses)), 10_000);
        assert_eq!(next(&[Status::Sent, Status::Delivered, Status::Read]), None);
        assert_eq!(next(&[Status::Sent, Status::Failed]), None);
        // A customer may read what was delivered, and WhatsApp deliver what was sent.
        assert_eq!(next(&[Status::Sent, Status::Delivered]), Some(60_000));
        assert_eq!(next(&[Status::Failed, Status::Delivered]), Some(60_000));
        assert_eq!(next(&[]), Some(60_000));
    }

    #[test]
    fn a_look_that_fails_is_taken_again_but_not_for_ever() {
        let look = look();
        let again = |hours: i64| seconds(look.next(Then::Again, None, hours * 3_600_000)).map(|at| at - hours * 3_600);
        assert_eq!(seconds(look.next(Then::Again, None, 10_000)), Some(60));
        assert_eq!((again(3), again(95)), (Some(600), Some(600)));
        assert_eq!((again(96), again(500)), (None, None));
        assert_eq!(look.next(Then::End, None, 0), None);
    }

    #[test]
    fn what_was_read_was_delivered_and_a_failure_is_said_last() {
        assert_eq!(statuses(&[receipt("sent", Some(1))]), [(Status::Sent, None)]);
        let read = [(Status::Sent, None), (Status::Delivered, None), (Status::Read, None)];
        assert_eq!(statuses(&[receipt("read", None)]), read);
        assert_eq!(statuses(&[receipt("undelivered", Some(63_024))]), [(Status::Failed, Some(63_024))]);
        let both = [receipt("failed", Some(63_016)), receipt("delivered", None)];
        assert_eq!(statuses(&both), [(Status::Sent, None), (Status::Delivered, None), (Status::Failed, Some(63_016))]);
        assert_eq!(statuses(&[receipt("partially_delivered", None)]), []);
        assert_eq!(statuses(&[]), []);
        let seen = said("IM1", &look().conversation, &[receipt("sent", None)])[0].seen.clone();
        assert_eq!(seen.unwrap().at, Some(1_772_449_340_000));
    }

    proptest! {
        /// Whatever becomes of each look, and however late it comes.
        #[test]
        fn looks_end_and_there_are_few(
            looks in prop::collection::vec((any::<bool>(), 0_i64..100_000_000), 0..40)
        ) {
            let mut look = look();
            let mut seen = 0;
            for (fails, late) in looks {
                let now = look.due + late;
                let then = if fails { Then::Again } else { Then::Next };
                seen += usize::from(!fails);
                let Some(due) = look.next(then, None, now) else {
                    prop_assert!(now >= after(0, SCHEDULE[SCHEDULE.len() - 1]));
                    break;
                };
                prop_assert!(due > now && due <= after(now, SCHEDULE[SCHEDULE.len() - 1]));
                prop_assert!(!fails || due <= after(now, AGAIN));
                look.due = due;
            }
            prop_assert!(seen <= SCHEDULE.len());
        }
    }
}
