//! What an event says of WhatsApp subscriptions: with an identifier, as Engage's own sender got them, or in
//! `context.messaging_subscriptions`, <https://segment.com/docs/engage/user-subscriptions/>. Segment puts neither into an event by
//! itself. What is said of no channel is taken for a no and never for a yes.

use serde_json::{Map, Value};

use crate::segment::Event;

/// Longest part of a status that is repeated, in characters.
const MAX_WORD: usize = 40;

/// What an event says of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// As it is written there.
    pub number: &'a Value,
    pub status: SubscriptionStatus,
}

/// A status; the further down, the more it weighs where several are said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubscriptionStatus {
    Subscribed,
    /// Something else than the two, which is this.
    Other(String),
    Unsubscribed,
}

impl SubscriptionStatus {
    /// Reads a status; null and the empty text say nothing.
    pub(super) fn read(said: Option<&Value>) -> Option<Self> {
        let text = match said? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        let word = text.to_lowercase().replace(['-', ' '], "_");
        Some(match word.as_str() {
            "" => return None,
            "true" | "subscribed" => Self::Subscribed,
            "false" | "unsubscribed" | "did_not_subscribe" => Self::Unsubscribed,
            _ => Self::Other(text.chars().take(MAX_WORD).collect()),
        })
    }
}

impl Event {
    /// All that it says of WhatsApp subscriptions, of whatever numbers.
    pub fn whatsapp_subscriptions(&self) -> impl Iterator<Item = Subscription<'_>> {
        let identifiers = self.phone_identifiers().filter_map(|identifier| {
            let status = identifier.get("isSubscribed").filter(|said| !said.is_null());
            let status = status.or_else(|| identifier.get("subscriptionStatus"));
            read(identifier, "id", "channelType", status)
        });
        let listed = self.json.pointer("/context/messaging_subscriptions").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_object);
        identifiers.chain(listed.filter_map(|listed| read(listed, "key", "type", listed.get("status"))))
    }
}

fn read<'a>(
    of: &'a Map<String, Value>,
    number: &str,
    channel: &str,
    status: Option<&Value>,
) -> Option<Subscription<'a>> {
    let status = SubscriptionStatus::read(status)?;
    let counts = match of.get(channel) {
        None | Some(Value::Null) => status != SubscriptionStatus::Subscribed,
        Some(Value::String(channel)) if channel.is_empty() => status != SubscriptionStatus::Subscribed,
        Some(channel) => channel.as_str().is_some_and(|channel| channel.eq_ignore_ascii_case("whatsapp")),
    };
    Some(Subscription { number: of.get(number)?, status }).filter(|_| counts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The statuses that an event with these fields says, in order.
    fn said(fields: &Value) -> Vec<SubscriptionStatus> {
        let mut event = json!({"messageId": "m"});
        event.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        let event = Event::parse(&event.to_string()).unwrap();
        event.whatsapp_subscriptions().map(|subscription| subscription.status).collect()
    }

    #[test]
    fn a_status_is_read_however_it_is_written() {
        use SubscriptionStatus::{Other, Subscribed, Unsubscribed};
        for (written, status) in [
            (json!(true), Some(Subscribed)),
            (json!("SUBSCRIBED"), Some(Subscribed)),
            (json!(" true "), Some(Subscribed)),
            (json!(false), Some(Unsubscribed)),
            (json!("Unsubscribed"), Some(Unsubscribed)),
            (json!("DID_NOT_SUBSCRIBE"), Some(Unsubscribed)),
            (json!("did-not-subscribe"), Some(Unsubscribed)),
            (json!("pending"), Some(Other("pending".into()))),
            (json!(1), Some(Other("1".into()))),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(SubscriptionStatus::read(Some(&written)), status, "{written}");
        }
        assert_eq!(SubscriptionStatus::read(None), None);
    }

    #[test]
    fn only_whatsapp_says_yes_and_what_names_no_channel_may_say_no() {
        use SubscriptionStatus::{Subscribed, Unsubscribed};
        for (channel, yes, no) in [
            (json!("whatsapp"), vec![Subscribed], vec![Unsubscribed]),
            (json!("WhatsApp"), vec![Subscribed], vec![Unsubscribed]),
            (json!(null), vec![], vec![Unsubscribed]),
            (json!(""), vec![], vec![Unsubscribed]),
            (json!("sms"), vec![], vec![]),
            (json!(7), vec![], vec![]),
        ] {
            for (is_subscribed, expected) in [(true, yes), (false, no)] {
                let identifier =
                    json!({"id": "+1", "type": "phone", "channelType": channel, "isSubscribed": is_subscribed});
                assert_eq!(said(&json!({"external_ids": [identifier]})), expected, "{channel} {is_subscribed}");
                let status = if is_subscribed { "SUBSCRIBED" } else { "UNSUBSCRIBED" };
                let listed = json!({"key": "+1", "type": channel, "status": status});
                let context = json!({"context": {"messaging_subscriptions": [listed]}});
                assert_eq!(said(&context), expected, "{channel} {is_subscribed}");
            }
        }
    }

    #[test]
    fn what_is_hashed_or_of_an_account_or_odd_says_nothing() {
        for identifier in [
            json!({"id": "x", "type": "phone", "channelType": "whatsapp", "isSubscribed": false, "encoding": "sha256"}),
            json!({"id": "x", "type": "phone", "channelType": "whatsapp", "isSubscribed": false, "collection": "accounts"}),
            json!({"id": "x", "type": "email", "channelType": "whatsapp", "isSubscribed": false}),
            json!({"type": "phone", "channelType": "whatsapp", "isSubscribed": false}),
            json!("x"),
        ] {
            assert_eq!(said(&json!({"external_ids": [identifier.clone()]})), [], "{identifier}");
        }
        assert_eq!(said(&json!({"context": {"messaging_subscriptions": {"key": "+1"}}})), []);
        assert_eq!(said(&json!({"context": {"messaging_subscriptions": [null, "x", {}]}})), []);
    }
}
