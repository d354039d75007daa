use proptest::prelude::*;
use serde_json::json;

use super::*;

fn flow(document: Value) -> FlowDefinition {
    FlowDefinition::parse(document).unwrap()
}

#[allow(clippy::needless_pass_by_value)]
fn of_states(states: Value) -> FlowDefinition {
    flow(json!({"initial_state": "Trigger", "states": states}))
}

#[test]
fn only_widgets_with_another_meaning_are_named() {
    let widget = |name: &str, body: &str, x: i32| json!({"name": name, "type": "send-message", "properties": {"body": body, "offset": {"x": x}}});
    let git = of_states(json!([widget("same", "hi", 0), widget("edited", "hi", 0), widget("removed", "hi", 0)]));
    let live = of_states(json!([widget("edited", "bye", 0), widget("same", "hi", 99), widget("added", "ha", 0)]));
    assert_eq!(git.widgets_that_differ(&live, 20), ["added", "edited", "removed"]);
    assert_eq!(git.widgets_that_differ(&live, 2), ["added", "edited"]);
    assert_eq!(git.widgets_that_differ(&git, 20), Vec::<String>::new());
}

#[test]
fn a_renamed_widget_is_named_both_ways() {
    let ask = |name: &str| of_states(json!([{"name": name, "type": "send-message", "properties": {"body": "hi"}}]));
    assert_eq!(ask("b").widgets_that_differ(&ask("a"), 20), ["a", "b"]);
}

#[test]
fn a_rename_that_was_forgotten_in_a_place_says_so() {
    let named = |name: &str, mentioned: &str| {
        of_states(json!([
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": name}]},
            {"name": name, "type": "send-and-wait-for-reply", "properties": {"body": "Your name?"}},
            {"name": "thanks", "type": "send-message", "properties": {"body": format!("Hello {{{{widgets.{mentioned}.inbound.Body}}}}")}}
        ]))
    };
    let difference = named("ask", "ask").difference(&named("ask_name", "ask"));
    let renamed = Renamed { from: "ask".into(), left_behind: 1 };
    let change = Change::Changed { renamed: Some(renamed), properties: vec![], transitions: vec![] };
    let widget = WidgetDifference { name: "ask_name".into(), kind: "send-and-wait-for-reply".into(), change };
    assert_eq!(difference, Difference { flow: vec![], widgets: vec![widget] });
    assert!(difference.text(Bounds::default()).contains("1 place still say ask"));
}

#[test]
fn renamed_and_reworded_is_still_a_rename_where_nothing_else_comes_close() {
    let named = |name: &str, body: &str| {
        of_states(json!([
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": name}]},
            {"name": name, "type": "send-message", "properties": {"body": body, "from": "{{flow.channel.address}}"},
                "transitions": [{"event": "sent", "next": "bye"}]},
            {"name": "bye", "type": "send-message", "properties": {"body": "Bye", "from": "{{flow.channel.address}}"}}
        ]))
    };
    let difference = named("hello", "Hello").difference(&named("greet", "Good day"));
    assert_eq!(difference.renamed(), BTreeMap::from([("greet", "hello")]));
    let text = difference.text(Bounds::default());
    assert!(
        text.contains(
            "! greet (send-message), was hello\n-   /properties/body: \"Hello\"\n+   /properties/body: \"Good day\""
        ),
        "{text}"
    );
}

#[test]
fn another_widget_at_another_place_is_no_rename() {
    let boilerplate = |name: &str, body: &str| {
        json!({"name": name, "type": "send-message", "properties": {
        "from": "{{flow.channel.address}}", "to": "{{contact.channel.address}}", "body": body
    }, "transitions": [{"event": "sent"}, {"event": "failed"}]})
    };
    let old = of_states(json!([boilerplate("a", "one"), boilerplate("b", "two"), boilerplate("c", "three")]));
    let new = of_states(json!([boilerplate("a", "one"), boilerplate("b", "two"), boilerplate("d", "four")]));
    let difference = old.difference(&new);
    assert_eq!(difference.renamed(), BTreeMap::new());
    assert_eq!(difference.summary(), "1 widget added, 1 removed");
}

