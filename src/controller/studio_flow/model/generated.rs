//! Flows of many shapes and up to a thousand widgets: what is carried out leaves nothing to do, whatever Studio makes of the text.

use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Map, Value, json};

use super::{
    plain,
    studio::{self, ACCOUNT, MARKER},
};
use crate::{
    api::StudioFlowStatus,
    controller::studio_flow::{
        course::{Course, Do, Outcome},
        live::{LiveFlow, LiveRevision},
        observe::{Candidate, Observed},
        plan::{Plan, plan},
        recorded::Recorded,
        validate::Desired,
    },
    studio::FlowDefinition,
    twilio::studio::{Flow, FlowWrite},
};

/// A flow with so many widgets beside its trigger, and one of them else than without `edited`.
fn flow(widgets: usize, seed: u64, edited: Option<usize>) -> FlowDefinition {
    let mut rng = StdRng::seed_from_u64(seed);
    let name = |n: usize| if n == widgets { Value::Null } else { json!(format!("w{n}")) };
    let mut states = vec![json!({"name": "Trigger", "type": "trigger", "properties": {"offset": {"x": 0, "y": 0}},
        "transitions": [{"event": "incomingMessage", "next": name(0)}, {"event": "incomingCall"}]})];
    for n in 0..widgets {
        let body = format!("{} {n} {{{{widgets.w{}.inbound.Body}}}} é", rng.random::<u16>(), n / 2);
        let body = if edited == Some(n) { format!("{body}, edited") } else { body };
        let next = name(rng.random_range(n + 1..=widgets));
        let (kind, properties, events) = match rng.random_range(0..4) {
            0 => ("send-message", json!({"from": "{{flow.channel.address}}", "body": body}), vec!["sent", "failed"]),
            1 => ("split-based-on", json!({"input": body}), vec!["noMatch", "match", "match"]),
            2 => (
                "set-variables",
                json!({"variables": [{"key": "k", "value": body}, {"key": "n", "value": n}]}),
                vec!["next"],
            ),
            // A type of which nothing is known.
            _ => (
                "brand-new",
                json!({"deep": [[{"body": body, "ratio": f64::from(rng.random::<u8>()) / 3.0}], null, []]}),
                vec!["done"],
            ),
        };
        let transitions: Vec<Value> = events.iter().map(|event| json!({"event": event, "next": next})).collect();
        let mut state =
            json!({"name": format!("w{n}"), "type": kind, "properties": properties, "transitions": transitions});
        state["properties"]["offset"] = json!({"x": rng.random_range(0..900), "y": 200 * n});
        states.push(state);
    }
    FlowDefinition::parse(json!({"description": "", "initial_state": "Trigger", "states": states,
        "flags": {"allow_concurrent_calls": true}}))
    .unwrap()
}

/// What Studio shows of what was saved: widgets and keys in another order, other places, and perhaps a default for every widget.
fn shown(definition: &str, rng: &mut StdRng, adds_defaults: bool) -> Value {
    let mut shown: Value = serde_json::from_str(definition).unwrap();
    let states = shown["states"].as_array_mut().unwrap();
    states.shuffle(rng);
    for state in states {
        state["properties"]["offset"] = json!({"x": rng.random_range(0..50), "y": 1});
        if adds_defaults {
            state["properties"]["of_studio"] = json!("default");
        }
    }
    reordered(shown, rng)
}

fn reordered(value: Value, rng: &mut StdRng) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.shuffle(rng);
            Value::Object(fields.into_iter().map(|(key, value)| (key, reordered(value, rng))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| reordered(item, rng)).collect()),
        other => other,
    }
}

/// A Studio with one flow at most.
struct Studio {
    revisions: Vec<Flow>,
    rng: StdRng,
    adds_defaults: bool,
}

