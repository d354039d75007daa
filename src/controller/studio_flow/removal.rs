//! What becomes of the flow when its resource is deleted. A resource with `deletionPolicy: Delete` is held by our finalizer
//! until its flow is deleted; whatever stands in the way does so until the deadline at most, and then the flow is left in the
//! account and the resource let go: a namespace must not hang on an account that cannot be reached any more.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{
        ObjectKey, StudioFlow, StudioFlowStatus,
        annotations::DELETION,
        conditions::Truth,
        reasons::condition as reasons,
        studio_flow::{DeletionAsked, DeletionPolicy},
    },
    controller::{
        account::{Account, Freshness},
        cluster::{Cluster, ClusterError},
        condition_writer::{ConditionWriter, Outlook, precise_time},
        context::Context,
        credentials::{SecretProblem, twilio_credentials},
        disposition::{ReconcileError, Requeue},
        driver::ObjectRef,
        studio_flow::{error::FlowError, journal::Journal, marker::Marker, observe, recorded::Recorded},
    },
    twilio::{sid::FlowSid, studio::MAX_EXECUTIONS},
};

/// How often it is looked whether what holds it up is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Most names that a message lists.
const MAX_NAMES: usize = 10;

/// What to do about the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// Leave it in the account, for this reason.
    Keep(String),
    /// Wait: customers would be led to it still.
    Blocked(Vec<ObjectRef>),
    /// Delete it.
    Delete,
}

/// Decides. `overdue`: the deadline has passed.
pub fn decide(flow: &StudioFlow, referring: &[ObjectRef], overdue: bool) -> Removal {
    let asked = flow.deletion_asked();
    // Nobody is led to what was never made, whoever names it.
    let status = flow.status.as_ref();
    let made = status.is_some_and(|status| status.sid.is_some() || status.pending_create.is_some());
    let free = !made || referring.is_empty() || asked == Some(DeletionAsked::Now);
    match flow.spec.deletion_policy {
        _ if asked == Some(DeletionAsked::Retain) => Removal::Keep(format!("its annotation {DELETION} is Retain")),
        _ if flow.spec.suspend => Removal::Keep("spec.suspend is true".into()),
        DeletionPolicy::Retain => Removal::Keep("spec.deletionPolicy is Retain".into()),
        DeletionPolicy::Delete if free => Removal::Delete,
        DeletionPolicy::Delete if overdue => {
            let deadline = flow.spec.deletion_deadline;
            Removal::Keep(format!("{} still referred to it after {deadline}", names(referring)))
        }
        DeletionPolicy::Delete => Removal::Blocked(referring.to_vec()),
    }
}

/// Has the resource held if its flow is to be deleted with it, before anything is made; and let go if not.
pub async fn hold(flow: &StudioFlow, cluster: &dyn Cluster) -> Result<(), ClusterError> {
    match (flow.spec.deletion_policy, flow.is_held()) {
        (DeletionPolicy::Delete, false) => cluster.hold(flow).await,
        (DeletionPolicy::Retain, true) => cluster.let_go(flow).await,
        (DeletionPolicy::Delete, true) | (DeletionPolicy::Retain, false) => Ok(()),
    }
}

/// What came of a try to delete it.
enum Deleted {
    /// These are gone; none if none was ever made.
    Gone(Vec<FlowSid>),
    /// A create whose answer was lost may still turn up.
    Unsettled(Duration),
    /// So many executions of this one go on: customers are in it.
    InUse(FlowSid, usize),
}

