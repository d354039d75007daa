//! What is kept of one event to recognise the callbacks of its messages, or to look at its opening message. It is made before
//! the first message can be, so no callback comes too early.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    announcement,
    look::{Look, Then},
    progress::{Progress, Receipt, Status},
};
use crate::{
    delivery::journal::{Key, UnixMillis},
    segment::{Event, event::User},
    twilio::sid::{ConversationMessageSid, ConversationSid},
};

/// Most messages of one event that are told apart: an event makes one, and one more for each attempt that showed late.
const MAX_MESSAGES: usize = 8;
/// Longest id of a user that is kept, in bytes.
const MAX_USER: usize = 512;
/// Longest word about a journey that is kept, in bytes.
const MAX_WORD: usize = 128;

/// What is known when a message is about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// `namespace/name`.
    pub destination: String,
    /// SID of the template.
    pub content: String,
    /// Whom and what Segment is told about; absent where it is told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The message opens a conversation. Nobody calls back about it, so it is looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_opening: bool,
}

/// Whom an event was about, and which journey made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub journey: Map<String, Value>,
}

impl Subject {
    /// Reads an event; `None` when it names nobody whom Segment would know again.
    pub fn of(event: &Event) -> Option<Self> {
        let (user_id, anonymous_id) = match event.user()? {
            User::Id(id) => (Some(id), None),
            User::Anonymous(id) => (None, Some(id)),
        };
        if user_id.iter().chain(&anonymous_id).any(|id| id.len() > MAX_USER) {
            return None;
        }
        let mut journey = Map::new();
        for (name, place) in [
            ("computation_id", "/context/personas/computation_id"),
            ("computation_key", "/context/personas/computation_key"),
            ("journey_id", "/properties/journey_metadata/journey_id"),
            ("journey_epoch_id", "/properties/journey_metadata/epoch_id"),
        ] {
            let word = event.json.pointer(place).and_then(Value::as_str).filter(|word| word.len() <= MAX_WORD);
            journey.extend(word.map(|word| (name.to_owned(), word.into())));
        }
        Some(Self { user_id, anonymous_id, journey })
    }
}

/// What is kept of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub expected: Expected,
    /// By SID.
    #[serde(default)]
    pub messages: BTreeMap<String, Progress>,
    /// The opening message, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<ConversationMessageSid>,
    /// The next look at it, if there is to be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// When it is forgotten.
    pub expires: UnixMillis,
}

/// What a receipt changes in a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The status, if it is told for the first time.
    pub told: Option<Status>,
    /// The event for Segment, where it is to have one.
    pub announcement: Option<Value>,
}

impl Record {
    /// The record of an event that is about to make a message; `before` is that of an earlier delivery of the event.
    pub fn expecting(before: Option<Self>, expected: Expected, expires: UnixMillis) -> Self {
        let messages = before.map(|before| before.messages).unwrap_or_default();
        Self { expected, messages, opening: None, look: None, expires }
    }

    /// The event has ended as sent, with this conversation. Gives when its message is looked at first, where it is to be.
    pub fn sent(&mut self, conversation: ConversationSid, now: UnixMillis) -> Option<UnixMillis> {
        if !self.expected.is_opening {
            return None;
        }
        let look = Look::first(conversation, self.opening.take(), now);
        let due = look.due;
        self.look = Some(look);
        Some(due)
    }

    /// The look of that time was taken, of this message where it was found, and this follows. Gives when the next one is due.
    pub fn looked(
        &mut self,
        due: UnixMillis,
        message: Option<ConversationMessageSid>,
        then: Then,
        now: UnixMillis,
    ) -> Option<UnixMillis> {
        let look = self.look.as_mut().filter(|look| look.due == due)?;
        look.message = message.or(look.message.take());
        let progress = look.message.as_ref().and_then(|message| self.messages.get(message.as_str()));
        match look.next(then, progress, now) {
            Some(next) => look.due = next,
            None => self.look = None,
        }
        self.look.as_ref().map(|look| look.due)
    }

