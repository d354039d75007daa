//! Carries out a plan. Each effect in the account is preceded by what has to be on record for it to be found again, and
//! followed by what it gave.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::studio_flow::{FlowDrift, PendingCreate, StudioFlowStatus},
    controller::{
        condition_writer::precise_time,
        studio_flow::{
            error::FlowError,
            journal::Journal,
            live::{LiveFlow, LiveRevision},
            marker::Marker,
            plan::{ForeignRevision, MAX_WIDGETS, Plan, Refusal, Wait, Why},
            recorded::Recorded,
            validate::Desired,
        },
    },
    studio::FlowDefinition,
    twilio::{
        TwilioClient, TwilioError,
        studio::{DEFINITION_INVALID, Flow, FlowWrite, Revision},
    },
};

/// How soon a read that was not up to date is repeated.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often a flow whose create was interrupted is looked for.
const LOOK_FOR_CREATED: Duration = Duration::from_secs(10);

/// A plan that was carried out; only this module makes one, so nothing is reported that was not done.
#[derive(Debug)]
pub struct Applied {
    outcome: Outcome,
}

/// What carrying out a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The account has the flow as the spec says. Somebody else's draft may be on top of it.
    InStep { foreign_draft: Option<ForeignRevision> },
    /// Nothing was done yet.
    Waiting { what: Wait, look_again: Duration },
    /// Nothing will be done until somebody has acted.
    Refused(Refusal),
}

impl Applied {
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// Carries out `plan`.
pub async fn apply(
    plan: Plan<'_>,
    desired: &Desired,
    recorded: &Recorded,
    marker: &Marker,
    client: &TwilioClient,
    journal: &mut Journal<'_>,
) -> Result<Applied, FlowError> {
    let work = Work { desired, marker, client };
    let mut foreign_draft = None;
    match plan {
        Plan::Nothing { live, foreign_draft: draft } => {
            work.agree(live, draft.as_ref(), journal);
            foreign_draft = draft;
        }
        Plan::Create => work.create(journal).await?,
        Plan::Adopt { live, write } => {
            work.adopt(live, journal).await?;
            match write {
                Some(why) => work.update(live, why, journal).await?,
                None => work.agree(live, None, journal),
            }
        }
        Plan::Update { live, why } => work.update(live, why, journal).await?,
        Plan::Wait(what) => {
            let look_again = match what {
                Wait::CreateUnsettled => recorded.settles_in.unwrap_or_default().clamp(LOOK_AGAIN, LOOK_FOR_CREATED),
                Wait::NotVisibleYet | Wait::StaleRead => LOOK_AGAIN,
            };
            return Ok(Applied { outcome: Outcome::Waiting { what, look_again } });
        }
        Plan::Refuse(refusal) => return Ok(Applied { outcome: Outcome::Refused(refusal) }),
    }
    Ok(Applied { outcome: Outcome::InStep { foreign_draft } })
}

/// What all writes have in common.
struct Work<'a> {
    desired: &'a Desired,
    marker: &'a Marker,
    client: &'a TwilioClient,
}

