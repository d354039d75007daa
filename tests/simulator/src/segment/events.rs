//! Events as Segment writes them (segment.md 3): a builder, the examples of 3.4, the edge cases a receiver must
//! survive, and the several events that one profile with several identifiers causes.

use serde_json::{Map, Value, json};

const WHEN: &str = "2026-03-02T09:15:04.120Z";

/// Builds a track or identify event.
#[derive(Debug, Clone)]
pub struct Event {
    fields: Map<String, Value>,
}

impl Event {
    /// A track event of this name.
    pub fn track(name: &str, message_id: &str, user_id: &str) -> Self {
        let mut event = Self::of_type("track", message_id, user_id);
        event.fields.insert("event".to_owned(), json!(name));
        event.fields.insert("properties".to_owned(), json!({}));
        event
    }

    /// An identify event.
    pub fn identify(message_id: &str, user_id: &str) -> Self {
        let mut event = Self::of_type("identify", message_id, user_id);
        event.fields.insert("traits".to_owned(), json!({}));
        event
    }

    fn of_type(kind: &str, message_id: &str, user_id: &str) -> Self {
        let mut fields = Map::new();
        for (key, value) in [("type", kind), ("messageId", message_id), ("userId", user_id)] {
            fields.insert(key.to_owned(), json!(value));
        }
        for key in ["timestamp", "originalTimestamp", "receivedAt"] {
            fields.insert(key.to_owned(), json!(WHEN));
        }
        fields.insert("context".to_owned(), json!({}));
        fields.insert("version".to_owned(), json!(2));
        Self { fields }
    }

    /// Sets a top-level field.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.fields.insert(key.to_owned(), value);
        self
    }

    /// Sets a property (track).
    #[must_use]
    pub fn property(self, key: &str, value: Value) -> Self {
        self.nested("properties", key, value)
    }

    /// Sets a trait (identify).
    #[must_use]
    pub fn with_trait(self, key: &str, value: Value) -> Self {
        self.nested("traits", key, value)
    }

    /// Sets an entry of `context`.
    #[must_use]
    pub fn context(self, key: &str, value: Value) -> Self {
        self.nested("context", key, value)
    }

    /// Sets `context.personas`, which says that Engage made the event.
    #[must_use]
    pub fn engage(self, class: &str, id: &str, key: &str, space: &str) -> Self {
        let personas = json!({
            "computation_class": class, "computation_id": id, "computation_key": key, "namespace": space,
            "space_id": space,
        });
        self.context("personas", personas)
    }

    fn nested(mut self, parent: &str, key: &str, value: Value) -> Self {
        let slot = self.fields.entry(parent).or_insert_with(|| json!({}));
        slot[key] = value;
        self
    }

    /// The event.
    pub fn build(self) -> Value {
        Value::Object(self.fields)
    }
}

/// The examples of segment.md 3.4, in its order, by name.
pub fn examples(space: &str) -> Vec<(&'static str, Value)> {
    let journey = "cart__reminder_8943l";
    let entered = Event::track("Audience Entered", "personas_2b7QmVx0cWk1", "u-1001")
        .engage("audience", "aud_2NQx81", "vip_lapsed", space)
        .context("traits", json!({"email": "ada@example.com"}))
        .with("integrations", json!({"All": false, "Webhooks (Actions)": true}))
        .property("audience_key", json!("vip_lapsed"))
        .property("vip_lapsed", json!(true));
    let membership =
        Event::identify("personas_9sL0", "u-1001").engage("audience", "aud_2NQx81", "vip_lapsed", space).with(
            "traits",
            json!({"vip_lapsed": false, "phone": "+15005550006", "first_name": "Ada", "email": "ada@example.com"}),
        );
    let computed = Event::track("Trait Computed", "personas_Qp3", "u-7")
        .engage("trait", "tra_55", "revenue_180d", space)
        .with("properties", json!({"trait_key": "revenue_180d", "revenue_180d": 450.5}));
    let first_journey = Event::track("Audience Entered", "personas_j1", "u-7")
        .engage("audience", "aud_77", "j_o_winback__send_dje83h", space)
        .property("j_o_winback__send_dje83h", json!("true"));
    let second_journey = Event::track("Send cart reminder", "personas_up0c", "u-42")
        .engage("journey_step", journey, journey, space)
        .property(
            "journey_context",
            json!({
                "Cart_Modified": {"cart_id": "c-9", "total": 59.9, "items": [{"sku": "A1", "qty": 2}]},
                "Cart_Modified - user updates cart": {"cart_id": "c-9", "total": 71.4},
            }),
        )
        .property("journey_metadata", json!({"journey_id": "2GKsjADZkD", "epoch_id": "yiC2qPZNIS"}))
        .property("phone", json!("+15005550006"))
        .property("first_name", json!("Ada"))
        .property("Hotels", json!({"hotel_name": "Seaview"}));
    let subscription = json!({
        "type": "identify", "userId": "u-42",
        "context": {
            "messaging_subscriptions": [{"key": "+15005550006", "type": "WhatsApp", "status": "UNSUBSCRIBED"}],
            "externalIds": [{"id": "+15005550006", "type": "phone", "collection": "users", "encoding": "none"}],
        },
        "traits": {},
    });
    vec![
        ("audience entered", entered.build()),
        ("audience membership", membership.build()),
        ("computed trait", computed.build()),
        ("journey v1 step", first_journey.build()),
        ("journey v2 step", second_journey.build()),
        ("subscription update", subscription),
        ("delete notice", json!({"type": "delete", "userId": "u-42", "timestamp": "2026-03-02T12:00:00.000Z"})),
    ]
}

