//! What a person decides: an event that is parked is resolved, one that waits is given up, one that is parked or was rejected is
//! reopened. Each is one operation of the journal, kept with the entry.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Desk, Refusal, Shown, Why};
use crate::{
    api::reasons::event as reason,
    delivery::{
        journal::{By, Entry, Key, Operation, Reply, State, by_hand::may_have_been_sent},
        outcome::{Final, OutcomeKind, Reason},
    },
    twilio::error::without_numbers,
};

/// How long an outcome is remembered where the destination does not say it.
pub(super) const REMEMBER: Duration = Duration::from_hours(168);
/// How long a reopened event waits at least: Segment does not repeat it by itself, so somebody has to have it sent again.
pub const GIVE_UP: Duration = Duration::from_hours(24);
/// Longest text of a person, in characters.
const MAX_TEXT: usize = 256;
/// What begins the SID of a message, a conversation or an interaction.
const SIDS: [&str; 4] = ["SM", "MM", "CH", "KD"];

/// What an event is resolved as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum As {
    Sent,
    Rejected,
}

/// A decision about an event that is parked or waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolve {
    pub event: Address,
    #[serde(rename = "as")]
    pub what: As,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default)]
    pub by: By,
}

/// An event is to be acted on again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    pub event: Address,
    /// The event itself, to be delivered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Whoever asks knows that the customer may get a second message.
    #[serde(default)]
    pub may_double: bool,
    #[serde(default)]
    pub by: By,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retried {
    /// What it came to, where it was delivered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub event: Shown,
}

/// A decision that was found to make sense.
pub(super) struct Decision {
    pub key: Key,
    pub entry: Entry,
    pub outcome: Final,
    pub by: By,
}

impl Decision {
    /// Whether it ends an event that waits.
    pub const fn gives_up(&self) -> bool {
        !matches!(self.entry.state, State::Final { .. })
    }

    /// The word for it, in the log and as a label.
    pub const fn word(&self) -> &'static str {
        match (&self.outcome, self.gives_up()) {
            (_, true) => "given_up",
            (Final::Sent { .. }, false) => "resolved_sent",
            (_, false) => "resolved_rejected",
        }
    }
}

impl Desk {
    /// Resolves an event where nobody is there to look what it has left at Twilio.
    pub async fn resolve(&self, resolve: &Resolve) -> Result<Shown, Refusal> {
        let decision = self.decision(resolve).await?;
        if decision.gives_up() && decision.entry.attempts > 0 {
            let detail = "an attempt was made for it, and what that may have left half-made at Twilio is taken away first, by a \
                          running gateway: start it, and give the event up through its admin port (--admin-url)";
            return Err(Refusal::new(Why::NotAllowed, detail));
        }
        self.end(decision, REMEMBER).await
    }

    /// Reads a request to resolve an event, and looks whether it can be.
    pub(super) async fn decision(&self, resolve: &Resolve) -> Result<Decision, Refusal> {
        let invalid = |detail: &str| Refusal::new(Why::Invalid, detail);
        let (key, entry) = self.find(&resolve.event).await?;
        let outcome = match (resolve.what, &resolve.sid, &resolve.reason) {
            (As::Sent, sid, None) => Final::Sent { sid: self.sid(&key, sid.as_deref()).await? },
            (As::Sent, _, Some(_)) => return Err(invalid("what was sent has no reason: give a note instead")),
            (As::Rejected, None, Some(text)) if !text.trim().is_empty() => {
                Final::Rejected { reason: Reason::new(reason::DECIDED_BY_HAND, fit(text)) }
            }
            (As::Rejected, None, _) => return Err(invalid("say why with a reason: Segment is answered with it")),
            (As::Rejected, Some(_), _) => return Err(invalid("what was rejected has no SID")),
        };
        match (&entry.state, &outcome) {
            (State::Final { outcome: Final::Unknown { .. } }, _)
            | (State::Open { .. } | State::Claimed { .. }, Final::Rejected { .. }) => {}
            (State::Open { .. }, _) => return Err(only_waits()),
            (State::Claimed { .. } | State::Started { .. }, _) => return Err(in_flight(&entry)),
            (State::Final { outcome }, _) => return Err(has_ended(outcome)),
        }
        Ok(Decision { key, entry, outcome, by: fitting(&resolve.by) })
    }

