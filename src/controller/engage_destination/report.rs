//! Writes the status, where it changed, and says when to look again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{EngageDestination, ObjectKey, Period, reasons::condition as reasons},
    controller::{
        cluster::Programmed,
        context::Context,
        disposition::{ReconcileError, Requeue},
        engage_destination::{
            dereference::Unresolved,
            status::{self, Findings, Surroundings},
            verify::{Finding, Verdict},
        },
    },
};

/// Secrets and flows that are missing are looked for this often: nothing tells of a Secret that has come.
const MISSING_AGAIN: Duration = Duration::from_secs(15);
/// An approval that is under way is looked for this often. It takes WhatsApp minutes to days and nothing tells of it, so the
/// pause is what a person who watches will bear and an account does not notice.
pub const APPROVAL_AGAIN: Period = Period::seconds(30);
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
            Ok(Requeue::within(pause(&findings), interval))
        }
        _ if *programmed == Programmed::NotYet => Ok(Requeue::within(PROGRAMMED_AGAIN, interval)),
        _ => Ok(Requeue::resync(interval)),
    }
}

/// How long what may pass is waited for.
fn pause(findings: &[Finding]) -> Duration {
    let waits_for_whatsapp =
        |finding: &Finding| matches!(finding.reason, reasons::CONTENT_NOT_APPROVED | reasons::CONTENT_AMBIGUOUS);
    let mut passing = findings.iter().filter(|finding| finding.may_pass);
    if passing.all(waits_for_whatsapp) { APPROVAL_AGAIN.as_duration() } else { MISSING_AGAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_waited_for_longer_than_what_somebody_is_making_now() {
        let finding = |reason, may_pass| Finding { reason, message: String::new(), may_pass };
        let approval = finding(reasons::CONTENT_NOT_APPROVED, true);
        assert_eq!(pause(std::slice::from_ref(&approval)), Duration::from_secs(30));
        let stuck = finding(reasons::SENDER_OFFLINE, false);
        assert_eq!(pause(&[approval.clone(), stuck]), Duration::from_secs(30));
        assert_eq!(pause(&[approval, finding(reasons::FLOW_NOT_READY, true)]), Duration::from_secs(15));
    }
}