impl Work<'_> {
    /// Makes the flow. The intent is on record before the request leaves and the SID before anything else is done, so a
    /// create whose answer is lost is looked for and not repeated.
    async fn create(&self, journal: &mut Journal<'_>) -> Result<(), FlowError> {
        let write = self.checked_write().await?;
        let account_sid = self.client.account().to_string();
        journal
            .record(|status| {
                *status = StudioFlowStatus {
                    pending_create: Some(PendingCreate {
                        account_sid: account_sid.clone(),
                        friendly_name: write.friendly_name.clone(),
                        since: precise_time(Timestamp::now()),
                    }),
                    account_sid: Some(account_sid),
                    observed_generation: status.observed_generation,
                    drift: status.drift.take(),
                    conditions: std::mem::take(&mut status.conditions),
                    ..StudioFlowStatus::default()
                };
            })
            .await?;
        journal.may_act()?;
        match self.client.create_flow(&write).await {
            Ok(created) => Ok(journal.record(|status| self.written(&created, None, status)).await?),
            Err(error) if error.had_no_effect() => {
                journal.record(|status| status.pending_create = None).await?;
                Err(FlowError::twilio("create the flow")(error))
            }
            Err(error) => Err(FlowError::CreateInterrupted(error)),
        }
    }

    /// Puts the flow that carries our marker on record. What was known of another one does not hold for it.
    async fn adopt(&self, live: &LiveFlow, journal: &mut Journal<'_>) -> Result<(), FlowError> {
        let account_sid = self.client.account().to_string();
        let adopted = |status: &mut StudioFlowStatus| {
            status.sid = Some(live.sid.to_string());
            status.account_sid = Some(account_sid);
            status.pending_create = None;
            status.revision = None;
            status.published_revision = None;
        };
        Ok(journal.record(adopted).await?)
    }

    /// Writes to the flow. Somebody else's edit is on record before it is put back, and one that came between our look and
    /// our write is found by the gap that it leaves in the revisions.
    async fn update(&self, live: &LiveFlow, why: Why, journal: &mut Journal<'_>) -> Result<(), FlowError> {
        let write = self.checked_write().await?;
        if let Why::ForeignEdit(foreign) = &why {
            journal.record(|status| status.drift = Some(drift(foreign))).await?;
        }
        // The record fails where the resource has changed since it was read: what was decided on an old view of the cluster, as
        // one that starts may have, is not done to the account.
        journal.record(|status| status.last_write_time = Some(precise_time(Timestamp::now()))).await?;
        journal.may_act()?;
        tracing::info!(sid = %live.sid, ?why, "writing to the flow");
        let answer = self.client.update_flow(&live.sid, &write).await.map_err(FlowError::twilio("update the flow"))?;
        journal.record(|status| self.written(&answer, Some(live), status)).await?;
        if let Some(overwritten) = answer.revision.map(|revision| revision - 1)
            && overwritten > live.latest.number
        {
            let overwritten = self.overwritten(live, overwritten).await;
            journal.record(|status| status.drift = Some(drift(&overwritten))).await?;
        }
        Ok(())
    }

    /// Notes what was seen of a flow that is as it should be.
    fn agree(&self, live: &LiveFlow, foreign_draft: Option<&ForeignRevision>, journal: &mut Journal<'_>) {
        let LiveFlow { sid: _, friendly_name: _, webhook_url, latest, published } = live;
        let agreed = match published {
            Some(published) if self.desired.publish => published,
            _ => latest,
        };
        journal.note(|status| {
            status.pending_create = None;
            status.revision = Some(agreed.number);
            status.published_revision = published.as_ref().map(|published| published.number);
            status.definition_hash = Some(self.desired.hash.to_string());
            status.live_hash = Some(agreed.hash.to_string());
            status.webhook_url.clone_from(webhook_url);
            if let Some(foreign) = foreign_draft {
                status.drift = Some(drift(foreign));
            }
        });
    }

    /// What a write gave, taken from its answer: a read so shortly after may not show it.
    fn written(&self, answer: &Flow, before: Option<&LiveFlow>, status: &mut StudioFlowStatus) {
        let published_before = before.and_then(|live| live.published.as_ref()).map(|published| published.number);
        status.sid = Some(answer.sid.to_string());
        status.account_sid = Some(self.client.account().to_string());
        status.pending_create = None;
        status.revision = answer.revision;
        status.published_revision = if self.desired.publish { answer.revision } else { published_before };
        status.definition_hash = Some(self.desired.hash.to_string());
        let live = answer.definition.as_ref().and_then(serde_json::Value::as_object);
        let live =
            live.map_or_else(|| self.desired.hash.clone(), |fields| FlowDefinition::observed(fields.clone()).hash());
        status.live_hash = Some(live.to_string());
        status.last_write_time = Some(precise_time(Timestamp::now()));
        let webhook_url = answer.webhook_url.clone().or_else(|| before.and_then(|live| live.webhook_url.clone()));
        status.webhook_url = webhook_url;
    }

    /// The revision that our write went over without having seen it. It is in Studio still; here it is only told of.
    async fn overwritten(&self, live: &LiveFlow, number: i64) -> ForeignRevision {
        let read = self.client.flow_revision(&live.sid, Revision::Number(number)).await;
        let revision = read.ok().flatten().and_then(|flow| LiveRevision::read(&flow, self.marker));
        let widgets = revision
            .as_ref()
            .map(|revision| self.desired.definition.widgets_that_differ(&revision.definition, MAX_WIDGETS));
        let revision = revision.unwrap_or_else(|| LiveRevision::unread(number));
        ForeignRevision { number, author: revision.author, at: revision.at, widgets: widgets.unwrap_or_default() }
    }

    /// What is sent, after Studio has said that it would take it.
    async fn checked_write(&self) -> Result<FlowWrite, FlowError> {
        let Desired { friendly_name, publish, definition, hash } = self.desired;
        let write = FlowWrite {
            friendly_name: friendly_name.clone(),
            publish: *publish,
            definition: definition.to_string(),
            commit_message: self.marker.commit_message(hash),
        };
        match self.client.validate_flow(&write).await {
            Ok(()) => Ok(write),
            Err(error) if error.has_code(DEFINITION_INVALID) => Err(self.refused(&error)),
            Err(error) => Err(FlowError::twilio("validate the definition")(error)),
        }
    }

    fn refused(&self, error: &TwilioError) -> FlowError {
        let details = error.answered().map(|answer| answer.details.as_slice()).unwrap_or_default();
        let place = |path: &str| self.desired.definition.describe_place(path);
        let complaints: Vec<String> =
            details.iter().map(|detail| format!("{}: {}", place(&detail.property_path), detail.message)).collect();
        FlowError::RefusedByStudio(if complaints.is_empty() { vec![error.to_string()] } else { complaints })
    }
}

fn drift(foreign: &ForeignRevision) -> FlowDrift {
    let ForeignRevision { number, author, at, widgets } = foreign;
    FlowDrift { revision: *number, author_sid: author.clone(), at: at.clone(), widgets: widgets.clone() }
}
