//! What a person may decide about an event, as plain functions beside those of [`machine`](super::machine).
//!
//! What always holds: what somebody is working on is not touched; what was sent stays sent and what was suppressed stays
//! suppressed; that an event was parked once stays known, so nobody lets it be sent again without saying so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::{Asker, Entry, Reply, State, UnixMillis, after, ended};
use crate::{
    api::reasons::event as reason,
    delivery::outcome::{Final, OutcomeKind, Reason},
};

/// Decisions that are kept of one event: the newest, and of those about a parked one at least one.
const MAX_ACTS: usize = 8;

/// Who decides, and why, in their own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct By {
    #[serde(default, rename = "by", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    Resolved,
    Reopened,
}

impl Deed {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
        }
    }
}

/// One decision, as it is kept with the entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Act {
    pub at: UnixMillis,
    pub deed: Deed,
    /// What the event was before; `retry` when it waited.
    pub was: OutcomeKind,
    #[serde(flatten)]
    pub by: By,
}

/// Whether Twilio may have carried out something of this event that is not known.
pub fn may_have_been_sent(entry: &Entry) -> bool {
    matches!(entry.state, State::Final { outcome: Final::Unknown { .. } })
        || entry.by_hand.iter().any(|act| act.was == OutcomeKind::Unknown)
}

/// Whether it was acted on, ended, and is to be acted on again: of what came of it then nothing holds any more.
pub fn is_reopened(entry: &Entry) -> bool {
    entry.by_hand.last().is_some_and(|act| act.deed == Deed::Reopened)
}

/// Ends an event that is parked as what a person has found, or one that waits as rejected. To say that one was sent which only
/// waits would be a guess: whoever wrote to the customer in another way gives the event up.
pub(super) fn resolve(
    entry: Option<&Entry>,
    outcome: &Final,
    remember: Duration,
    by: &By,
    asker: Asker<'_>,
) -> (Option<Entry>, Reply) {
    let Some(entry) = entry else { return (None, Reply::Lost) };
    let was = match (&entry.state, outcome) {
        (State::Final { outcome: Final::Unknown { .. } }, Final::Sent { .. } | Final::Rejected { .. }) => {
            OutcomeKind::Unknown
        }
        (State::Final { outcome }, _) => return (None, Reply::Ended(outcome.clone())),
        (state, Final::Rejected { .. }) if waits(state, asker) => OutcomeKind::Retry,
        (State::Claimed { .. } | State::Started { .. }, _) => return (None, Reply::InFlight),
        (State::Open { .. }, _) => return (None, Reply::Lost),
    };
    let entry = signed(entry, Deed::Resolved, was, by, asker.now);
    let ended = ended(&entry, outcome.clone(), after(asker.now, remember));
    let attempts = ended.attempts;
    (Some(ended), Reply::Done { attempts })
}

/// Opens an event that is parked or was rejected: its next repetition is acted on. The attempts are kept, so whatever they left
/// is looked for first. An event that waits is open already.
pub(super) fn reopen(
    entry: Option<&Entry>,
    may_double: bool,
    give_up: Duration,
    by: &By,
    asker: Asker<'_>,
) -> (Option<Entry>, Reply) {
    let Some(entry) = entry else { return (None, Reply::Lost) };
    let done = Reply::Done { attempts: entry.attempts };
    let outcome = match &entry.state {
        State::Final { outcome: outcome @ (Final::Unknown { .. } | Final::Rejected { .. }) }
            if may_double || !may_have_been_sent(entry) =>
        {
            outcome
        }
        State::Final { outcome } => return (None, Reply::Ended(outcome.clone())),
        state if waits(state, asker) => return (None, done),
        State::Open { .. } | State::Claimed { .. } | State::Started { .. } => return (None, Reply::InFlight),
    };
    let word = outcome.reason().map_or("", |reason| reason.word.as_str());
    let detail = format!("a person has reopened it; it was {} as {word}", outcome.kind().as_str());
    let reason = Reason::new(reason::REOPENED, detail);
    let entry = signed(entry, Deed::Reopened, outcome.kind(), by, asker.now);
    let opened = Entry { state: State::Open { reason }, expires: after(asker.now, give_up), ..entry };
    (Some(opened), done)
}

/// Whether nobody works on it and nothing has left that is not settled.
fn waits(state: &State, asker: Asker<'_>) -> bool {
    match state {
        State::Open { .. } => true,
        State::Claimed { owner } => owner != asker.owner && asker.alone,
        State::Started { .. } | State::Final { .. } => false,
    }
}

