//! Rules about what is sent to a customer, and about what an execution has to have begun with.

use serde_json::Value;

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};
use crate::studio::definition::Transition;
use crate::studio::liquid::is_liquid;

/// Most characters of a body.
const MAX_BODY: usize = 1_600;
/// How long a customer may be written to freely after his last message, in seconds.
const WINDOW: u64 = 24 * 60 * 60;

/// Words by which customers ask to be left alone.
const OPT_OUT: [&str; 9] = ["stop", "unsubscribe", "cancel", "optout", "opt-out", "parar", "sair", "baja", "arret"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "nothing-to-send",
        level: Level::Warning,
        what: "A widget sends nothing",
        why: "Twilio refuses a message with neither a body nor a medium nor a content template.",
        fix: "Write a `body`, or choose a content template.",
        example: r#"[{
  "name": "hello", "type": "send-message", "properties": {"from": "{{flow.channel.address}}", "body": ""},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: nothing_to_send,
    },
    Rule {
        code: "text-too-long",
        level: Level::Error,
        what: "A message is longer than Twilio takes",
        why: "A body has at most 1,600 characters; with more Twilio refuses the message (21617).",
        fix: "Shorten it, or send it in two.",
        example: "",
        check: text_too_long,
    },
    Rule {
        code: "opening-not-a-template",
        level: Level::Error,
        what: "The first WhatsApp message of a flow that the API starts is free text",
        why: "WhatsApp takes free text only within 24 hours of the customer's last message. Whoever the API starts a flow for has \
              written nothing, so the message fails (63016). It is looked for where an address says `whatsapp:`.",
        fix: "Send a content template first.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingRequest", "next": "hello"}]},
  {
    "name": "hello", "type": "send-message",
    "properties": {"from": "whatsapp:+15005550006", "to": "{{contact.channel.address}}", "body": "Hello"},
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]}"#,
        check: opening_not_a_template,
    },
    Rule {
        code: "inbound-starts-opening",
        level: Level::Warning,
        what: "A message that comes in starts what the API is meant to start",
        why: "The same template opens the flow for the API and answers whoever writes: a customer who replies late gets the opening \
              again.",
        fix: "Lead `incomingMessage` and `incomingConversationMessage` elsewhere, or nowhere.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [
    {"event": "incomingRequest", "next": "hello"}, {"event": "incomingMessage", "next": "hello"}
  ]},
  {
    "name": "hello", "type": "send-message",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef"
    },
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]}"#,
        check: inbound_starts_opening,
    },
    Rule {
        code: "request-not-connected",
        level: Level::Warning,
        what: "What the API brings is read, and the API cannot start the flow",
        why: "`{{flow.data…}}` holds the parameters of an execution that the API starts. With `incomingRequest` unconnected there \
              are none: it is an empty text, silently.",
        fix: "Connect `incomingRequest`, or read from elsewhere.",
        example: r#"[{
  "name": "hello", "type": "send-message",
  "properties": {"from": "{{flow.channel.address}}", "body": "Hello {{flow.data.name}}"},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: request_not_connected,
    },
    Rule {
        code: "conversation-not-from-request",
        level: Level::Error,
        what: "Another event than the API's leads to a widget that makes or resumes a conversation",
        why: "Start Conversation and Resume Conversation work only in executions that the API started. Studio refuses the definition.",
        fix: "Lead only `incomingRequest` there.",
        example: r#"[{
  "name": "start", "type": "start-conversation",
  "properties": {"conversation_service_sid": "IS0123456789abcdef0123456789abcdef", "participants": []},
  "transitions": [{"event": "created"}, {"event": "failed"}]
}]"#,
        check: conversation_not_from_request,
    },
    Rule {
        code: "subflow-in-subflow",
        level: Level::Error,
        what: "A flow that can be a subflow runs a subflow itself",
        why: "Studio allows one level: a subflow cannot run another (81024).",
        fix: "Leave `incomingParent` unconnected if the flow is no subflow, or take the inner subflow's widgets in.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingParent", "next": "more"}]},
  {
    "name": "more", "type": "run-subflow",
    "properties": {"flow_sid": "FW0123456789abcdef0123456789abcdef", "flow_revision": "LatestPublished"},
    "transitions": [{"event": "completed"}, {"event": "failed"}]
  }
]}"#,
        check: subflow_in_subflow,
    },
    Rule {
        code: "timeout-beyond-window",
        level: Level::Warning,
        what: "Free text is sent after a wait of a day on WhatsApp",
        why: "Who has not replied by then is no longer within the 24 hours in which WhatsApp takes free text: the reminder fails \
              (63016). It is looked for where an address says `whatsapp:` or a content template is sent.",
        fix: "Wait less, or remind by a content template.",
        example: r#"[
  {
    "name": "ask", "type": "send-and-wait-for-reply",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef", "timeout": "86400"
    },
    "transitions": [{"event": "incomingMessage"}, {"event": "timeout", "next": "remind"}, {"event": "deliveryFailure"}]
  },
  {
    "name": "remind", "type": "send-message", "properties": {"from": "{{flow.channel.address}}", "body": "Are you there?"},
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]"#,
        check: timeout_beyond_window,
    },
    Rule {
        code: "opt-out-unheard",
        level: Level::Off,
        what: "Nothing looks whether a customer asks to be left alone",
        why: "A reply such as STOP is taken for an answer. Off by default: with Advanced Opt-Out a Messaging Service hears it first.",
        fix: "Compare the reply with the words that your customers use, before anything else.",
        example: r#"[{
  "name": "ask", "type": "send-and-wait-for-reply",
  "properties": {"from": "{{flow.channel.address}}", "body": "How was it?", "timeout": "3600"},
  "transitions": [{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
}]"#,
        check: opt_out_unheard,
    },
];

