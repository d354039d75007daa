//! Rules about the content templates that a flow sends, where they were looked up in the account.

use serde_json::Value;

use super::{
    messages::{first_to_send, led_to, says_whatsapp, sends},
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};
use crate::studio::content::{
    CALL_TO_ACTION, ContentTemplate, LIST_PICKER, LOCATION, QUICK_REPLY, TEMPLATE_PROPERTIES, fixed,
};
use crate::studio::liquid::is_liquid;

/// Most rows of a list picker.
const MAX_ROWS: usize = 10;
/// Most buttons of a quick reply that WhatsApp has approved, and of one that it has not.
const MAX_BUTTONS: usize = 10;
const MAX_BUTTONS_IN_SESSION: usize = 3;
/// Most characters.
const MAX_BODY: usize = 1_024;
const MAX_ROW: usize = 24;
const MAX_DESCRIPTION: usize = 72;
const MAX_BUTTON: usize = 25;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "unknown-template",
        level: Level::Warning,
        what: "The account has no content template of that SID",
        why: "Sending it fails. A SID is that of one account: it mostly was copied out of another.",
        fix: "Correct the SID; or leave the property empty and fill it by an entry of `references` with `content`, which names the \
              template.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": null}, "widgets": [{
  "name": "hello", "type": "send-message",
  "properties": {
    "from": "{{flow.channel.address}}", "message_type": "content_template",
    "content_sid": "HX0123456789abcdef0123456789abcdef"
  },
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]}"#,
        check: unknown_templates,
    },
    Rule {
        code: "opening-cannot-open",
        level: Level::Error,
        what: "A flow that the API starts opens with a template that opens no WhatsApp conversation",
        why: "WhatsApp takes a list picker or a location only within 24 hours of the customer's last message. Whoever the API starts \
              a flow for has written nothing, so the message fails (63016). It is looked for where an address says `whatsapp:`, or the \
              template is for WhatsApp alone.",
        fix: "Open with an approved text, media, quick reply, call to action or card, and send the list when the customer has replied.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/list-picker": {"body": "What is it about?", "button": "Choose", "items": [{"id": "order", "item": "My order"}]}
}}}, "flow": {"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingRequest", "next": "topic"}]},
  {
    "name": "topic", "type": "send-message",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef"
    },
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]}}"#,
        check: cannot_open,
    },
    Rule {
        code: "template-not-approved",
        level: Level::Warning,
        what: "A template needs WhatsApp's approval where it is sent, and does not have it",
        why: "The first message to somebody who has written nothing needs an approved template, and a call to action always does: \
              without it the message fails (63016, 63027). It is looked for where an address says `whatsapp:`, or the template was \
              submitted to WhatsApp. It is a warning, since an approval comes and goes without the flow being touched.",
        fix: "Submit the template, and wait for the approval before the flow is started; or send another.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {
  "approval": "rejected", "types": {"twilio/text": {"body": "Your order is on its way"}}
}}, "flow": {"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingRequest", "next": "news"}]},
  {
    "name": "news", "type": "send-message",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef"
    },
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]}}"#,
        check: not_approved,
    },
    Rule {
        code: "too-many-options",
        level: Level::Error,
        what: "A template has more rows or buttons than WhatsApp shows",
        why: "A list picker has at most ten rows. A quick reply has at most three buttons, or ten when WhatsApp has approved it. With \
              more the message fails.",
        fix: "Ask in two steps; a question with up to ten answers fits a list picker.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/quick-reply": {"body": "How was it?", "actions": [
    {"type": "QUICK_REPLY", "title": "Good"}, {"type": "QUICK_REPLY", "title": "Fair"},
    {"type": "QUICK_REPLY", "title": "Poor"}, {"type": "QUICK_REPLY", "title": "No answer"}
  ]}
}}}, "widgets": [{
  "name": "rate", "type": "send-and-wait-for-reply",
  "properties": {
    "from": "{{flow.channel.address}}", "message_type": "content_template",
    "content_sid": "HX0123456789abcdef0123456789abcdef", "timeout": "3600"
  },
  "transitions": [{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
}]}"#,
        check: too_many_options,
    },
    Rule {
        code: "template-text-too-long",
        level: Level::Error,
        what: "A text of a template is longer than WhatsApp takes",
        why: "With rows or buttons a body has at most 1,024 characters, a row 24 and its description 72, a button 25. With more the \
              message fails. What placeholders stand for is not counted.",
        fix: "Shorten it in the template.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/list-picker": {"body": "What is it about?", "button": "Choose", "items": [
    {"id": "order", "item": "Where my order is and when it comes"}
  ]}
}}}, "widgets": [{
  "name": "topic", "type": "send-and-wait-for-reply",
  "properties": {
    "from": "{{flow.channel.address}}", "message_type": "content_template",
    "content_sid": "HX0123456789abcdef0123456789abcdef", "timeout": "3600"
  },
  "transitions": [{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
}]}"#,
        check: texts_too_long,
    },
    Rule {
        code: "template-variables",
        level: Level::Warning,
        what: "The variables that are sent are not those of the template",
        why: "A placeholder that gets no value is sent with the sample that the template was made with: a customer reads somebody \
              else's name. A value for a placeholder that is not there is sent to nobody.",
        fix: "Give each placeholder of the template a variable of its name.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/text": {"body": "Hello {{1}}, your order {{2}} is on its way"}
}}}, "widgets": [{
  "name": "news", "type": "send-message",
  "properties": {
    "from": "{{flow.channel.address}}", "message_type": "content_template",
    "content_sid": "HX0123456789abcdef0123456789abcdef",
    "content_variables": [{"key": "1", "value": "{{trigger.message.ProfileName}}"}]
  },
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]}"#,
        check: wrong_variables,
    },
];

