//! The plan against a small model of an account: whatever is found there and on record, once a plan is carried out nothing
//! is left to do.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{
    live::{LiveFlow, LiveRevision},
    observe::{Candidate, Observed},
    plan::{Plan, Refusal, Wait, Why, plan},
    recorded::Recorded,
    validate::Desired,
};
use crate::{studio::FlowDefinition, twilio::sid::FlowSid};

/// An account without lag.
#[derive(Debug, Clone)]
struct Account {
    flows: Vec<Flow>,
    /// Studio adds a default to everything that is saved.
    adds_defaults: bool,
}

#[derive(Debug, Clone)]
struct Flow {
    number: u8,
    name: String,
    revisions: Vec<Revision>,
}

#[derive(Debug, Clone)]
struct Revision {
    meaning: u8,
    published: bool,
    ours: bool,
}

fn sid(number: u8) -> FlowSid {
    format!("FW{number:032x}").parse().unwrap()
}

fn definition(meaning: u8, with_default: bool) -> FlowDefinition {
    let mut properties = json!({"body": meaning});
    if with_default {
        properties["message_type"] = json!("custom");
    }
    FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
        {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "hello"}]},
        {"name": "hello", "type": "send-message", "properties": properties}
    ]}))
    .unwrap()
}

fn desired(meaning: u8, publish: bool, name: u8) -> Desired {
    let definition = definition(meaning, false);
    Desired { friendly_name: name_of(name), publish, hash: definition.hash(), definition }
}

fn name_of(name: u8) -> String {
    format!("Flow {name}")
}

impl Account {
    fn live(&self, flow: &Flow) -> LiveFlow {
        let read = |(index, revision): (usize, &Revision)| {
            let definition = definition(revision.meaning, self.adds_defaults);
            let number = i64::try_from(index).unwrap() + 1;
            LiveRevision { number, hash: definition.hash(), definition, ours: revision.ours, author: None, at: None }
        };
        let revisions = || flow.revisions.iter().enumerate();
        LiveFlow {
            sid: sid(flow.number),
            friendly_name: flow.name.clone(),
            webhook_url: None,
            latest: revisions().next_back().map(read).unwrap(),
            published: revisions().rev().find(|(_, revision)| revision.published).map(read),
        }
    }

    fn observe(&self, desired: &Desired, recorded: &Recorded) -> Observed {
        if let Some(wanted) = &recorded.sid {
            match self.flows.iter().find(|flow| sid(flow.number) == *wanted) {
                Some(flow) => return Observed::Known(Box::new(self.live(flow))),
                None if !recorded.settled() => return Observed::NotVisibleYet,
                None => {}
            }
        }
        let of_that_name = self
            .flows
            .iter()
            .filter(|flow| flow.name == desired.friendly_name || Some(&flow.name) == recorded.pending.as_ref());
        let candidate = |flow: &Flow| Candidate {
            live: self.live(flow),
            ours: flow.revisions[0].ours || flow.revisions.last().unwrap().ours,
        };
        Observed::Unrecorded(of_that_name.map(candidate).collect())
    }

    /// Does what `apply` does, and records what it records.
    fn apply(&mut self, plan: &Plan<'_>, desired: &Desired, meaning: u8, recorded: &mut Recorded) {
        let (target, write) = match plan {
            Plan::Create => {
                let number = 200;
                self.flows.push(Flow { number, name: desired.friendly_name.clone(), revisions: Vec::new() });
                (sid(number), true)
            }
            Plan::Adopt { live, write } => {
                recorded.revision = None;
                recorded.published_revision = None;
                (live.sid.clone(), write.is_some())
            }
            Plan::Update { live, why: _ } => (live.sid.clone(), true),
            Plan::Nothing { .. } | Plan::Wait(_) | Plan::Refuse(_) => return,
        };
        let adds_defaults = self.adds_defaults;
        let flow = self.flows.iter_mut().find(|flow| sid(flow.number) == target).unwrap();
        recorded.sid = Some(target);
        recorded.pending = None;
        if write {
            flow.name.clone_from(&desired.friendly_name);
            flow.revisions.push(Revision { meaning, published: desired.publish, ours: true });
            let revision = i64::try_from(flow.revisions.len()).unwrap();
            recorded.revision = Some(revision);
            if desired.publish {
                recorded.published_revision = Some(revision);
            }
            recorded.definition_hash = Some(desired.hash.to_string());
            recorded.live_hash = Some(definition(meaning, adds_defaults).hash().to_string());
            recorded.settles_in = Some(Duration::from_mins(1));
        }
    }
}

