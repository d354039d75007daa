//! Rules about flows that run other flows, where those are known as well: when several are looked at together.

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};
use crate::studio::subflow::{MAX_WIDGETS, Ran, together};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "subflow-cycle",
        level: Level::Error,
        what: "Flows run each other in a circle",
        why: "A flow that runs itself by way of another never ends, and Studio runs no subflow inside a subflow (81024).",
        fix: "Run the inner one from the outer one alone.",
        example: r#"{"subflows": {"more": {"name": "rating", "widgets": 3, "runs": true, "circle": ["thanks", "rating", "thanks"]}},
"widgets": [{
  "name": "more", "type": "run-subflow",
  "properties": {"flow_sid": "FW0123456789abcdef0123456789abcdef", "flow_revision": "LatestPublished"},
  "transitions": [{"event": "completed"}, {"event": "failed"}]
}]}"#,
        check: cycles,
    },
    Rule {
        code: "subflow-depth",
        level: Level::Error,
        what: "A subflow runs a subflow",
        why: "Studio allows one level: a subflow cannot run another (81024).",
        fix: "Run the inner one from the outermost flow.",
        example: r#"{"subflows": {"more": {"name": "rating", "widgets": 3, "runs": true}}, "widgets": [{
  "name": "more", "type": "run-subflow",
  "properties": {"flow_sid": "FW0123456789abcdef0123456789abcdef", "flow_revision": "LatestPublished"},
  "transitions": [{"event": "completed"}, {"event": "failed"}]
}]}"#,
        check: depth,
    },
    Rule {
        code: "subflow-widgets",
        level: Level::Error,
        what: "A flow and its subflows have more widgets together than Studio runs",
        why: "Studio counts at most 2,000 widgets over a flow and all that it runs (81026).",
        fix: "Make them smaller, or hand over to a flow of its own.",
        example: r#"{"subflows": {"more": {"name": "rating", "widgets": 2000, "runs": false}}, "widgets": [{
  "name": "more", "type": "run-subflow",
  "properties": {"flow_sid": "FW0123456789abcdef0123456789abcdef", "flow_revision": "LatestPublished"},
  "transitions": [{"event": "completed"}, {"event": "failed"}]
}]}"#,
        check: widgets,
    },
];

/// The widgets that run a flow which is known.
fn running<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = (&'s Node<'a>, &'a Ran)> {
    subject.of_kind("run-subflow").filter_map(|node| Some((node, subject.known.subflows?.get(node.name()?)?)))
}

fn cycles(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, ran) in running(subject) {
        if let Some(circle) = &ran.circle {
            let circle = circle.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
            let message = format!("these flows run each other in a circle, which never ends: {circle}");
            found.widget(node.name(), node.property("flow_sid"), message);
        }
    }
}

fn depth(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, ran) in running(subject).filter(|(_, ran)| ran.runs_subflows && ran.circle.is_none()) {
        let message = format!(
            "it runs `{}`, which runs a subflow itself, and Studio runs none inside a subflow (81024): run that from here",
            ran.name
        );
        found.widget(node.name(), node.property("flow_sid"), message);
    }
}

fn widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    let own = subject.nodes.len();
    let count = together(own, running(subject).map(|(_, ran)| (ran.name.as_str(), ran.widgets)));
    // Of one that is too large by itself it is told elsewhere.
    if count > MAX_WIDGETS && own <= MAX_WIDGETS {
        let message = format!(
            "the flow has {count} widgets together with its subflows, and Studio takes {MAX_WIDGETS} (81026): make it smaller"
        );
        found.flow("/states", message);
    }
}
