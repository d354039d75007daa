//! Three ways: what the spec says, what was last agreed with, and what the account has, published and newest draft. Of what
//! somebody else wrote `spec.driftPolicy` decides; a number up to `spec.overwriteRevision` was decided by a person.

use super::{ForeignRevision, Plan, Why, foreign as told};
use crate::{
    api::flow_lifecycle::DriftPolicy,
    controller::studio_flow::{
        live::{LiveFlow, LiveRevision},
        marker::WrittenBy,
        recorded::Recorded,
        validate::Desired,
    },
};

/// What to do about a flow of which nothing is in flight.
pub fn plan<'a>(desired: &Desired, recorded: &Recorded, live: &'a LiveFlow) -> Plan<'a> {
    let Some(why) = difference(desired, recorded, live) else {
        return Plan::Nothing { live, foreign_draft: foreign_draft(desired, recorded, live) };
    };
    let publish = desired.publish && (!desired.staged || is_staged(desired, live));
    let changed = recorded.definition_hash.as_deref().is_some_and(|hash| hash != desired.hash.as_str());
    let (Why::ForeignEdit(foreign) | Why::Renamed(foreign)) = &why else {
        return Plan::Update { live, why, draft: None, publish };
    };
    let foreign = foreign.clone();
    let draft = foreign_draft(desired, recorded, live).filter(|draft| draft.number != foreign.number);
    let newest = draft.as_ref().map_or(foreign.number, |draft| draft.number);
    // A name is what the flow is found by, and a draft serves nobody: only what serves is kept.
    let may_stay = matches!(why, Why::ForeignEdit(_)) && answering(desired, live) == Some(foreign.number);
    match desired.policy_on(newest) {
        DriftPolicy::Report => Plan::Hold { live, foreign, draft, changed },
        DriftPolicy::Adopt if may_stay && !changed => Plan::Keep { live, foreign },
        DriftPolicy::Correct | DriftPolicy::Adopt => Plan::Update { live, why, draft, publish },
    }
}

/// Whether the newest revision is ours and says what the spec says, so that it is for Studio alone to publish it.
fn is_staged(desired: &Desired, live: &LiveFlow) -> bool {
    let written = |hash: &Option<String>| hash.as_deref() == Some(desired.mark.as_str());
    matches!(&live.latest.by, WrittenBy::Us { hash } if written(hash))
}

/// The number of the revision that should say what the spec says.
fn answering(desired: &Desired, live: &LiveFlow) -> Option<i64> {
    if desired.publish { live.published.as_ref().map(|published| published.number) } else { Some(live.latest.number) }
}

/// Why the flow is not as the spec says, if it is not.
fn difference(desired: &Desired, recorded: &Recorded, live: &LiveFlow) -> Option<Why> {
    let LiveFlow { sid: _, friendly_name, webhook_url: _, latest, published, in_question: _, test_users: _ } = live;
    let buried = || foreign_draft(desired, recorded, live).map(Why::ForeignEdit);
    let why = if desired.publish {
        match published {
            None => Some(buried().unwrap_or(Why::StatusMismatch)),
            Some(published) if means(desired, recorded, published) => None,
            Some(published) if is_foreign(desired, recorded, published) => {
                Some(Why::ForeignEdit(told(desired, published)))
            }
            Some(_) => Some(buried().unwrap_or(Why::SpecChanged)),
        }
    } else if means(desired, recorded, latest) {
        None
    } else {
        Some(buried().unwrap_or(Why::SpecChanged))
    };
    why.or_else(|| {
        let renamed =
            || if renames(desired, recorded, latest) { Why::Renamed(told(desired, latest)) } else { Why::NameMismatch };
        (*friendly_name != desired.friendly_name && !is_kept(desired, recorded, live)).then(renamed)
    })
}

/// The newest revision, if it is somebody else's and means something else without serving customers, or names the flow otherwise.
fn foreign_draft(desired: &Desired, recorded: &Recorded, live: &LiveFlow) -> Option<ForeignRevision> {
    let latest = &live.latest;
    let serves = live.published.as_ref().is_some_and(|published| published.number == latest.number);
    let answers = (desired.publish && serves) || means(desired, recorded, latest);
    let differs = (!answers && is_foreign(desired, recorded, latest)) || renames(desired, recorded, latest);
    differs.then(|| told(desired, latest))
}

/// Whether somebody else has saved this revision since ours, under another name.
fn renames(desired: &Desired, recorded: &Recorded, latest: &LiveRevision) -> bool {
    let name = &latest.friendly_name;
    latest.by == WrittenBy::SomebodyElse
        && Some(latest.number) > recorded.revision
        && *name != desired.friendly_name
        && !name.is_empty()
}

/// Whether a revision means what the spec says: by its own meaning, or because it is what Studio made of that when it was
/// written, defaults of its own included; or because it stands for what the spec says until that changes.
pub(super) fn means(desired: &Desired, recorded: &Recorded, revision: &LiveRevision) -> bool {
    let written = |hash: &String| *hash == desired.mark;
    let agreed = recorded.definition_hash.as_deref() == Some(desired.hash.as_str());
    revision.hash == desired.hash
        || matches!(&revision.by, WrittenBy::Us { hash } if hash.as_ref().is_some_and(written))
        || (agreed && !is_dismissed(desired, recorded) && recorded.live_hash.as_deref() == Some(revision.hash.as_str()))
}

/// Whether a revision is neither written by us nor of the meaning that was last agreed with.
fn is_foreign(desired: &Desired, recorded: &Recorded, revision: &LiveRevision) -> bool {
    let live_hash = recorded.live_hash.as_ref().filter(|_| !is_dismissed(desired, recorded));
    let agreed = [recorded.definition_hash.as_ref(), live_hash];
    let is_agreed = agreed.into_iter().flatten().any(|hash| hash == revision.hash.as_str());
    !matches!(revision.by, WrittenBy::Us { .. }) && !is_agreed
}

/// Whether an edit is kept, and with it the name that it has: to write the name is to write the definition.
fn is_kept(desired: &Desired, recorded: &Recorded, live: &LiveFlow) -> bool {
    let answering = if desired.publish { live.published.as_ref() } else { Some(&live.latest) };
    recorded.kept.is_some()
        && !is_dismissed(desired, recorded)
        && answering.is_some_and(|revision| revision.hash != desired.hash && means(desired, recorded, revision))
}

/// Whether an edit was kept that should not be any longer.
fn is_dismissed(desired: &Desired, recorded: &Recorded) -> bool {
    recorded.kept.is_some_and(|kept| desired.policy_on(kept) != DriftPolicy::Adopt)
}
