//! The identifiers of a profile that an event may bring: `external_ids`, as Engage's own sender got them, and
//! `context.externalIds` of the common fields, <https://segment.com/docs/unify/identity-resolution/externalids/>.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::segment::{Event, subscriptions::SubscriptionStatus};

/// Where identifiers are found.
const PLACES: [&str; 4] = ["/external_ids", "/context/external_ids", "/context/externalIds", "/externalIds"];

impl Event {
    /// The phone number among its identifiers. Of several a subscribed one comes first, then the newest, then the first in
    /// order. One of another channel than WhatsApp, or one whose subscription is anything but subscribed, is none.
    pub fn phone_identifier(&self) -> Option<&Value> {
        let phones = self.phone_identifiers().filter_map(Phone::read);
        phones.min_by_key(|phone| Reverse((phone.is_subscribed, phone.created_at))).map(|phone| phone.number)
    }

    /// Its identifiers that are a person's phone number in plain text, of whatever channel.
    pub(super) fn phone_identifiers(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let identifiers = PLACES.iter().filter_map(|place| self.json.pointer(place)?.as_array()).flatten();
        identifiers.filter_map(Value::as_object).filter(|identifier| is_plain_phone(identifier))
    }
}

fn is_plain_phone(identifier: &Map<String, Value>) -> bool {
    let is_phone =
        identifier.get("type").and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case("phone"));
    is_phone && is(identifier, "collection", "users") && is(identifier, "encoding", "none")
}

/// Whether a field is this, or nothing.
fn is(identifier: &Map<String, Value>, name: &str, expected: &str) -> bool {
    match identifier.get(name) {
        None | Some(Value::Null) => true,
        Some(value) => value.as_str().is_some_and(|text| text.is_empty() || text.eq_ignore_ascii_case(expected)),
    }
}

/// An identifier that can be sent to.
struct Phone<'a> {
    number: &'a Value,
    is_subscribed: bool,
    created_at: Option<Timestamp>,
}

impl<'a> Phone<'a> {
    fn read(identifier: &'a Map<String, Value>) -> Option<Self> {
        if !is(identifier, "channelType", "whatsapp") {
            return None;
        }
        let first = |names: [&str; 2]| names.iter().find_map(|name| identifier.get(*name).filter(|it| !it.is_null()));
        Some(Self {
            number: identifier.get("id").filter(|id| id.is_string() || id.is_u64())?,
            is_subscribed: is_subscribed(first(["isSubscribed", "subscriptionStatus"]))?,
            created_at: first(["created_at", "createdAt"]).and_then(|at| at.as_str()?.parse().ok()),
        })
    }
}

/// Whether an identifier says that it is subscribed; `None` where it says that it is not, or what is not understood.
fn is_subscribed(said: Option<&Value>) -> Option<bool> {
    match SubscriptionStatus::read(said) {
        None => Some(false),
        Some(SubscriptionStatus::Subscribed) => Some(true),
        Some(SubscriptionStatus::Other(_) | SubscriptionStatus::Unsubscribed) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The number that is found among identifiers at the root.
    fn found(identifiers: &Value) -> Option<Value> {
        let json = json!({"messageId": "m", "external_ids": identifiers}).to_string();
        Event::parse(&json).unwrap().phone_identifier().cloned()
    }

    #[test]
    fn it_is_found_wherever_identifiers_are() {
        let identifiers = json!([{"id": "ada@example.com", "type": "email"}, {"id": "+1", "type": "phone"}]);
        for json in [
            json!({"messageId": "m", "external_ids": identifiers}),
            json!({"messageId": "m", "context": {"external_ids": identifiers}}),
            json!({"messageId": "m", "external_ids": null, "context": {"externalIds": identifiers}}),
        ] {
            let event = Event::parse(&json.to_string()).unwrap();
            assert_eq!(event.phone_identifier(), Some(&json!("+1")), "{json}");
        }
    }

    #[test]
    fn the_subscribed_one_then_the_newest_then_the_first() {
        let plain = |id: &str| json!({"id": id, "type": "phone", "encoding": "none", "collection": "users"});
        let made = |id: &str, at: &str| json!({"id": id, "type": "phone", "created_at": at});
        let (old, new) = (made("+2", "2025-01-01T00:00:00Z"), made("+3", "2025-06-01T00:00:00Z"));
        let subscribed = json!({"id": "+4", "type": "PHONE", "isSubscribed": "SUBSCRIBED", "channelType": "WhatsApp"});
        assert_eq!(found(&json!([plain("+1"), plain("+5")])), Some(json!("+1")));
        assert_eq!(found(&json!([plain("+1"), old, new, plain("+5")])), Some(json!("+3")));
        assert_eq!(found(&json!([new, subscribed, plain("+1")])), Some(json!("+4")));
    }

    #[test]
    fn what_cannot_or_may_not_be_sent_to_is_none() {
        for change in [
            json!({"type": "email"}),
            json!({"type": null}),
            json!({"encoding": "sha256"}),
            json!({"collection": "accounts"}),
            json!({"channelType": "sms"}),
            json!({"isSubscribed": false}),
            json!({"isSubscribed": "unsubscribed"}),
            json!({"subscriptionStatus": "did-not-subscribe"}),
            json!({"id": {}}),
            json!({"id": null}),
        ] {
            let mut identifier = json!({"id": "+1", "type": "phone"});
            identifier.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
            assert_eq!(found(&json!([identifier])), None, "{change}");
        }
        for odd in [json!("x"), json!([1, null, "x", {}]), json!({"type": "phone", "id": "+1"})] {
            assert_eq!(found(&odd), None, "{odd}");
        }
    }
}
