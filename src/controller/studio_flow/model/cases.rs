//! Single decisions, each by an example.

use super::{
    plain,
    studio::{self, FOREIGN, Flow, MARKER, NAME, Revision},
};
use crate::{
    api::flow_lifecycle::DriftPolicy,
    controller::studio_flow::{
        observe::{Candidate, Observed},
        plan::{Plan, Refusal, Wait, Why, plan},
        recorded::{Begun, Recorded},
        validate::{Adoption, Desired},
    },
};

fn desired(meaning: u8, publish: bool) -> Desired {
    Desired { publish, ..plain(studio::definition(meaning, false)) }
}

/// Meaning, whether it is published, and whether it is ours.
type Saved = (u8, bool, bool);

fn flow(revisions: &[Saved]) -> Flow {
    let revision = |&(meaning, published, ours): &Saved| {
        let message = ours.then(|| MARKER.commit_message(studio::definition(meaning, false).1.short()));
        Revision { name: NAME.to_owned(), meaning, with_default: false, published, message, at: 0 }
    };
    Flow { revisions: revisions.iter().map(revision).collect() }
}

/// One flow on record, last agreed with as meaning 0.
fn known(revisions: &[Saved]) -> (Recorded, Observed) {
    let hash = Some(studio::definition(0, false).1.to_string());
    let recorded =
        Recorded { sid: Some(studio::sid(0)), definition_hash: hash.clone(), live_hash: hash, ..Recorded::default() };
    (recorded, Observed::Known(Box::new(flow(revisions).live(0, None).unwrap())))
}

