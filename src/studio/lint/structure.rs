//! Rules about what makes a definition one flow that can be entered.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    reading::kind_of,
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    subject::Subject,
};
use crate::studio::subflow::MAX_WIDGETS;

/// Most widgets that Studio's own schema allows.
const MAX_IN_SCHEMA: usize = 1_000;

/// What a definition has at its top.
const FIELDS: [&str; 5] = ["description", "states", "initial_state", "flags", "$schema"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "missing-states",
        level: Level::Error,
        what: "There are no widgets",
        why: "`states` is the list of the flow's widgets. Studio refuses a definition without it.",
        fix: "Export the flow again, whole.",
        example: r#"{"description": "", "initial_state": "Trigger"}"#,
        check: missing_states,
    },
    Rule {
        code: "malformed-widget",
        level: Level::Error,
        what: "A widget is not shaped like one",
        why: "A widget is an object with a `name`, a `type`, `properties` and `transitions`. Studio refuses anything else.",
        fix: "Correct it by the JSON of another widget of its type.",
        example: r#"[{"name": "bye", "type": "set-variables", "properties": [], "transitions": []}]"#,
        check: malformed_widgets,
    },
    Rule {
        code: "missing-name",
        level: Level::Error,
        what: "A widget has no name",
        why: "Transitions and `{{widgets.NAME…}}` find a widget by its name.",
        fix: "Give it a `name` that no other widget has.",
        example: r#"[
  {"name": "greet", "type": "set-variables", "properties": {}, "transitions": [{"event": "next", "next": ""}]},
  {"name": "", "type": "set-variables", "properties": {}, "transitions": []}
]"#,
        check: missing_names,
    },
    Rule {
        code: "duplicate-name",
        level: Level::Error,
        what: "Two widgets have the same name",
        why: "A transition to that name can mean either. Studio refuses the definition.",
        fix: "Rename one, and the transitions that mean it.",
        example: r#"[
  {"name": "bye", "type": "set-variables", "properties": {}, "transitions": []},
  {"name": "bye", "type": "set-variables", "properties": {}, "transitions": []}
]"#,
        check: duplicate_names,
    },
    Rule {
        code: "missing-type",
        level: Level::Error,
        what: "A widget has no type",
        why: "The type says what the widget does. Studio refuses the definition.",
        fix: "Give it a `type`, such as `send-message`.",
        example: r#"[{"name": "bye", "properties": {}, "transitions": []}]"#,
        check: missing_types,
    },
    Rule {
        code: "unknown-type",
        level: Level::Warning,
        what: "A widget's type is not known here",
        why: "Studio gains types as it goes on, so this may be right. Nothing can be said of such a widget's properties and \
              events, and Studio refuses a type that it does not know.",
        fix: "Correct the spelling; or, if the type is new, switch this rule off.",
        example: r#"[{"name": "bye", "type": "send-mesage", "properties": {}, "transitions": []}]"#,
        check: unknown_types,
    },
    Rule {
        code: "retired-type",
        level: Level::Warning,
        what: "A widget is of a type that Twilio has switched off",
        why: "Autopilot has come to its end: the widget fails whenever it is entered.",
        fix: "Replace it, for example by Connect Virtual Agent or by Run Function.",
        example: r#"[{"name": "bot", "type": "send-to-auto-pilot", "properties": {}, "transitions": []}]"#,
        check: retired_types,
    },
    Rule {
        code: "unknown-initial-state",
        level: Level::Error,
        what: "The flow does not begin with a trigger",
        why: "Every execution begins in the widget that `initial_state` names, and that widget is the trigger.",
        fix: "Set `initial_state` to the name of the trigger, as a rule `Trigger`.",
        example: r#"{"description": "", "initial_state": "Start", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": []}
]}"#,
        check: unknown_initial_state,
    },
    Rule {
        code: "several-triggers",
        level: Level::Error,
        what: "There are several triggers",
        why: "An execution begins in one widget. What is connected to another trigger never runs.",
        fix: "Move the transitions of the others to the trigger that `initial_state` names, and remove them.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingCall", "next": "Again"}]},
  {"name": "Again", "type": "trigger", "properties": {}, "transitions": []}
]}"#,
        check: several_triggers,
    },
    Rule {
        code: "malformed-flags",
        level: Level::Error,
        what: "`flags` is not as Studio wants it",
        why: "`flags` may be left out; when it is there it is an object in which `allow_concurrent_calls` is true or false.",
        fix: "Write `\"flags\": {\"allow_concurrent_calls\": true}`, or leave it out.",
        example: r#"{"description": "", "initial_state": "Trigger", "flags": {"allow_concurrent_calls": "yes"}, "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingCall", "next": "bye"}]},
  {"name": "bye", "type": "say-play", "properties": {"say": "Goodbye"}, "transitions": [{"event": "audioComplete"}]}
]}"#,
        check: malformed_flags,
    },
    Rule {
        code: "unknown-field",
        level: Level::Warning,
        what: "The definition or a widget has a field that is not known here",
        why: "Studio may refuse it, or take it and do nothing with it. It is sent as it is.",
        fix: "Correct the spelling, or remove it.",
        example: r#"[{"name": "bye", "type": "set-variables", "propertys": {}, "transitions": []}]"#,
        check: unknown_fields,
    },
    Rule {
        code: "too-many-widgets",
        level: Level::Error,
        what: "There are more widgets than Studio runs",
        why: "Studio runs at most 2,000 widgets in a flow and its subflows taken together (81026).",
        fix: "Split the flow into several that do not call each other.",
        example: "",
        check: too_many_widgets,
    },
    Rule {
        code: "many-widgets",
        level: Level::Warning,
        what: "There are more widgets than Studio's schema allows",
        why: "Studio's published schema has room for 1,000 widgets, while its limits speak of 2,000: whether such a flow is \
              taken is not certain.",
        fix: "Move a part of the flow into a subflow.",
        example: "",
        check: many_widgets,
    },
];

