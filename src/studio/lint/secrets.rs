//! Rules about what may not stand in a definition: credentials, and places that still wait for a value of the account.

use super::{
    credential::credential_in,
    rule::{Found, Rule},
    severities::Level,
    subject::Subject,
};
use crate::studio::liquid::is_liquid;
use crate::studio::placeholder::placeholders;

/// The rules about what a reference should have filled in.
pub(super) const OPEN: [&str; 3] = ["unresolved-placeholder", "placeholder-sid", "empty-property"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "credential",
        level: Level::Error,
        what: "A text has the shape of a credential",
        why: "A definition is read by everybody who may open the Console, by every tool that exports flows, and in git.",
        fix: "Call a Function, which has environment variables for that; and revoke the credential, it has been seen.",
        example: r#"[{
  "name": "call", "type": "make-http-request",
  "properties": {"url": "https://user:hunter2secret@example.com/leads", "method": "GET"},
  "transitions": [{"event": "success"}, {"event": "failed"}]
}]"#,
        check: credentials,
    },
    Rule {
        code: "sip-password",
        level: Level::Warning,
        what: "A password for SIP is written out",
        why: "It is read by everybody who may open the Console.",
        fix: "Allow the addresses of Twilio at the other end instead, or give it by Liquid from a Function.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingCall", "next": "desk"}]},
  {
    "name": "desk", "type": "connect-call-to",
    "properties": {"noun": "sip", "sip_endpoint": "sip:desk@example.com", "sip_username": "desk", "sip_password": "12345"},
    "transitions": [{"event": "callCompleted"}, {"event": "hangup"}]
  }
]}"#,
        check: sip_passwords,
    },
    Rule {
        code: "unresolved-placeholder",
        level: Level::Error,
        what: "A placeholder is not filled",
        why: "`${NAME}` stands for a value of the account. Nothing fills it by its name: a StudioFlow's `references` replace the \
              whole property that it stands in. Studio would save it as it is, and a customer would find out.",
        fix: "Add an entry to `references` for the property, or write the value.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {"workflow": "${workflow}", "channel": "TC0123456789abcdef0123456789abcdef"},
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "next": "agent"}]
}]"#,
        check: unresolved_placeholders,
    },
    Rule {
        code: "placeholder-sid",
        level: Level::Error,
        what: "A SID is only a stand-in for one",
        why: "Samples have SIDs such as `WWxxxxxxxx…`. Studio may save one, and the widget fails whenever it is entered.",
        fix: "Use the SID of your account; better, let a StudioFlow's `references` find it by name.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {"workflow": "WWxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "channel": "TC0123456789abcdef0123456789abcdef"},
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "next": "agent"}]
}]"#,
        check: placeholder_sids,
    },
];

fn credentials(subject: &Subject<'_>, found: &mut Found<'_>) {
    for text in &subject.texts {
        if let Some(what) = credential_in(text.key, text.text) {
            let message = format!("this looks like {what}: call a Function, which has environment variables for that");
            let name = text.node.and_then(|node| subject.nodes[node].name());
            found.widget(name, subject.pointer(text), message);
        }
    }
}

fn sip_passwords(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        for property in ["sip_password", "sip_auth_password"] {
            let password = node.text(property);
            if !password.is_empty() && !is_liquid(password) {
                let message = format!("`{property}` is written out, for everybody who may open the Console");
                found.widget(node.name(), node.property(property), message);
            }
        }
    }
}

fn unresolved_placeholders(subject: &Subject<'_>, found: &mut Found<'_>) {
    if subject.known.references.is_none() {
        return;
    }
    for text in
        subject.texts.iter().filter(|text| text.text.contains("${") && !subject.is_filled(subject.pointer(text)))
    {
        for placeholder in placeholders(text.text) {
            let name = text.node.and_then(|node| subject.nodes[node].name());
            let message = format!(
                "the placeholder `{placeholder}` is not filled: add an entry to `references` for it, or write the value"
            );
            found.widget(name, subject.pointer(text), message);
        }
    }
}

fn placeholder_sids(subject: &Subject<'_>, found: &mut Found<'_>) {
    for text in
        subject.texts.iter().filter(|text| is_placeholder_sid(text.text) && !subject.is_filled(subject.pointer(text)))
    {
        let name = text.node.and_then(|node| subject.nodes[node].name());
        let message = format!(
            "`{}` only stands in for a SID: use the one of your account, or let `references` find it",
            text.text
        );
        found.widget(name, subject.pointer(text), message);
    }
}

/// Two capital letters and something in place of the digits: `WWxxxxxxxx…`, `HX************`.
pub(super) fn is_placeholder_sid(text: &str) -> bool {
    let (Some(prefix), Some(rest)) = (text.get(..2), text.get(2..)) else { return false };
    prefix.chars().all(|char| char.is_ascii_uppercase())
        && rest.len() >= 8
        && rest.chars().all(|char| matches!(char, 'x' | 'X' | '*'))
}
