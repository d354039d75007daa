//! The entry that an event tells of, and waiting for another event of the same entry.
//!
//! Segment sends an event for each identifier of a profile that has several of one type, each with a messageId of its own,
//! <https://segment.com/docs/engage/using-engage-data/>. They have the user or the recipient in common, what was entered, and
//! the passage through the journey or else, nearly, the time.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        engine::{Engine, Route, journal_failed},
        journal::{Enrolled, Enrollment, Ticket, UnixMillis, by_hand::is_reopened, enrollment::EnrollmentKey, now},
        outcome::{Final, Outcome, Reason},
    },
    segment::{Event, event::User},
    twilio::E164,
};

/// How long an event waits for another one of its entry, so that two in one batch do not put the batch off.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);

impl Engine {
    /// What an event comes to of whose entry another event is acted on; `None` where this one is.
    pub(super) async fn enroll(
        &self,
        route: &Route,
        event: &Event,
        recipient: &E164,
        ticket: &Ticket,
    ) -> Option<Outcome> {
        let cool_down = route.destination.limits.entry_cool_down?;
        // Of which something has left is the one that is acted on, and has to see to it. One that a person has reopened had ended,
        // and another may have been acted on since.
        if ticket.attempts() > 0 {
            match self.journal.find(ticket.key()).await {
                Ok(entry) if entry.as_ref().is_some_and(is_reopened) => {}
                Ok(_) => return None,
                Err(error) => return Some(journal_failed(&error)),
            }
        }
        let enrollment = of(&route.uid, event, recipient, cool_down, now())?;
        let until = Instant::now() + PATIENCE;
        loop {
            match self.journal.enroll(ticket.key(), enrollment.clone()).await {
                Ok(Enrolled::Held) => return None,
                Ok(Enrolled::Ended { by, outcome }) => return Some(Outcome::Final(same_entry(&by, &outcome))),
                Ok(Enrolled::Busy(by)) if Instant::now() >= until => {
                    let detail = format!("event `{by}` of the same entry is under way");
                    return Some(Outcome::retry(reason::ENTRY_IN_FLIGHT, detail));
                }
                Ok(Enrolled::Busy(_)) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Some(journal_failed(&error)),
            }
        }
    }
}

fn same_entry(by: &impl std::fmt::Display, outcome: &Final) -> Final {
    let became = outcome.sid().map_or_else(|| outcome.kind().as_str().to_owned(), |sid| format!("sent as {sid}"));
    let detail = format!("event `{by}` of the same entry was acted on: {became}");
    Final::Duplicate { reason: Reason::new(reason::SAME_ENTRY, detail) }
}

/// The entry that an event tells of; none where it comes from no audience, computed trait or journey. `received` stands in for
/// a time that the event does not say.
pub fn of(
    destination_uid: &str,
    event: &Event,
    recipient: &E164,
    cool_down: Duration,
    received: UnixMillis,
) -> Option<Enrollment> {
    let entered = entered(event)?;
    let passage = event.journey().and_then(|journey| journey.epoch);
    let key = |kind: &str, customer: &str| {
        let exit = if event.is_audience_exit() { "exit" } else { "entry" };
        let name = event.json.get("event").and_then(Value::as_str).unwrap_or_default();
        let mut digest = Sha256::new();
        for word in [destination_uid, kind, customer, entered, passage.unwrap_or_default(), exit, name] {
            // Each with its length, so that no two rows of words are the same text.
            digest.update(word.len().to_be_bytes());
            digest.update(word);
        }
        let mut key = [0; 20];
        key.copy_from_slice(&digest.finalize()[..20]);
        EnrollmentKey(key)
    };
    let mut keys = vec![key("recipient", recipient.as_str())];
    keys.extend(event.user().map(|user| match user {
        User::Id(id) => key("user", &id),
        User::Anonymous(id) => key("anonymous", &id),
    }));
    let time = || event.timestamp().map_or(received, Timestamp::as_millisecond);
    let at = if passage.is_some() { 0 } else { time() };
    Some(Enrollment { keys, at, cool_down })
}