impl Studio {
    fn save(&mut self, write: &FlowWrite) -> Flow {
        let definition = shown(&write.definition, &mut self.rng, self.adds_defaults);
        let flow: Flow = serde_json::from_value(json!({
            "sid": studio::sid(0), "friendly_name": write.friendly_name, "definition": definition,
            "status": "published", "revision": self.revisions.len() + 1, "commit_message": write.commit_message,
        }))
        .unwrap();
        self.revisions.push(flow.clone());
        flow
    }

    fn observed(&self, recorded: &Recorded) -> Observed {
        let Some(latest) = self.revisions.last() else { return Observed::Unrecorded(Vec::new()) };
        let latest = LiveRevision::read(latest, &MARKER).unwrap();
        let live = LiveFlow {
            sid: studio::sid(0),
            friendly_name: latest.friendly_name.clone(),
            webhook_url: None,
            published: Some(latest.clone()),
            latest,
            in_question: Vec::new(),
            test_users: None,
        };
        if recorded.sid.is_some() {
            Observed::Known(Box::new(live))
        } else {
            Observed::Unrecorded(vec![Candidate { live, ours: true }])
        }
    }

    /// One look and what follows from it; whether something was written to Studio.
    fn reconcile(&mut self, desired: &Desired, status: &mut StudioFlowStatus) -> (bool, Outcome) {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let recorded = Recorded::of(status, &ACCOUNT, now, std::time::Duration::ZERO);
        let observed = self.observed(&recorded);
        let plan = plan(desired, &recorded, &observed);
        let nothing = matches!(plan, Plan::Nothing { .. });
        let mut course = Course::new(plan, desired, &MARKER, &ACCOUNT);
        let (mut answer, mut wrote) = (None, false);
        loop {
            match course.next(status, answer.take().as_ref(), now) {
                Do::Validate(_) | Do::SetTestUsers(..) | Do::Record => {}
                Do::Create(saved) | Do::Update(_, saved) => {
                    wrote = true;
                    answer = Some(self.save(&saved));
                }
                Do::End(outcome) => {
                    assert!(!(nothing && wrote));
                    return (wrote, outcome);
                }
            }
        }
    }
}

/// Makes it, changes one widget, and forgets all about it: after each there is nothing to do.
fn carried_out_leaves_nothing_to_do(widgets: usize, seed: u64, adds_defaults: bool) {
    let mut studio = Studio { revisions: Vec::new(), rng: StdRng::seed_from_u64(!seed), adds_defaults };
    let mut status = StudioFlowStatus::default();
    let in_step = Outcome::InStep { foreign_draft: None };
    let edited = (widgets > 0).then(|| usize::try_from(seed).unwrap_or_default() % widgets);
    for (number, edited) in [(1, None), (2, edited)] {
        let definition = flow(widgets, seed, edited);
        let printed = definition.to_string();
        assert_eq!(FlowDefinition::parse(serde_json::from_str(&printed).unwrap()).unwrap(), definition);
        let hash = definition.hash();
        let desired = plain((definition, hash));
        let changes = number == 1 || edited.is_some();
        assert_eq!(studio.reconcile(&desired, &mut status), (changes, in_step.clone()));
        for _ in 0..2 {
            assert_eq!(studio.reconcile(&desired, &mut status), (false, in_step.clone()));
        }
        assert_eq!(studio.revisions.len(), if changes { number } else { 1 });
        // The resource is made anew from git: the flow is found again and is as it should be.
        let mut anew = StudioFlowStatus::default();
        assert_eq!(studio.reconcile(&desired, &mut anew), (false, Outcome::Again));
        assert_eq!(studio.reconcile(&desired, &mut anew), (false, in_step.clone()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_flow_of_any_shape_that_was_carried_out_leaves_nothing_to_do(
        widgets in 0..120_usize, seed: u64, adds_defaults: bool
    ) {
        carried_out_leaves_nothing_to_do(widgets, seed, adds_defaults);
    }
}

#[test]
fn a_flow_of_a_thousand_widgets_that_was_carried_out_leaves_nothing_to_do() {
    for adds_defaults in [false, true] {
        carried_out_leaves_nothing_to_do(1_000, 7, adds_defaults);
    }
}
