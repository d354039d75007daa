//! Writes the status of a flow, and says when to look again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{
        StudioFlow, StudioFlowSpec, StudioFlowStatus,
        conditions::{self, Truth},
        reasons::condition as reasons,
    },
    controller::{
        condition_writer::{ConditionWriter, Outlook},
        credentials::SecretProblem,
        disposition::{ReconcileError, Requeue},
        studio_flow::{
            apply::Applied,
            course::Outcome,
            error::{ConfigMapProblem, FlowError},
            journal::Journal,
            lint,
            plan::{ForeignRevision, Wait},
            told,
        },
    },
};

/// A Secret or ConfigMap that is missing is looked for this often: nothing tells of one that has come.
const MISSING_AGAIN: Duration = Duration::from_secs(15);
/// How soon a flow whose create was interrupted is looked for.
const CREATED_AGAIN: Duration = Duration::from_secs(2);
/// How soon a read that was not up to date is repeated, and how soon what was found is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How often what a write of unknown outcome may have made is looked for.
const LOOK_FOR_WRITTEN: Duration = Duration::from_secs(10);

/// Writes what came of it. What may succeed when it is repeated soon is the error that is returned.
pub async fn report(
    flow: &StudioFlow,
    mut journal: Journal<'_>,
    result: Result<Applied, FlowError>,
) -> Result<Requeue, ReconcileError> {
    let generation = flow.metadata.generation;
    journal.record(|status| compose(status, generation, &flow.spec, &result, Timestamp::now())).await?;
    again(flow, result)
}

/// Writes that nothing is done. What was in step stays so, as far as anybody knows: the flow goes on serving customers.
pub async fn suspended(flow: &StudioFlow, mut journal: Journal<'_>) -> Result<Requeue, ReconcileError> {
    let generation = flow.metadata.generation;
    journal
        .record(|status| {
            let mut writer = ConditionWriter::new(std::mem::take(&mut status.conditions), generation, Timestamp::now());
            status.observed_generation = generation;
            let message = match (&status.sid, status.published_revision) {
                (Some(sid), Some(revision)) => {
                    format!("spec.suspend is true: flow {sid} is left as it is; revision {revision} was published last")
                }
                (Some(sid), None) => format!("spec.suspend is true: flow {sid} is left as it is"),
                (None, _) => "spec.suspend is true: no flow is made".to_owned(),
            };
            writer.set(conditions::SYNCED, Truth::Unknown, reasons::SUSPENDED, message.clone());
            writer.not_ready(Truth::False, reasons::SUSPENDED, &message, Outlook::Intended);
            status.conditions = writer.into_conditions();
        })
        .await?;
    Ok(Requeue::resync(flow.spec.resync_interval))
}

fn again(flow: &StudioFlow, result: Result<Applied, FlowError>) -> Result<Requeue, ReconcileError> {
    let interval = flow.spec.resync_interval;
    match result {
        Ok(applied) => Ok(match applied.outcome() {
            Outcome::Waiting(Wait::CreateUnsettled | Wait::WriteUnsettled) => {
                Requeue::within(LOOK_FOR_WRITTEN, interval)
            }
            Outcome::Waiting(Wait::NotVisibleYet | Wait::StaleRead) | Outcome::Again => {
                Requeue::within(LOOK_AGAIN, interval)
            }
            Outcome::InStep { foreign_draft: _ } | Outcome::Kept(_) | Outcome::Held { .. } | Outcome::Refused(_) => {
                Requeue::resync(interval)
            }
        }),
        Err(
            FlowError::Cluster(error)
            | FlowError::Secret(SecretProblem::Unreadable(error))
            | FlowError::ConfigMap(ConfigMapProblem::Unreadable(error)),
        ) => Err(error.into()),
        Err(FlowError::Secret(_) | FlowError::ConfigMap(_)) => Ok(Requeue::within(MISSING_AGAIN, interval)),
        Err(FlowError::Twilio { doing, source } | FlowError::LookUp { doing, source }) if source.is_transient() => {
            Err(ReconcileError::Twilio { doing, source })
        }
        Err(error) if error.may_be_found_yet() => Ok(Requeue::within(MISSING_AGAIN, interval)),
        Err(FlowError::CreateInterrupted(_) | FlowError::NoRest) => Ok(Requeue::within(CREATED_AGAIN, interval)),
        Err(_) => Ok(Requeue::resync(interval)),
    }
}

