//! What a write of ours went over without having seen it. Studio refuses no stale write, so this is found afterwards, by the
//! gap that it leaves in the revisions, and found again by whoever goes on after a crash.

use super::{Plan, compare, foreign};
use crate::{
    api::flow_lifecycle::DriftPolicy,
    controller::studio_flow::{live::LiveFlow, marker::WrittenBy, recorded::Recorded, validate::Desired},
};

/// What to do about it, if there is such a revision. It is saved again where edits of others are not to be lost, unless
/// somebody has saved another since: that one was made in sight of ours.
pub fn plan<'a>(desired: &Desired, recorded: &Recorded, live: &'a LiveFlow) -> Option<Plan<'a>> {
    let revision = recorded.gone_over(live)?;
    let name = &revision.friendly_name;
    let before =
        live.in_question.iter().find(|before| recorded.begun.is_some_and(|begun| begun.after == before.number));
    let only_named = compare::means(desired, recorded, revision) || before.is_some_and(|it| it.hash == revision.hash);
    let is_renamed = *name != desired.friendly_name && !name.is_empty();
    if matches!(revision.by, WrittenBy::Us { .. }) || (only_named && !is_renamed) {
        return None;
    }
    let foreign = foreign(desired, revision);
    let by = recorded.made(live).or(recorded.begun.map(|begun| begun.after))?;
    let is_wanted = match desired.policy_on(revision.number) {
        DriftPolicy::Correct => false,
        DriftPolicy::Report => true,
        // What a flow is called is not adopted.
        DriftPolicy::Adopt => !only_named,
    };
    if is_wanted && revision.is_read() && live.latest.by.is_our_hand() {
        Some(Plan::Restore { live, revision, foreign, by })
    } else {
        Some(Plan::Overwrote { live, foreign, by })
    }
}
