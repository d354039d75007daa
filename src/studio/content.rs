//! A content template as far as a flow that sends it cares: which channels take it, what a customer can choose, how long it is.
//! Texts that nobody compares with anything are not kept, only their length.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::definition::{FlowDefinition, State};

/// The properties in which a widget's content template is chosen.
pub const TEMPLATE_PROPERTIES: [&str; 2] = ["content_sid", "content_template_sid"];

pub const LIST_PICKER: &str = "twilio/list-picker";
pub const LOCATION: &str = "twilio/location";
pub const QUICK_REPLY: &str = "twilio/quick-reply";
pub const CALL_TO_ACTION: &str = "twilio/call-to-action";

/// The types that WhatsApp takes. Of several that a template has, the last of these is what it is sent as,
/// <https://www.twilio.com/docs/content/content-types-overview>.
const BY_COMPLEXITY: [&str; 13] = [
    "twilio/text",
    "twilio/media",
    LOCATION,
    QUICK_REPLY,
    CALL_TO_ACTION,
    LIST_PICKER,
    "twilio/card",
    "twilio/carousel",
    "twilio/catalog",
    "twilio/pay",
    "twilio/flows",
    "whatsapp/card",
    "whatsapp/authentication",
];
/// Those that no other channel takes.
const WHATSAPP_ALONE: [&str; 7] =
    [LOCATION, LIST_PICKER, "twilio/catalog", "twilio/pay", "twilio/flows", "whatsapp/card", "whatsapp/authentication"];

/// The templates that were asked for, by SID; `None` where the account has none of that SID.
pub type Templates = BTreeMap<String, Option<ContentTemplate>>;

/// A content template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTemplate {
    /// How a person knows it.
    pub name: String,
    pub bodies: Vec<Body>,
    /// The names that its texts leave open.
    pub placeholders: BTreeSet<String>,
    /// WhatsApp's, as Twilio words it; `None` when it was never asked for.
    pub approval: Option<String>,
}

/// What a template is for one content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Such as `twilio/list-picker`.
    pub kind: String,
    /// Characters of its text, placeholders not counted.
    pub length: usize,
    /// Its rows or buttons.
    pub choices: Vec<Choice>,
}

/// A row or a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub label: String,
    pub id: Option<String>,
    /// Characters of the text beneath the label.
    pub description: usize,
}

impl FlowDefinition {
    /// What stands in the place of a content template's SID, in the order of the document.
    pub fn content_templates(&self) -> impl Iterator<Item = &str> {
        self.states().filter_map(|state| state.content_template())
    }
}

impl<'a> State<'a> {
    /// What stands in the place of the SID of the content template that it sends.
    pub fn content_template(&self) -> Option<&'a str> {
        let written = |property: &&str| self.properties()?.get(*property)?.as_str().filter(|sid| !sid.is_empty());
        TEMPLATE_PROPERTIES.iter().find_map(written)
    }
}

impl ContentTemplate {
    pub fn is_approved(&self) -> bool {
        self.approval.as_deref() == Some("approved")
    }

    /// Whether WhatsApp was asked to approve it, and has not, or no longer.
    pub fn is_held_back(&self) -> bool {
        !self.is_approved() && self.approval.as_deref().is_some_and(|approval| approval != "unsubmitted")
    }

    /// Whether no other channel than WhatsApp takes it.
    pub fn is_whatsapp_alone(&self) -> bool {
        !self.bodies.is_empty() && self.bodies.iter().all(|body| WHATSAPP_ALONE.contains(&body.kind.as_str()))
    }

    /// What it is sent as on WhatsApp; `None` when it has a type that may be more than those that are known.
    pub fn on_whatsapp(&self) -> Option<&Body> {
        let complexity = |body: &Body| BY_COMPLEXITY.iter().position(|kind| *kind == body.kind);
        let ranked: Option<Vec<_>> = self.bodies.iter().map(|body| Some((complexity(body)?, body))).collect();
        ranked?.into_iter().max_by_key(|(complexity, _)| *complexity).map(|(_, body)| body)
    }

