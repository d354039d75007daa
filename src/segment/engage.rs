//! What Engage says in an event of where it comes from: an audience, a computed trait or a step of a journey, and whether the
//! user entered or left, <https://segment.com/docs/engage/using-engage-data/>.

use serde_json::{Map, Value};

use crate::segment::Event;

/// Name of the event that says that a user left an audience. Whoever connects the audience may choose another.
const EXITED: &str = "Audience Exited";

/// The audience, trait or journey step that made an event: `context.personas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Computation<'a> {
    /// `audience` (of journeys before version 2 too), `journey_step` or `trait`.
    pub class: Option<&'a str>,
    /// `aud_…`, `tra_…`, or `<journey>__<step>_<suffix>`.
    pub id: Option<&'a str>,
    /// Name under which a profile has it.
    pub key: Option<&'a str>,
}

/// The journey that made an event, and the one passage of the user through it: `properties.journey_metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journey<'a> {
    pub id: &'a str,
    /// The same for every step of one passage; another when the user enters the journey again.
    pub epoch: Option<&'a str>,
}

impl Event {
    /// The Engage space that made it.
    pub fn space_id(&self) -> Option<&str> {
        text(self.personas()?, "space_id")
    }

    /// What of Engage made it.
    pub fn computation(&self) -> Option<Computation<'_>> {
        let personas = self.personas()?;
        let text = |name| text(personas, name);
        let computation =
            Computation { class: text("computation_class"), id: text("computation_id"), key: text("computation_key") };
        let Computation { class, id, key } = computation;
        class.or(id).or(key).map(|_| computation)
    }

    /// The journey that made it.
    pub fn journey(&self) -> Option<Journey<'_>> {
        let metadata = self.json.pointer("/properties/journey_metadata")?.as_object()?;
        Some(Journey { id: text(metadata, "journey_id")?, epoch: text(metadata, "epoch_id") })
    }

    /// Whether the user is in the audience or step that made it, where it says so. Read as Segment's own destinations read it,
    /// a boolean under the computation's key; where the context is gone, under the key that `audience_key` names.
    pub fn membership(&self) -> Option<bool> {
        let computation = self.computation().filter(|made| matches!(made.class, Some("audience" | "journey_step")));
        let places = ["properties", "traits"].map(|place| self.json.get(place).and_then(Value::as_object));
        let named = places.iter().flatten().find_map(|place| text(place, "audience_key"));
        let keys = [computation.and_then(|computation| computation.key), named];
        let values =
            keys.into_iter().flatten().flat_map(|key| places.iter().flatten().filter_map(move |it| it.get(key)));
        values.into_iter().find_map(truth)
    }

    /// Whether it says that the user left the audience or step. That an entity was removed from one who stays, or that a
    /// journey ended, is no exit: such an event is only sent where somebody asked for it.
    pub fn is_audience_exit(&self) -> bool {
        let name = self.json.get("event").and_then(Value::as_str);
        name.is_some_and(|name| name.trim().eq_ignore_ascii_case(EXITED)) || self.membership() == Some(false)
    }

    fn personas(&self) -> Option<&Map<String, Value>> {
        self.json.pointer("/context/personas")?.as_object()
    }
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A boolean, which some events write as text.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(json: &Value) -> Event {
        let mut whole = json!({"messageId": "m", "type": "track"});
        whole.as_object_mut().unwrap().extend(json.as_object().cloned().unwrap());
        Event::parse(&whole.to_string()).unwrap()
    }

    /// Of an event of this class, with this under the computation's key.
    fn membership(class: &str, member: &Value) -> Option<bool> {
        event(&json!({"event": "Audience Entered", "properties": {"vip": member},
            "context": {"personas": {"computation_class": class, "computation_key": "vip"}}}))
        .membership()
    }

    #[test]
    fn membership_is_a_boolean_or_its_text_under_the_computations_key() {
        assert_eq!(membership("audience", &json!(false)), Some(false));
        assert_eq!(membership("journey_step", &json!("False")), Some(false));
        assert_eq!(membership("audience", &json!(true)), Some(true));
        assert_eq!(membership("audience", &json!("true")), Some(true));
        for (class, member) in
            [("trait", json!(false)), ("audience", json!(0)), ("audience", json!("no")), ("", json!(false))]
        {
            assert_eq!(membership(class, &member), None, "{class}, {member}");
        }
    }

    #[test]
    fn membership_is_found_in_traits_and_without_its_context() {
        let personas = json!({"personas": {"computation_class": "audience", "computation_key": "vip"}});
        let identify = event(&json!({"type": "identify", "traits": {"vip": false}, "context": personas}));
        assert_eq!(identify.membership(), Some(false));
        let bare = event(&json!({"event": "Left", "properties": {"audience_key": "vip", "vip": false}}));
        assert_eq!(bare.membership(), Some(false));
        assert!(bare.is_audience_exit());
    }

    #[test]
    fn an_exit_is_known_by_its_name_or_by_the_membership() {
        for name in ["Audience Exited", "audience exited "] {
            assert!(event(&json!({"event": name})).is_audience_exit(), "{name}");
        }
        for name in ["Audience Entered", "Journey Step Entered", "Entity Removed", ""] {
            assert!(!event(&json!({"event": name})).is_audience_exit(), "{name}");
        }
    }

    #[test]
    fn where_it_comes_from_is_read_as_far_as_it_says() {
        let step = event(&json!({
            "context": {"personas": {"computation_class": "journey_step", "computation_id": "cart__x", "space_id": "spa_1"}},
            "properties": {"journey_metadata": {"journey_id": "j-1", "epoch_id": "e-1"}}
        }));
        let made = Computation { class: Some("journey_step"), id: Some("cart__x"), key: None };
        assert_eq!(step.computation(), Some(made));
        assert_eq!(step.journey(), Some(Journey { id: "j-1", epoch: Some("e-1") }));
        assert_eq!(step.space_id(), Some("spa_1"));
        let without_epoch = event(&json!({"properties": {"journey_metadata": {"journey_id": "j-1", "epoch_id": ""}}}));
        assert_eq!(without_epoch.journey(), Some(Journey { id: "j-1", epoch: None }));
    }

    #[test]
    fn odd_shapes_say_nothing() {
        for odd in [
            json!({"context": [1], "properties": null, "event": {}}),
            json!({"context": {"personas": "x"}, "properties": {"journey_metadata": [], "audience_key": 7}}),
            json!({"context": {"personas": {"computation_class": 1, "space_id": ""}}, "traits": "x",
                "properties": {"journey_metadata": {"epoch_id": "e"}}}),
        ] {
            let event = event(&odd);
            assert_eq!(
                (event.space_id(), event.computation(), event.journey(), event.membership()),
                (None, None, None, None)
            );
            assert!(!event.is_audience_exit());
        }
    }
}
