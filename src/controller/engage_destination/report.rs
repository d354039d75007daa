//! Writes the status, where it changed, and says when to look again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{EngageDestination, ObjectKey},
    controller::{
        cluster::Programmed,
        context::Context,
        disposition::{ReconcileError, Requeue},
        engage_destination::{
            dereference::Unresolved,
            status::{self, Findings, Surroundings},
            verify::Verdict,
        },
    },
};

/// Secrets and flows that are missing are looked for this often: nothing tells of a Secret that has come.
const MISSING_AGAIN: Duration = Duration::from_secs(15);
/// How soon a gateway is expected to take in a change.
const PROGRAMMED_AGAIN: Duration = Duration::from_secs(1);

/// Writes what was found. A check that could not be made and may succeed soon is the error that is returned.
pub async fn report(
    destination: &EngageDestination,
    findings: Findings,
    context: &Context,
) -> Result<Requeue, ReconcileError> {
    let around = Surroundings {
        url: context.destination_url(&ObjectKey::of(destination)),
        programmed: context.cluster.programmed(destination),
        journal_durable: context.journal_durable,
        callbacks: context.public_url.is_some(),
        now: Timestamp::now(),
    };
    let status = status::compose(destination, &findings, &around);
    if destination.status.as_ref() != Some(&status) {
        context.cluster.write_destination_status(destination, &status).await?;
    }
    again(destination, findings, &around.programmed)
}

fn again(
    destination: &EngageDestination,
    findings: Findings,
    programmed: &Programmed,
) -> Result<Requeue, ReconcileError> {
    let Findings { references, accepted: _, checked } = findings;
    let interval = destination.spec.resync_interval;
    match references {
        Err(Unresolved::Unreadable(error)) => return Err(error.into()),
        Err(Unresolved::Missing(_)) => return Ok(Requeue::within(MISSING_AGAIN, interval)),
        Ok(_) => {}
    }
    match checked.map(|(_, verdict)| verdict) {
        Some(Verdict::Unchecked(unchecked)) if unchecked.iter().any(|unchecked| unchecked.transient) => {
            let failed =
                unchecked.into_iter().filter(|unchecked| unchecked.transient).find_map(|unchecked| unchecked.error);
            match failed {
                Some(source) => Err(ReconcileError::Twilio { doing: "verify the destination", source }),
                None => Ok(Requeue::within(PROGRAMMED_AGAIN, interval)),
            }
        }
        Some(Verdict::Disproved(findings)) if findings.iter().any(|finding| finding.may_pass) => {
            Ok(Requeue::within(MISSING_AGAIN, interval))
        }
        _ if *programmed == Programmed::NotYet => Ok(Requeue::within(PROGRAMMED_AGAIN, interval)),
        _ => Ok(Requeue::resync(interval)),
    }
}