#[test]
fn a_chain_of_renames_is_followed_and_twins_stay_together() {
    let chain = |prefix: &str| {
        let names: Vec<String> = (0..6).map(|index| format!("{prefix}{index}")).collect();
        // Two chains of three widgets, alike in all but their names.
        let states = (0..6).map(|index| {
            let next = if index % 3 == 2 { None } else { Some(&names[index + 1]) };
            json!({"name": names[index], "type": "set-variables", "transitions": [{"event": "next", "next": next}]})
        });
        of_states(states.collect())
    };
    let difference = chain("a").difference(&chain("b"));
    assert_eq!(difference.widgets.len(), 6);
    for widget in &difference.widgets {
        let Change::Changed { renamed: Some(_), properties, transitions } = &widget.change else {
            panic!("{widget:?}")
        };
        assert!(properties.is_empty() && transitions.is_empty(), "{widget:?}");
    }
}

#[test]
fn the_order_of_matches_is_a_change_and_says_which() {
    let split = |values: [&str; 3]| {
        let transitions: Vec<Value> = values
            .iter()
            .map(|value| json!({"event": "match", "next": value, "conditions": [{"type": "equal_to", "value": value}]}))
            .collect();
        of_states(json!([{"name": "split", "type": "split-based-on", "transitions": transitions}]))
    };
    let difference = split(["a", "b", "c"]).difference(&split(["c", "a", "b"]));
    let text = difference.text(Bounds::default());
    assert_eq!(
        text,
        "1 widget changed\n\n! split (split-based-on)\n!   match [= c] → c: is tried as number 1, was number 3\n"
    );
}

#[test]
fn a_retargeted_match_keeps_its_condition() {
    let split = |yes: Value| {
        of_states(json!([{"name": "split", "type": "split-based-on", "transitions": [
            {"event": "noMatch"},
            {"event": "match", "next": yes, "conditions": [{"type": "equal_to", "value": "yes"}]},
            {"event": "match", "next": "b", "conditions": [{"type": "equal_to", "value": "no"}]},
        ]}]))
    };
    let difference = split(json!("a")).difference(&split(Value::Null));
    let Change::Changed { transitions, .. } = &difference.widgets[0].change else { panic!() };
    assert_eq!(transitions.len(), 1);
    let (old, new) = (transitions[0].old.as_ref().unwrap(), transitions[0].new.as_ref().unwrap());
    assert_eq!((old.event(), old.conditions().as_deref(), old.next()), ("match", Some("= yes"), Some("a")));
    assert_eq!((new.event(), new.conditions().as_deref(), new.next()), ("match", Some("= yes"), None));
}

#[test]
fn an_empty_list_of_widgets_is_not_none_and_no_shape_is_a_surprise() {
    let shapes = [
        json!({}),
        json!({"states": []}),
        json!({"states": "text"}),
        json!({"states": [1, {"name": 5}, {"name": "a", "transitions": "none"}]}),
        json!({"states": [{"name": "a", "transitions": [1]}, {"name": "a"}, {"name": "a", "type": "b"}]}),
        json!({"initial_state": "a"}),
    ];
    for old in &shapes {
        for new in &shapes {
            let difference = flow(old.clone()).difference(&flow(new.clone()));
            assert_eq!(difference.is_empty(), old == new, "{old} {new} {difference:?}");
        }
    }
}