/// Does what is to be done about the flow, and lets the resource go when it is done.
pub async fn reconcile(flow: &StudioFlow, context: &Context) -> Result<Requeue, ReconcileError> {
    let interval = flow.spec.resync_interval;
    if !flow.is_held() {
        // Others hold it, or it is gone.
        return Ok(Requeue::resync(interval));
    }
    let mut journal = Journal::open(flow, context.cluster.as_ref());
    let overdue = is_overdue(flow, Timestamp::now());
    match decide(flow, &context.cluster.referring_to(&ObjectKey::of(flow)), overdue) {
        Removal::Keep(why) => keep(flow, &mut journal, &why, context).await?,
        Removal::Blocked(by) => {
            let message = format!(
                "the flow is deleted when nothing refers to it any more: delete or change {}, or {}",
                names(&by),
                ways_out(flow)
            );
            say(&mut journal, flow, reasons::DELETION_BLOCKED, &message, Outlook::Waiting).await?;
            return Ok(Requeue::within(LOOK_AGAIN, interval));
        }
        Removal::Delete => match delete(flow, &mut journal, context).await {
            Ok(Deleted::Gone(sids)) => {
                let sids: Vec<_> = sids.iter().map(FlowSid::as_str).collect();
                let what =
                    if sids.is_empty() { "no flow was made".into() } else { format!("{} is deleted", sids.join(", ")) };
                tracing::info!(flow = %ObjectKey::of(flow), "{what}");
                say(&mut journal, flow, reasons::FLOW_DELETED, &what, Outlook::Waiting).await?;
            }
            Ok(Deleted::Unsettled(wait)) => {
                let message =
                    "the answer to the create was lost: what it may have made is looked for before the resource goes";
                say(&mut journal, flow, reasons::CREATE_INTERRUPTED, message, Outlook::Waiting).await?;
                return Ok(Requeue::within(wait, interval));
            }
            Ok(Deleted::InUse(sid, executions)) if overdue => {
                let deadline = flow.spec.deletion_deadline;
                let why = format!("{} of {sid} still active after {deadline}", counted(executions));
                keep(flow, &mut journal, &why, context).await?;
            }
            Ok(Deleted::InUse(sid, executions)) => {
                let message = format!(
                    "the flow is deleted when no customer is in it any more (active: {} of {sid}): wait, end them in Studio, or {}",
                    counted(executions),
                    ways_out(flow)
                );
                say(&mut journal, flow, reasons::DELETION_BLOCKED, &message, Outlook::Waiting).await?;
                return Ok(Requeue::within(LOOK_AGAIN, interval));
            }
            Err(FlowError::Cluster(error)) => return Err(error.into()),
            Err(error) if overdue => {
                let why = format!("it could not be deleted for {}: {error}", flow.spec.deletion_deadline);
                keep(flow, &mut journal, &why, context).await?;
            }
            Err(error) => {
                let message = format!("the flow could not be deleted yet: {error}");
                say(&mut journal, flow, error.reason(), &message, Outlook::Waiting).await?;
                return match error {
                    FlowError::Twilio { doing, source } if source.is_transient() => {
                        Err(ReconcileError::Twilio { doing, source })
                    }
                    _ => Ok(Requeue::within(LOOK_AGAIN, interval)),
                };
            }
        },
    }
    context.remembered.forget(flow);
    context.cluster.let_go(flow).await?;
    Ok(Requeue::resync(interval))
}

/// Leaves the flow, and says so.
async fn keep(flow: &StudioFlow, journal: &mut Journal<'_>, why: &str, context: &Context) -> Result<(), ClusterError> {
    let StudioFlowStatus { sid, account_sid, .. } = journal.status();
    let message = match (sid, account_sid) {
        (Some(sid), Some(account)) => format!("flow {sid} is left in account {account}: {why}"),
        _ => format!("no flow is deleted: {why}"),
    };
    tracing::warn!(flow = %ObjectKey::of(flow), cluster_id = %context.cluster_id, "{message}");
    say(journal, flow, reasons::FLOW_KEPT, &message, Outlook::Intended).await
}

async fn delete(flow: &StudioFlow, journal: &mut Journal<'_>, context: &Context) -> Result<Deleted, FlowError> {
    let status = journal.status();
    if status.sid.is_none() && status.pending_create.is_none() {
        return Ok(Deleted::Gone(Vec::new()));
    }
    let account = account(flow, context).await?;
    let recorded = Recorded::of(status, account.sid(), Timestamp::now(), context.settle);
    let marker = Marker::new(&context.cluster_id, flow);
    let ours = observe::ours(&recorded, &marker, &account).await?;
    if ours.is_empty()
        && recorded.pending.is_some()
        && let Some(wait) = recorded.settles_in
    {
        return Ok(Deleted::Unsettled(wait.min(LOOK_AGAIN)));
    }
    if flow.deletion_asked() != Some(DeletionAsked::Now) {
        for sid in &ours {
            let active = account.client().active_executions(sid).await;
            let active = active.map_err(FlowError::twilio("look for executions of the flow"))?;
            if active > 0 {
                return Ok(Deleted::InUse(sid.clone(), active));
            }
        }
    }
    if !ours.is_empty() {
        // As before every write to the account: it fails where the resource is not as it was read, such as one that was let go
        // meanwhile and is there anew, with the same flow.
        journal.record(|status| status.last_write_time = Some(precise_time(Timestamp::now()))).await?;
    }
    for sid in &ours {
        journal.may_act()?;
        account.client().delete_flow(sid).await.map_err(FlowError::twilio("delete the flow"))?;
    }
    Ok(Deleted::Gone(ours))
}

/// The account, opened with what is in the Secret or, when that is gone, with what was in it last.
async fn account(flow: &StudioFlow, context: &Context) -> Result<Account, FlowError> {
    let reference = &flow.spec.twilio.credentials_ref;
    let read = twilio_credentials(&ObjectKey::of(flow), reference, context.cluster.as_ref()).await;
    let credentials = match (read, context.remembered.get(flow)) {
        (Ok(credentials), _) => credentials,
        (Err(SecretProblem::NotFound { .. } | SecretProblem::Key(_)), Some(remembered)) => remembered,
        (Err(problem), _) => return Err(problem.into()),
    };
    Ok(context.accounts.open(credentials, Freshness::RECENT))
}