    /// Takes a receipt in; `None` when it says nothing new.
    pub fn take(&mut self, key: &Key, receipt: &Receipt, now: UnixMillis) -> Option<Change> {
        let known = self.messages.get(&receipt.message);
        if known.is_none() && self.messages.len() >= MAX_MESSAGES {
            return None;
        }
        let advance = known.cloned().unwrap_or_default().advance(receipt)?;
        self.messages.insert(receipt.message.clone(), advance.progress);
        let announcement =
            advance.told.and_then(|told| announcement::of(&self.expected, key.message_id.as_str(), receipt, told, now));
        Some(Change { told: advance.told, announcement })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{delivery::receipts::look, segment::MessageId, twilio::conversations::DeliveryReceipt};

    #[test]
    fn of_an_event_no_more_is_kept_than_segment_needs_to_know_it_again() {
        let event = json!({"messageId": "m", "type": "track", "userId": "u-42", "anonymousId": "a",
            "context": {"traits": {"phone": "+15005550006"},
                "personas": {"computation_id": "c", "computation_key": "x".repeat(200), "space_id": "spa"}},
            "properties": {"phone": "+15005550006", "journey_metadata": {"journey_id": "j", "epoch_id": "e"}}});
        let subject = Subject::of(&Event::parse(&event.to_string()).unwrap()).unwrap();
        assert_eq!(
            serde_json::to_value(subject).unwrap(),
            json!({"user_id": "u-42", "journey": {"computation_id": "c", "journey_id": "j", "journey_epoch_id": "e"}})
        );
        let nobody = json!({"messageId": "m", "userId": "u".repeat(513)});
        assert_eq!(Subject::of(&Event::parse(&nobody.to_string()).unwrap()), None);
    }

    fn record() -> Record {
        let expected =
            Expected { destination: "ns/agent".into(), content: "HX1".into(), subject: None, is_opening: true };
        Record::expecting(None, expected, UnixMillis::MAX)
    }

    fn conversation() -> ConversationSid {
        format!("CH{:032}", 1).parse().unwrap()
    }

    #[test]
    fn what_an_earlier_version_kept_is_read_and_not_looked_at() {
        let kept = json!({"destination": "ns/welcome", "content": "HX1", "expires": 5,
            "messages": {"SM1": {"seen": ["sent", "failed"], "error_code": 63_016}}});
        let mut record: Record = serde_json::from_value(kept.clone()).unwrap();
        assert_eq!(record.sent(conversation(), 0), None);
        assert_eq!(serde_json::to_value(record).unwrap(), kept);
    }

    /// What happens between one look and the next.
    #[derive(Debug, Clone)]
    enum Happens {
        /// The message comes further.
        Further,
        /// A look is taken. It may be cut off before it is on record, or after, so that it is taken again.
        Look { fails: bool, cut_off_before: bool, cut_off_after: bool },
    }

    fn happens() -> impl Strategy<Value = Vec<Happens>> {
        let look = (any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(fails, cut_off_before, cut_off_after)| Happens::Look { fails, cut_off_before, cut_off_after });
        prop::collection::vec(prop_oneof![Just(Happens::Further), look], 0..30)
    }

    proptest! {
        #[test]
        fn whatever_is_cut_off_each_status_is_told_once_and_looks_go_on_to_the_end(
            happens in happens(), fails_late in any::<bool>()
        ) {
            let way = if fails_late { ["sent", "undelivered", "undelivered"] } else { ["sent", "delivered", "read"] };
            let message: ConversationMessageSid = format!("IM{:032}", 1).parse().unwrap();
            let key = Key { destination: "u".into(), message_id: MessageId::parse("m").unwrap() };
            let mut record = record();
            let mut due = record.sent(conversation(), 0);
            let (mut at, mut seen, mut told) = (0_usize, 0_usize, Vec::new());
            for happens in happens {
                let Happens::Look { fails, cut_off_before, cut_off_after } = happens else {
                    at = (at + 1).min(way.len());
                    continue;
                };
                let Some(now) = due else { break };
                if cut_off_before {
                    continue;
                }
                let status = at.checked_sub(1).map(|at| way[at].to_owned());
                let receipt = DeliveryReceipt { status, error_code: None, date_updated: None };
                let said = look::said(message.as_str(), &conversation(), &[receipt]);
                let (said, then) = if fails { (Vec::new(), Then::Again) } else { (said, Then::Next) };
                seen = if fails { seen } else { seen.max(at) };
                for _ in 0..=usize::from(cut_off_after) {
                    told.extend(said.iter().filter_map(|said| record.take(&key, said, now)?.told));
                    // The look of that time is gone when it was on record before.
                    let _ = record.looked(now, Some(message.clone()), then, now);
                    due = record.look.as_ref().map(|look| look.due);
                }
            }
            let expected: &[Status] = match (fails_late, seen) {
                (_, 0) => &[],
                (_, 1) => &[Status::Sent],
                // One that is seen after the failure does not show that it was sent before.
                (true, _) if told.len() == 1 => &[Status::Failed],
                (true, _) => &[Status::Sent, Status::Failed],
                (false, 2) => &[Status::Sent, Status::Delivered],
                (false, _) => &[Status::Sent, Status::Delivered, Status::Read],
            };
            prop_assert_eq!(&told, expected);
            let ended = told.last().is_some_and(|status| matches!(status, Status::Read | Status::Failed));
            prop_assert!(!ended || due.is_none());
        }
    }
}
