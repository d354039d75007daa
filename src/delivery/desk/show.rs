//! `show`: everything that is known of one event.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{Address, Desk, Refusal, list::Row, next};
use crate::delivery::{
    journal::{Attempt, Entry, Key, State, Trace, UnixMillis, page::Standing},
    outcome::OutcomeKind,
    receipts::{Record, Status, reason::late},
};

/// A moment, as people and scripts write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub UnixMillis);

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = Timestamp::from_second(self.0.div_euclid(1_000)).unwrap_or_default();
        write!(f, "{at}")
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at: Timestamp = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
        Ok(Self(at.as_millisecond()))
    }
}

/// All of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[serde(flatten)]
    pub row: Row,
    /// The attempt that is under way, or that could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempted>,
    /// What Twilio has told of messages of this event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// What people have decided, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Decided>,
    /// What to do, in words.
    pub next: Vec<String>,
}

/// One attempt, and by what it is found in Twilio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempted {
    pub at: When,
    /// The number, all but its first and last digits hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messaging_service: Option<String>,
    /// `UniqueName` of the conversation, or the SID of one that another event has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
}

/// What is known of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One decision of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub at: When,
    pub deed: String,
    /// What the event was before; `retry` when it waited.
    pub was: OutcomeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Shown {
    /// Whether an attempt that could not be told may have had its effect.
    pub fn may_double(&self) -> bool {
        self.row.outcome == Standing::Unknown || self.by_hand.iter().any(|act| act.was == OutcomeKind::Unknown)
    }
}

impl Desk {
    pub async fn show(&self, address: &Address) -> Result<Shown, Refusal> {
        let (key, entry) = self.find(address).await?;
        self.shown(&key, &entry).await
    }

    pub(super) async fn shown(&self, key: &Key, entry: &Entry) -> Result<Shown, Refusal> {
        let record = self.journal.receipts().record(key).await?;
        let messages = record.as_ref().map(messages).unwrap_or_default();
        let attempt = match &entry.state {
            State::Started { attempt, .. } => Some(attempt),
            State::Open { .. } | State::Claimed { .. } | State::Final { .. } => entry.parked.as_ref(),
        };
        let by_hand = entry.by_hand.iter().map(|act| Decided {
            at: When(act.at),
            deed: act.deed.as_str().to_owned(),
            was: act.was,
            by: act.by.name.clone(),
            note: act.by.note.clone(),
        });
        Ok(Shown {
            row: self.row(key, entry),
            attempt: attempt.map(attempted),
            next: next::steps(entry, &messages),
            messages,
            by_hand: by_hand.collect(),
        })
    }
}

fn attempted(attempt: &Attempt) -> Attempted {
    let at = When(attempt.at);
    match &attempt.trace {
        Trace::Message { to, messaging_service } => Attempted {
            at,
            to: Some(to.redacted()),
            messaging_service: Some(messaging_service.to_string()),
            conversation: None,
        },
        Trace::Conversation { unique_name, .. } | Trace::Interaction { unique_name, .. } => {
            Attempted { at, to: None, messaging_service: None, conversation: Some(unique_name.clone()) }
        }
        Trace::Reused { conversation, .. } => {
            Attempted { at, to: None, messaging_service: None, conversation: Some(conversation.to_string()) }
        }
    }
}

fn messages(record: &Record) -> Vec<Message> {
    let messages = record.messages.iter().map(|(sid, progress)| {
        let status = progress.furthest();
        let failure = (status == Some(Status::Failed)).then(|| late(progress.error_code()));
        Message {
            sid: sid.clone(),
            status,
            error_code: progress.error_code(),
            reason: failure.map(|(word, _)| word.to_owned()),
            detail: failure.map(|(_, sentence)| sentence.to_owned()),
        }
    });
    messages.collect()
}