/// The status that follows from what was applied, or from what kept it from being.
fn compose(
    status: &mut StudioFlowStatus,
    generation: Option<i64>,
    spec: &StudioFlowSpec,
    result: &Result<Applied, FlowError>,
    now: Timestamp,
) {
    let mut writer = ConditionWriter::new(std::mem::take(&mut status.conditions), generation, now);
    status.observed_generation = generation;
    match result {
        Ok(applied) => {
            status.unchecked_since = None;
            passed(&mut writer, &[conditions::ACCEPTED, conditions::RESOLVED_REFS]);
            write_outcome(applied.outcome(), spec, status, &mut writer);
        }
        Err(error) if error.is_transient() && writer.holds(conditions::SYNCED) => {
            let since = status.unchecked_since.get_or_insert_with(|| writer.time()).clone();
            let message = format!("was in step, and could not be compared again since {since}: {error}");
            writer.set(conditions::SYNCED, Truth::True, error.reason(), message.clone());
            writer.ready(error.reason(), message);
        }
        Err(error) => {
            status.unchecked_since = None;
            write_error(error, &mut writer);
        }
    }
    lint::write(result.as_ref().err(), status, &mut writer);
    status.conditions = writer.into_conditions();
}

fn passed(writer: &mut ConditionWriter, types: &[&str]) {
    for type_ in types {
        if *type_ == conditions::ACCEPTED {
            writer.set(type_, Truth::True, reasons::VALID, "the spec describes one flow");
        } else {
            writer.set(type_, Truth::True, reasons::RESOLVED, "everything that the spec points at was found");
        }
    }
}

fn write_outcome(outcome: &Outcome, spec: &StudioFlowSpec, status: &StudioFlowStatus, writer: &mut ConditionWriter) {
    match outcome {
        Outcome::InStep { foreign_draft } => {
            let (reason, message) = in_step(foreign_draft.as_ref(), spec, status);
            writer.set(conditions::SYNCED, Truth::True, reason, message.clone());
            writer.ready(if reason == reasons::SYNCED { reasons::READY } else { reason }, message);
        }
        Outcome::Kept(foreign) => {
            let (reason, message) = (reasons::EDIT_KEPT, told::kept(foreign, status));
            writer.set(conditions::SYNCED, Truth::True, reason, message.clone());
            writer.ready(reason, message);
        }
        Outcome::Held { foreign, draft, changed } => {
            let (reason, message) = (reasons::FLOW_EDITED, told::held(foreign, draft.as_ref(), *changed, status));
            writer.set(conditions::SYNCED, Truth::False, reason, message.clone());
            writer.not_ready(Truth::False, reason, &message, Outlook::Stuck);
        }
        // What was written is known from the answer to the write; a reader that lags behind takes nothing from that.
        Outcome::Waiting(Wait::NotVisibleYet | Wait::StaleRead) | Outcome::Again
            if writer.holds(conditions::SYNCED) => {}
        Outcome::Waiting(_) | Outcome::Again => {
            let (reason, message) = match outcome {
                Outcome::Waiting(Wait::NotVisibleYet) => {
                    (reasons::FLOW_NOT_READY, "Studio does not show the flow yet: it was written a moment ago")
                }
                Outcome::Waiting(Wait::CreateUnsettled) => (
                    reasons::CREATE_INTERRUPTED,
                    "the answer to the create was lost: whether the flow was made is looked for before it is made again",
                ),
                Outcome::Waiting(Wait::WriteUnsettled) => (
                    reasons::WRITE_INTERRUPTED,
                    "the answer to a write was lost: whether it came through is looked for before the flow is written to again",
                ),
                _ => (reasons::FLOW_NOT_READY, "Studio still shows an older revision than was written a moment ago"),
            };
            writer.set(conditions::SYNCED, Truth::Unknown, reason, message);
            writer.not_ready(Truth::False, reason, message, Outlook::Waiting);
        }
        Outcome::Refused(refusal) => {
            let (reason, message) = told::refused(refusal);
            writer.set(conditions::SYNCED, Truth::False, reason, message.clone());
            writer.not_ready(Truth::False, reason, &message, Outlook::Stuck);
        }
    }
}

/// How the account is as the spec says.
fn in_step(
    foreign_draft: Option<&ForeignRevision>,
    spec: &StudioFlowSpec,
    status: &StudioFlowStatus,
) -> (&'static str, String) {
    let revision = status.revision.unwrap_or_default();
    if let Some(kept) = status.kept_revision {
        return (reasons::EDIT_KEPT, told::still_kept(kept));
    }
    let pinned = spec.revision.map(|pinned| {
        let what = if pinned == revision { String::new() } else { format!(", which is revision {pinned} again") };
        format!("{what}: spec.revision is {pinned}, and the definition waits until it is taken out")
    });
    if spec.publish {
        let reason = if pinned.is_some() { reasons::PINNED } else { reasons::SYNCED };
        let pinned = pinned.unwrap_or_default();
        return (reason, format!("revision {revision} is published{pinned}{}", told::draft_on_top(foreign_draft)));
    }
    let serving = match status.published_revision {
        Some(published) => format!("revision {published}, published before, still serves customers"),
        None => "it serves nobody".to_owned(),
    };
    let pinned = pinned.unwrap_or_default();
    (reasons::DRAFT, format!("revision {revision} is kept as a draft (spec.publish is false){pinned}; {serving}"))
}

