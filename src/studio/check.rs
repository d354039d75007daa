//! The structure of a definition: what makes it one flow that can be entered and walked through. Everything that is wrong
//! is reported at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    definition::{FlowDefinition, State},
    problem::{Problem, ProblemKind},
};

impl FlowDefinition {
    /// All that is structurally wrong, in the order of the document. Placeholders are looked for by
    /// [`FlowDefinition::unresolved`], since they may still be filled.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_states(self, &mut problems);
        check_initial_state(self, &mut problems);
        problems
    }
}

fn check_states(definition: &FlowDefinition, problems: &mut Vec<Problem>) {
    let Some(states) = definition.fields().get("states") else {
        let kind = ProblemKind::Missing("states", "the list of the flow's widgets");
        return problems.push(Problem::of_the_flow("", kind));
    };
    let Some(states) = states.as_array() else {
        return problems.push(Problem::of_the_flow("/states", ProblemKind::WrongType("`states` is a list of widgets")));
    };
    for (index, _) in states.iter().enumerate().filter(|(_, state)| !state.is_object()) {
        let kind = ProblemKind::WrongType("a widget is a JSON object");
        problems.push(Problem::of_the_flow(format!("/states/{index}"), kind));
    }
    let mut names = BTreeSet::new();
    for state in definition.states() {
        match state.name() {
            None | Some("") => {
                let kind = ProblemKind::Missing("name", "every widget has a name, a text");
                problems.push(Problem::of_the_flow(format!("/states/{}", state.index), kind));
            }
            Some(name) if !names.insert(name) => {
                let pointer = format!("/states/{}/name", state.index);
                problems.push(Problem::of(Some(name), pointer, ProblemKind::DuplicateName(name.to_owned())));
            }
            Some(_) => {}
        }
        if state.kind().is_none() {
            let kind = ProblemKind::Missing("type", "every widget has a type, a text such as send-message");
            problems.push(Problem::of(state.name(), format!("/states/{}", state.index), kind));
        }
        check_transitions(definition, &state, problems);
    }
}

fn check_transitions(definition: &FlowDefinition, state: &State<'_>, problems: &mut Vec<Problem>) {
    let pointer = format!("/states/{}/transitions", state.index);
    let mut report = |pointer: String, kind| problems.push(Problem::of(state.name(), pointer, kind));
    let Some(transitions) = state.fields().get("transitions") else { return };
    let Some(transitions) = transitions.as_array() else {
        return report(pointer, ProblemKind::WrongType("`transitions` is a list"));
    };
    for (index, _) in transitions.iter().enumerate().filter(|(_, transition)| !transition.is_object()) {
        report(format!("{pointer}/{index}"), ProblemKind::WrongType("a transition is a JSON object"));
    }
    for transition in state.transitions() {
        let pointer = format!("{pointer}/{}", transition.index);
        if transition.event().is_none() {
            report(pointer.clone(), ProblemKind::Missing("event", "every transition names the event that it follows"));
        }
        let fields = transition.fields();
        if fields.contains_key("name") && !fields.contains_key("next") {
            let event = transition.event().unwrap_or_default().to_owned();
            report(format!("{pointer}/name"), ProblemKind::NameForNext { event });
        }
        match fields.get("next") {
            None | Some(Value::Null) => {}
            Some(Value::String(next)) if next.is_empty() || definition.state(next).is_some() => {}
            Some(Value::String(next)) => report(format!("{pointer}/next"), ProblemKind::UnknownWidget(next.clone())),
            Some(_) => report(format!("{pointer}/next"), ProblemKind::WrongType("`next` is the name of a widget")),
        }
    }
}

fn check_initial_state(definition: &FlowDefinition, problems: &mut Vec<Problem>) {
    let problem = match definition.fields().get("initial_state") {
        None => Problem::of_the_flow("", ProblemKind::Missing("initial_state", "the name of the trigger widget")),
        Some(Value::String(name)) => match definition.state(name) {
            None => Problem::of_the_flow("/initial_state", ProblemKind::UnknownWidget(name.clone())),
            Some(_) if definition.trigger().is_none() => {
                Problem::of_the_flow("/initial_state", ProblemKind::InitialStateNotTrigger(name.clone()))
            }
            Some(_) => return,
        },
        Some(_) => {
            Problem::of_the_flow("/initial_state", ProblemKind::WrongType("`initial_state` is the name of a widget"))
        }
    };
    problems.push(problem);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(document: Value) -> Vec<String> {
        FlowDefinition::parse(document).unwrap().problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_flow_has_no_problems() {
        let sound = json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "bye"}, {"event": "incomingCall"}]},
            {"name": "bye", "type": "send-message", "transitions": [{"event": "sent", "next": ""}, {"event": "failed", "next": null}]}
        ]});
        assert_eq!(problems(sound), Vec::<String>::new());
    }

    #[test]
    fn each_problem_names_its_widget_and_its_place() {
        let broken = json!({"initial_state": "Start", "states": [
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "nowhere"}]},
            {"name": "twice", "type": "send-message", "transitions": [{"event": "failed", "name": "Trigger"}]},
            {"name": "twice", "type": "send-message", "transitions": [{"next": "Trigger"}]},
            {"type": "send-message"},
            "text"
        ]});
        assert_eq!(
            problems(broken),
            [
                "a widget is a JSON object (at /states/4)",
                "widget `Trigger`: no widget is called `nowhere` (at /states/0/transitions/0/next)",
                "widget `twice`: the transition `failed` has `name` where `next` is meant: Studio takes it and ends the branch \
                 (at /states/1/transitions/0/name)",
                "widget `twice`: another widget is called `twice` too (at /states/2/name)",
                "widget `twice`: `event` is missing: every transition names the event that it follows \
                 (at /states/2/transitions/0)",
                "`name` is missing: every widget has a name, a text (at /states/3)",
                "no widget is called `Start` (at /initial_state)",
            ]
        );
    }

    #[test]
    fn a_flow_without_states_or_initial_state_says_which() {
        assert_eq!(
            problems(json!({"description": ""})),
            [
                "`states` is missing: the list of the flow's widgets",
                "`initial_state` is missing: the name of the trigger widget"
            ]
        );
    }

    #[test]
    fn the_initial_state_is_a_trigger() {
        let flow = json!({"initial_state": "hello", "states": [{"name": "hello", "type": "send-message"}]});
        assert_eq!(problems(flow), ["the initial state `hello` is not a trigger (at /initial_state)"]);
    }
}