/// The nodes that send a template that is known, with the place in which it is chosen.
pub(super) fn sending<'s, 'a>(
    subject: &'s Subject<'a>,
) -> impl Iterator<Item = (usize, &'s Node<'a>, &'a ContentTemplate)> {
    let nodes = subject.nodes.iter().enumerate().filter(|(_, node)| sends(node));
    nodes.filter_map(|(index, node)| Some((index, node, subject.template(node)?.1?)))
}

/// The place in which a node's template is chosen.
pub(super) fn chosen_at(node: &Node<'_>) -> String {
    let property = TEMPLATE_PROPERTIES.into_iter().find(|property| !node.text(property).is_empty());
    node.property(property.unwrap_or_default())
}

/// Whether no address is written out that is another channel's, whose limits are others.
fn may_be_whatsapp(node: &Node<'_>) -> bool {
    let is_another = |address: &str| {
        let channel = address.split_once(':').filter(|_| !is_liquid(address)).map(|(channel, _)| channel);
        address.starts_with('+') || channel.is_some_and(|channel| channel != "whatsapp")
    };
    !["from", "to"].into_iter().any(|property| is_another(node.text(property)))
}

fn unknown_templates(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| sends(node)) {
        if let Some((sid, None)) = subject.template(node) {
            let message = format!("the account has no content template {sid}: correct the SID, or name the template");
            found.widget(node.name(), chosen_at(node), message);
        }
    }
}

/// For each node whether it sends the first message of an execution that the API starts.
fn opens(subject: &Subject<'_>) -> Vec<bool> {
    let mut opens = vec![false; subject.nodes.len()];
    if let Some(trigger) = subject.trigger() {
        for index in first_to_send(subject, led_to(subject, trigger, "incomingRequest")) {
            opens[index] = true;
        }
    }
    opens
}

fn cannot_open(subject: &Subject<'_>, found: &mut Found<'_>) {
    let opens = opens(subject);
    for (_, node, template) in sending(subject).filter(|(index, _, _)| opens[*index]) {
        let Some(kind) = template.on_whatsapp().map(|body| body.kind.as_str()) else { continue };
        if [LIST_PICKER, LOCATION].contains(&kind) && (says_whatsapp(node) || template.is_whatsapp_alone()) {
            let message = format!(
                "template `{}` is a {kind}, which opens no WhatsApp conversation, and this is the first message to somebody who has \
                 written nothing (63016)",
                template.name
            );
            found.widget(node.name(), chosen_at(node), message);
        }
    }
}

