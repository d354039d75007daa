//! Looks at the account: at the flow that the status names, and only where it names none at those of the same name.

use std::collections::BTreeSet;

use crate::{
    controller::{
        account::Account,
        studio_flow::{
            error::FlowError,
            live::{LiveFlow, LiveRevision},
            marker::Marker,
            recorded::Recorded,
            validate::{Adoption, Desired},
        },
    },
    twilio::{
        TwilioClient, TwilioError,
        sid::FlowSid,
        studio::{Flow, Revision},
    },
};

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// The flow that the status names.
    Known(Box<LiveFlow>),
    /// A flow that ought to be there is not shown, and may be shortly.
    NotVisibleYet,
    /// The flow that the spec adopts by its SID, and that is not on record yet; `None` when there is none of that SID.
    Named(Option<Box<LiveFlow>>),
    /// No flow is on record, or the one that was is gone: these have the name that it should have.
    Unrecorded(Vec<Candidate>),
    /// The flow has no revision of the number that the spec goes back to.
    NoSuchRevision(i64),
}

/// A flow that may be the one that is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub live: LiveFlow,
    /// Whether one of its revisions carries our marker.
    pub ours: bool,
}

/// Looks for the flow.
pub async fn observe(
    desired: &Desired,
    recorded: &Recorded,
    marker: &Marker,
    account: &Account,
) -> Result<Observed, FlowError> {
    let client = account.client();
    let failed = FlowError::twilio("read the flow");
    if let Some(Adoption::Sid(sid)) = &desired.adopt
        && recorded.sid.as_ref() != Some(sid)
    {
        return Ok(Observed::Named(live_flow(sid, marker, client).await.map_err(failed)?.map(Box::new)));
    }
    if let Some(sid) = &recorded.sid {
        match live_flow(sid, marker, client).await.map_err(failed)? {
            Some(live) => return with_details(live, desired, recorded, marker, client).await,
            None if !recorded.settled() => return Ok(Observed::NotVisibleYet),
            None => {}
        }
    }
    let adopted = match &desired.adopt {
        Some(Adoption::Named(name)) => Some(name.as_str()),
        Some(Adoption::Sid(_)) | None => None,
    };
    let names = [desired.friendly_name.as_str()].into_iter().chain(recorded.pending.as_deref()).chain(adopted);
    candidates(&names.collect(), marker, account).await
}

/// Reads what is asked for beside the newest and the published revision.
async fn with_details(
    mut live: LiveFlow,
    desired: &Desired,
    recorded: &Recorded,
    marker: &Marker,
    client: &TwilioClient,
) -> Result<Observed, FlowError> {
    for number in recorded.in_question(live.latest.number) {
        let revision = client.flow_revision(&live.sid, Revision::Number(number)).await;
        let revision = revision.map_err(FlowError::twilio("read a revision of the flow"))?;
        match revision.and_then(|revision| LiveRevision::read(&revision, marker)) {
            None if !recorded.settled() => return Ok(Observed::NotVisibleYet),
            revision => live.in_question.push(revision.unwrap_or_else(|| LiveRevision::unread(number))),
        }
    }
    if desired.test_users.is_some() {
        let users = client.flow_test_users(&live.sid).await;
        live.test_users = Some(users.map_err(FlowError::twilio("read the test users of the flow"))?);
    }
    Ok(Observed::Known(Box::new(live)))
}

/// Puts the earlier revision that the spec goes back to in the place of the definition. Revisions never change.
pub async fn pinned(
    desired: Desired,
    recorded: &Recorded,
    observed: Observed,
    marker: &Marker,
    client: &TwilioClient,
) -> Result<(Desired, Observed), FlowError> {
    let (Some(number), Observed::Known(live)) = (desired.pin, &observed) else { return Ok((desired, observed)) };
    let seen = [Some(&live.latest), live.published.as_ref()];
    if let Some(revision) = seen.iter().flatten().find(|revision| revision.number == number) {
        let desired = desired.pinned_to(revision);
        return Ok((desired, observed));
    }
    let revision = client.flow_revision(&live.sid, Revision::Number(number)).await;
    let revision = revision.map_err(FlowError::twilio("read the revision that spec.revision names"))?;
    match revision.and_then(|revision| LiveRevision::read(&revision, marker)) {
        Some(revision) => Ok((desired.pinned_to(&revision), observed)),
        None if !recorded.settled() => Ok((desired, Observed::NotVisibleYet)),
        None => Ok((desired, Observed::NoSuchRevision(number))),
    }
}