/// Events at the edge of what is allowed, by name (segment.md 3.4, last paragraph).
pub fn edge_cases(space: &str) -> Vec<(&'static str, Value)> {
    let event = |id: &str| Event::track("Lead Qualified", id, "lead-1").engage("audience", "aud_1", "leads", space);
    vec![
        ("anonymous only", event("edge-1").with("userId", Value::Null).with("anonymousId", json!("a-1")).build()),
        ("odd user id", event("edge-2").with("userId", json!("a+b/c:d é 😀")).build()),
        ("near 32 KB", event("edge-3").property("blob", json!("x".repeat(31 * 1024))).build()),
        ("boolean as string", event("edge-4").property("leads", json!("true")).build()),
        ("without personas", Event::track("Lead Qualified", "edge-5", "lead-1").build()),
        ("from the future", event("edge-6").with("timestamp", json!("2099-01-01T00:00:00.000Z")).build()),
        ("same message id", event("edge-6").build()),
        (
            "exited before entered",
            Event::track("Audience Exited", "edge-7", "lead-1").property("leads", json!(false)).build(),
        ),
    ]
}

/// One event per identifier: a profile with several identifiers of one type causes an event for each, with a
/// `messageId` of its own (segment.md 3.3). An event without several of a type is returned as it is.
pub fn per_identifier(event: &Value) -> Vec<Value> {
    let empty = Vec::new();
    let ids = event.pointer("/context/externalIds").and_then(Value::as_array).unwrap_or(&empty);
    let kind = |id: &Value| id.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let repeated = ids.iter().map(kind).find(|one| ids.iter().filter(|id| kind(id) == *one).count() > 1);
    let Some(repeated) = repeated else { return vec![event.clone()] };
    let (several, others): (Vec<&Value>, Vec<&Value>) = ids.iter().partition(|id| kind(id) == repeated);
    let message_id = event.get("messageId").and_then(Value::as_str).unwrap_or_default();
    several
        .iter()
        .enumerate()
        .map(|(position, id)| {
            let mut copy = event.clone();
            let kept: Vec<&Value> = std::iter::once(*id).chain(others.iter().copied()).collect();
            copy["context"]["externalIds"] = json!(kept);
            copy["messageId"] = json!(format!("{message_id}-{}", position + 1));
            copy
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_of_the_space_and_within_the_size_limit() {
        for (name, event) in examples("spa_demo").into_iter().chain(edge_cases("spa_demo")) {
            assert!(event.to_string().len() < 32 * 1024, "{name}");
            if let Some(space) = event.pointer("/context/personas/space_id") {
                assert_eq!(space, "spa_demo", "{name}");
            }
        }
    }

    #[test]
    fn two_mails_make_two_events_with_different_message_ids() {
        let id = |kind: &str, id: &str| json!({"type": kind, "id": id});
        let ids = json!([id("email", "a@example.com"), id("phone", "+1"), id("email", "b@example.com")]);
        let event = Event::track("Audience Entered", "m-1", "u").context("externalIds", ids).build();
        let events = per_identifier(&event);
        let made: Vec<_> = events
            .iter()
            .map(|one| (one["messageId"].clone(), one["context"]["externalIds"][0]["id"].clone()))
            .collect();
        assert_eq!(made, [(json!("m-1-1"), json!("a@example.com")), (json!("m-1-2"), json!("b@example.com"))]);
        assert_eq!(per_identifier(&Event::track("x", "m", "u").build()).len(), 1);
    }
}