fn said(plan: Plan<'_>) -> String {
    match plan {
        Plan::Nothing { live: _, foreign_draft: None } => "nothing".to_owned(),
        Plan::Nothing { live: _, foreign_draft: Some(draft) } => format!("nothing, draft {}", draft.number),
        Plan::Update { why: Why::SpecChanged, .. } => "spec changed".to_owned(),
        Plan::Update { why: Why::StatusMismatch, .. } => "not published".to_owned(),
        Plan::Update { why: Why::ForeignEdit(foreign), .. } => {
            assert_eq!(foreign.widgets, ["hello"]);
            format!("foreign {}", foreign.number)
        }
        Plan::Keep { live: _, foreign } => format!("keep {}", foreign.number),
        Plan::Hold { foreign, changed, .. } => {
            format!("hold {}{}", foreign.number, if changed { ", changed" } else { "" })
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn an_edit_by_somebody_else_is_told_from_a_change_of_the_spec() {
    let theirs = FOREIGN;
    // By `Correct`, `Report` and `Adopt`.
    let cases: [(u8, bool, &[Saved], [&str; 3]); 9] = [
        (0, true, &[(0, true, true)], ["nothing"; 3]),
        (1, true, &[(0, true, true)], ["spec changed"; 3]),
        (0, true, &[(0, true, true), (theirs, true, false)], ["foreign 2", "hold 2", "keep 2"]),
        (1, true, &[(0, true, true), (theirs, true, false)], ["foreign 2", "hold 2, changed", "foreign 2"]),
        // A foreign revision of the same meaning is left alone.
        (0, true, &[(0, true, true), (0, true, false)], ["nothing"; 3]),
        // A foreign draft serves nobody and is only told of, until the spec goes over it.
        (0, true, &[(0, true, true), (theirs, false, false)], ["nothing, draft 2"; 3]),
        (1, true, &[(0, true, true), (theirs, false, false)], ["foreign 2", "hold 2, changed", "foreign 2"]),
        (0, true, &[(0, false, true)], ["not published"; 3]),
        (0, false, &[(0, true, true)], ["nothing"; 3]),
    ];
    for (meaning, publish, revisions, expected) in cases {
        let policies = [DriftPolicy::Correct, DriftPolicy::Report, DriftPolicy::Adopt];
        for (drift_policy, expected) in policies.into_iter().zip(expected) {
            let desired = Desired { drift_policy, ..desired(meaning, publish) };
            let (recorded, observed) = known(revisions);
            assert_eq!(
                said(plan(&desired, &recorded, &observed)),
                expected,
                "{meaning} {publish} {revisions:?} {drift_policy:?}"
            );
            // A person has seen it.
            let desired = Desired { overwrite: Some(2), ..desired };
            let corrected =
                said(plan(&Desired { drift_policy: DriftPolicy::Correct, ..desired.clone() }, &recorded, &observed));
            assert_eq!(said(plan(&desired, &recorded, &observed)), corrected);
        }
    }
}

#[test]
fn an_edit_that_was_kept_is_put_back_when_the_policy_is_another_one() {
    let (mut recorded, observed) = known(&[(0, true, true), (FOREIGN, true, false)]);
    recorded.live_hash = Some(studio::definition(FOREIGN, false).1.to_string());
    recorded.kept = Some(2);
    let with = |drift_policy, overwrite| {
        said(plan(&Desired { drift_policy, overwrite, ..desired(0, true) }, &recorded, &observed))
    };
    assert_eq!(with(DriftPolicy::Adopt, None), "nothing");
    assert_eq!(with(DriftPolicy::Adopt, Some(2)), "foreign 2");
    assert_eq!(with(DriftPolicy::Correct, None), "foreign 2");
    assert_eq!(with(DriftPolicy::Report, None), "hold 2");
}

#[test]
fn what_a_write_of_ours_went_over_is_found_by_the_gap_and_saved_again_unless_somebody_has_saved_since() {
    let raced: &[Saved] = &[(0, true, true), (FOREIGN, true, false), (1, true, true)];
    let mut followed = raced.to_vec();
    followed.push((FOREIGN + 1, true, false));
    for (revisions, drift_policy, restored) in [
        (raced, DriftPolicy::Correct, false),
        (raced, DriftPolicy::Report, true),
        (raced, DriftPolicy::Adopt, true),
        (&followed, DriftPolicy::Report, false),
    ] {
        let (mut recorded, _) = known(revisions);
        recorded.begun = Some(Begun { after: 1, restores: None });
        let flow = flow(revisions);
        let mut live = flow.live(0, None).unwrap();
        let numbers = recorded.in_question(live.latest.number);
        live.in_question = numbers.into_iter().filter_map(|number| flow.revision(number, None)).collect();
        let observed = Observed::Known(Box::new(live));
        match plan(&Desired { drift_policy, ..desired(1, true) }, &recorded, &observed) {
            Plan::Restore { revision, foreign, by, .. } if restored => {
                assert_eq!((revision.number, foreign.number, by), (2, 2, 3));
            }
            Plan::Overwrote { foreign, by, .. } if !restored => assert_eq!((foreign.number, by), (2, 3)),
            other => panic!("{drift_policy:?}: {other:?}"),
        }
    }
}

fn candidates(ours: &[bool]) -> Observed {
    let candidate = |(number, ours): (usize, &bool)| Candidate {
        live: flow(&[(0, true, *ours)]).live(number, None).unwrap(),
        ours: *ours,
    };
    Observed::Unrecorded(ours.iter().enumerate().map(candidate).collect())
}

#[test]
fn a_flow_of_the_same_name_is_taken_over_only_if_it_is_ours_or_the_spec_names_it() {
    let unasked = desired(0, true);
    let by_name = Desired { adopt: Some(Adoption::Named(NAME.to_owned())), ..unasked.clone() };
    let said = |desired: &Desired, ours: &[bool]| match plan(desired, &Recorded::default(), &candidates(ours)) {
        Plan::Adopt { live } => format!("adopt {}", live.sid),
        Plan::Create => "create".to_owned(),
        Plan::Refuse(refusal) => format!("{refusal:?}"),
        other => panic!("{other:?}"),
    };
    let sids = |sids: &[usize]| sids.iter().map(|&number| studio::sid(number)).collect::<Vec<_>>();
    assert_eq!(said(&unasked, &[]), "create");
    assert_eq!(said(&unasked, &[true]), format!("adopt {}", studio::sid(0)));
    assert_eq!(said(&unasked, &[false, true]), format!("adopt {}", studio::sid(1)));
    assert_eq!(said(&unasked, &[false]), format!("{:?}", Refusal::NameTaken { sids: sids(&[0]) }));
    assert_eq!(said(&unasked, &[true, true]), format!("{:?}", Refusal::SeveralOfOurs { sids: sids(&[0, 1]) }));
    assert_eq!(said(&by_name, &[]), "NothingToAdopt");
    assert_eq!(said(&by_name, &[false]), format!("adopt {}", studio::sid(0)));
    assert_eq!(said(&by_name, &[false, false]), format!("{:?}", Refusal::SeveralToAdopt { sids: sids(&[0, 1]) }));
    assert_eq!(said(&by_name, &[false, true]), format!("adopt {}", studio::sid(1)));
}

#[test]
fn an_interrupted_create_is_not_repeated_until_it_would_be_visible() {
    let nothing_there = Observed::Unrecorded(Vec::new());
    let mut recorded = Recorded {
        pending: Some(NAME.to_owned()),
        settles_in: Some(std::time::Duration::from_secs(1)),
        ..Recorded::default()
    };
    let desired = desired(0, true);
    assert_eq!(plan(&desired, &recorded, &nothing_there), Plan::Wait(Wait::CreateUnsettled));
    recorded.settles_in = None;
    assert_eq!(plan(&desired, &recorded, &nothing_there), Plan::Create);
}

#[test]
fn an_answer_older_than_our_write_leads_to_no_write() {
    let desired = desired(1, true);
    let (mut recorded, observed) = known(&[(0, true, true)]);
    recorded.revision = Some(2);
    recorded.settles_in = Some(std::time::Duration::from_secs(30));
    assert_eq!(plan(&desired, &recorded, &observed), Plan::Wait(Wait::StaleRead));
    recorded.settles_in = None;
    assert!(matches!(plan(&desired, &recorded, &observed), Plan::Update { .. }));
}