/// Conditions before the one that failed hold; those after it are not known.
fn write_error(error: &FlowError, writer: &mut ConditionWriter) {
    let order = [conditions::ACCEPTED, conditions::RESOLVED_REFS, conditions::SYNCED];
    let failed = order.iter().position(|type_| *type_ == error.condition()).unwrap_or_default();
    let (reason, message, outlook) = (error.reason(), error.to_string(), error.outlook());
    let truth = if outlook == Outlook::Stuck { Truth::False } else { Truth::Unknown };
    if error.is_accepted() {
        passed(writer, &order[..failed]);
    } else {
        for type_ in &order[..failed] {
            writer.set(type_, Truth::Unknown, reason, format!("not looked at: {} is not true", order[failed]));
        }
    }
    writer.set(order[failed], truth, reason, message.clone());
    for type_ in &order[failed + 1..] {
        writer.set(type_, Truth::Unknown, reason, format!("not looked at: {} is not true", order[failed]));
    }
    writer.not_ready(Truth::False, reason, &message, outlook);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        controller::studio_flow::error::NameProblem,
        twilio::{ApiError, TwilioError},
    };

    fn at(hour: u8) -> Timestamp {
        format!("2026-01-01T{hour:02}:00:00Z").parse().unwrap()
    }

    fn failed(http_status: u16) -> FlowError {
        let error = ApiError::read(http_status, None, br#"{"message": "no"}"#);
        FlowError::Twilio { doing: "read the flow", source: Arc::new(TwilioError::Answered(error)) }
    }

    fn spec() -> StudioFlowSpec {
        let spec = json!({"twilio": {"credentialsRef": {"name": "twilio"}}, "friendlyName": "Agent", "definition": {}});
        serde_json::from_value(spec).unwrap()
    }

    fn in_step() -> StudioFlowStatus {
        let mut writer = ConditionWriter::new(Vec::new(), Some(1), at(1));
        passed(&mut writer, &[conditions::ACCEPTED, conditions::RESOLVED_REFS]);
        let status = StudioFlowStatus { revision: Some(3), ..Default::default() };
        write_outcome(&Outcome::InStep { foreign_draft: None }, &spec(), &status, &mut writer);
        StudioFlowStatus { observed_generation: Some(1), conditions: writer.into_conditions(), ..status }
    }

    fn said(status: &StudioFlowStatus) -> Vec<String> {
        let mut said: Vec<String> =
            status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect();
        said.sort();
        said
    }

    #[test]
    fn a_flow_that_cannot_be_compared_stays_ready_and_says_since_when() {
        let mut status = in_step();
        compose(&mut status, Some(1), &spec(), &Err(failed(503)), at(2));
        let once = status.clone();
        compose(&mut status, Some(1), &spec(), &Err(failed(503)), at(3));
        assert_eq!(status, once);
        let ready = conditions::find(&status.conditions, conditions::READY).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "ApiUnavailable"));
        assert!(ready.message.contains("since 2026-01-01T02:00:00Z"), "{}", ready.message);
        // Of a newer spec nothing is known.
        compose(&mut status, Some(2), &spec(), &Err(failed(503)), at(4));
        assert!(said(&status).contains(&"Ready=False/ApiUnavailable".to_owned()));
        assert!(said(&status).contains(&"Reconciling=True/ApiUnavailable".to_owned()));
    }

    #[test]
    fn conditions_before_the_failed_one_hold_and_those_after_it_are_unknown() {
        let mut status = in_step();
        let problem = NameProblem {
            reason: reasons::REFERENCE_NOT_FOUND,
            message: "no workflow `Sales`".into(),
            may_pass: false,
        };
        compose(&mut status, Some(1), &spec(), &Err(FlowError::Names(vec![problem])), at(2));
        assert_eq!(
            said(&status),
            [
                "Accepted=True/Valid",
                "Ready=False/ReferenceNotFound",
                "ResolvedRefs=False/ReferenceNotFound",
                "Stalled=True/ReferenceNotFound",
                "Synced=Unknown/ReferenceNotFound"
            ]
        );
    }

    #[test]
    fn a_lagging_reader_does_not_unsettle_a_flow_that_is_in_step() {
        let status = in_step();
        let waiting = Outcome::Waiting(Wait::StaleRead);
        let mut writer = ConditionWriter::new(status.conditions.clone(), Some(1), at(2));
        write_outcome(&waiting, &spec(), &status, &mut writer);
        assert_eq!(writer.into_conditions(), status.conditions);
        let mut writer = ConditionWriter::new(status.conditions.clone(), Some(2), at(2));
        write_outcome(&waiting, &spec(), &status, &mut writer);
        assert!(!conditions::is_true(writer.conditions(), conditions::READY));
    }
}
