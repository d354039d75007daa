//! Every order of what can happen, within bounds.
//!
//! The bounds are those of a [`Setting`]. Each happening uses something up but time and undisturbed reconciles, which soon change
//! nothing, so the states are finitely many. `ENGAGE_MODEL=long` goes further.

use std::{io::Write, time::Instant};

use stateright::{Checker, Model, Property};

use super::{
    Bug, Edit, Setting, Start,
    world::{Happening, World},
};
use crate::api::flow_lifecycle::DriftPolicy::{Adopt, Correct, Report};

const KEPT: &str = "every promise is kept";

struct Bounded(Setting);

impl Model for Bounded {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.0)]
    }

    fn actions(&self, world: &World, happenings: &mut Vec<Happening>) {
        world.happenings(&self.0, happenings);
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        let mut next = world.clone();
        next.happen(&self.0, &happening);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(KEPT, |model, world: &World| world.broken_promise(&model.0).is_none())]
    }
}

/// Looks through everything that can happen; gives what is broken, and how it comes to that.
fn search(name: &str, setting: &Setting) -> Option<(&'static str, Vec<Happening>)> {
    let begin = Instant::now();
    let checker = Bounded(setting.clone()).checker().threads(2).spawn_bfs().join();
    let found = checker.discovery(KEPT).map(|path| {
        let promise = path.last_state().broken_promise(setting).unwrap();
        (promise, path.into_actions())
    });
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ = writeln!(
        std::io::stderr(),
        "flow model, {name}: {} states, depth {}, {:.1} s{}",
        checker.unique_state_count(),
        checker.max_depth(),
        begin.elapsed().as_secs_f64(),
        found.as_ref().map_or_else(String::new, |(promise, _)| format!("; found: {promise}")),
    );
    found
}

fn holds(name: &str, setting: &Setting) {
    if let Some((promise, path)) = search(name, setting) {
        let path: Vec<_> = path.iter().map(|happening| format!("{happening:?}")).collect();
        panic!("{name}: {promise}, by\n{}", path.join("\n"));
    }
}

/// Whether there is time for the further bounds.
fn long() -> bool {
    std::env::var("ENGAGE_MODEL").is_ok_and(|bounds| bounds == "long")
}

fn setting(start: Start) -> Setting {
    Setting {
        start,
        policy: Correct,
        publish: true,
        staged: false,
        adds_defaults: true,
        changes: 1,
        edits: 1,
        kinds: &[Edit::Publish, Edit::Draft],
        pins: 0,
        approvals: 0,
        troubles: 1 + u8::from(long()),
        bug: None,
    }
}

#[test]
fn whatever_happens_there_is_one_flow_and_it_comes_to_rest_as_the_spec_says() {
    for policy in [Correct, Report, Adopt] {
        for publish in [true, false] {
            let setting = Setting { policy, publish, troubles: 2, ..setting(Start::Nothing) };
            holds(&format!("made anew, {policy:?}, publish: {publish}"), &setting);
        }
    }
}

#[test]
fn a_change_and_edits_at_any_moment_lose_nothing_that_the_policy_keeps() {
    for policy in [Correct, Report, Adopt] {
        for publish in [true, false] {
            let more = u8::from(long());
            let setting = Setting { policy, publish, edits: 1 + more, troubles: 2, ..setting(Start::InStep) };
            holds(&format!("in step, {policy:?}, publish: {publish}"), &setting);
        }
    }
}

#[test]
fn what_is_staged_is_published_in_the_end_whatever_happens_between() {
    for policy in [Correct, Report, Adopt] {
        for (start, changes) in [(Start::Nothing, u8::from(long())), (Start::InStep, 1)] {
            let setting = Setting { policy, staged: true, changes, ..setting(start) };
            holds(&format!("staged, {start:?}, {policy:?}"), &setting);
        }
    }
}

#[test]
fn a_flow_that_is_adopted_is_dealt_with_as_the_policy_has_it() {
    for policy in [Correct, Report, Adopt] {
        for publish in [true, false] {
            let setting = Setting { policy, publish, ..setting(Start::Adopting) };
            holds(&format!("adopted, {policy:?}, publish: {publish}"), &setting);
        }
    }
}

#[test]
fn a_flow_that_is_adopted_by_its_name_is_given_the_one_that_it_should_have() {
    for policy in [Correct, Report, Adopt] {
        let setting = Setting { policy, ..setting(Start::AdoptingByName) };
        holds(&format!("adopted by name, {policy:?}"), &setting);
    }
}

#[test]
fn a_flow_that_somebody_renames_is_found_again_and_has_its_name_back_where_that_is_wanted() {
    for policy in [Correct, Report, Adopt] {
        for publish in [true, false] {
            let kinds = &[Edit::Rename, Edit::Publish];
            let setting = Setting { policy, publish, kinds, troubles: 2, ..setting(Start::InStep) };
            holds(&format!("renamed, {policy:?}, publish: {publish}"), &setting);
        }
        let setting = Setting { policy, kinds: &[Edit::Rename, Edit::Publish], edits: 2, ..setting(Start::InStep) };
        holds(&format!("renamed and edited, {policy:?}"), &setting);
    }
}

#[test]
fn a_flow_goes_back_to_a_revision_and_from_there_to_the_definition() {
    for policy in [Correct, Report, Adopt] {
        for publish in [true, false] {
            let setting = Setting { policy, publish, pins: 2, ..setting(Start::InStep) };
            holds(&format!("pinned, {policy:?}, publish: {publish}"), &setting);
        }
    }
}

#[test]
fn only_what_a_person_has_seen_is_written_over() {
    let approvals = 1 + u8::from(long());
    for policy in [Report, Adopt] {
        for publish in [true, false].into_iter().filter(|publish| *publish || long()) {
            let setting = Setting { policy, publish, edits: 2, approvals, ..setting(Start::InStep) };
            holds(&format!("approved, {policy:?}, publish: {publish}"), &setting);
        }
    }
}

#[test]
fn every_seeded_bug_is_found() {
    let made = Setting { edits: 0, changes: 0, troubles: 2, ..setting(Start::Nothing) };
    let changed = Setting { troubles: 2, ..setting(Start::InStep) };
    for (bug, setting) in [
        (Bug::CreateTwice, made.clone()),
        (Bug::WriteWithoutRecord, made),
        (Bug::TrustStaleRead, changed.clone()),
        (Bug::WriteBesideAnother, changed.clone()),
        (Bug::ForgetGap, changed.clone()),
        (Bug::ForgetRestore, Setting { policy: Report, ..changed.clone() }),
        (Bug::IgnorePolicy, Setting { policy: Report, ..changed.clone() }),
        (Bug::KeepForEver, Setting { policy: Adopt, ..changed.clone() }),
        (Bug::ApproveAll, Setting { policy: Report, edits: 2, approvals: 1, ..changed.clone() }),
        (Bug::ForgetName, Setting { kinds: &[Edit::Rename], ..changed.clone() }),
        (Bug::ForgetPin, Setting { pins: 1, ..changed }),
    ] {
        let found = search(&format!("{bug:?}"), &Setting { bug: Some(bug), ..setting });
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