fn signed(entry: &Entry, deed: Deed, was: OutcomeKind, by: &By, at: UnixMillis) -> Entry {
    let mut entry = entry.clone();
    if entry.by_hand.len() >= MAX_ACTS {
        // That it was parked must not be forgotten with the decision about it.
        let parked = entry.by_hand.iter().rposition(|act| act.was == OutcomeKind::Unknown);
        entry.by_hand.remove(usize::from(parked == Some(0)));
    }
    entry.by_hand.push(Act { at, deed, was, by: by.clone() });
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::engage_destination::OnUnknownOutcome,
        delivery::journal::machine::{Attempt, Operation, Owner, Trace, apply},
    };

    const HOUR: Duration = Duration::from_hours(1);
    const HOUR_MS: UnixMillis = 3_600_000;

    fn owner() -> Owner {
        Owner("a".into())
    }

    fn at(entry: Option<&Entry>, operation: &Operation, now: UnixMillis) -> (Option<Entry>, Reply) {
        apply(entry, operation, Asker { owner: &owner(), now, alone: true })
    }

    fn after_all(operations: &[Operation]) -> Entry {
        let mut entry = None;
        for operation in operations {
            let (changed, reply) = at(entry.as_ref(), operation, 1_000);
            assert!(matches!(reply, Reply::Done { .. }), "{operation:?}: {reply:?}");
            entry = changed.or(entry);
        }
        entry.unwrap()
    }

    fn claim() -> Operation {
        Operation::Claim { give_up: HOUR }
    }

    fn start() -> Operation {
        let trace = Trace::Conversation { unique_name: "u".into(), event: "m".into(), opening: true };
        let attempt = Attempt { at: 7, settle: HOUR, on_unknown: OnUnknownOutcome::Park, trace };
        Operation::Start { attempt }
    }

    fn finish(outcome: Final) -> Operation {
        Operation::Finish { outcome, remember: HOUR }
    }

    fn unknown() -> Final {
        Final::Unknown { reason: Reason::new(reason::OUTCOME_UNKNOWN, "lost") }
    }

    fn rejected() -> Final {
        Final::Rejected { reason: Reason::new(reason::NO_PHONE, "none") }
    }

    fn sent() -> Final {
        Final::Sent { sid: "SM1".into() }
    }

    fn suppressed() -> Final {
        Final::Suppressed { reason: Reason::new(reason::NO_CONSENT, "no") }
    }

    fn parked() -> Entry {
        after_all(&[claim(), start(), finish(unknown())])
    }

    fn by() -> By {
        By { name: Some("on call".into()), note: Some("seen in the console".into()) }
    }

    fn resolve_as(outcome: Final) -> Operation {
        Operation::Resolve { outcome, remember: HOUR, by: by() }
    }

    fn reopen_knowing(may_double: bool) -> Operation {
        Operation::Reopen { may_double, give_up: HOUR, by: by() }
    }

    #[test]
    fn a_parked_event_keeps_what_to_look_for_until_it_is_resolved() {
        let parked = parked();
        assert_eq!(parked.parked.as_ref().map(|attempt| attempt.at), Some(7));
        for outcome in [sent(), rejected()] {
            let (entry, reply) = at(Some(&parked), &resolve_as(outcome.clone()), 2_000);
            assert_eq!(reply, Reply::Done { attempts: 1 });
            let entry = entry.unwrap();
            assert_eq!((&entry.parked, entry.expires), (&None, 2_000 + HOUR_MS));
            assert_eq!(at(Some(&entry), &claim(), 3_000).1, Reply::Ended(outcome));
            let act = Act { at: 2_000, deed: Deed::Resolved, was: OutcomeKind::Unknown, by: by() };
            assert_eq!(entry.by_hand, [act]);
        }
    }

    #[test]
    fn what_is_in_flight_or_has_ended_otherwise_is_not_resolved() {
        for operations in [vec![claim()], vec![claim(), start()]] {
            let entry = after_all(&operations);
            assert_eq!(at(Some(&entry), &resolve_as(rejected()), 2_000), (None, Reply::InFlight));
            assert_eq!(at(Some(&entry), &reopen_knowing(true), 2_000), (None, Reply::InFlight));
        }
        for outcome in [sent(), suppressed(), rejected()] {
            let entry = after_all(&[claim(), finish(outcome.clone())]);
            assert_eq!(at(Some(&entry), &resolve_as(sent()), 2_000), (None, Reply::Ended(outcome)));
        }
        assert_eq!(at(None, &resolve_as(sent()), 2_000), (None, Reply::Lost));
    }

    #[test]
    fn a_started_attempt_is_nobodys_to_decide_also_when_its_owner_is_gone() {
        let (entry, other) = (after_all(&[claim(), start()]), Owner("b".into()));
        let asker = Asker { owner: &other, now: 2_000, alone: true };
        assert_eq!(apply(Some(&entry), &resolve_as(rejected()), asker).1, Reply::InFlight);
        assert_eq!(apply(Some(&entry), &reopen_knowing(true), asker).1, Reply::InFlight);
        // Of a claim whose owner is gone nothing had left.
        let entry = after_all(&[claim()]);
        assert_eq!(apply(Some(&entry), &resolve_as(rejected()), asker).1, Reply::Done { attempts: 0 });
    }

    #[test]
    fn an_event_that_waits_can_be_given_up_and_not_be_said_to_be_sent() {
        let release = Operation::Release { reason: Reason::new(reason::THROTTLED, "") };
        let waits = after_all(&[claim(), release]);
        assert_eq!(at(Some(&waits), &resolve_as(sent()), 2_000), (None, Reply::Lost));
        let (entry, _) = at(Some(&waits), &resolve_as(rejected()), 2_000);
        assert_eq!(entry.unwrap().by_hand[0].was, OutcomeKind::Retry);
        assert_eq!(at(Some(&waits), &reopen_knowing(false), 2_000), (None, Reply::Done { attempts: 0 }));
    }

    #[test]
    fn a_rejected_event_is_reopened_and_what_was_sent_or_suppressed_never() {
        let (entry, reply) = at(Some(&after_all(&[claim(), finish(rejected())])), &reopen_knowing(false), 2_000);
        assert_eq!(reply, Reply::Done { attempts: 0 });
        assert_eq!(at(entry.as_ref(), &claim(), 3_000).1, Reply::Done { attempts: 0 });
        for outcome in [sent(), suppressed()] {
            let entry = after_all(&[claim(), finish(outcome.clone())]);
            assert_eq!(at(Some(&entry), &reopen_knowing(true), 2_000), (None, Reply::Ended(outcome)));
        }
    }

    #[test]
    fn what_may_have_been_sent_is_reopened_only_knowingly_and_never_given_up_as_not_sent() {
        let parked = parked();
        assert_eq!(at(Some(&parked), &reopen_knowing(false), 2_000), (None, Reply::Ended(unknown())));
        let (opened, reply) = at(Some(&parked), &reopen_knowing(true), 2_000);
        assert_eq!(reply, Reply::Done { attempts: 1 });
        let opened = opened.unwrap();
        assert_eq!(opened.expires, 2_000 + HOUR_MS);
        let give_up = Operation::GiveUp { remember: HOUR };
        let ended = at(Some(&opened), &give_up, opened.expires).0.unwrap();
        assert!(matches!(&ended.state, State::Final { outcome: Final::Unknown { .. } }), "{ended:?}");
        assert!(ended.parked.is_some());
        // A person who then says that it was not sent may be wrong.
        let rejected = at(Some(&ended), &resolve_as(rejected()), opened.expires + 1).0.unwrap();
        assert!(may_have_been_sent(&rejected));
        let refused = at(Some(&rejected), &reopen_knowing(false), opened.expires + 2);
        assert!(matches!(refused, (None, Reply::Ended(Final::Rejected { .. }))), "{refused:?}");
    }

    #[test]
    fn however_often_people_decide_the_entry_stays_small_and_remembers_that_it_was_parked() {
        let mut entry = at(Some(&parked()), &reopen_knowing(true), 2_000).0.unwrap();
        for round in 0..50 {
            entry = at(Some(&entry), &resolve_as(rejected()), 3_000 + round).0.unwrap();
            entry = at(Some(&entry), &reopen_knowing(true), 3_000 + round).0.unwrap();
            assert!(may_have_been_sent(&entry));
        }
        assert_eq!(entry.by_hand.len(), MAX_ACTS);
        assert_eq!(entry.by_hand.last().unwrap().at, 3_049);
    }

    #[test]
    fn an_entry_of_an_earlier_version_is_read_as_one_that_nobody_has_decided_about() {
        let old = r#"{"state":{"state":"final","outcome":"unknown","reason":{"word":"OutcomeUnknown"}},
            "first_seen":1,"attempts":1,"expires":2}"#;
        let entry: Entry = serde_json::from_str(old).unwrap();
        assert!(entry.by_hand.is_empty() && entry.parked.is_none() && may_have_been_sent(&entry));
        let again = serde_json::to_string(&parked()).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&again).unwrap(), parked());
    }
}
