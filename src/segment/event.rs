//! One event, <https://segment.com/docs/connections/spec/common/>. Every field but the message id may be missing or null, and
//! unknown ones pass through.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest message id that is taken; Segment's own have at most 100 characters.
const MAX_MESSAGE_ID: usize = 256;

/// Segment's id of an event, the same on every retry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId(String);

impl MessageId {
    /// Takes an id that an event has or may have.
    pub fn parse(id: &str) -> Result<Self, EventError> {
        match id.chars().count() {
            0 => Err(EventError::NoMessageId),
            1..=MAX_MESSAGE_ID => Ok(Self(id.to_owned())),
            length => Err(EventError::LongMessageId(length)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a JSON object is not an event that can be worked with.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    #[error("the event is not a JSON object that can be read: {0}")]
    NotReadable(String),
    #[error("the event has no messageId, without which a repetition cannot be told from a new event")]
    NoMessageId,
    #[error("the messageId has {0} characters; at most {MAX_MESSAGE_ID} are taken")]
    LongMessageId(usize),
}

/// Whom an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    Id(String),
    Anonymous(String),
}

/// An event as Segment sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub message_id: MessageId,
    /// All of it.
    pub json: Value,
}

impl Event {
    /// Reads one event.
    pub fn parse(json: &str) -> Result<Self, EventError> {
        let json: Value = serde_json::from_str(json).map_err(|error| EventError::NotReadable(error.to_string()))?;
        let message_id = MessageId::parse(json.get("messageId").and_then(Value::as_str).unwrap_or_default())?;
        Ok(Self { message_id, json })
    }

    /// `track`, `identify` and so on.
    pub fn kind(&self) -> Option<&str> {
        self.json.get("type").and_then(Value::as_str)
    }

    /// Whom it is about: the user id, or the anonymous id where there is none.
    pub fn user(&self) -> Option<User> {
        let text = |name: &str| {
            self.json.get(name).and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned)
        };
        text("userId").map(User::Id).or_else(|| text("anonymousId").map(User::Anonymous))
    }

    /// When it happened: `timestamp`, which Segment corrects by the sender's clock, else the nearest that is there. It may lie in
    /// the past or in the future.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.instant("timestamp").or_else(|| self.original_timestamp()).or_else(|| self.received_at())
    }

    /// When it happened by the clock of whoever made it.
    pub fn original_timestamp(&self) -> Option<Timestamp> {
        self.instant("originalTimestamp")
    }

    /// When it was sent to Segment, by the sender's clock.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.instant("sentAt")
    }

    /// When Segment received it, by Segment's clock.
    pub fn received_at(&self) -> Option<Timestamp> {
        self.instant("receivedAt")
    }

    fn instant(&self, name: &str) -> Option<Timestamp> {
        self.json.get(name)?.as_str()?.parse().ok()
    }

    /// A trait that the event brings with it: in `context.traits`, `traits` or `properties`. Null counts as absent, and so
    /// does what a missing trait is written as where it is not left out. The context of a journey is not looked into: it
    /// holds properties of past events, not traits.
    pub fn trait_value(&self, name: &str) -> Option<&Value> {
        ["/context/traits", "/traits", "/properties"]
            .iter()
            .filter_map(|place| self.json.pointer(place)?.as_object()?.get(name))
            .find(|value| !value.is_null() && !matches!(value.as_str(), Some("undefined" | "<nil>")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(json: &Value) -> Event {
        Event::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn an_event_without_a_message_id_is_refused() {
        assert_eq!(Event::parse("{}").unwrap_err(), EventError::NoMessageId);
        assert_eq!(Event::parse(r#"{"messageId":7}"#).unwrap_err(), EventError::NoMessageId);
        let long = json!({"messageId": "m".repeat(257)}).to_string();
        assert_eq!(Event::parse(&long).unwrap_err(), EventError::LongMessageId(257));
    }

    #[test]
    fn the_times_of_an_event_are_told_apart_and_the_nearest_one_stands_in() {
        let at = |hour: u8| format!("2026-03-02T{hour:02}:00:00.120Z");
        let time = |hour| at(hour).parse::<Timestamp>().ok();
        let mut json = json!({"messageId": "m", "timestamp": at(1), "originalTimestamp": at(2), "sentAt": at(3),
            "receivedAt": at(4)});
        let whole = event(&json);
        assert_eq!(
            [whole.timestamp(), whole.original_timestamp(), whole.sent_at(), whole.received_at()],
            [time(1), time(2), time(3), time(4)]
        );
        for (name, then) in [("timestamp", time(2)), ("originalTimestamp", time(4)), ("receivedAt", None)] {
            json[name] = json!("yesterday");
            assert_eq!(event(&json).timestamp(), then, "{name}");
        }
    }

    #[test]
    fn a_trait_is_looked_for_in_every_place_and_null_is_absent() {
        let event = event(&json!({"messageId": "m", "context": {"traits": {"a": null, "b": 1}},
            "traits": {"a": 2}, "properties": {"b": 3, "c": 4}}));
        assert_eq!(event.trait_value("a"), Some(&json!(2)));
        assert_eq!(event.trait_value("b"), Some(&json!(1)));
        assert_eq!(event.trait_value("c"), Some(&json!(4)));
        assert_eq!(event.trait_value("d"), None);
    }

    #[test]
    fn a_missing_trait_that_is_written_out_is_missing() {
        let event = event(&json!({"messageId": "m", "traits": {"a": "<nil>", "b": "undefined", "c": ""},
            "properties": {"a": "Ada", "journey_context": {"Cart": {"d": 1}}}}));
        assert_eq!(event.trait_value("a"), Some(&json!("Ada")));
        assert_eq!(event.trait_value("b"), None);
        assert_eq!(event.trait_value("c"), Some(&json!("")));
        assert_eq!(event.trait_value("d"), None);
    }

    #[test]
    fn odd_shapes_are_absent_not_fatal() {
        let event = event(&json!({"messageId": "m", "context": [1], "traits": "x", "properties": null,
            "userId": 5, "anonymousId": " ", "timestamp": "yesterday", "type": {}}));
        assert_eq!(event.user(), None);
        assert_eq!(event.kind(), None);
        assert_eq!(event.timestamp(), None);
        assert_eq!(event.trait_value("a"), None);
    }
}
