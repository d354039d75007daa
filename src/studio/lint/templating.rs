//! Rules about the Liquid in texts. Studio renders it when a widget is entered: what is wrong in it is an empty text then,
//! and no error anywhere.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    subject::{Subject, Template, Written},
};
use crate::studio::liquid::is_liquid;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "unbalanced-liquid",
        level: Level::Error,
        what: "A Liquid tag is not closed",
        why: "The text cannot be rendered (81018): the customer reads the braces, or nothing.",
        fix: "Close it.",
        example: r#"[{
  "name": "hello", "type": "send-message",
  "properties": {"from": "{{flow.channel.address}}", "body": "Hello {{trigger.message.ProfileName}, how are you?"},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: unbalanced,
    },
    Rule {
        code: "liquid-arithmetic",
        level: Level::Warning,
        what: "Liquid is asked to add with `+`",
        why: "Liquid has no operators: what comes out is the first value alone (81018).",
        fix: "Use the filter: `{{flow.variables.count | plus: 1}}`; for text `append`.",
        example: r#"[{
  "name": "count", "type": "set-variables",
  "properties": {"variables": [{"key": "count", "value": "{{flow.variables.count + 1}}"}]},
  "transitions": [{"event": "next"}]
}]"#,
        check: arithmetic,
    },
    Rule {
        code: "unknown-widget-reference",
        level: Level::Warning,
        what: "A text reads from a widget that is not there",
        why: "`{{widgets.NAME…}}` of an unknown widget is an empty text, silently. It mostly comes of a widget renamed: Studio \
              does not rename it in texts.",
        fix: "Use the name of a widget that is there.",
        example: r#"[{
  "name": "hello", "type": "send-message",
  "properties": {"from": "{{flow.channel.address}}", "body": "You said {{widgets.ask.inbound.Body}}"},
  "transitions": [{"event": "sent"}, {"event": "failed"}]
}]"#,
        check: unknown_widgets,
    },
    Rule {
        code: "widget-never-ran",
        level: Level::Warning,
        what: "A text reads from a widget that cannot have run by then",
        why: "No path leads from that widget to this one, so there is nothing to read yet: it is an empty text, silently.",
        fix: "Read from a widget that comes before, or change the order.",
        example: r#"[
  {
    "name": "hello", "type": "send-message",
    "properties": {"from": "{{flow.channel.address}}", "body": "You said {{widgets.ask.inbound.Body}}"},
    "transitions": [{"event": "sent", "next": "ask"}, {"event": "failed"}]
  },
  {
    "name": "ask", "type": "send-and-wait-for-reply",
    "properties": {"from": "{{flow.channel.address}}", "body": "How was it?", "timeout": "3600"},
    "transitions": [{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
  }
]"#,
        check: never_ran,
    },
    Rule {
        code: "unset-variable",
        level: Level::Warning,
        what: "A text reads a variable that nothing sets",
        why: "`{{flow.variables.NAME}}` is set by Set Variables alone. One that is never set is an empty text, silently.",
        fix: "Correct the name, or set the variable.",
        example: r#"[
  {
    "name": "set", "type": "set-variables", "properties": {"variables": [{"key": "plan", "value": "gold"}]},
    "transitions": [{"event": "next", "next": "hello"}]
  },
  {
    "name": "hello", "type": "send-message",
    "properties": {"from": "{{flow.channel.address}}", "body": "Your plan is {{flow.variables.plans}}"},
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]"#,
        check: unset_variables,
    },
    Rule {
        code: "undeclared-parameter",
        level: Level::Warning,
        what: "A text reads a parameter that the StudioFlow does not declare",
        why: "`{{flow.data.NAME}}` is what whoever starts the flow by the API gives it. What nobody gives is an empty text, silently. It is               looked for where `spec.parameters` says what the flow is given.",
        fix: "Correct the name, or add it to `parameters` and have it given.",
        example: r#"{"parameters": ["name", "order"], "flow": {"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingRequest", "next": "news"}]},
  {
    "name": "news", "type": "send-message",
    "properties": {"from": "+15005550006", "body": "{{flow.data.nmae}}, your order {{flow.data.order}} is on its way"},
    "transitions": [{"event": "sent"}, {"event": "failed"}]
  }
]}}"#,
        check: undeclared_parameters,
    },
];