    /// Everything that a customer can choose in it.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.bodies.iter().flat_map(|body| &body.choices)
    }
}

impl Body {
    /// Reads what the Content API gives for a type.
    pub fn read(kind: &str, fields: &Value) -> Self {
        let (list, label) = if kind == LIST_PICKER { ("items", "item") } else { ("actions", "title") };
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let choices = fields.get(list).and_then(Value::as_array).into_iter().flatten().map(|choice| Choice {
            label: text(choice, label),
            id: Some(text(choice, "id")).filter(|id| !id.is_empty()),
            description: fixed(&text(choice, "description")),
        });
        Self { kind: kind.to_owned(), length: fixed(&text(fields, "body")), choices: choices.collect() }
    }
}

/// How many characters of a text are always there; what a placeholder stands for may be short.
pub fn fixed(text: &str) -> usize {
    let mut rest = text;
    let mut length = 0;
    while let Some((before, after)) = rest.split_once("{{") {
        length += before.chars().count();
        let Some((_, following)) = after.split_once("}}") else { return length + after.chars().count() + 2 };
        rest = following;
    }
    length + rest.chars().count()
}

/// The names of the placeholders `{{name}}` in any text of a template.
pub fn placeholders(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => {
            let closed = text.split("{{").skip(1).filter_map(|part| part.split_once("}}"));
            closed.map(|(name, _)| name.trim().to_owned()).collect()
        }
        Value::Array(items) => items.iter().flat_map(placeholders).collect(),
        Value::Object(fields) => fields.values().flat_map(placeholders).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(kinds: &[&str]) -> ContentTemplate {
        let bodies = kinds.iter().map(|kind| Body::read(kind, &json!({"body": "Hi"}))).collect();
        ContentTemplate { name: "t".into(), bodies, placeholders: BTreeSet::new(), approval: None }
    }

    #[test]
    fn of_several_types_whatsapp_gets_the_richest_and_an_unknown_one_is_not_judged() {
        let sent = |kinds: &[&str]| template(kinds).on_whatsapp().map(|body| body.kind.clone());
        assert_eq!(sent(&["twilio/list-picker", "twilio/text"]).as_deref(), Some(LIST_PICKER));
        assert_eq!(sent(&["twilio/card", "twilio/list-picker"]).as_deref(), Some("twilio/card"));
        assert_eq!(sent(&["twilio/list-picker", "twilio/next-year"]), None);
        assert!(template(&["twilio/list-picker"]).is_whatsapp_alone());
        assert!(!template(&["twilio/list-picker", "twilio/text"]).is_whatsapp_alone());
    }

    #[test]
    fn only_what_is_always_there_is_counted() {
        assert_eq!(fixed("Olá {{1}}, é {{ 2 }}!"), 9);
        assert_eq!(fixed("{{1"), 3);
    }

    #[test]
    fn placeholders_are_found_in_every_text_of_a_template() {
        let types = json!({
            "twilio/quick-reply": {"body": "Hi {{1}}, about {{ 2 }}", "actions": [{"title": "Yes {{3}}", "id": "y"}]},
            "twilio/text": {"body": "Hi {{1}} {{unclosed"}
        });
        assert_eq!(placeholders(&types).into_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn rows_and_buttons_are_what_a_customer_can_choose() {
        let list =
            json!({"body": "Which?", "button": "Choose", "items": [{"id": "a", "item": "Red", "description": "warm"}]});
        let body = Body::read(LIST_PICKER, &list);
        assert_eq!(body.choices, [Choice { label: "Red".into(), id: Some("a".into()), description: 4 }]);
        let buttons = json!({"body": "Which?", "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": ""}]});
        assert_eq!(Body::read(QUICK_REPLY, &buttons).choices[0].id, None);
    }
}
