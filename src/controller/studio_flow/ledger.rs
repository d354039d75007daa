//! What the status says of the flow at each step of a write: the only memory there is. Pure, so that whatever a crash leaves
//! behind can be gone through.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{
        StudioFlowStatus,
        flow_lifecycle::PendingWrite,
        studio_flow::{FlowDrift, PendingCreate},
    },
    controller::{
        condition_writer::precise_time,
        studio_flow::{
            live::{LiveFlow, LiveRevision},
            plan::ForeignRevision,
            validate::Desired,
        },
    },
    studio::FlowDefinition,
    twilio::{
        sid::{AccountSid, FlowSid},
        studio::Flow,
    },
};

/// A create is about to begin. What was known of an earlier flow does not hold for this one.
pub fn begin_create(status: &mut StudioFlowStatus, account: &AccountSid, friendly_name: &str, now: Timestamp) {
    forget(status);
    status.account_sid = Some(account.to_string());
    status.pending_create = Some(PendingCreate {
        account_sid: account.to_string(),
        friendly_name: friendly_name.to_owned(),
        since: precise_time(now),
    });
}

/// This flow is the one that is meant. What was known of another one does not hold for it. It may be our own, made a moment
/// ago, and not be seen by the next look.
pub fn adopt(status: &mut StudioFlowStatus, account: &AccountSid, sid: &FlowSid, now: Timestamp) {
    forget(status);
    status.last_write_time = Some(precise_time(now));
    status.account_sid = Some(account.to_string());
    status.sid = Some(sid.to_string());
}

/// What is said of the flow is taken back; what is said of the resource stays.
fn forget(status: &mut StudioFlowStatus) {
    status.sid = None;
    status.account_sid = None;
    status.revision = None;
    status.published_revision = None;
    status.kept_revision = None;
    status.definition_hash = None;
    status.live_hash = None;
    status.last_write_time = None;
    status.unchecked_since = None;
    status.webhook_url = None;
    status.pending_create = None;
    status.pending_write = None;
}

/// A write is about to begin, to a flow that was seen like this. What was in flight before it is seen there.
pub fn begin_write(status: &mut StudioFlowStatus, live: &LiveFlow, restores: Option<i64>, now: Timestamp) {
    ended(status, live, now);
    status.pending_write = Some(PendingWrite { after: live.latest.number, since: precise_time(now), restores });
}

/// The write is known to have had no effect. What it was to save again still is.
pub fn refused(status: &mut StudioFlowStatus) {
    status.pending_create = None;
    status.pending_write = status.pending_write.take().filter(|write| write.restores.is_some());
}

/// What a write of what the spec says gave.
pub fn written(status: &mut StudioFlowStatus, desired: &Desired, answer: &Flow) {
    let live = answer.definition.as_ref().and_then(serde_json::Value::as_object);
    let live = live.map_or_else(|| desired.hash.clone(), |fields| FlowDefinition::observed(fields.clone()).hash());
    status.definition_hash = Some(desired.hash.to_string());
    status.live_hash = Some(live.to_string());
    status.kept_revision = None;
}

/// What any write gave, taken from its answer: a read so shortly after may not show it. Where the answer leaves a gap the write
/// stays on record as begun, until what it went over has been looked at.
pub fn answered(
    status: &mut StudioFlowStatus,
    account: &AccountSid,
    before: Option<&LiveFlow>,
    answer: &Flow,
    now: Timestamp,
) {
    let published_before = before.and_then(|live| live.published.as_ref()).map(|published| published.number);
    status.sid = Some(answer.sid.to_string());
    status.account_sid = Some(account.to_string());
    status.pending_create = None;
    let is_next = |write: &PendingWrite| answer.revision.is_none_or(|revision| revision <= write.after + 1);
    status.pending_write = status.pending_write.take().filter(|write| !is_next(write));
    status.revision = answer.revision;
    status.published_revision = if answer.is_published() { answer.revision } else { published_before };
    status.last_write_time = Some(precise_time(now));
    status.webhook_url = answer.webhook_url.clone().or_else(|| before.and_then(|live| live.webhook_url.clone()));
}

/// The flow is as it should be, or as it may be: `foreign` is kept until the spec changes.
pub fn agreed(
    status: &mut StudioFlowStatus,
    desired: &Desired,
    live: &LiveFlow,
    foreign: Option<&ForeignRevision>,
    now: Timestamp,
) {
    let LiveFlow { sid: _, friendly_name: _, webhook_url, latest, published, in_question: _, test_users: _ } = live;
    let agreed = match published {
        Some(published) if desired.publish => published,
        _ => latest,
    };
    let same = |hash: &Option<String>, revision: &LiveRevision| hash.as_deref() == Some(revision.hash.as_str());
    let still_kept = status.kept_revision.is_some()
        && agreed.hash != desired.hash
        && same(&status.live_hash, agreed)
        && status.definition_hash.as_deref() == Some(desired.hash.as_str());
    if !still_kept {
        status.kept_revision = foreign.map(|foreign| foreign.number);
    }
    ended(status, live, now);
    if status.revision != Some(agreed.number) {
        status.last_write_time = Some(precise_time(now));
    }
    status.revision = Some(agreed.number);
    status.published_revision = published.as_ref().map(|published| published.number);
    status.definition_hash = Some(desired.hash.to_string());
    status.live_hash = Some(agreed.hash.to_string());
    status.webhook_url.clone_from(webhook_url);
}

/// The flow runs what these definitions run: those that customers may be in, and the one that they shall be in.
pub fn runs<'a>(status: &mut StudioFlowStatus, definitions: impl Iterator<Item = &'a FlowDefinition>) {
    let sids: BTreeSet<&str> = definitions.flat_map(FlowDefinition::subflows).map(|it| it.flow_sid).collect();
    status.subflows = sids.into_iter().map(str::to_owned).collect();
}

/// Nothing is in flight any more. What was in flight is seen, and may for a while not be seen by the next look.
pub fn ended(status: &mut StudioFlowStatus, live: &LiveFlow, now: Timestamp) {
    status.pending_create = None;
    let Some(write) = status.pending_write.take() else { return };
    let seen = live.in_question.iter().chain([&live.latest]).chain(&live.published);
    let ours = seen.filter(|revision| revision.by.is_our_hand() && revision.number > write.after);
    status.revision = ours.map(|revision| revision.number).chain(status.revision).max();
    status.last_write_time = Some(precise_time(now));
}

/// Somebody else has saved a revision; `overwritten_by` is ours that went over it unseen. What is told already stays as it is
/// told.
pub fn tell(status: &mut StudioFlowStatus, foreign: &ForeignRevision, overwritten_by: Option<i64>) {
    let ForeignRevision { number, author, at, commit_message, friendly_name, widgets, restores } = foreign;
    if let Some(told) = &mut status.drift
        && Some(told.revision) == *restores
    {
        told.restored_as = Some(*number);
        return;
    }
    status.drift = Some(FlowDrift {
        revision: *number,
        author_sid: author.clone(),
        at: at.clone(),
        commit_message: commit_message.clone(),
        friendly_name: friendly_name.clone(),
        widgets: widgets.clone(),
        overwritten_by,
        restored_as: None,
    });
}