fn revision() -> impl Strategy<Value = Revision> {
    (0..3_u8, any::<bool>(), any::<bool>()).prop_map(|(meaning, published, ours)| Revision { meaning, published, ours })
}

fn flows() -> impl Strategy<Value = Vec<Flow>> {
    prop::collection::vec((0..2_u8, prop::collection::vec(revision(), 1..4)), 0..3).prop_map(|flows| {
        let flow = |(number, (name, revisions)): (usize, (u8, Vec<Revision>))| Flow {
            number: u8::try_from(number).unwrap(),
            name: name_of(name),
            revisions,
        };
        flows.into_iter().enumerate().map(flow).collect()
    })
}

fn recorded() -> impl Strategy<Value = Recorded> {
    (
        prop::option::of(0..4_u8),
        prop::option::of(1..5_i64),
        prop::option::of((0..3_u8, any::<bool>())),
        prop::option::of(0..2_u8),
        any::<bool>(),
    )
        .prop_map(|(flow, revision, written, pending, settled)| Recorded {
            sid: flow.map(sid),
            revision,
            published_revision: None,
            definition_hash: written.map(|(meaning, _)| definition(meaning, false).hash().to_string()),
            live_hash: written.map(|(meaning, defaults)| definition(meaning, defaults).hash().to_string()),
            pending: pending.map(name_of),
            settles_in: (!settled).then(|| Duration::from_secs(30)),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn after_a_plan_is_carried_out_there_is_nothing_left_to_do(
        flows in flows(),
        adds_defaults in any::<bool>(),
        mut recorded in recorded(),
        (meaning, publish, name) in (0..3_u8, any::<bool>(), 0..2_u8),
    ) {
        let mut account = Account { flows, adds_defaults };
        let desired = desired(meaning, publish, name);
        let observed = account.observe(&desired, &recorded);
        let first = plan(&desired, &recorded, &observed);
        account.apply(&first, &desired, meaning, &mut recorded);
        let again = account.observe(&desired, &recorded);
        let second = plan(&desired, &recorded, &again);
        match first {
            Plan::Create | Plan::Update { .. } | Plan::Adopt { .. } => {
                prop_assert!(matches!(second, Plan::Nothing { .. }), "{second:?}");
            }
            Plan::Nothing { .. } | Plan::Wait(_) | Plan::Refuse(_) => prop_assert_eq!(&first, &second),
        }
    }

    #[test]
    fn nothing_is_made_while_an_earlier_create_may_turn_up_or_has(
        flows in flows(),
        recorded in recorded(),
        (meaning, publish, name) in (0..3_u8, any::<bool>(), 0..2_u8),
    ) {
        let account = Account { flows, adds_defaults: false };
        let desired = desired(meaning, publish, name);
        let observed = account.observe(&desired, &recorded);
        if plan(&desired, &recorded, &observed) == Plan::Create {
            prop_assert!(recorded.pending.is_none() || recorded.settled());
            let Observed::Unrecorded(candidates) = &observed else { panic!("a flow is made although one is on record") };
            prop_assert!(candidates.iter().all(|candidate| !candidate.ours));
        }
    }
}

/// Meaning, whether it is published, and whether it is ours.
type Saved = (u8, bool, bool);

/// One flow on record, written as meaning 0, that the account has with these revisions.
fn known(revisions: &[Saved], desired: &Desired) -> (Recorded, Observed) {
    let revisions = revisions.iter().map(|&(meaning, published, ours)| Revision { meaning, published, ours }).collect();
    let account = Account {
        flows: vec![Flow { number: 0, name: desired.friendly_name.clone(), revisions }],
        adds_defaults: false,
    };
    let hash = Some(definition(0, false).hash().to_string());
    let recorded =
        Recorded { sid: Some(sid(0)), definition_hash: hash.clone(), live_hash: hash, ..Recorded::default() };
    let observed = account.observe(desired, &recorded);
    (recorded, observed)
}

#[test]
fn an_edit_by_somebody_else_is_told_from_a_change_of_the_spec() {
    let cases: [(u8, bool, &[Saved], &str); 9] = [
        (0, true, &[(0, true, true)], "nothing"),
        (1, true, &[(0, true, true)], "spec changed"),
        (0, true, &[(0, true, true), (2, true, false)], "foreign 2"),
        (1, true, &[(0, true, true), (2, true, false)], "foreign 2"),
        // A foreign revision of the same meaning is left alone.
        (0, true, &[(0, true, true), (0, true, false)], "nothing"),
        // A foreign draft serves nobody and is only told of, until the spec goes over it.
        (0, true, &[(0, true, true), (2, false, false)], "nothing, draft 2"),
        (1, true, &[(0, true, true), (2, false, false)], "foreign 2"),
        (0, true, &[(0, false, true)], "not published"),
        (0, false, &[(0, true, true)], "nothing"),
    ];
    for (meaning, publish, revisions, expected) in cases {
        let desired = desired(meaning, publish, 0);
        let (recorded, observed) = known(revisions, &desired);
        let said = match plan(&desired, &recorded, &observed) {
            Plan::Nothing { live: _, foreign_draft: None } => "nothing".to_owned(),
            Plan::Nothing { live: _, foreign_draft: Some(draft) } => format!("nothing, draft {}", draft.number),
            Plan::Update { live: _, why: Why::SpecChanged } => "spec changed".to_owned(),
            Plan::Update { live: _, why: Why::StatusMismatch } => "not published".to_owned(),
            Plan::Update { live: _, why: Why::ForeignEdit(foreign) } => {
                assert_eq!(foreign.widgets, ["hello"]);
                format!("foreign {}", foreign.number)
            }
            other => format!("{other:?}"),
        };
        assert_eq!(said, expected, "{meaning} {publish} {revisions:?}");
    }
}

#[test]
fn an_interrupted_create_is_not_repeated_until_it_would_be_visible() {
    let desired = desired(0, true, 0);
    let nothing_there = Observed::Unrecorded(Vec::new());
    let mut recorded =
        Recorded { pending: Some(name_of(0)), settles_in: Some(Duration::from_secs(1)), ..Recorded::default() };
    assert_eq!(plan(&desired, &recorded, &nothing_there), Plan::Wait(Wait::CreateUnsettled));
    recorded.settles_in = None;
    assert_eq!(plan(&desired, &recorded, &nothing_there), Plan::Create);
}

#[test]
fn a_flow_of_the_same_name_is_taken_over_only_if_it_is_ours() {
    let desired = desired(0, true, 0);
    let with = |ours: &[bool]| {
        let flow = |(number, ours): (usize, &bool)| Flow {
            number: u8::try_from(number).unwrap(),
            name: name_of(0),
            revisions: vec![Revision { meaning: 0, published: true, ours: *ours }],
        };
        let account = Account { flows: ours.iter().enumerate().map(flow).collect(), adds_defaults: false };
        account.observe(&desired, &Recorded::default())
    };
    let recorded = Recorded::default();
    assert!(matches!(plan(&desired, &recorded, &with(&[true])), Plan::Adopt { live: _, write: None }));
    assert!(matches!(plan(&desired, &recorded, &with(&[false, true])), Plan::Adopt { live: _, write: None }));
    assert_eq!(plan(&desired, &recorded, &with(&[false])), Plan::Refuse(Refusal::NameTaken { sids: vec![sid(0)] }));
    assert_eq!(
        plan(&desired, &recorded, &with(&[true, true])),
        Plan::Refuse(Refusal::SeveralOfOurs { sids: vec![sid(0), sid(1)] })
    );
}

#[test]
fn an_answer_older_than_our_write_leads_to_no_write() {
    let desired = desired(1, true, 0);
    let (mut recorded, observed) = known(&[(0, true, true)], &desired);
    recorded.revision = Some(2);
    recorded.settles_in = Some(Duration::from_secs(30));
    assert_eq!(plan(&desired, &recorded, &observed), Plan::Wait(Wait::StaleRead));
    recorded.settles_in = None;
    assert!(matches!(plan(&desired, &recorded, &observed), Plan::Update { .. }));
}
