//! The rules against their examples, good flows, and flows at random.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    example::Example,
    rule::{rule, with_trigger},
    severities::Level,
    *,
};
use crate::studio::content::{Body, ContentTemplate, Templates};

/// What is found in a document, read or not; placeholders count, as in a manifest without references.
fn found(document: Value, severities: &Severities) -> Vec<Finding> {
    match FlowDefinition::parse(document) {
        Ok(definition) => lint(&definition, &Known::references(&[]), severities),
        Err(finding) => vec![finding],
    }
}

fn said(document: Value) -> Vec<String> {
    found(document, &Severities::default()).iter().map(ToString::to_string).collect()
}

/// Everything that can be found, also what is off by default. Where widgets lie has no part in what a flow means.
fn everything() -> Severities {
    let mut severities = Severities::default();
    for rule in rules().filter(|rule| rule.level == Level::Off && rule.code != "offset-overlap") {
        severities.set(rule.code, Level::Warning).unwrap();
    }
    severities
}

#[test]
fn every_example_triggers_its_rule_and_no_other() {
    let mut wrong = Vec::new();
    for rule in rules().filter(|rule| !rule.example.is_empty()) {
        let mut severities = Severities::default();
        if rule.level == Level::Off {
            severities.set(rule.code, Level::Warning).unwrap();
        }
        let example = Example::read(rule.example).unwrap_or_else(|error| panic!("{}: {error}", rule.code));
        let findings = match example.definition() {
            Ok(definition) => lint(&definition, &example.known(), &severities),
            Err(finding) => vec![finding],
        };
        if findings.is_empty() {
            wrong.push(format!("{} finds nothing", rule.code));
        }
        let others = findings.into_iter().filter(|finding| finding.code != rule.code);
        wrong.extend(others.map(|finding| format!("{}: {finding}", rule.code)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn codes_are_distinct_words_in_lower_case() {
    let codes: BTreeSet<_> = rules().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), rules().count());
    let is_kebab = |code: &&str| {
        code.split('-').all(|word| !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase()))
    };
    assert!(codes.iter().all(is_kebab), "{codes:?}");
}

#[test]
fn good_flows_are_told_nothing() {
    for (name, text) in [
        ("sample_flow", include_str!("../../../studio/sample_flow.json")),
        ("whatsapp_agent", include_str!("good/whatsapp_agent.json")),
        ("voice_menu", include_str!("good/voice_menu.json")),
        ("subflow", include_str!("good/subflow.json")),
        ("notification", include_str!("good/notification.json")),
    ] {
        let definition = FlowDefinition::parse(serde_json::from_str(text).unwrap()).unwrap();
        let references = [("send_to_flex", "workflow"), ("send_to_flex", "channel")];
        let findings = lint(&definition, &Known::references(&references), &Severities::default());
        let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(said, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn templates_that_are_sent_as_they_may_be_are_told_nothing() {
    let example = Example::read(include_str!("good/content_templates.json")).unwrap();
    let found = lint(&example.definition().unwrap(), &example.known(), &Severities::default());
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn the_limits_of_whatsapp_are_no_other_channels() {
    for code in ["too-many-options", "template-text-too-long"] {
        for (from, count) in [("whatsapp:+15005550006", 1), ("messenger:1234", 0), ("+15005550006", 0)] {
            let text = rule(code).unwrap().example.replace("{{flow.channel.address}}", from);
            let example = Example::read(&text).unwrap();
            let found = lint(&example.definition().unwrap(), &example.known(), &Severities::default());
            assert_eq!(found.iter().filter(|finding| finding.code == code).count(), count, "{code} {from}");
        }
    }
}

#[test]
fn each_finding_names_its_widget_its_place_and_its_rule() {
    let broken = json!({"initial_state": "Start", "states": [
        {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "nowhere"}]},
        {"name": "twice", "type": "send-message", "properties": {"from": "x", "body": "x"}, "transitions": [{"event": "failed", "name": "Trigger"}]},
        {"name": "twice", "type": "send-message", "properties": {"from": "x", "body": "x"}, "transitions": [{"next": "Trigger"}]},
        {"type": "send-message", "properties": {"from": "x", "body": "x"}},
        "text"
    ]});
    assert_eq!(
        said(broken),
        [
            "no widget is called `Start`: `initial_state` is the name of the trigger widget (at /initial_state) [unknown-initial-state]",
            "widget `Trigger`: no widget is called `nowhere` (at /states/0/transitions/0/next) [unknown-next]",
            "widget `twice`: the transition `failed` has `name` where `next` is meant: Studio takes it and ends the branch \
             (at /states/1/transitions/0/name) [unknown-transition-key]",
            "widget `twice`: another widget is called `twice` too: rename one of them (at /states/2/name) [duplicate-name]",
            "widget `twice`: `event` is missing: every transition names the event that it follows \
             (at /states/2/transitions/0) [missing-event]",
            "`name` is missing: every widget has a name, a text (at /states/3) [missing-name]",
            "a widget is a JSON object, and this is a text (at /states/4) [malformed-widget]",
        ]
    );
}

#[test]
fn a_flow_without_states_or_initial_state_says_which() {
    assert_eq!(
        said(json!({"description": ""})),
        [
            "`states` is missing: the list of the flow's widgets [missing-states]",
            "`initial_state` is missing: the name of the trigger widget [unknown-initial-state]",
        ]
    );
}

#[test]
fn what_is_filled_in_later_is_no_finding_and_without_a_manifest_nobody_knows() {
    let flow = |workflow: &str| {
        let text =
            rule("failed-to-enqueue-ends").unwrap().example.replace("WW0123456789abcdef0123456789abcdef", workflow);
        FlowDefinition::parse(with_trigger(&text).unwrap()).unwrap()
    };
    let codes = |workflow: &str, known: &Known<'_>| {
        let findings = lint(&flow(workflow), known, &Severities::default());
        findings.iter().map(|finding| finding.code).filter(|code| *code != "failed-to-enqueue-ends").collect::<Vec<_>>()
    };
    let filled = [("agent", "workflow")];
    for open in ["", "${workflow}", "WWxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "to be filled"] {
        assert_eq!(codes(open, &Known::references(&filled)), Vec::<&str>::new(), "{open}");
    }
    assert_eq!(codes("", &Known::references(&[])), ["empty-property"]);
    assert_eq!(codes("${workflow}", &Known::references(&[])), ["unresolved-placeholder"]);
    assert_eq!(codes("to be filled", &Known::references(&[])), ["wrong-sid"]);
    assert_eq!(codes("${workflow}", &Known::default()), Vec::<&str>::new());
    assert_eq!(codes("{{flow.data.workflow}}", &Known::references(&[])), ["request-not-connected"]);
}

#[test]
fn what_is_large_is_measured() {
    let message = |body: &str| json!([{"name": "m", "type": "send-message", "properties": {"from": "x", "body": body}, "transitions": []}]);
    let codes = |widgets: &Value| {
        let document = with_trigger(&widgets.to_string()).unwrap();
        found(document, &Severities::default()).iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&message(&"é".repeat(1_600))), Vec::<&str>::new());
    assert_eq!(codes(&message(&"é".repeat(1_601))), ["text-too-long"]);
    assert_eq!(codes(&message(&format!("{}{{{{flow.sid}}}}", "é".repeat(1_601)))), Vec::<&str>::new());
    let attributes = json!({"a": "x".repeat(1_100)}).to_string();
    let agent = json!([{"name": "agent", "type": "send-to-flex", "properties": {
        "workflow": "{{trigger.x}}", "channel": "{{trigger.x}}", "attributes": attributes
    }, "transitions": [{"event": "failedToEnqueue", "next": "agent"}]}]);
    assert_eq!(codes(&agent), ["attributes-too-long"]);
    let widgets = |count: usize| {
        let widget = |index: usize| {
            json!({"name": format!("w{index}"), "type": "set-variables", "properties": {}, "transitions": [
                {"event": "next", "next": if index + 1 < count { format!("w{}", index + 1) } else { String::new() }}
            ]})
        };
        Value::from((0..count).map(widget).collect::<Vec<_>>())
    };
    assert_eq!(codes(&widgets(999)), Vec::<&str>::new());
    assert_eq!(codes(&widgets(1_000)), ["many-widgets"]);
    assert_eq!(codes(&widgets(2_000)), ["too-many-widgets"]);
}

#[test]
fn a_flow_that_was_never_laid_out_has_no_widgets_on_top_of_each_other() {
    let mut severities = Severities::default();
    severities.set("offset-overlap", Level::Warning).unwrap();
    let told = |places: &[Value]| {
        let widgets = places.iter().enumerate().map(|(index, place)| {
            let next = format!("w{}", (index + 1) % places.len());
            json!({"name": format!("w{index}"), "type": "set-variables", "properties": {"offset": place},
                "transitions": [{"event": "next", "next": if index + 1 < places.len() { next } else { String::new() }}]})
        });
        let document = with_trigger(&Value::from(widgets.collect::<Vec<_>>()).to_string()).unwrap();
        found(document, &severities).iter().map(|finding| finding.widget.clone().unwrap()).collect::<Vec<_>>()
    };
    let at = |x: i32, y: i32| json!({"x": x, "y": y});
    assert!(told(&[at(0, 0), at(0, 0), at(0, 0)]).is_empty());
    assert!(told(&[Value::Null, Value::Null]).is_empty());
    assert!(told(&[at(0, 0), at(300, 0), at(0, 200)]).is_empty());
    assert_eq!(told(&[at(300, 10), at(0, 0), at(310, 0)]), ["w2"]);
}

#[test]
fn a_severity_decides_and_off_is_not_looked_for() {
    let example = with_trigger(rule("unreachable-widget").unwrap().example).unwrap();
    let mut severities = Severities::default();
    severities.set("unreachable-widget", Level::Error).unwrap();
    assert_eq!(errors(&found(example.clone(), &severities)).count(), 1);
    severities.set("unreachable-widget", Level::Off).unwrap();
    assert_eq!(found(example, &severities), []);
}

#[test]
fn the_generated_document_has_every_rule_with_its_example() {
    let document = document::document().unwrap();
    for rule in rules() {
        assert!(
            document.contains(&format!("\n### {}\n", rule.code)) && document.contains(rule.example),
            "{}",
            rule.code
        );
    }
}

/// Templates that flows at random may send.
fn templates() -> Templates {
    let bodies = [("twilio/list-picker", json!({"body": "b", "items": [{"item": "a,,b", "id": "b"}]}))];
    let template = ContentTemplate {
        name: "t".into(),
        bodies: bodies.iter().map(|(kind, body)| Body::read(kind, body)).collect(),
        placeholders: ["1".to_owned()].into(),
        approval: None,
    };
    [("a".to_owned(), Some(template)), ("b".to_owned(), None)].into()
}

/// Words that mean something to the rules, so that flows at random come near to real ones.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a",
            "b",
            "Trigger",
            "trigger",
            "send-message",
            "split-based-on",
            "send-to-flex",
            "run-subflow",
            "set-variables",
            "make-http-request",
            "send-and-wait-for-reply",
            "next",
            "match",
            "noMatch",
            "sent",
            "failed",
            "timeout",
            "incomingMessage",
            "incomingRequest",
            "incomingParent",
            "regex",
            "matches_any_of",
            "content_template",
            "{{widgets.a.b}}",
            "{{flow.variables.b",
            "{% if a %}",
            "${x}",
            "a,,b",
            "(",
            "whatsapp:+1",
            "WWxxxxxxxxxxxx",
            "{\"a\": {{flow.data.b}}}",
            "86400",
            "Bearer abcDEF0123456789xyz",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "name",
            "type",
            "properties",
            "transitions",
            "event",
            "next",
            "conditions",
            "value",
            "arguments",
            "states",
            "initial_state",
            "flags",
            "allow_concurrent_calls",
            "body",
            "from",
            "workflow",
            "channel",
            "attributes",
            "timeout",
            "variables",
            "key",
            "message_type",
            "content_sid",
            "content_variables",
            "input",
            "flow_sid",
            "definition",
            "url",
            "offset",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word().prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn transition() -> impl Strategy<Value = Value> {
    (word(), prop::option::of(word()), prop::option::of(prop::collection::vec(anything(), 0..2))).prop_map(
        |(event, next, conditions)| {
            let mut transition = json!({"event": event});
            if let Some(next) = next {
                transition["next"] = json!(next);
            }
            if let Some(conditions) = conditions {
                transition["conditions"] = json!(conditions);
            }
            transition
        },
    )
}

fn flow() -> impl Strategy<Value = Value> {
    let properties = prop::collection::vec((key(), anything()), 0..5);
    let widget = (word(), word(), properties, prop::collection::vec(transition(), 0..4)).prop_map(
        |(name, kind, properties, transitions)| {
            let properties: Map<String, Value> = properties.into_iter().collect();
            json!({"name": name, "type": kind, "properties": properties, "transitions": transitions})
        },
    );
    prop::collection::vec(widget, 0..8).prop_map(|states| json!({"initial_state": "Trigger", "states": states}))
}

/// Findings without their places and order, which are those of one way of writing.
fn unplaced(definition: &FlowDefinition) -> Vec<(Option<String>, &'static str, String)> {
    let findings = lint(
        definition,
        &Known { templates: Some(&templates()), ..Known::references(&[("a", "body"), ("b", "key.0")]) },
        &everything(),
    );
    let mut unplaced: Vec<_> = findings.into_iter().map(|it| (it.widget, it.code, it.message)).collect();
    unplaced.sort();
    unplaced
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(document in anything(), flow in flow()) {
        for document in [document, flow] {
            if let Ok(definition) = FlowDefinition::parse(document) {
                lint(&definition, &Known { templates: Some(&templates()), ..Known::default() }, &everything());
                not_run::not_run(&definition, &Known::default());
            }
        }
    }

    #[test]
    fn how_a_flow_is_written_changes_nothing(document in flow()) {
        if let Ok(definition) = FlowDefinition::parse(document)
            && let Ok(canonical) = FlowDefinition::parse(definition.canonical())
        {
            prop_assert_eq!(unplaced(&definition), unplaced(&canonical));
        }
    }
}