    /// Ends the event as decided, if it still is as it was.
    pub(super) async fn end(&self, decision: Decision, remember: Duration) -> Result<Shown, Refusal> {
        let Decision { key, entry, outcome, by } = decision;
        let operation = Operation::Resolve { outcome, remember, by };
        self.done(&key, &entry, operation).await
    }

    /// Reopens an event: its next repetition is acted on.
    pub async fn reopen(&self, retry: &Retry, give_up: Duration) -> Result<Shown, Refusal> {
        let (key, entry) = self.find(&retry.event).await?;
        match &entry.state {
            State::Final {
                outcome: outcome @ (Final::Sent { .. } | Final::Suppressed { .. } | Final::Duplicate { .. }),
            } => {
                return Err(has_ended(outcome));
            }
            State::Final { .. } if may_have_been_sent(&entry) && !retry.may_double => {
                let detail = "an attempt to send it could not be told: the customer may have the message already, and would get it \
                              a second time. Look into their history first; to go on knowing that, confirm (--yes)";
                return Err(Refusal::new(Why::NotConfirmed, detail));
            }
            State::Final { .. } | State::Open { .. } => {}
            State::Claimed { .. } | State::Started { .. } => return Err(in_flight(&entry)),
        }
        let by = fitting(&retry.by);
        self.done(&key, &entry, Operation::Reopen { may_double: retry.may_double, give_up, by }).await
    }

    async fn done(&self, key: &Key, before: &Entry, operation: Operation) -> Result<Shown, Refusal> {
        match self.journal.apply(key.clone(), operation).await? {
            Reply::Done { .. } => {}
            Reply::Ended(outcome) => return Err(has_ended(&outcome)),
            Reply::InFlight | Reply::Adopted(_) | Reply::Lost => return Err(in_flight(before)),
        }
        let entry = self.journal.find(key).await?;
        self.shown(key, entry.as_ref().unwrap_or(before)).await
    }

    async fn sid(&self, key: &Key, sid: Option<&str>) -> Result<String, Refusal> {
        let Some(sid) = sid else { return Ok(String::new()) };
        let digits = SIDS.iter().find_map(|kind| sid.strip_prefix(kind));
        if !digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            let detail = "not the SID of a message, conversation or interaction: it is SM, MM, CH or KD and 32 hexadecimal digits";
            return Err(Refusal::new(Why::Invalid, detail));
        }
        match self.journal.attributed_to(sid).await? {
            Some(other) if other != *key => {
                let detail = format!("{sid} is what event {} came to: look for another", other.message_id);
                Err(Refusal::new(Why::NotAllowed, detail))
            }
            Some(_) | None => Ok(sid.to_owned()),
        }
    }
}

fn in_flight(entry: &Entry) -> Refusal {
    let what =
        if matches!(entry.state, State::Started { .. }) { "an attempt is under way" } else { "it is being worked on" };
    let detail = format!(
        "{what}, so nobody decides about it: wait until it is settled. Of one that a killed gateway has left, the next that starts \
         finds out what became of it"
    );
    Refusal::new(Why::NotAllowed, detail)
}

fn only_waits() -> Refusal {
    let detail = "it waits and was not sent. If the customer was written to in another way, give the event up: --as rejected --reason TEXT";
    Refusal::new(Why::NotAllowed, detail)
}

fn has_ended(outcome: &Final) -> Refusal {
    let detail = match outcome {
        Final::Sent { .. } => "it was sent: a second message to the customer is a new event",
        Final::Suppressed { .. } => {
            "it was suppressed, so nobody was to be messaged: who is to be messaged now gets a new event, which is looked at anew"
        }
        Final::Duplicate { .. } => {
            "another event of the same entry was acted on: a second message to the customer is a new entry"
        }
        Final::Rejected { .. } => "it was rejected: to have it sent after all, `deliveries retry`",
        Final::Unknown { .. } => "it is parked",
    };
    Refusal::new(Why::NotAllowed, detail)
}

/// A text of a person, which is logged, kept, and answered to Segment: short, and without numbers of people.
fn fit(text: &str) -> String {
    let line: String =
        text.trim().chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_TEXT).collect();
    without_numbers(&line)
}

pub(super) fn fitting(by: &By) -> By {
    let text = |text: &Option<String>| text.as_deref().map(fit).filter(|text| !text.is_empty());
    By { name: text(&by.name), note: text(&by.note) }
}