async fn say(
    journal: &mut Journal<'_>,
    flow: &StudioFlow,
    reason: &str,
    message: &str,
    outlook: Outlook,
) -> Result<(), ClusterError> {
    let generation = flow.metadata.generation;
    journal
        .record(|status| {
            let mut writer = ConditionWriter::new(std::mem::take(&mut status.conditions), generation, Timestamp::now());
            writer.not_ready(Truth::False, reason, message, outlook);
            status.observed_generation = generation;
            status.conditions = writer.into_conditions();
        })
        .await
}

fn is_overdue(flow: &StudioFlow, now: Timestamp) -> bool {
    let since = flow.metadata.deletion_timestamp.as_ref();
    let passed = since.and_then(|since| Duration::try_from(now.duration_since(since.0)).ok());
    passed.is_some_and(|passed| passed >= flow.spec.deletion_deadline.as_duration())
}

/// What ends the waiting, for a message.
fn ways_out(flow: &StudioFlow) -> String {
    let deadline = flow.spec.deletion_deadline;
    format!(
        "annotate the resource with {DELETION}=Now to delete the flow at once or {DELETION}=Retain to keep it; after {deadline} it is kept"
    )
}

fn counted(executions: usize) -> String {
    match executions {
        1 => "1 execution".to_owned(),
        MAX_EXECUTIONS.. => format!("{MAX_EXECUTIONS} executions or more"),
        several => format!("{several} executions"),
    }
}

fn names(objects: &[ObjectRef]) -> String {
    let named = objects.iter().take(MAX_NAMES).map(|object| match object {
        ObjectRef::Destination(key) => format!("EngageDestination `{}`", key.name),
        ObjectRef::Flow(key) => format!("StudioFlow `{}`", key.name),
    });
    let named: Vec<String> = named.collect();
    let more = objects.len().saturating_sub(MAX_NAMES);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::api::Period;

    fn flow(spec: &serde_json::Value) -> StudioFlow {
        let mut whole =
            json!({"twilio": {"credentialsRef": {"name": "twilio"}}, "friendlyName": "Agent", "definition": {}});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        StudioFlow::new("agent", serde_json::from_value(whole).unwrap())
    }

    #[test]
    fn a_flow_is_deleted_only_when_that_is_asked_for_and_nobody_is_led_to_it() {
        let referring = [ObjectRef::Destination(ObjectKey::new("marketing", "lead"))];
        let mut delete = flow(&json!({"deletionPolicy": "Delete"}));
        assert_eq!(decide(&delete, &referring, false), Removal::Delete);
        delete.status = Some(StudioFlowStatus { sid: Some("FW1".into()), ..Default::default() });
        assert_eq!(decide(&delete, &[], false), Removal::Delete);
        assert_eq!(decide(&delete, &[], true), Removal::Delete);
        assert_eq!(decide(&delete, &referring, false), Removal::Blocked(referring.to_vec()));
        for kept in [
            decide(&delete, &referring, true),
            decide(&flow(&json!({})), &[], false),
            decide(&flow(&json!({"deletionPolicy": "Delete", "suspend": true})), &[], false),
        ] {
            assert!(matches!(kept, Removal::Keep(_)), "{kept:?}");
        }
        let annotated = |value: &str| {
            let mut flow = delete.clone();
            flow.metadata.annotations = Some([(DELETION.to_owned(), value.to_owned())].into());
            flow
        };
        assert_eq!(decide(&annotated("Now"), &referring, false), Removal::Delete);
        assert!(matches!(decide(&annotated("Retain"), &[], false), Removal::Keep(_)));
        assert_eq!(decide(&annotated("now"), &referring, false), Removal::Blocked(referring.to_vec()));
    }

    #[test]
    fn the_deadline_counts_from_the_deletion() {
        let mut flow = flow(&json!({}));
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        assert!(!is_overdue(&flow, at("2026-01-01T00:00:00Z")));
        flow.metadata.deletion_timestamp = Some(Time(at("2026-01-01T00:00:00Z")));
        assert!(!is_overdue(&flow, at("2026-01-01T00:09:59Z")));
        assert!(is_overdue(&flow, at("2026-01-01T00:10:00Z")));
        assert!(!is_overdue(&flow, at("2025-01-01T00:00:00Z")));
        flow.spec.deletion_deadline = Period::hours(1);
        assert!(!is_overdue(&flow, at("2026-01-01T00:59:59Z")));
    }
}