fn not_approved(subject: &Subject<'_>, found: &mut Found<'_>) {
    let opens = opens(subject);
    for (index, node, template) in sending(subject) {
        let Some(body) = template.on_whatsapp() else { continue };
        let is_for_whatsapp = says_whatsapp(node) || template.is_held_back();
        let why = match body.kind.as_str() {
            LIST_PICKER | LOCATION => continue,
            CALL_TO_ACTION => "a call to action always needs it",
            _ if opens[index] => "the first message to somebody who has written nothing needs it",
            _ => continue,
        };
        if is_for_whatsapp && !template.is_approved() {
            let approval = template.approval.as_deref().unwrap_or("unsubmitted");
            let message = format!("WhatsApp has not approved template `{}` ({approval}), and {why}", template.name);
            found.widget(node.name(), chosen_at(node), message);
        }
    }
}

fn too_many_options(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (_, node, template) in sending(subject).filter(|(_, node, _)| may_be_whatsapp(node)) {
        for body in &template.bodies {
            let (most, what) = match body.kind.as_str() {
                LIST_PICKER => (MAX_ROWS, "rows"),
                QUICK_REPLY if template.is_approved() => (MAX_BUTTONS, "buttons"),
                QUICK_REPLY => (MAX_BUTTONS_IN_SESSION, "buttons without WhatsApp's approval"),
                _ => continue,
            };
            let count = body.choices.len();
            if count > most {
                let message =
                    format!("the {} of template `{}` has {count}, and at most {most} {what}", body.kind, template.name);
                found.widget(node.name(), chosen_at(node), message);
            }
        }
    }
}

fn texts_too_long(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (_, node, template) in sending(subject).filter(|(_, node, _)| may_be_whatsapp(node)) {
        for body in &template.bodies {
            let (most, what) = match body.kind.as_str() {
                LIST_PICKER => (MAX_ROW, "row"),
                QUICK_REPLY | CALL_TO_ACTION => (MAX_BUTTON, "button"),
                _ => continue,
            };
            let mut too_long = |what: &str, length: usize, most: usize| {
                if length > most {
                    let message =
                        format!("{what} of template `{}` has {length} characters, at most {most}", template.name);
                    found.widget(node.name(), chosen_at(node), message);
                }
            };
            too_long("the body", body.length, MAX_BODY);
            for choice in &body.choices {
                too_long(&format!("{what} `{}`", choice.label), fixed(&choice.label), most);
                too_long(&format!("the description of `{}`", choice.label), choice.description, MAX_DESCRIPTION);
            }
        }
    }
}

fn wrong_variables(subject: &Subject<'_>, found: &mut Found<'_>) {
    // Of one that shows no text it is not known what is open in it.
    for (_, node, template) in sending(subject).filter(|(_, _, template)| !template.bodies.is_empty()) {
        let given = match node.get("content_variables") {
            None => &[][..],
            Some(Value::Array(variables)) => variables,
            // What Liquid makes of a text is not known.
            Some(_) => continue,
        };
        let key = |variable: &Value| variable.get("key").and_then(Value::as_str).map(|key| bare(key).to_owned());
        let Some(given): Option<Vec<String>> = given.iter().map(key).collect() else { continue };
        if given.iter().any(|key| is_liquid(key)) {
            continue;
        }
        let name = &template.name;
        let unset: Vec<&str> = template
            .placeholders
            .iter()
            .map(String::as_str)
            .filter(|name| !given.iter().any(|key| key == name))
            .collect();
        if !unset.is_empty() {
            let unset = super::listed(&unset, 6);
            let message =
                format!("template `{name}` has {unset}, which no variable is for: a customer reads the sample");
            found.widget(node.name(), chosen_at(node), message);
        }
        let nobodys: Vec<&str> =
            given.iter().map(String::as_str).filter(|key| !template.placeholders.contains(*key)).collect();
        if !nobodys.is_empty() {
            let nobodys = super::listed(&nobodys, 6);
            let message = format!("template `{name}` has no placeholder {nobodys}, which is given a value");
            found.widget(node.name(), node.property("content_variables"), message);
        }
    }
}

/// A key without the braces that Studio writes around it.
fn bare(key: &str) -> &str {
    key.trim().strip_prefix("{{").and_then(|key| key.strip_suffix("}}")).unwrap_or(key).trim()
}
