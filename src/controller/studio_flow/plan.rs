//! What has to be done so that the account has the flow as the spec says. Pure and total: the same three inputs always give
//! the same plan, and once it is carried out the plan is [`Plan::Nothing`].
//!
//! Studio makes a revision at every save and refuses no stale one, so a write follows only from a difference in meaning, and
//! never from an answer that may be older than our own last write.

use crate::{
    controller::studio_flow::{
        live::{LiveFlow, LiveRevision},
        observe::{Candidate, Observed},
        recorded::Recorded,
        validate::Desired,
    },
    twilio::sid::FlowSid,
};

/// Most widgets that a report of drift names.
pub const MAX_WIDGETS: usize = 20;

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// The flow is as it should be. A draft that somebody else left on top of it serves nobody and is only reported.
    Nothing { live: &'a LiveFlow, foreign_draft: Option<ForeignRevision> },
    /// Make it.
    Create,
    /// Take over the flow that carries our marker, and write to it where it differs.
    Adopt { live: &'a LiveFlow, write: Option<Why> },
    /// Write to it.
    Update { live: &'a LiveFlow, why: Why },
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
}

/// A revision that somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRevision {
    pub number: i64,
    pub author: Option<String>,
    pub at: Option<String>,
    /// Names of widgets in which it differs from the spec.
    pub widgets: Vec<String>,
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
}

/// Why nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Flows of that name exist that this resource did not make.
    NameTaken { sids: Vec<FlowSid> },
    /// Several flows carry our marker.
    SeveralOfOurs { sids: Vec<FlowSid> },
}

/// Decides.
pub fn plan<'a>(desired: &Desired, recorded: &Recorded, observed: &'a Observed) -> Plan<'a> {
    match observed {
        Observed::Known(live) if is_stale(recorded, live) => Plan::Wait(Wait::StaleRead),
        Observed::Known(live) => match compare(desired, recorded, live) {
            Some(why) => Plan::Update { live, why },
            None => Plan::Nothing { live, foreign_draft: foreign_draft(desired, recorded, live) },
        },
        Observed::NotVisibleYet => Plan::Wait(Wait::NotVisibleYet),
        Observed::Unrecorded(candidates) => among(candidates, desired, recorded),
    }
}

/// What to do when no flow is on record. A create of unknown outcome is repeated only when what it may have made would be
/// visible by now, and is not.
fn among<'a>(candidates: &'a [Candidate], desired: &Desired, recorded: &Recorded) -> Plan<'a> {
    let (ours, others): (Vec<&Candidate>, Vec<&Candidate>) = candidates.iter().partition(|candidate| candidate.ours);
    let sids = |candidates: &[&Candidate]| candidates.iter().map(|candidate| candidate.live.sid.clone()).collect();
    let taken = others.iter().any(|candidate| candidate.live.friendly_name == desired.friendly_name);
    match ours.as_slice() {
        [Candidate { live, ours: _ }] => Plan::Adopt { live, write: compare(desired, recorded, live) },
        [] if recorded.pending.is_some() && !recorded.settled() => Plan::Wait(Wait::CreateUnsettled),
        [] if taken => Plan::Refuse(Refusal::NameTaken { sids: sids(&others) }),
        [] => Plan::Create,
        several => Plan::Refuse(Refusal::SeveralOfOurs { sids: sids(several) }),
    }
}

/// Revisions only ever grow. An answer behind what is on record is an old one, as long as that may be.
fn is_stale(recorded: &Recorded, live: &LiveFlow) -> bool {
    let published = live.published.as_ref().map(|revision| revision.number);
    !recorded.settled() && (Some(live.latest.number) < recorded.revision || published < recorded.published_revision)
}

/// Why the flow has to be written to, if it has to.
fn compare(desired: &Desired, recorded: &Recorded, live: &LiveFlow) -> Option<Why> {
    let LiveFlow { sid: _, friendly_name, webhook_url: _, latest, published } = live;
    let buried = || foreign_draft(desired, recorded, live).map(Why::ForeignEdit);
    let why = if desired.publish {
        match published {
            None => Some(buried().unwrap_or(Why::StatusMismatch)),
            Some(published) if means(desired, recorded, published) => None,
            Some(published) if is_foreign(recorded, published) => Some(Why::ForeignEdit(foreign(desired, published))),
            Some(_) => Some(buried().unwrap_or(Why::SpecChanged)),
        }
    } else if means(desired, recorded, latest) {
        None
    } else {
        Some(buried().unwrap_or(Why::SpecChanged))
    };
    why.or_else(|| (*friendly_name != desired.friendly_name).then_some(Why::NameMismatch))
}

/// The newest revision, if it is somebody else's, is not what serves customers, and means something else.
fn foreign_draft(desired: &Desired, recorded: &Recorded, live: &LiveFlow) -> Option<ForeignRevision> {
    let latest = &live.latest;
    let serves = live.published.as_ref().is_some_and(|published| published.number == latest.number);
    let answers = (desired.publish && serves) || means(desired, recorded, latest);
    (!answers && is_foreign(recorded, latest)).then(|| foreign(desired, latest))
}

/// Whether a revision means what the spec says: by its own meaning, or because it is what Studio made of it when it was
/// written, defaults of its own included.
fn means(desired: &Desired, recorded: &Recorded, revision: &LiveRevision) -> bool {
    let written = recorded.definition_hash.as_deref() == Some(desired.hash.as_str());
    revision.hash == desired.hash || (written && recorded.live_hash.as_deref() == Some(revision.hash.as_str()))
}

/// Whether a revision is neither written by us nor of the meaning that was last agreed with.
fn is_foreign(recorded: &Recorded, revision: &LiveRevision) -> bool {
    let agreed = [&recorded.definition_hash, &recorded.live_hash];
    !revision.ours && agreed.iter().all(|hash| hash.as_deref() != Some(revision.hash.as_str()))
}

fn foreign(desired: &Desired, revision: &LiveRevision) -> ForeignRevision {
    ForeignRevision {
        number: revision.number,
        author: revision.author.clone(),
        at: revision.at.clone(),
        widgets: desired.definition.widgets_that_differ(&revision.definition, MAX_WIDGETS),
    }
}
