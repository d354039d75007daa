//! The life of one event in the journal, as plain functions: which change is allowed from which state, and what follows.
//!
//! ```text
//!            claim            start                    finish
//!  (absent) ───────▶ Claimed ───────▶ Started ──────────────────▶ Final
//!               ▲      │  │             │  ▲ │ attempt (after settling)  ▲
//!               │      │  └─────────────┼──┴─┘                           │
//!               │      │ release        │ release (no effect, certain)   │
//!               └──── Open ◀────────────┘        give up, finish ────────┘
//! ```
//!
//! Beside these a person decides: [`by_hand`](super::by_hand).
//!
//! What always holds: whoever brings an entry from `Claimed` to `Started` is the only one who may perform that attempt;
//! an entry leaves `Started` only when its effect is known, or known to be absent, or given up as unknown.
//! No clock, no I/O, no async: engines store what these functions say, and a model checker can drive them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    api::{engage_destination::OnUnknownOutcome, reasons::event as reason},
    delivery::{
        journal::{
            by_hand::{self, Act, By},
            enrollment::Place,
        },
        outcome::{Final, Reason},
    },
    twilio::{
        E164,
        sid::{ConversationSid, MessagingServiceSid, WorkspaceSid},
    },
};

/// Milliseconds since 1970.
pub type UnixMillis = i64;

/// One run of one process. Two runs never share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner(pub String);

/// What the journal knows of one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    pub state: State,
    pub first_seen: UnixMillis,
    /// Attempts that were started; from the first on, Twilio may hold something of this event.
    pub attempts: u32,
    /// When an entry that waits is given up, or a final one forgotten.
    pub expires: UnixMillis,
    /// The attempt that could not be told, of an event that is or was parked: what a person looks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Attempt>,
    /// What people have decided about it, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Act>,
    /// What it has enrolled; forgotten with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enrolled: Vec<Place>,
}

impl Entry {
    /// Whether it ended so long ago that a repetition of the event is a new one.
    pub const fn is_forgotten(&self, now: UnixMillis) -> bool {
        matches!(self.state, State::Final { .. }) && self.expires <= now
    }
}

/// Where an event stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Nobody works on it: the last delivery ended without an effect, for this reason, and may be repeated.
    Open { reason: Reason },
    /// `owner` works on it, and nothing has left.
    Claimed { owner: Owner },
    /// `owner` performs this attempt; it may have had its effect.
    Started { owner: Owner, attempt: Attempt },
    /// It ended.
    Final {
        #[serde(flatten)]
        outcome: Final,
    },
}

/// One attempt to have an effect, with what is needed to look for the effect later.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    pub at: UnixMillis,
    /// How long its effect may take to show.
    pub settle: Duration,
    pub on_unknown: OnUnknownOutcome,
    pub trace: Trace,
}

/// By what the effect of an attempt is known in Twilio.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Trace {
    /// A message to this recipient by this service, since the attempt began.
    Message { to: E164, messaging_service: MessagingServiceSid },
    /// The conversation of this unique name, and in it the opening message of this event, if there is to be one.
    Conversation { unique_name: String, event: String, opening: bool },
    /// The opening message of this event, in a conversation that another event has made.
    Reused { conversation: ConversationSid, event: String },
    /// The task that carries this unique name as its mark, in that workspace. `asked`: it is asked for; otherwise what comes before it
    /// is done, or what came of it is taken away.
    Interaction { unique_name: String, workspace: WorkspaceSid, asked: bool },
}

/// A change that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Take the event to work on it. `give_up` is how long it may wait for that in all.
    Claim { give_up: Duration },
    /// Immediately before the first byte of the first attempt, or of one more after the last was settled.
    Start { attempt: Attempt },
    /// The delivery ended without an effect.
    Release { reason: Reason },
    /// The delivery ended for good. `remember` is how long a repetition is answered from the record.
    Finish { outcome: Final, remember: Duration },
    /// Take over an attempt whose owner is gone, to find out what became of it.
    Adopt,
    /// End an event that waits and that nobody has repeated until its time was up.
    GiveUp { remember: Duration },
    /// A person has found out what became of an event that is parked, or gives up one that waits.
    Resolve { outcome: Final, remember: Duration, by: By },
    /// A person lets an event that is parked or was rejected be acted on again, for as long as `give_up`. One that may have been
    /// sent only with `may_double`.
    Reopen { may_double: bool, give_up: Duration, by: By },
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The change was made. After a claim, `attempts` says how many were started before.
    Done { attempts: u32 },
    /// Another delivery has the event.
    InFlight,
    /// The event had ended before.
    Ended(Final),
    /// The attempt that was taken over.
    Adopted(Attempt),
    /// The entry is not in the state that the operation needs; nothing was changed.
    Lost,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    pub owner: &'a Owner,
    pub now: UnixMillis,
    /// Whether every other owner is gone for certain: with the journal's exclusive lock in hand, they are.
    pub alone: bool,
}