#[test]
fn the_text_is_bounded() {
    let many = |from: u32| {
        of_states((from..from + 500).map(|index| json!({"name": format!("w{index}"), "type": "trigger", "properties": {"body": format!("{index} \u{1b}[2J{}", "x".repeat(5000))}})).collect())
    };
    let text = many(0).difference(&many(500)).text(Bounds { lines: 50, value: 80 });
    assert_eq!(text.lines().count(), 53);
    assert!(text.ends_with("  … and 950 more lines\n"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(text.lines().all(|line| line.chars().count() < 200));
}

#[test]
fn the_text_of_a_difference_as_a_reviewer_reads_it() {
    let parse = |text| flow(serde_json::from_str(text).unwrap());
    let old = parse(include_str!("golden/old.json"));
    let difference = old.difference(&parse(include_str!("golden/new.json")));
    assert_eq!(difference.text(Bounds::default()), include_str!("golden/difference.txt"));
    let json = serde_json::to_string_pretty(&difference).unwrap() + "\n";
    assert_eq!(json, include_str!("golden/difference.json"));
}

/// Type, text, the widget that it mentions, and event and target of each transition.
type Generated = (usize, String, u8, Vec<(usize, Option<u8>)>);

/// A flow of widgets `w0`, `w1`, …, each with a text that mentions another and transitions to others.
fn generated() -> impl Strategy<Value = Vec<Value>> {
    let widget = (
        0..4_usize,
        "[a-z ]{0,6}",
        any::<u8>(),
        prop::collection::vec((0..4_usize, prop::option::of(any::<u8>())), 0..4),
    );
    prop::collection::vec(widget, 2..12).prop_map(|widgets| {
        let count = widgets.len();
        let name = |index: u8| format!("w{}", usize::from(index) % count);
        let of = |(index, (kind, text, mentioned, transitions)): (usize, &Generated)| {
            let transitions = transitions.iter().enumerate().map(|(at, (event, next))| {
                let event = ["match", "sent", "failed", "next"][*event];
                let mut transition = json!({"event": event, "conditions": [{"type": "equal_to", "value": at.to_string()}]});
                if let Some(next) = next {
                    transition["next"] = name(*next).into();
                }
                transition
            });
            json!({
                "name": format!("w{index}"),
                "type": (["send-message", "split-based-on", "set-variables", "run-function"][*kind]),
                "properties": {"id": index, "body": format!("{text} {{{{widgets.{}.x}}}} widgets.w0", name(*mentioned)), "list": [1, 2]},
                "transitions": transitions.collect::<Vec<_>>()
            })
        };
        widgets.iter().enumerate().map(of).collect()
    })
}

fn as_flow(states: &[Value]) -> FlowDefinition {
    flow(
        json!({"description": "a flow", "initial_state": "w0", "states": states, "flags": {"allow_concurrent_calls": true}}),
    )
}

fn only(difference: &Difference) -> &WidgetDifference {
    assert!(difference.flow.is_empty() && difference.widgets.len() == 1, "{difference:?}");
    &difference.widgets[0]
}

fn branch(transition: &Value) -> Branch {
    Branch::of(
        &as_flow(&[json!({"name": "w", "transitions": [transition]})]).canonical()["states"][0]["transitions"][0],
    )
}

/// All mentions of some names under others, by the text of the document: the names are such that no other text has them.
fn consistently_renamed(states: &[Value], renames: &[(String, String)]) -> FlowDefinition {
    let rename = |name: &str| renames.iter().find(|(old, _)| old == name).map(|(_, new)| new.clone());
    let states: Vec<Value> = states
        .iter()
        .map(|state| {
            let mut state = relabel(state, &rename);
            if let Some(new) = rename(state["name"].as_str().unwrap()) {
                state["name"] = new.into();
            }
            state
        })
        .collect();
    let mut document = as_flow(&states).fields().clone();
    if let Some(new) = rename("w0") {
        document["initial_state"] = new.into();
    }
    flow(Value::Object(document))
}

fn relabel(state: &Value, rename: &dyn Fn(&str) -> Option<String>) -> Value {
    let mut state = state.clone();
    for transition in state["transitions"].as_array_mut().unwrap() {
        if let Some(new) = transition.get("next").and_then(Value::as_str).and_then(rename) {
            transition["next"] = new.into();
        }
    }
    let body = state["properties"]["body"].as_str().unwrap();
    let (before, rest) = body.split_once("{{widgets.").unwrap();
    let (name, after) = rest.split_once('.').unwrap();
    let name = rename(name).unwrap_or_else(|| name.to_owned());
    state["properties"]["body"] = format!("{before}{{{{widgets.{name}.{after}").into();
    state
}

proptest! {
    #[test]
    fn nothing_differs_exactly_where_the_meaning_is_the_same(old in generated(), new in generated()) {
        let (old, new) = (as_flow(&old), as_flow(&new));
        prop_assert!(old.difference(&old).is_empty());
        prop_assert_eq!(old.difference(&new).is_empty(), old.semantically_equal(&new));
        prop_assert_eq!(new.difference(&old).is_empty(), old.semantically_equal(&new));
    }

    #[test]
    fn an_added_and_a_removed_widget_are_that(states in generated(), at in any::<prop::sample::Index>()) {
        let mut without = states.clone();
        let gone = without.remove(at.index(states.len()));
        let (with, without) = (as_flow(&states), as_flow(&without));
        let removed = with.difference(&without);
        prop_assert_eq!((only(&removed).name.as_str(), &only(&removed).change), (gone["name"].as_str().unwrap(), &Change::Removed));
        let added = without.difference(&with);
        prop_assert_eq!((only(&added).name.as_str(), &only(&added).change), (gone["name"].as_str().unwrap(), &Change::Added));
    }

    #[test]
    fn a_changed_property_is_found_at_its_place(states in generated(), at in any::<prop::sample::Index>(), place in 0..4_usize) {
        let at = at.index(states.len());
        let mut changed = states.clone();
        let pointer = ["/properties/body", "/properties/id", "/properties/list/1", "/type"][place];
        let old = std::mem::replace(changed[at].pointer_mut(pointer).unwrap(), json!("other"));
        let difference = as_flow(&states).difference(&as_flow(&changed));
        let change = PropertyChange { pointer: pointer.into(), old: Some(old), new: Some(json!("other")) };
        prop_assert_eq!(&only(&difference).change, &Change::Changed { renamed: None, properties: vec![change], transitions: vec![] });
    }

    #[test]
    fn a_changed_transition_is_found_as_one(states in generated(), at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>()) {
        let at = at.index(states.len());
        let transitions = states[at]["transitions"].as_array().unwrap();
        prop_assume!(!transitions.is_empty());
        let which = which.index(transitions.len());
        let mut changed = states.clone();
        changed[at]["transitions"][which]["next"] = "elsewhere".into();
        let (old, new) = (branch(&states[at]["transitions"][which]), branch(&changed[at]["transitions"][which]));
        let difference = as_flow(&states).difference(&as_flow(&changed));
        let Change::Changed { properties, transitions, renamed: None } = &only(&difference).change else { panic!() };
        prop_assert!(properties.is_empty());
        prop_assert_eq!(transitions, &[TransitionChange { old: Some(old), new: Some(new), moved: None }]);

        changed[at]["transitions"].as_array_mut().unwrap().remove(which);
        let difference = as_flow(&states).difference(&as_flow(&changed));
        let Change::Changed { transitions, .. } = &only(&difference).change else { panic!() };
        prop_assert!(transitions.len() == 1 && transitions[0].new.is_none() && transitions[0].moved.is_none());
    }

    #[test]
    fn the_flow_itself_is_told_by_its_fields(states in generated()) {
        let old = as_flow(&states);
        let mut fields = old.fields().clone();
        fields["flags"]["allow_concurrent_calls"] = false.into();
        fields["description"] = "other".into();
        let difference = old.difference(&flow(Value::Object(fields)));
        let places: Vec<&str> = difference.flow.iter().map(|change| change.pointer.as_str()).collect();
        prop_assert_eq!(places, ["/description", "/flags/allow_concurrent_calls"]);
        prop_assert!(difference.widgets.is_empty());
    }

    #[test]
    fn a_widget_renamed_everywhere_is_one_rename(states in generated(), at in any::<prop::sample::Index>()) {
        let name = states[at.index(states.len())]["name"].as_str().unwrap().to_owned();
        let difference = as_flow(&states).difference(&consistently_renamed(&states, &[(name.clone(), "other".into())]));
        let renamed = Some(Renamed { from: name, left_behind: 0 });
        prop_assert_eq!(only(&difference).name.as_str(), "other");
        prop_assert_eq!(&only(&difference).change, &Change::Changed { renamed, properties: vec![], transitions: vec![] });
    }

    #[test]
    fn many_widgets_renamed_at_once_are_as_many_renames(states in generated(), which in any::<u16>()) {
        let renames: Vec<(String, String)> = (0..states.len())
            .filter(|index| which >> index & 1 == 1)
            .map(|index| (format!("w{index}"), format!("v{}", 100 - index)))
            .collect();
        let difference = as_flow(&states).difference(&consistently_renamed(&states, &renames));
        prop_assert!(difference.flow.is_empty());
        prop_assert_eq!(difference.widgets.len(), renames.len());
        for (old, new) in &renames {
            let renamed = difference.renamed();
            prop_assert_eq!(renamed.get(new.as_str()), Some(&old.as_str()));
        }
        for widget in &difference.widgets {
            let Change::Changed { properties, transitions, .. } = &widget.change else { panic!("{widget:?}") };
            prop_assert!(properties.is_empty() && transitions.is_empty());
        }
    }
}
