//! Whether a recipient has agreed to be messaged. What is not understood is no agreement.

use serde_json::Value;

use crate::{
    api::engage_destination::SubscriptionConsent,
    delivery::phone::{self, Region},
    segment::{Event, subscriptions::SubscriptionStatus},
    twilio::E164,
};

/// Consent by a trait is `true` or its text, and nothing else.
pub fn is_given(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(consent)) => *consent,
        Some(Value::String(consent)) => consent.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// Why a recipient may not be messaged by what the event says of the number's subscription. Where it says several things, the one
/// that speaks against it counts.
pub fn withheld(asked: SubscriptionConsent, event: &Event, recipient: &E164, region: Option<Region>) -> Option<String> {
    let of_recipient = event.whatsapp_subscriptions().filter(|said| is_number(said.number, recipient, region));
    let status = of_recipient.map(|said| said.status).max();
    match (status, asked) {
        (Some(SubscriptionStatus::Subscribed), _) | (None, SubscriptionConsent::OptOut) => None,
        (Some(SubscriptionStatus::Unsubscribed), _) => {
            Some("the event says that the number is not subscribed to WhatsApp".to_owned())
        }
        (Some(SubscriptionStatus::Other(word)), _) => {
            Some(format!("the event says `{word}` of the number's WhatsApp subscription, which is not understood"))
        }
        (None, SubscriptionConsent::OptIn) => {
            Some("the event does not say that the number is subscribed to WhatsApp".to_owned())
        }
    }
}

/// Whether a number, as it is written with a subscription, is the recipient's; the plus sign may be lost.
fn is_number(written: &Value, recipient: &E164, region: Option<Region>) -> bool {
    let text = match written {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let with_plus = Value::String(format!("+{text}"));
    [written, &with_plus].into_iter().any(|number| phone::normalise(number, region).as_ref() == Ok(recipient))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NUMBER: &str = "+5511987654321";

    fn asked(asked: SubscriptionConsent, subscriptions: &Value) -> Option<String> {
        let event = json!({"messageId": "m", "context": {"messaging_subscriptions": subscriptions}}).to_string();
        let region = Region::parse("BR");
        withheld(asked, &Event::parse(&event).unwrap(), &NUMBER.parse().unwrap(), region)
    }

    fn said(key: &Value, status: &str) -> Value {
        json!({"key": key, "type": "WhatsApp", "status": status})
    }

    #[test]
    fn opt_in_messages_the_subscribed_alone_and_opt_out_also_those_of_whom_nothing_is_said() {
        use SubscriptionConsent::{OptIn, OptOut};
        let number = json!(NUMBER);
        for (subscriptions, opt_in, opt_out) in [
            (json!([said(&number, "SUBSCRIBED")]), true, true),
            (json!([said(&number, "UNSUBSCRIBED")]), false, false),
            (json!([said(&number, "DID_NOT_SUBSCRIBE")]), false, false),
            (json!([said(&number, "pending")]), false, false),
            (json!([]), false, true),
            (json!([said(&number, "SUBSCRIBED"), said(&number, "UNSUBSCRIBED")]), false, false),
            (json!([said(&number, "pending"), said(&number, "SUBSCRIBED")]), false, false),
        ] {
            assert_eq!(asked(OptIn, &subscriptions).is_none(), opt_in, "{subscriptions}");
            assert_eq!(asked(OptOut, &subscriptions).is_none(), opt_out, "{subscriptions}");
        }
        let detail = asked(OptOut, &json!([said(&number, "pending")])).unwrap();
        assert!(detail.contains("`pending`"), "{detail}");
    }

    #[test]
    fn the_subscription_is_that_of_the_number_however_it_is_written() {
        use SubscriptionConsent::{OptIn, OptOut};
        for key in [
            json!("+55 11 98765-4321"),
            json!("(11) 98765-4321"),
            json!("whatsapp:+5511987654321"),
            json!("5511987654321"),
            json!(5_511_987_654_321_u64),
        ] {
            assert_eq!(asked(OptIn, &json!([said(&key, "SUBSCRIBED")])), None, "{key}");
            assert!(asked(OptOut, &json!([said(&key, "UNSUBSCRIBED")])).is_some(), "{key}");
        }
        let other = json!("+5511987654322");
        assert!(asked(OptIn, &json!([said(&other, "SUBSCRIBED")])).is_some());
        assert_eq!(asked(OptOut, &json!([said(&other, "UNSUBSCRIBED")])), None);
    }
}