/// The moment `duration` after `now`.
pub fn after(now: UnixMillis, duration: Duration) -> UnixMillis {
    now.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// Applies an operation to an entry. `Some` is the entry to store instead; `None` leaves what is there.
pub fn apply(entry: Option<&Entry>, operation: &Operation, asker: Asker<'_>) -> (Option<Entry>, Reply) {
    let entry = entry.filter(|entry| !entry.is_forgotten(asker.now));
    match operation {
        Operation::Claim { give_up } => claim(entry, *give_up, asker),
        Operation::Start { attempt } => change(entry, |entry| match &entry.state {
            State::Claimed { owner } | State::Started { owner, .. } if owner == asker.owner => Some(Entry {
                state: State::Started { owner: owner.clone(), attempt: attempt.clone() },
                attempts: entry.attempts + 1,
                ..entry.clone()
            }),
            _ => None,
        }),
        Operation::Release { reason } => change(entry, |entry| match &entry.state {
            State::Claimed { owner } | State::Started { owner, .. } if owner == asker.owner => {
                Some(Entry { state: State::Open { reason: reason.clone() }, ..entry.clone() })
            }
            _ => None,
        }),
        Operation::Finish { outcome, remember } => change(entry, |entry| match &entry.state {
            State::Claimed { owner } | State::Started { owner, .. } if owner == asker.owner => {
                Some(ended(entry, outcome.clone(), after(asker.now, *remember)))
            }
            _ => None,
        }),
        Operation::Adopt => match entry {
            Some(entry @ Entry { state: State::Started { owner, attempt }, .. })
                if owner == asker.owner || asker.alone =>
            {
                let state = State::Started { owner: asker.owner.clone(), attempt: attempt.clone() };
                (Some(Entry { state, ..entry.clone() }), Reply::Adopted(attempt.clone()))
            }
            _ => (None, Reply::Lost),
        },
        Operation::GiveUp { remember } => change(entry, |entry| {
            match &entry.state {
                State::Open { .. } => {}
                State::Claimed { owner } if owner != asker.owner && asker.alone => {}
                State::Claimed { .. } | State::Started { .. } | State::Final { .. } => return None,
            }
            (entry.expires <= asker.now).then(|| ended(entry, given_up(entry), after(asker.now, *remember)))
        }),
        Operation::Resolve { outcome, remember, by } => by_hand::resolve(entry, outcome, *remember, by, asker),
        Operation::Reopen { may_double, give_up, by } => by_hand::reopen(entry, *may_double, *give_up, by, asker),
    }
}

/// What an event that waits ends as when it is given up. Of one that may have been sent nobody says that it was not.
pub fn given_up(entry: &Entry) -> Final {
    let Reason { word, detail } = why_given_up(&entry.state);
    if by_hand::may_have_been_sent(entry) {
        let detail = format!("it was parked before it was reopened, and may have been sent then. {detail}");
        Final::Unknown { reason: Reason::new(reason::OUTCOME_UNKNOWN, detail) }
    } else {
        Final::Rejected { reason: Reason { word, detail } }
    }
}

/// Why an event that waits like this is given up.
pub fn why_given_up(waits: &State) -> Reason {
    let last = match waits {
        State::Open { reason } => format!("it was last put off as {}: {}", reason.word, reason.detail),
        State::Claimed { .. } | State::Started { .. } | State::Final { .. } => "its delivery was cut off".to_owned(),
    };
    Reason::new(reason::RETRIES_ENDED, format!("Segment has stopped repeating the event; {last}"))
}

fn claim(entry: Option<&Entry>, give_up: Duration, asker: Asker<'_>) -> (Option<Entry>, Reply) {
    let claimed = State::Claimed { owner: asker.owner.clone() };
    match entry {
        None => {
            let expires = after(asker.now, give_up);
            let entry = Entry {
                state: claimed,
                first_seen: asker.now,
                attempts: 0,
                expires,
                parked: None,
                by_hand: Vec::new(),
                enrolled: Vec::new(),
            };
            (Some(entry), Reply::Done { attempts: 0 })
        }
        Some(entry) => match &entry.state {
            State::Final { outcome } => (None, Reply::Ended(outcome.clone())),
            State::Started { .. } => (None, Reply::InFlight),
            State::Claimed { owner } if owner == asker.owner || !asker.alone => (None, Reply::InFlight),
            State::Claimed { .. } | State::Open { .. } => {
                (Some(Entry { state: claimed, ..entry.clone() }), Reply::Done { attempts: entry.attempts })
            }
        },
    }
}

pub(super) fn ended(entry: &Entry, outcome: Final, expires: UnixMillis) -> Entry {
    let parked = match (&outcome, &entry.state) {
        (Final::Unknown { .. }, State::Started { attempt, .. }) => Some(attempt.clone()),
        (Final::Unknown { .. }, _) => entry.parked.clone(),
        (_, _) => None,
    };
    Entry { state: State::Final { outcome }, expires, parked, ..entry.clone() }
}

fn change(entry: Option<&Entry>, to: impl FnOnce(&Entry) -> Option<Entry>) -> (Option<Entry>, Reply) {
    match entry.and_then(to) {
        Some(entry) => {
            let attempts = entry.attempts;
            (Some(entry), Reply::Done { attempts })
        }
        None => (None, Reply::Lost),
    }
}

/// What follows when Twilio does not show an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAbsence {
    /// Absence proves nothing yet.
    LookAgain { after: Duration },
    /// The attempt had no effect and will have none; another may be made.
    Resend,
    /// Whether it had is for a person to decide.
    Park,
}