fn missing_states(subject: &Subject<'_>, found: &mut Found<'_>) {
    match subject.definition.fields().get("states") {
        None => found.flow("", "`states` is missing: the list of the flow's widgets"),
        Some(Value::Array(states)) if states.is_empty() => {
            found.flow("/states", "`states` is empty: a flow has a trigger");
        }
        Some(Value::Array(_)) => {}
        Some(_) => found.flow("/states", "`states` is a list of widgets"),
    }
}

fn malformed_widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    let states = subject.definition.fields().get("states").and_then(Value::as_array);
    for (index, state) in states.into_iter().flatten().enumerate() {
        if !state.is_object() {
            found
                .flow(format!("/states/{index}"), format!("a widget is a JSON object, and this is {}", kind_of(state)));
        }
    }
    for node in &subject.nodes {
        let fields = node.state.fields();
        for (field, wanted) in [("properties", "an object"), ("transitions", "a list")] {
            let is_wanted = |value: &Value| match field {
                "properties" => value.is_object(),
                _ => value.is_array(),
            };
            if let Some(value) = fields.get(field).filter(|value| !is_wanted(value)) {
                let message = format!("`{field}` is {wanted}, and this is {}", kind_of(value));
                found.widget(node.name(), node.at(field), message);
            }
        }
    }
}

fn missing_names(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| node.name().is_none_or(str::is_empty)) {
        let pointer = format!("/states/{}", node.state.index);
        found.flow(pointer, "`name` is missing: every widget has a name, a text");
    }
}

fn duplicate_names(subject: &Subject<'_>, found: &mut Found<'_>) {
    let mut names = HashSet::new();
    for node in &subject.nodes {
        let Some(name) = node.name().filter(|name| !name.is_empty()) else { continue };
        if !names.insert(name) {
            let message = format!("another widget is called `{name}` too: rename one of them");
            found.widget(Some(name), node.at("name"), message);
        }
    }
}