pub(super) fn sends(node: &Node<'_>) -> bool {
    node.is("send-message") || node.is("send-and-wait-for-reply")
}

fn is_template(node: &Node<'_>) -> bool {
    node.text("message_type") == "content_template" || !node.template_sid().is_empty()
}

pub(super) fn says_whatsapp(node: &Node<'_>) -> bool {
    ["from", "to"].iter().any(|property| node.text(property).starts_with("whatsapp:"))
}

fn nothing_to_send(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| sends(node) && !is_template(node)) {
        let has =
            |property: &str| !node.text(property).trim().is_empty() || subject.is_filled(&node.property(property));
        // Attributes are sent where nothing else is: a note to a program that reads along.
        if !["body", "media_url", "attributes"].into_iter().any(has) {
            let message = "there is nothing to send: write a `body`, or choose a content template";
            found.widget(node.name(), node.at("properties"), message);
        }
    }
}

fn text_too_long(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| sends(node) && !is_template(node)) {
        let body = node.text("body");
        let length = body.chars().count();
        // What Liquid makes of a text may be shorter.
        if length > MAX_BODY && !is_liquid(body) {
            let message =
                format!("the body has {length} characters; Twilio takes at most 1,600: shorten it, or send it in two");
            found.widget(node.name(), node.property("body"), message);
        }
    }
}

/// The nodes that send first after one of `events`, whatever is done before that does not wait.
pub(super) fn first_to_send(subject: &Subject<'_>, starts: Vec<usize>) -> Vec<usize> {
    let (mut seen, mut first) = (vec![false; subject.nodes.len()], Vec::new());
    let mut open = starts;
    while let Some(index) = open.pop() {
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        let node = &subject.nodes[index];
        if sends(node) {
            first.push(index);
        } else if node.widget.is_some_and(|widget| !widget.waits && widget.kind != "resume-conversation") {
            open.extend(&node.next);
        }
    }
    first.sort_unstable();
    first
}

/// Where an event of a node leads.
pub(super) fn led_to(subject: &Subject<'_>, node: usize, event: &str) -> Vec<usize> {
    let names = subject.nodes[node].on(event).filter_map(Transition::next);
    names.flat_map(|name| subject.named(name).iter().copied()).collect()
}

