use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::studio::difference::{Change, Difference};

fn flow(document: Value) -> FlowDefinition {
    FlowDefinition::parse(document).unwrap()
}

fn sample() -> FlowDefinition {
    flow(serde_json::from_str(include_str!("../difference/golden/old.json")).unwrap())
}

fn changed_sample() -> (FlowDefinition, FlowDefinition, Difference) {
    let (old, new) = (sample(), flow(serde_json::from_str(include_str!("../difference/golden/new.json")).unwrap()));
    let difference = old.difference(&new);
    (old, new, difference)
}

/// A chain of widgets, each of which also ends on failure.
fn chain(count: usize) -> FlowDefinition {
    let states = (0..count).map(|index| {
        json!({"name": format!("w{index}"), "type": if index == 0 { "trigger" } else { "send-message" }, "transitions": [
            {"event": "sent", "next": format!("w{}", (index + 1).min(count - 1))}, {"event": "failed"}
        ]})
    });
    flow(json!({"initial_state": "w0", "states": states.collect::<Vec<_>>()}))
}

/// A name that would break out of any format that wrote it as it is.
const HOSTILE: &str = "</text><script>alert(1)</script>\"];\\\" --> n0 %%{init}%% `#quot;`|end\u{202e}";

#[test]
fn the_pictures_of_the_sample_flow() {
    let picture = Picture::of(&sample());
    assert_eq!(picture.mermaid(), include_str!("golden/sample.mmd"));
    assert_eq!(picture.dot(), include_str!("golden/sample.dot"));
    assert_eq!(picture.svg(), include_str!("golden/sample.svg"));
}

#[test]
fn the_pictures_of_its_change() {
    let (old, new, difference) = changed_sample();
    let picture = Picture::of_changes(&old, &new, &difference, false);
    assert_eq!(picture.mermaid(), include_str!("golden/changes.mmd"));
}

#[test]
fn what_changed_is_told_by_status() {
    let (old, new, difference) = changed_sample();
    let picture = Picture::of_changes(&old, &new, &difference, false);
    let status = |wanted: &str| {
        let is = |node: &&Node| matches!(&node.shape, Shape::Widget { name, .. } if name == wanted);
        picture.nodes.iter().find(is).unwrap().status
    };
    assert_eq!(status("is_open"), Status::Added);
    assert_eq!(status("nobody_free"), Status::Removed);
    assert_eq!(status("send_to_flex"), Status::Changed);
    let labels = |status: Status| {
        picture.edges.iter().filter(move |edge| edge.status == status).map(|edge| edge.labels.join(", "))
    };
    assert_eq!(
        labels(Status::Removed).collect::<Vec<_>>(),
        ["incomingMessage", "callFailure, failedToEnqueue", "failed", "sent"]
    );
    assert!(labels(Status::Added).any(|label| label == "= yes"));
}

#[test]
fn of_a_large_flow_only_what_changed_is_drawn() {
    let (old, mut document) = (chain(130), chain(130).fields().clone());
    document["states"][60]["properties"] = json!({"body": "new"});
    let new = flow(Value::Object(document));
    let difference = old.difference(&new);
    let picture = Picture::of_changes(&old, &new, &difference, false);
    let widgets = picture.nodes.iter().filter(|node| matches!(node.shape, Shape::Widget { .. })).count();
    assert_eq!(widgets, 3);
    assert_eq!(picture.note.as_deref(), Some("127 widgets that did not change are not shown"));
    assert!(picture.svg().contains("127 widgets that did not change are not shown"));
    let all = Picture::of_changes(&old, &new, &difference, true);
    assert_eq!(all.nodes.len(), 260);
}

