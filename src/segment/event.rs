//! One event, <https://segment.com/docs/connections/spec/common/>. Every field but the message id may be missing or null, and
//! unknown ones pass through.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

    /// When it happened.
    pub fn timestamp(&self) -> Option<Timestamp> {
        ["timestamp", "originalTimestamp", "receivedAt"]
            .iter()
            .find_map(|name| self.json.get(*name).and_then(Value::as_str)?.parse().ok())
    }

    /// The Engage space that made it.
    pub fn space_id(&self) -> Option<&str> {
        self.personas()?.get("space_id").and_then(Value::as_str).filter(|id| !id.is_empty())
    }

    /// Whether it says that the user has left the audience or journey step, by the rule of Segment's own destinations: the
    /// boolean under the computation's key, as a boolean or its text; absent means entered.
    pub fn is_audience_exit(&self) -> bool {
        if self.json.get("event").and_then(Value::as_str) == Some("Audience Exited") {
            return true;
        }
        let Some(personas) = self.personas() else { return false };
        if !matches!(personas.get("computation_class").and_then(Value::as_str), Some("audience" | "journey_step")) {
            return false;
        }
        let Some(key) = personas.get("computation_key").and_then(Value::as_str) else { return false };
        match self.json.get("properties").and_then(|properties| properties.get(key)) {
            Some(Value::Bool(member)) => !member,
            Some(Value::String(member)) => member.eq_ignore_ascii_case("false"),
            _ => false,
        }
    }

    /// A trait that the event brings with it: in `context.traits`, `traits` or `properties`. Null counts as absent.
    pub fn trait_value(&self, name: &str) -> Option<&Value> {
        ["/context/traits", "/traits", "/properties"]
            .iter()
            .filter_map(|place| self.json.pointer(place)?.as_object()?.get(name))
            .find(|value| !value.is_null())
    }

    fn personas(&self) -> Option<&Map<String, Value>> {
        self.json.pointer("/context/personas")?.as_object()
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
    fn leaving_an_audience_is_read_as_segment_reads_it() {
        let membership = |class: &str, member: Value| {
            event(&json!({"messageId": "m", "type": "track", "event": "Audience Entered",
                "context": {"personas": {"computation_class": class, "computation_key": "vip"}},
                "properties": {"vip": member}}))
            .is_audience_exit()
        };
        assert!(membership("audience", json!(false)));
        assert!(membership("journey_step", json!("false")));
        assert!(!membership("audience", json!(true)));
        assert!(!membership("audience", json!("true")));
        assert!(!membership("trait", json!(false)));
        assert!(event(&json!({"messageId": "m", "event": "Audience Exited"})).is_audience_exit());
        assert!(!event(&json!({"messageId": "m", "event": "Journey Step Entered"})).is_audience_exit());
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
    fn odd_shapes_are_absent_not_fatal() {
        let event = event(&json!({"messageId": "m", "context": [1], "traits": "x", "properties": null,
            "userId": 5, "anonymousId": " ", "timestamp": "yesterday", "type": {}}));
        assert_eq!(event.user(), None);
        assert_eq!(event.kind(), None);
        assert_eq!(event.timestamp(), None);
        assert_eq!(event.space_id(), None);
        assert_eq!(event.trait_value("a"), None);
        assert!(!event.is_audience_exit());
    }
}