fn opening_not_a_template(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger() else { return };
    for index in first_to_send(subject, led_to(subject, trigger, "incomingRequest")) {
        let node = &subject.nodes[index];
        if says_whatsapp(node) && !is_template(node) {
            let message =
                "this is the first message to somebody who has written nothing: WhatsApp takes only a template (63016)";
            found.widget(node.name(), node.at("properties"), message);
        }
    }
}

fn inbound_starts_opening(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger() else { return };
    let opened = led_to(subject, trigger, "incomingRequest");
    for event in ["incomingMessage", "incomingConversationMessage"] {
        for index in led_to(subject, trigger, event) {
            let node = &subject.nodes[index];
            if opened.contains(&index) && sends(node) && is_template(node) {
                let message =
                    format!("`{event}` leads to the template that opens the flow: who replies late gets it again");
                found.widget(node.name(), format!("/states/{}", node.state.index), message);
            }
        }
    }
}

fn request_not_connected(subject: &Subject<'_>, found: &mut Found<'_>) {
    if subject.trigger().is_none() || subject.connects("incomingRequest") || subject.connects("incomingParent") {
        return;
    }
    for text in &subject.texts {
        let mut paths = text.template.iter().flat_map(|template| &template.paths);
        if let Some(path) = paths.find(|path| path.steps().starts_with(&["flow", "data"])) {
            let message = format!(
                "`{}` is read, and `incomingRequest` is not connected: it is an empty text",
                path.steps().join(".")
            );
            let name = text.node.and_then(|node| subject.nodes[node].name());
            found.widget(name, subject.pointer(text), message);
        }
    }
}

fn conversation_not_from_request(subject: &Subject<'_>, found: &mut Found<'_>) {
    for event in ["incomingMessage", "incomingCall", "incomingConversationMessage", "incomingParent"] {
        let reached = subject.reachable_by(&[event]);
        for (index, node) in subject.nodes.iter().enumerate() {
            if reached[index] && (node.is("start-conversation") || node.is("resume-conversation")) {
                let message = format!(
                    "`{event}` leads here, and it works only in executions that the API started: lead only `incomingRequest` here"
                );
                found.widget(node.name(), node.at("type"), message);
            }
        }
    }
}

fn subflow_in_subflow(subject: &Subject<'_>, found: &mut Found<'_>) {
    let reached = subject.reachable_by(&["incomingParent"]);
    for (index, node) in subject.nodes.iter().enumerate() {
        if reached[index] && node.is("run-subflow") {
            let message = "`incomingParent` leads here, and a subflow cannot run another (81024)";
            found.widget(node.name(), node.at("type"), message);
        }
    }
}

fn timeout_beyond_window(subject: &Subject<'_>, found: &mut Found<'_>) {
    if !subject.nodes.iter().any(|node| sends(node) && (says_whatsapp(node) || is_template(node))) {
        return;
    }
    for (index, node) in subject.nodes.iter().enumerate().filter(|(_, node)| node.is("send-and-wait-for-reply")) {
        let waited = node.get("timeout").and_then(|timeout| match timeout {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        });
        if waited.is_none_or(|waited: u64| waited < WINDOW) {
            continue;
        }
        let next = first_to_send(subject, led_to(subject, index, "timeout"));
        for late in next.into_iter().map(|late| &subject.nodes[late]).filter(|late| !is_template(late)) {
            let message = format!(
                "when nobody has replied for a day, `{}` sends free text, which WhatsApp no longer takes (63016)",
                late.name().unwrap_or_default()
            );
            found.widget(node.name(), node.property("timeout"), message);
        }
    }
}

fn opt_out_unheard(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger().map(|node| &subject.nodes[node]) else { return };
    if subject.of_kind("send-and-wait-for-reply").next().is_none() {
        return;
    }
    let compared =
        subject.texts.iter().filter(|text| text.key == "value" && subject.pointer(text).contains("/conditions/"));
    let hears =
        compared.map(|text| text.text.to_lowercase()).any(|text| OPT_OUT.iter().any(|word| text.contains(word)));
    if !hears {
        let message = "replies are waited for, and nothing looks for a word such as STOP";
        found.widget(trigger.name(), "", message);
    }
}