fn missing_types(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| node.state.kind().is_none()) {
        let pointer = format!("/states/{}", node.state.index);
        found.widget(node.name(), pointer, "`type` is missing: every widget has a type, a text such as send-message");
    }
}

fn unknown_types(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.nodes.iter().filter(|node| node.widget.is_none()) {
        let Some(kind) = node.state.kind() else { continue };
        let meant = nearest(kind, crate::studio::widget::WIDGETS.iter().map(|widget| widget.kind));
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        let message = format!("the type `{kind}` is not known here{meant}: the widget is sent as it is, unchecked");
        found.widget(node.name(), node.at("type"), message);
    }
}

fn retired_types(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        if let Some(widget) = node.widget.filter(|widget| widget.retired) {
            let message =
                format!("Twilio has switched `{}` off, so this fails whenever it is entered: replace it", widget.kind);
            found.widget(node.name(), node.at("type"), message);
        }
    }
}

fn unknown_initial_state(subject: &Subject<'_>, found: &mut Found<'_>) {
    let pointer = "/initial_state";
    match subject.definition.fields().get("initial_state") {
        None => found.flow("", "`initial_state` is missing: the name of the trigger widget"),
        // Without widgets there is none to name, which is told already.
        Some(Value::String(_)) if subject.nodes.is_empty() => {}
        Some(Value::String(name)) if subject.named(name).is_empty() => {
            found.flow(
                pointer,
                format!("no widget is called `{name}`: `initial_state` is the name of the trigger widget"),
            );
        }
        Some(Value::String(name)) if subject.trigger().is_none() => {
            found.flow(pointer, format!("the initial state `{name}` is not a trigger"));
        }
        Some(Value::String(_)) => {}
        Some(_) => found.flow(pointer, "`initial_state` is the name of a widget, a text"),
    }
}

fn several_triggers(subject: &Subject<'_>, found: &mut Found<'_>) {
    let initial = subject.definition.fields().get("initial_state").and_then(Value::as_str);
    let is_other = |name: Option<&str>| name != initial && name.is_some_and(|name| !name.is_empty());
    if subject.trigger().is_none() {
        return;
    }
    for node in subject.of_kind("trigger").filter(|node| is_other(node.name())) {
        let message =
            "another widget is the trigger already: every execution begins there, and this one starts nothing";
        found.widget(node.name(), node.at("type"), message);
    }
}

fn malformed_flags(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(flags) = subject.definition.fields().get("flags") else { return };
    let is_well_formed = flags.get("allow_concurrent_calls").is_some_and(Value::is_boolean);
    if !is_well_formed {
        found
            .flow("/flags", "`flags` is an object in which `allow_concurrent_calls` is true or false; or leave it out");
    }
}

fn unknown_fields(subject: &Subject<'_>, found: &mut Found<'_>) {
    let meant = |key: &str, known: &[&'static str]| {
        nearest(key, known.iter().copied()).map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default()
    };
    for key in subject.definition.fields().keys().filter(|key| !FIELDS.contains(&key.as_str())) {
        let message = format!("a definition has no `{key}`{}", meant(key, &FIELDS));
        found.flow(format!("/{}", crate::studio::place::escaped(key)), message);
    }
    let fields = ["name", "type", "properties", "transitions"];
    for node in &subject.nodes {
        for key in node.state.fields().keys().filter(|key| !fields.contains(&key.as_str())) {
            let message = format!("a widget has no `{key}`{}", meant(key, &fields));
            found.widget(node.name(), node.at(&crate::studio::place::escaped(key)), message);
        }
    }
}

fn too_many_widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    let count = subject.nodes.len();
    if count > MAX_WIDGETS {
        found.flow(
            "/states",
            format!("there are {count} widgets; Studio runs at most 2,000, subflows included: split the flow"),
        );
    }
}

fn many_widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    let count = subject.nodes.len();
    if (MAX_IN_SCHEMA + 1..=MAX_WIDGETS).contains(&count) {
        let message =
            format!("there are {count} widgets; Studio's schema has room for 1,000: move a part into a subflow");
        found.flow("/states", message);
    }
}