/// The audience, computed trait or step that was entered.
fn entered(event: &Event) -> Option<&str> {
    let computed = event.computation().and_then(|made| made.id.or(made.key));
    let named = || event.json.pointer("/properties/audience_key").and_then(Value::as_str).filter(|key| !key.is_empty());
    computed.or_else(named).or_else(|| event.journey().map(|journey| journey.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn enrollment(change: &Value, phone: &str) -> Option<Enrollment> {
        let mut whole = json!({
            "messageId": "m", "type": "track", "event": "Cart reminder", "userId": "u-1",
            "timestamp": "2026-03-02T11:00:00Z",
            "context": {"personas": {"computation_class": "journey_step", "computation_id": "cart__x"}},
            "properties": {"journey_metadata": {"journey_id": "j", "epoch_id": "e-1"}},
        });
        whole.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        of("uid", &Event::parse(&whole.to_string()).unwrap(), &phone.parse().unwrap(), MINUTE, 7)
    }

    /// Whether an event so changed tells of the same entry as the unchanged one.
    fn is_same(change: &Value, phone: &str) -> bool {
        is_same_as(&json!({}), change, phone)
    }

    fn is_same_as(first: &Value, second: &Value, phone: &str) -> bool {
        let (first, second) = (enrollment(first, PHONE).unwrap(), enrollment(second, phone).unwrap());
        first.keys.iter().any(|key| second.keys.contains(key)) && first.moments().contains(&second.at)
    }

    const PHONE: &str = "+5511900000001";
    const OTHER: &str = "+5511900000002";

    #[test]
    fn one_passage_of_one_customer_through_one_step_is_one_entry() {
        assert!(is_same(&json!({}), PHONE));
        assert!(is_same(&json!({"messageId": "m-2", "timestamp": "2026-03-05T11:00:00Z"}), PHONE));
        assert!(is_same(&json!({"userId": "u-2"}), PHONE), "known by the number");
        assert!(is_same(&json!({}), OTHER), "known by the user");
        assert!(!is_same(&json!({"userId": "u-2"}), OTHER));
        assert!(!is_same(&json!({"properties": {"journey_metadata": {"journey_id": "j", "epoch_id": "e-2"}}}), PHONE));
        assert!(!is_same(&json!({"context": {"personas": {"computation_id": "cart__y"}}}), PHONE));
        assert!(!is_same(&json!({"event": "Second reminder"}), PHONE));
        // A user id that reads like an anonymous one is another customer.
        assert!(!is_same(&json!({"userId": null, "anonymousId": "u-1"}), OTHER));
    }

    #[test]
    fn without_a_passage_the_time_tells_entries_apart() {
        let at = |time: &str, member: bool| {
            json!({"timestamp": time, "properties": {"vip": member},
                "context": {"personas": {"computation_class": "audience", "computation_id": "aud_1", "computation_key": "vip"}}})
        };
        let first = at("2026-03-02T11:00:00Z", true);
        assert!(is_same_as(&first, &at("2026-03-02T11:00:59.999Z", true), PHONE));
        assert!(is_same_as(&first, &at("2026-03-02T10:59:00.001Z", true), PHONE));
        assert!(!is_same_as(&first, &at("2026-03-02T11:01:00Z", true), PHONE));
        assert!(!is_same_as(&first, &at("2026-03-02T11:00:01Z", false), PHONE), "who leaves has not entered");
        assert_eq!(enrollment(&at("none", true), PHONE).unwrap().at, 7);
    }

    #[test]
    fn what_no_computation_made_is_no_entry() {
        assert_eq!(enrollment(&json!({"context": {}, "properties": {}}), PHONE), None);
        let named = json!({"context": {}, "properties": {"audience_key": "vip", "vip": true}});
        assert!(enrollment(&named, PHONE).is_some());
        assert!(enrollment(&json!({"context": null}), PHONE).is_some(), "the journey is known by itself");
    }
}