/// The flows in the account that this resource has made: the one on record, or those of a create whose answer was lost.
pub async fn ours(recorded: &Recorded, marker: &Marker, account: &Account) -> Result<Vec<FlowSid>, FlowError> {
    if let Some(sid) = &recorded.sid {
        return Ok(vec![sid.clone()]);
    }
    let Some(pending) = recorded.pending.as_deref() else { return Ok(Vec::new()) };
    match candidates(&BTreeSet::from([pending]), marker, account).await? {
        Observed::Unrecorded(candidates) => {
            let ours = candidates.into_iter().filter(|candidate| candidate.ours);
            Ok(ours.map(|candidate| candidate.live.sid).collect())
        }
        Observed::Known(_) | Observed::Named(_) | Observed::NotVisibleYet | Observed::NoSuchRevision(_) => {
            Ok(Vec::new())
        }
    }
}

async fn candidates(names: &BTreeSet<&str>, marker: &Marker, account: &Account) -> Result<Observed, FlowError> {
    const DOING: &str = "look for a flow of the same name";
    let client = account.client();
    let flows = account.flows_as_of_now().await.map_err(|source| FlowError::Twilio { doing: DOING, source })?;
    let mut candidates = Vec::new();
    for row in flows.iter().filter(|row| row.name.as_deref().is_some_and(|name| names.contains(name))) {
        let live = live_flow(&row.sid, marker, client).await.map_err(FlowError::twilio(DOING))?;
        // Listed and yet not there: one of the two answers is out of date.
        let Some(live) = live else { return Ok(Observed::NotVisibleYet) };
        let ours = is_ours(&live, marker, client).await.map_err(FlowError::twilio(DOING))?;
        candidates.push(Candidate { live, ours });
    }
    Ok(Observed::Unrecorded(candidates))
}

/// Somebody else may have saved on top of what we wrote, so the newest revision alone does not tell.
async fn is_ours(live: &LiveFlow, marker: &Marker, client: &TwilioClient) -> Result<bool, TwilioError> {
    if live.latest.by.is_our_hand() || live.published.as_ref().is_some_and(|published| published.by.is_our_hand()) {
        return Ok(true);
    }
    let first = client.flow_revision(&live.sid, Revision::Number(1)).await?;
    Ok(first.is_some_and(|first| marker.written_by(first.commit_message.as_deref()).is_our_hand()))
}

/// The flow with its newest and its published revision; `None` when there is no such flow.
async fn live_flow(sid: &FlowSid, marker: &Marker, client: &TwilioClient) -> Result<Option<LiveFlow>, TwilioError> {
    let Some(flow) = client.flow(sid).await? else { return Ok(None) };
    let latest = read(&flow, marker)?;
    let published = if flow.is_published() {
        Some(latest.clone())
    } else {
        match client.flow_revision(sid, Revision::LatestPublished).await? {
            Some(revision) => Some(read(&revision, marker)?),
            None => None,
        }
    };
    Ok(Some(LiveFlow {
        sid: flow.sid,
        friendly_name: flow.friendly_name.unwrap_or_default(),
        webhook_url: flow.webhook_url,
        latest,
        published,
        in_question: Vec::new(),
        test_users: None,
    }))
}

fn read(revision: &Flow, marker: &Marker) -> Result<LiveRevision, TwilioError> {
    LiveRevision::read(revision, marker).ok_or_else(|| TwilioError::NotUnderstood {
        status: 200,
        problem: "a revision of a flow without number or definition".into(),
    })
}