#[test]
fn unreachable_widgets_missing_targets_and_silent_ends_are_shown() {
    let picture = Picture::of(&flow(json!({"initial_state": "Trigger", "states": [
        {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "gone"}, {"event": "incomingCall"}]},
        {"name": "alone", "type": "send-message", "transitions": [{"event": "sent", "next": ""}, {"event": "failed", "next": null}]},
    ]})));
    assert!(matches!(&picture.nodes[0].shape, Shape::Widget { reachable: true, .. }));
    assert!(matches!(&picture.nodes[1].shape, Shape::Widget { reachable: false, .. }));
    assert!(picture.nodes.iter().any(|node| node.shape == Shape::Missing { name: "gone".into() }));
    let ends: Vec<_> = picture.edges.iter().filter(|edge| picture.nodes[edge.to].shape == Shape::End).collect();
    assert_eq!(
        ends.iter().map(|edge| (edge.labels[0].as_str(), edge.failure)).collect::<Vec<_>>(),
        [("incomingCall", false), ("failed", true), ("sent", false)]
    );
    let svg = picture.svg();
    assert!(svg.contains("unreachable") && svg.contains("no such widget") && svg.contains("class=\"failure"));
}

#[test]
fn transitions_between_the_same_two_are_one_arrow() {
    let matches =
        |value: &str| json!({"event": "match", "next": "b", "conditions": [{"type": "equal_to", "value": value}]});
    let picture = Picture::of(&flow(json!({"initial_state": "a", "states": [
        {"name": "a", "type": "split-based-on", "transitions": [matches("yes"), matches("ok"), {"event": "noMatch", "next": "b"}]},
        {"name": "b", "type": "set-variables"},
    ]})));
    assert_eq!(picture.edges.len(), 1);
    assert_eq!(picture.edges[0].labels, ["= yes", "= ok", "noMatch"]);
}

#[test]
fn an_arrow_points_where_the_execution_goes() {
    let heads = |next: Value| {
        let svg = Picture::of(&flow(json!({"initial_state": "a", "states": [
            {"name": "a", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "b"}]},
            {"name": "b", "type": "send-message", "transitions": [{"event": "sent", "next": next}]},
        ]})))
        .svg();
        let count = |shape: &str| svg.matches(shape).count();
        (count("l-4 -7 h8 z"), count("l-4 7 h8 z"), count("l7 -4 v8 z"))
    };
    assert_eq!(heads(Value::Null), (2, 0, 0));
    assert_eq!(heads(json!("a")), (1, 1, 0));
    assert_eq!(heads(json!("b")), (1, 0, 1));
}

#[test]
fn names_from_a_file_stay_names() {
    let document = json!({"initial_state": HOSTILE, "states": [
        {"name": HOSTILE, "type": HOSTILE, "transitions": [{"event": HOSTILE, "next": HOSTILE}, {"event": "match", "conditions": [{"type": "equal_to", "value": HOSTILE}]}]}
    ]});
    let picture = Picture::of(&flow(document));
    let svg = picture.svg();
    assert_eq!(svg.matches("<script").count(), 0);
    well_formed(&svg);
    let mermaid = picture.mermaid();
    for line in mermaid.lines().filter(|line| line.contains("script")) {
        // Nothing between the quotes of a label is a sign of any language.
        let quoted = line.split('"').nth(1).unwrap().replace("<br/>", "");
        let harmless = |c: char| c.is_alphanumeric() || " _-.,…≠#;".contains(c);
        assert!(quoted.chars().all(harmless), "{line}");
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
    let dot = picture.dot();
    for line in dot.lines().filter(|line| line.contains("script")) {
        let unescaped = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(unescaped.matches('"').count() % 2, 0, "{line}");
        assert!(unescaped.ends_with("];"), "{line}");
    }
}

#[test]
fn mermaid_stays_within_what_github_draws() {
    let picture = Picture::of(&chain(1000));
    let mermaid = picture.mermaid();
    assert!(mermaid.len() < 50_000, "{}", mermaid.len());
    let edges = mermaid.lines().filter(|line| line.contains("-->")).count();
    assert!((400..500).contains(&edges), "{edges}");
    assert!(mermaid.starts_with("%% ") && mermaid.contains("more transitions"), "{}", &mermaid[..100]);
    let small = Picture::of(&chain(130)).mermaid();
    assert!(!small.starts_with("%%") && small.matches("-->").count() == 260);
}

#[test]
fn the_picture_brings_everything_it_needs() {
    let svg = Picture::of(&sample()).svg();
    let outside = ["href", "url(", "@import", "@font-face", "<script", "<image", "<foreignObject"];
    for from_outside in outside {
        assert!(!svg.contains(from_outside), "{from_outside}");
    }
    assert_eq!(svg.matches("http").count(), 1, "the name space");
    assert!(svg.contains("prefers-color-scheme:dark"));
}

/// Every element is closed, and nothing else looks like one.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert!(["svg", "style", "rect", "g", "title", "path", "text", "circle"].contains(&name), "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(
        svg.replace("&amp;", "")
            .replace("&lt;", "")
            .replace("&gt;", "")
            .replace("&quot;", "")
            .replace("&#39;", "")
            .matches('&')
            .count()
            == 0
    );
}

