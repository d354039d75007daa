//! Rules about the properties of widgets, by what is known of their types.

use serde_json::Value;

use super::{
    reading::kind_of,
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    subject::{Node, Subject},
};
use crate::studio::liquid::is_liquid;
use crate::studio::{place::escaped, placeholder::placeholders, widget::Shape};

/// Properties that Studio takes empty although the widget cannot work without them.
const NEEDED: [(&str, &str); 7] = [
    ("send-to-flex", "workflow"),
    ("send-to-flex", "channel"),
    ("run-subflow", "flow_sid"),
    ("run-function", "url"),
    ("make-http-request", "url"),
    ("add-twiml-redirect", "url"),
    ("start-conversation", "conversation_service_sid"),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "missing-property",
        level: Level::Error,
        what: "A property is missing that the type needs",
        why: "Studio refuses the definition.",
        fix: "Add the property.",
        example: r#"[{
  "name": "hello", "type": "send-message", "properties": {"body": "Hello"},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: missing_properties,
    },
    Rule {
        code: "empty-property",
        level: Level::Error,
        what: "A property is empty that the widget cannot work without",
        why: "Studio takes it. The widget then fails whenever it is entered, and the customer is the one who notices.",
        fix: "Write the value; or, for an id that differs from account to account, add an entry to the StudioFlow's `references`.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {"workflow": "", "channel": "TC0123456789abcdef0123456789abcdef"},
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "next": "agent"}]
}]"#,
        check: empty_properties,
    },
    Rule {
        code: "wrong-type",
        level: Level::Error,
        what: "A property is of another JSON type than Studio insists on",
        why: "Some numbers and flags are texts to Studio (`\"timeout\": \"3600\"`), and some are not. Its validator refuses \
              the other.",
        fix: "Write it as the message says.",
        example: r#"[{
  "name": "ask", "type": "send-and-wait-for-reply",
  "properties": {"from": "{{flow.channel.address}}", "body": "How was it?", "timeout": 3600},
  "transitions": [{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
}]"#,
        check: wrong_types,
    },
    Rule {
        code: "wrong-sid",
        level: Level::Error,
        what: "A property holds something else than the SID that it is for",
        why: "A SID says by its first two letters what it is of. With one of another kind the widget fails whenever it is \
              entered; and where Studio wants a SID written out, it refuses Liquid.",
        fix: "Use the SID of the right thing, its two letters and 32 hexadecimal digits; better, let `references` find it by name.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {"workflow": "WS0123456789abcdef0123456789abcdef", "channel": "TC0123456789abcdef0123456789abcdef"},
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "next": "agent"}]
}]"#,
        check: wrong_sids,
    },
    Rule {
        code: "unknown-property",
        level: Level::Warning,
        what: "A property is not known for the type",
        why: "Studio gains properties as it goes on, so this may be right; it is sent as it is. Mostly it is a slip, and what \
              was meant is not set.",
        fix: "Correct the spelling; or, if the property is new, switch this rule off.",
        example: r#"[{
  "name": "hello", "type": "send-message",
  "properties": {"from": "{{flow.channel.address}}", "body": "Hello", "mediaUrl": "https://example.com/a.png"},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: unknown_properties,
    },
];

fn missing_properties(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        let required = node.widget.map(|widget| widget.required).unwrap_or_default();
        for property in required.iter().filter(|property| node.get(property).is_none()) {
            let message = format!("`{property}` is missing: a widget of this type needs it");
            found.widget(node.name(), format!("/states/{}", node.state.index), message);
        }
    }
}

fn empty_properties(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (kind, property) in NEEDED {
        for node in subject.of_kind(kind) {
            let pointer = node.property(property);
            let is_empty = node.get(property).and_then(Value::as_str) == Some("");
            if is_empty && !subject.is_filled(&pointer) {
                let message = format!("`{property}` is empty: add an entry to `references` for it, or write the value");
                found.widget(node.name(), pointer, message);
            }
        }
    }
}

fn wrong_types(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, property, shape) in shaped(subject) {
        let Some(value) = node.get(property) else { continue };
        let wanted = match (shape, value) {
            (Shape::Flag, Value::Bool(_)) => continue,
            (Shape::Flag, Value::String(text)) if is_liquid(text) => continue,
            (_, Value::String(_)) if shape != Shape::Flag => continue,
            (Shape::Flag, _) => "true or false, without quotes",
            (Shape::Text, _) => "a text, in quotes",
            (Shape::Sid(_) | Shape::SidOrLiquid(_), _) => "a SID, in quotes",
        };
        let message = format!("`{property}` is {wanted}, and this is {}", kind_of(value));
        found.widget(node.name(), node.property(property), message);
    }
}

fn wrong_sids(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, property, shape) in shaped(subject) {
        let (prefix, liquid) = match shape {
            Shape::Sid(prefix) => (prefix, false),
            Shape::SidOrLiquid(prefix) => (prefix, true),
            Shape::Text | Shape::Flag => continue,
        };
        let sid = node.text(property);
        let pointer = node.property(property);
        // What is filled in, and what waits to be, is told by other rules; `default` is Studio's own word.
        let is_open =
            sid.is_empty() || sid == "default" || subject.is_filled(&pointer) || placeholders(sid).next().is_some();
        if is_open || is_sid(sid, prefix) || super::secrets::is_placeholder_sid(sid) || (liquid && is_liquid(sid)) {
            continue;
        }
        let message = if is_liquid(sid) {
            format!("`{property}` is a SID written out, {prefix}…: Studio refuses Liquid here")
        } else {
            format!(
                "`{property}` is a SID, {prefix} followed by 32 hexadecimal digits, and `{}` is none",
                shortened(sid)
            )
        };
        found.widget(node.name(), pointer, message);
    }
}

fn unknown_properties(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        let Some(widget) = node.widget else { continue };
        // Of some types it is not known which properties there are.
        if widget.properties().next().is_none() {
            continue;
        }
        for (property, _) in node.properties().filter(|(property, _)| !widget.has(property)) {
            let meant = nearest(property, widget.properties());
            let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
            let message = format!("`{}` has no property `{property}` that is known here{meant}", widget.kind);
            found.widget(node.name(), node.property(&escaped(property)), message);
        }
    }
}

/// The properties whose shape is known.
fn shaped<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = (&'s Node<'a>, &'static str, Shape)> {
    subject.nodes.iter().flat_map(|node| {
        let shapes = node.widget.map(|widget| widget.shapes).unwrap_or_default();
        shapes.iter().map(move |(property, shape)| (node, *property, *shape))
    })
}

/// Whether it is a SID of that kind.
pub(super) fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.chars().all(|char| char.is_ascii_hexdigit()))
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