/// Decides what the absence of an attempt's effect means, `silent` after the last moment at which a byte of it can have left.
pub fn after_absence(attempt: &Attempt, silent: Duration) -> AfterAbsence {
    match attempt.on_unknown {
        _ if silent < attempt.settle => AfterAbsence::LookAgain { after: attempt.settle.saturating_sub(silent) },
        OnUnknownOutcome::Resend => AfterAbsence::Resend,
        OnUnknownOutcome::Park => AfterAbsence::Park,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner(name.into())
    }

    fn asker(owner: &Owner, now: UnixMillis) -> Asker<'_> {
        Asker { owner, now, alone: true }
    }

    fn attempt() -> Attempt {
        Attempt {
            at: 0,
            settle: Duration::from_mins(1),
            on_unknown: OnUnknownOutcome::Resend,
            trace: Trace::Conversation { unique_name: "u".into(), event: "m".into(), opening: true },
        }
    }

    const HOUR: Duration = Duration::from_hours(1);

    fn claimed(by: &Owner) -> Entry {
        apply(None, &Operation::Claim { give_up: HOUR }, asker(by, 0)).0.unwrap()
    }

    fn started(by: &Owner) -> Entry {
        apply(Some(&claimed(by)), &Operation::Start { attempt: attempt() }, asker(by, 1)).0.unwrap()
    }

    fn sent() -> Operation {
        Operation::Finish { outcome: Final::Sent { sid: "SM".into() }, remember: HOUR }
    }

    #[test]
    fn only_the_owner_of_a_claim_starts_it() {
        let (a, b) = (owner("a"), owner("b"));
        let start = Operation::Start { attempt: attempt() };
        assert_eq!(apply(Some(&claimed(&a)), &start, asker(&b, 1)), (None, Reply::Lost));
        assert_eq!(apply(None, &start, asker(&a, 1)), (None, Reply::Lost));
        assert_eq!(started(&a).attempts, 1);
    }

    #[test]
    fn an_event_in_flight_is_not_taken_twice() {
        let (a, b) = (owner("a"), owner("b"));
        let claim = Operation::Claim { give_up: HOUR };
        assert_eq!(apply(Some(&claimed(&a)), &claim, asker(&a, 1)).1, Reply::InFlight);
        let not_alone = Asker { owner: &b, now: 1, alone: false };
        assert_eq!(apply(Some(&claimed(&a)), &claim, not_alone).1, Reply::InFlight);
        // With the lock in hand the other owner is gone, and nothing of a claim had left.
        assert_eq!(apply(Some(&claimed(&a)), &claim, asker(&b, 1)).1, Reply::Done { attempts: 0 });
        // A started attempt is never taken by a claim, whoever is gone.
        assert_eq!(apply(Some(&started(&a)), &claim, asker(&b, 1)).1, Reply::InFlight);
    }

    #[test]
    fn a_started_attempt_is_adopted_only_when_its_owner_is_gone() {
        let (a, b) = (owner("a"), owner("b"));
        let not_alone = Asker { owner: &b, now: 1, alone: false };
        assert_eq!(apply(Some(&started(&a)), &Operation::Adopt, not_alone).1, Reply::Lost);
        let (entry, reply) = apply(Some(&started(&a)), &Operation::Adopt, asker(&b, 1));
        assert_eq!(reply, Reply::Adopted(attempt()));
        assert_eq!(apply(entry.as_ref(), &sent(), asker(&a, 2)).1, Reply::Lost);
        assert_eq!(apply(entry.as_ref(), &sent(), asker(&b, 2)).1, Reply::Done { attempts: 1 });
    }

    #[test]
    fn an_ended_event_is_answered_from_the_record_until_it_is_forgotten() {
        let a = owner("a");
        let entry = apply(Some(&started(&a)), &sent(), asker(&a, 1_000)).0.unwrap();
        let claim = Operation::Claim { give_up: HOUR };
        let expected = Reply::Ended(Final::Sent { sid: "SM".into() });
        assert_eq!(apply(Some(&entry), &claim, asker(&a, 3_600_999)), (None, expected));
        assert_eq!(apply(Some(&entry), &claim, asker(&a, 3_601_000)).1, Reply::Done { attempts: 0 });
        for operation in [sent(), Operation::Start { attempt: attempt() }, Operation::Adopt] {
            assert_eq!(apply(Some(&entry), &operation, asker(&a, 2_000)).1, Reply::Lost);
        }
    }

    #[test]
    fn an_event_that_nobody_repeats_is_given_up_with_its_last_reason() {
        let a = owner("a");
        let release = Operation::Release { reason: Reason::new("Throttled", "slow down") };
        let entry = apply(Some(&claimed(&a)), &release, asker(&a, 5)).0.unwrap();
        let give_up = Operation::GiveUp { remember: HOUR };
        assert_eq!(apply(Some(&entry), &give_up, asker(&a, 3_599_999)).1, Reply::Lost);
        let ended = apply(Some(&entry), &give_up, asker(&a, 3_600_000)).0.unwrap();
        let State::Final { outcome: Final::Rejected { reason } } = ended.state else { panic!("{ended:?}") };
        assert_eq!(reason.word, reason::RETRIES_ENDED);
        assert!(reason.detail.contains("Throttled: slow down"), "{}", reason.detail);
        assert_eq!(apply(Some(&started(&a)), &give_up, asker(&a, i64::MAX)).1, Reply::Lost);
    }

    #[test]
    fn an_entry_is_read_as_every_version_has_written_it() {
        let written = r#"{"state":{"state":"started","owner":"a","attempt":{"at":0,"settle":{"secs":60,"nanos":0},
            "on_unknown":"Resend","trace":{"kind":"conversation","unique_name":"u","event":"m","opening":true}}},
            "first_seen":0,"attempts":1,"expires":3600000}"#;
        let entry: Entry = serde_json::from_str(written).unwrap();
        assert_eq!(entry, started(&owner("a")));
        let conversation = format!("CH{}", "0".repeat(32)).parse().unwrap();
        let attempt = Attempt { trace: Trace::Reused { conversation, event: "m".into() }, ..attempt() };
        let reused = apply(Some(&entry), &Operation::Start { attempt }, asker(&owner("a"), 2)).0.unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&serde_json::to_string(&reused).unwrap()).unwrap(), reused);
    }

    #[test]
    fn absence_is_believed_only_after_settling() {
        let attempt = attempt();
        let early = after_absence(&attempt, Duration::from_secs(59));
        assert_eq!(early, AfterAbsence::LookAgain { after: Duration::from_secs(1) });
        assert_eq!(after_absence(&attempt, Duration::from_mins(1)), AfterAbsence::Resend);
        let park = Attempt { on_unknown: OnUnknownOutcome::Park, ..attempt };
        assert_eq!(after_absence(&park, Duration::from_mins(1)), AfterAbsence::Park);
    }
}
