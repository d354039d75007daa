//! What has to be done so that the account has the flow as the spec says. Pure and total: the same three inputs always give
//! the same plan, and once it is carried out the plan is [`Plan::Nothing`].
//!
//! Studio makes a revision at every save and refuses no stale one, so a write follows only from a difference in meaning, and
//! never from an answer that may be older than our own last write.

mod compare;
mod takeover;
mod written_over;

use crate::{
    controller::studio_flow::{
        live::{LiveFlow, LiveRevision},
        marker::WrittenBy,
        observe::Observed,
        recorded::Recorded,
        validate::Desired,
    },
    twilio::sid::FlowSid,
};

/// Most widgets that a report of drift names.
pub const MAX_WIDGETS: usize = 20;
/// Longest commit message of somebody else that is repeated, in characters.
const MAX_MESSAGE: usize = 200;

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// The flow is as it should be. A draft that somebody else left on top of it serves nobody and is only reported.
    Nothing { live: &'a LiveFlow, foreign_draft: Option<ForeignRevision> },
    /// Somebody else's edit stands until the spec changes.
    Keep { live: &'a LiveFlow, foreign: ForeignRevision },
    /// Somebody else's edit stands until a person has decided. `draft`: one that is on top of it. `changed`: the spec has changed
    /// beside it.
    Hold { live: &'a LiveFlow, foreign: ForeignRevision, draft: Option<ForeignRevision>, changed: bool },
    /// Make it.
    Create,
    /// Put this flow on record as the one that is meant, and look again.
    Adopt { live: &'a LiveFlow },
    /// Write to it. `draft`: one of somebody else that is on top of the edit that is put back, and goes with it. `publish`: as what
    /// serves; otherwise as a draft, even if it is to be published after that.
    Update { live: &'a LiveFlow, why: Why, draft: Option<ForeignRevision>, publish: bool },
    /// A write of ours, revision `by`, went over this revision unseen: say so, and look again.
    Overwrote { live: &'a LiveFlow, foreign: ForeignRevision, by: i64 },
    /// As `Overwrote`, and save it again.
    Restore { live: &'a LiveFlow, revision: &'a LiveRevision, foreign: ForeignRevision, by: i64 },
    /// Look again before anything is done.
    Wait(Wait),
    /// Do nothing until somebody has acted.
    Refuse(Refusal),
}

/// Why a flow is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The definition of the spec is another than the one that was written last.
    SpecChanged,
    /// Somebody else has saved something of another meaning.
    ForeignEdit(ForeignRevision),
    /// No revision is published, and one should be.
    StatusMismatch,
    /// It has another name.
    NameMismatch,
    /// Somebody else has given it another name.
    Renamed(ForeignRevision),
}

/// A revision that somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRevision {
    pub number: i64,
    pub author: Option<String>,
    pub at: Option<String>,
    pub commit_message: Option<String>,
    /// The name of the flow in it, if it is another than the spec's.
    pub friendly_name: Option<String>,
    /// Names of widgets in which it differs from the spec.
    pub widgets: Vec<String>,
    /// It is this revision of somebody else's, which we have saved again.
    pub restores: Option<i64>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The flow is not shown yet.
    NotVisibleYet,
    /// What was read is older than what was written.
    StaleRead,
    /// A create was begun, its answer is not known, and what it made may still turn up.
    CreateUnsettled,
    /// A write was begun, its answer is not known, and what it made may still turn up.
    WriteUnsettled,
}

/// Why nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Flows of that name exist that this resource did not make.
    NameTaken { sids: Vec<FlowSid> },
    /// Several flows carry our marker.
    SeveralOfOurs { sids: Vec<FlowSid> },
    /// The flow to be adopted is not there.
    NothingToAdopt,
    /// Several flows have the name of the one to be adopted.
    SeveralToAdopt { sids: Vec<FlowSid> },
    /// There is no such revision to go back to.
    NoSuchRevision { number: i64 },
}

/// Decides.
pub fn plan<'a>(desired: &Desired, recorded: &Recorded, observed: &'a Observed) -> Plan<'a> {
    match observed {
        Observed::Known(live) => known(desired, recorded, live),
        Observed::Named(Some(live)) => Plan::Adopt { live },
        Observed::Named(None) => Plan::Refuse(Refusal::NothingToAdopt),
        Observed::NotVisibleYet => Plan::Wait(Wait::NotVisibleYet),
        Observed::Unrecorded(candidates) => takeover::among(candidates, desired, recorded),
        Observed::NoSuchRevision(number) => Plan::Refuse(Refusal::NoSuchRevision { number: *number }),
    }
}

fn known<'a>(desired: &Desired, recorded: &Recorded, live: &'a LiveFlow) -> Plan<'a> {
    if is_stale(recorded, live) {
        return Plan::Wait(Wait::StaleRead);
    }
    if awaits_write(recorded, live) {
        return Plan::Wait(Wait::WriteUnsettled);
    }
    written_over::plan(desired, recorded, live).unwrap_or_else(|| compare::plan(desired, recorded, live))
}

/// Revisions only ever grow. An answer behind what is on record is an old one, as long as that may be.
fn is_stale(recorded: &Recorded, live: &LiveFlow) -> bool {
    let published = live.published.as_ref().map(|revision| revision.number);
    !recorded.settled() && (Some(live.latest.number) < recorded.revision || published < recorded.published_revision)
}

/// Whether a write was begun that is not seen and may still come. A second one beside it could be followed by the first.
fn awaits_write(recorded: &Recorded, live: &LiveFlow) -> bool {
    !recorded.settled() && recorded.begun.is_some() && recorded.made(live).is_none()
}

fn foreign(desired: &Desired, revision: &LiveRevision) -> ForeignRevision {
    let restores = match revision.by {
        WrittenBy::UsRestoring(number) => Some(number),
        WrittenBy::Us { .. } | WrittenBy::SomebodyElse => None,
    };
    let message = revision.commit_message.as_deref().filter(|message| !message.is_empty());
    let name = &revision.friendly_name;
    ForeignRevision {
        number: revision.number,
        author: revision.author.clone(),
        at: revision.at.clone(),
        commit_message: message.map(|message| message.chars().take(MAX_MESSAGE).collect()),
        friendly_name: (*name != desired.friendly_name && !name.is_empty()).then(|| name.clone()),
        widgets: desired.definition.widgets_that_differ(&revision.definition, MAX_WIDGETS),
        restores,
    }
}
