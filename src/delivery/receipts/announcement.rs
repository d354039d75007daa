//! What Segment is told of a message: one track event for each status, about the user of the event that made it. Its id
//! follows from message and status, so Segment drops a repetition. It holds no number.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    progress::{Receipt, Status},
    reason,
    record::Expected,
};
use crate::{delivery::journal::UnixMillis, segment::tracking};

/// Name of the event that tells of a status; Segment is not told that Twilio has a message, which its answer said.
const fn name(status: Status) -> Option<&'static str> {
    match status {
        Status::Queued => None,
        Status::Sent => Some("WhatsApp Sent"),
        Status::Failed => Some("WhatsApp Failed"),
        Status::Delivered => Some("WhatsApp Delivered"),
        Status::Read => Some("WhatsApp Read"),
    }
}

/// The event that tells of `told`; `None` where Segment is told nothing.
pub fn of(expected: &Expected, event: &str, receipt: &Receipt, told: Status, now: UnixMillis) -> Option<Value> {
    let subject = expected.subject.as_ref()?;
    let name = name(told)?;
    let message = &receipt.message;
    let mut properties = Map::from_iter([
        ("channel".to_owned(), json!("whatsapp")),
        ("destination".to_owned(), json!(expected.destination)),
        ("status".to_owned(), json!(told.as_str())),
        ("message_sid".to_owned(), json!(message)),
        ("content_sid".to_owned(), json!(expected.content)),
        ("source_message_id".to_owned(), json!(event)),
    ]);
    if let Some(seen) = &receipt.seen {
        properties.insert("conversation_sid".to_owned(), json!(seen.conversation));
    }
    if told == Status::Failed {
        properties.insert("error_code".to_owned(), json!(receipt.error_code));
        properties.insert("reason".to_owned(), json!(reason::late(receipt.error_code).0));
    }
    properties.extend(subject.journey.clone());
    // What was looked at came to its status before; a callback comes at once.
    let at = receipt.seen.as_ref().and_then(|seen| seen.at).map_or(now, |at| at.min(now));
    let mut announced = json!({
        "type": "track",
        "event": name,
        "messageId": format!("wa-{message}-{}", told.as_str()),
        "timestamp": Timestamp::from_millisecond(at).unwrap_or_default().to_string(),
        "context": {"library": {"name": tracking::LIBRARY, "version": env!("CARGO_PKG_VERSION")}},
        "properties": properties,
    });
    for (field, id) in [("userId", &subject.user_id), ("anonymousId", &subject.anonymous_id)] {
        if let Some(id) = id {
            announced[field] = json!(id);
        }
    }
    Some(announced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        delivery::receipts::{Subject, progress::Seen},
        segment::Event,
        twilio::sid::ConversationSid,
    };

    fn announced(told: Status, error_code: Option<u32>, seen: Option<Seen>) -> Option<Value> {
        let subject = Subject {
            user_id: Some("u-42".into()),
            anonymous_id: None,
            journey: Map::from_iter([("journey_id".to_owned(), json!("j"))]),
        };
        let expected = Expected {
            destination: "ns/welcome".into(),
            content: "HX1".into(),
            subject: Some(subject),
            is_opening: seen.is_some(),
        };
        of(
            &expected,
            "personas_1",
            &Receipt { message: "SM1".into(), status: told, error_code, seen },
            told,
            1_772_449_340_000,
        )
    }

    #[test]
    fn a_failure_is_told_with_its_reason_and_is_known_again_as_ours() {
        let event = announced(Status::Failed, Some(63_016), None).unwrap();
        assert_eq!(
            event,
            json!({"type": "track", "event": "WhatsApp Failed", "messageId": "wa-SM1-failed", "userId": "u-42",
                "timestamp": "2026-03-02T11:02:20Z",
                "context": {"library": {"name": "engage-operator", "version": env!("CARGO_PKG_VERSION")}},
                "properties": {"channel": "whatsapp", "destination": "ns/welcome", "status": "failed",
                    "message_sid": "SM1", "content_sid": "HX1", "source_message_id": "personas_1",
                    "error_code": 63_016, "reason": "OutsideWindow", "journey_id": "j"}})
        );
        assert!(tracking::is_own(&Event::parse(&event.to_string()).unwrap()));
        assert_eq!(announced(Status::Queued, None, None), None);
    }

    #[test]
    fn of_a_message_that_was_looked_at_the_conversation_and_the_time_of_its_status_are_told() {
        let conversation: ConversationSid = format!("CH{:032}", 1).parse().unwrap();
        let told = |at| {
            announced(Status::Read, None, Some(Seen { conversation: conversation.clone(), at })).unwrap()["timestamp"]
                .clone()
        };
        assert_eq!(told(Some(1_772_449_280_000)), "2026-03-02T11:01:20Z");
        // Never later than it was seen.
        assert_eq!((told(None), told(Some(i64::MAX))), ("2026-03-02T11:02:20Z".into(), "2026-03-02T11:02:20Z".into()));
        let event = announced(Status::Read, None, Some(Seen { conversation: conversation.clone(), at: None })).unwrap();
        assert_eq!(event["properties"]["conversation_sid"], json!(conversation));
    }
}
