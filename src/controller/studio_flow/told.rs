//! What a condition says of what others did to the flow, and how to go on.

use crate::{
    api::{StudioFlowStatus, reasons::condition as reasons},
    controller::studio_flow::plan::{ForeignRevision, Refusal},
    twilio::sid::FlowSid,
};

/// Most SIDs that a message lists.
const MAX_SIDS: usize = 5;

/// How the edit is shown and comes into git.
const TO_GIT: &str = "`engage-operator flow diff -f` shows how it differs, and `engage-operator flow pull` gives it as a manifest for git";

/// Nothing is written because of the edit.
pub fn held(
    foreign: &ForeignRevision,
    draft: Option<&ForeignRevision>,
    changed: bool,
    status: &StudioFlowStatus,
) -> String {
    let beside = if changed { "; the spec has changed too and waits" } else { "" };
    let newest = draft.map_or(foreign.number, |draft| draft.number);
    format!(
        "{}{}. spec.driftPolicy is Report, so nothing is written{beside}. {TO_GIT}; to write over it, set spec.overwriteRevision to {newest}",
        who(foreign, status),
        draft_on_top(draft)
    )
}

/// The edit has come and is kept.
pub fn kept(foreign: &ForeignRevision, status: &StudioFlowStatus) -> String {
    format!("{}. {}", who(foreign, status), still_kept(foreign.number))
}

/// The edit is kept.
pub fn still_kept(number: i64) -> String {
    format!(
        "revision {number}, which somebody else saved, is kept until the spec changes (spec.driftPolicy is Adopt). {TO_GIT}; to write over it, set spec.overwriteRevision to {number}"
    )
}

/// A draft that is only told of.
pub fn draft_on_top(foreign: Option<&ForeignRevision>) -> String {
    let Some(ForeignRevision { number, at, widgets, .. }) = foreign else { return String::new() };
    let at = at.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
    let widgets = if widgets.is_empty() { String::new() } else { format!(" (widgets {})", widgets.join(", ")) };
    format!("; revision {number}, a draft that somebody else saved{at}, is on top of it{widgets} and is left alone")
}

/// Why nothing is done: reason and message.
pub fn refused(refusal: &Refusal) -> (&'static str, String) {
    match refusal {
        Refusal::NameTaken { sids } => (
            reasons::NAME_TAKEN,
            format!(
                "spec.friendlyName: the account has a flow of this name that this resource did not make ({}): take it over by spec.adopt, rename or delete it in Studio, or choose another name",
                listed(sids)
            ),
        ),
        Refusal::SeveralOfOurs { sids } => (
            reasons::CREATE_INTERRUPTED,
            format!(
                "several flows of the account carry the mark of this resource ({}): delete all but one in Studio",
                listed(sids)
            ),
        ),
        Refusal::NothingToAdopt => (
            reasons::NOTHING_TO_ADOPT,
            "spec.adopt: the account has no such flow: correct it or the credentials, or leave it out to have a flow made"
                .to_owned(),
        ),
        Refusal::SeveralToAdopt { sids } => (
            reasons::SEVERAL_TO_ADOPT,
            format!(
                "spec.adopt.friendlyName: the account has several flows of this name ({}): say which by spec.adopt.sid",
                listed(sids)
            ),
        ),
        Refusal::NoSuchRevision { number } => (
            reasons::REVISION_NOT_FOUND,
            format!("spec.revision: the flow has no revision {number}: name one of its history, or leave it out"),
        ),
    }
}

/// Who saved what. A revision that we saved again is told of as that of its author.
fn who(foreign: &ForeignRevision, status: &StudioFlowStatus) -> String {
    let ForeignRevision { number, widgets, .. } = foreign;
    match &status.drift {
        Some(drift) if drift.revision == *number || drift.restored_as == Some(*number) => drift.to_string(),
        _ => format!("somebody else saved revision {number}, in which these widgets differ: {}", widgets.join(", ")),
    }
}

fn listed(sids: &[FlowSid]) -> String {
    let more = sids.len().saturating_sub(MAX_SIDS);
    let listed = sids.iter().take(MAX_SIDS).map(FlowSid::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}