fn generated() -> impl Strategy<Value = FlowDefinition> {
    let transition = (0..5_usize, prop::option::of(any::<prop::sample::Index>()));
    let widget = ("[ -~]{0,12}", 0..5_usize, prop::collection::vec(transition, 0..4));
    prop::collection::vec(widget, 1..60).prop_map(|widgets| {
        let names: Vec<String> =
            widgets.iter().enumerate().map(|(index, (name, ..))| format!("{name}{index}")).collect();
        let states = widgets.iter().zip(&names).map(|((_, kind, transitions), name)| {
            let transitions = transitions.iter().enumerate().map(|(at, (event, next))| {
                let event = ["match", "sent", "failed", "timeout", "noMatch"][*event];
                let mut transition =
                    json!({"event": event, "conditions": [{"type": "equal_to", "value": at.to_string()}]});
                if let Some(next) = next {
                    transition["next"] = names[next.index(names.len())].as_str().into();
                }
                transition
            });
            let kind = ["trigger", "send-message", "split-based-on", "run-function", "unheard-of"][*kind];
            json!({"name": name, "type": kind, "transitions": transitions.collect::<Vec<_>>()})
        });
        flow(json!({"initial_state": names[0], "states": states.collect::<Vec<_>>()}))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_widget_and_every_transition_is_in_the_picture(flow in generated()) {
        let picture = Picture::of(&flow);
        let svg = picture.svg();
        well_formed(&svg);
        let mut wanted: Vec<(String, String)> = Vec::new();
        for state in flow.states() {
            let name = state.name().unwrap();
            let is_there = picture.nodes.iter().any(|node| matches!(&node.shape, Shape::Widget { name: of, .. } if of == name));
            prop_assert!(is_there);
            wanted.extend(state.transitions().map(|transition| (name.to_owned(), transition.next().unwrap_or("(end)").to_owned())));
        }
        let name = |node: usize| match &picture.nodes[node].shape {
            Shape::Widget { name, .. } | Shape::Missing { name } => name.clone(),
            Shape::End => "(end)".to_owned(),
        };
        let mut drawn: Vec<(String, String)> =
            picture.edges.iter().flat_map(|edge| edge.labels.iter().map(|_| (name(edge.from), name(edge.to)))).collect();
        wanted.sort();
        drawn.sort();
        prop_assert_eq!(wanted, drawn);
        // Each box and each arrow is drawn once, and each label has its lines.
        let boxes = picture.nodes.iter().filter(|node| node.shape != Shape::End).count();
        prop_assert_eq!(svg.matches("class=\"name\"").count(), boxes);
        prop_assert_eq!(svg.matches("class=\"ring\"").count(), picture.nodes.len() - boxes);
        let dot = picture.dot();
        prop_assert_eq!(dot.matches(" -> n").count(), picture.edges.len());
        prop_assert_eq!(picture.mermaid().lines().filter(|line| line.contains("-->|")).count(), picture.edges.len());
    }

    #[test]
    fn a_picture_of_changes_has_the_widgets_of_both(old in generated(), new in generated()) {
        let difference = old.difference(&new);
        let picture = Picture::of_changes(&old, &new, &difference, true);
        let count = |status: Status| picture.nodes.iter().filter(|node| matches!(node.shape, Shape::Widget { .. }) && node.status == status).count();
        let changes = |of: &Change| difference.widgets.iter().filter(|widget| widget.change == *of).count();
        prop_assert_eq!(count(Status::Added), changes(&Change::Added));
        prop_assert_eq!(count(Status::Removed), changes(&Change::Removed));
        prop_assert_eq!(count(Status::Changed) + count(Status::Renamed) + count(Status::Added) + count(Status::Same), new.states().count());
    }
}