fn name_of<'a>(subject: &Subject<'a>, text: &Written<'a>) -> Option<&'a str> {
    text.node.and_then(|node| subject.nodes[node].name())
}

fn templates<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = (&'s Written<'a>, &'s Template<'a>)> {
    let templates = subject.texts.iter().filter_map(|text| Some((text, text.template.as_ref()?)));
    templates.filter(|(text, _)| !subject.is_filled(subject.pointer(text)))
}

fn unbalanced(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (text, template) in templates(subject) {
        if let Err(mistake) = &template.tags {
            found.widget(name_of(subject, text), subject.pointer(text), mistake.to_string());
        }
    }
}

fn arithmetic(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (text, template) in templates(subject) {
        for tag in template.tags.iter().flatten().filter(|tag| tag.adds()) {
            let message =
                format!("Liquid has no `+`, in `{}`: use `plus:` for numbers, `append:` for text", tag.inner());
            found.widget(name_of(subject, text), subject.pointer(text), message);
        }
    }
}

/// The second step of every path that begins with `root`, once for each text.
fn read<'s, 'a>(
    subject: &'s Subject<'a>,
    root: &'static [&'static str],
) -> impl Iterator<Item = (&'s Written<'a>, &'a str)> {
    templates(subject).flat_map(move |(text, template)| {
        let paths = template.paths.iter().filter(|path| path.steps().starts_with(root));
        let mut names: Vec<&str> = paths.filter_map(|path| path.steps().get(root.len()).copied()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(move |name| (text, name))
    })
}

fn unknown_widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (text, name) in read(subject, &["widgets"]).filter(|(_, name)| subject.named(name).is_empty()) {
        let meant = nearest(name, subject.nodes.iter().filter_map(super::subject::Node::name));
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        let message = format!("`widgets.{name}` is read, and no widget is called `{name}`{meant}: it is an empty text");
        found.widget(name_of(subject, text), subject.pointer(text), message);
    }
}

fn never_ran(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger() else { return };
    let run = subject.reachable([trigger]);
    let mut after: HashMap<&str, Vec<bool>> = HashMap::new();
    for (text, name) in read(subject, &["widgets"]) {
        let (read, Some(reader)) = (subject.named(name), text.node) else { continue };
        if read.is_empty() || !run[reader] {
            continue;
        }
        let after = after.entry(name).or_insert_with(|| {
            subject.reachable(read.iter().flat_map(|node| subject.nodes[*node].next.iter().copied()))
        });
        if !after[reader] {
            let message = format!("`widgets.{name}` is read before `{name}` can have run: it is an empty text");
            found.widget(name_of(subject, text), subject.pointer(text), message);
        }
    }
}

fn unset_variables(subject: &Subject<'_>, found: &mut Found<'_>) {
    let variables = subject.of_kind("set-variables").filter_map(|node| node.get("variables")?.as_array()).flatten();
    let keys = variables.filter_map(|variable| variable.get("key").and_then(Value::as_str));
    let saved = subject.nodes.iter().map(|node| node.text("save_response_as")).filter(|name| !name.is_empty());
    let set: HashSet<&str> = keys.chain(saved).map(str::trim).collect();
    // A key that Liquid gives may be any; and a type that is not known may set what it likes.
    if set.iter().any(|key| is_liquid(key)) || subject.nodes.iter().any(|node| node.widget.is_none()) {
        return;
    }
    // A key may be a path of its own.
    let is_set = |name: &str| set.iter().any(|key| key.split(['.', '[']).next() == Some(name));
    for (text, name) in read(subject, &["flow", "variables"]).filter(|(_, name)| !is_set(name)) {
        let meant = nearest(name, set.iter().copied());
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        let message = format!("`flow.variables.{name}` is read, and nothing sets `{name}`{meant}: it is an empty text");
        found.widget(name_of(subject, text), subject.pointer(text), message);
    }
}

fn undeclared_parameters(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(declared) = subject.known.parameters else { return };
    for (text, name) in read(subject, &["flow", "data"]).filter(|(_, name)| !declared.contains(*name)) {
        let meant = nearest(name, declared.iter().map(String::as_str));
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        let message =
            format!("`flow.data.{name}` is read, and `{name}` is not among the `parameters` of the StudioFlow{meant}");
        found.widget(name_of(subject, text), subject.pointer(text), message);
    }
}
