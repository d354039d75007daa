//! An EngageDestination, checked against its account. Nothing of it lives in Twilio, so there is nothing to plan or apply:
//! what takes their place is [`verify`], the decision whether the account is as the spec needs it.
//!
//! `dereference → validate → observe → verify → report`

pub mod conditions;
pub mod dereference;
pub mod observe;
pub mod report;
pub mod status;
#[cfg(test)]
mod status_tests;
pub mod template;
pub mod validate;
pub mod verify;
#[cfg(test)]
mod verify_tests;

use crate::{
    api::EngageDestination,
    controller::{
        context::Context,
        disposition::{ReconcileError, Requeue},
    },
};

/// Checks a destination and writes its status. An error means that something could not be asked; what was found out and
/// what was not is in the status either way.
pub async fn reconcile(destination: &EngageDestination, context: &Context) -> Result<Requeue, ReconcileError> {
    let references = dereference::dereference(destination, context.cluster.as_ref()).await; // client: cluster
    let accepted = validate::validate(&destination.spec); // no client
    let checked = match (&references, &accepted) {
        (Ok(references), Ok(accepted)) => {
            let observed = observe::observe(destination, references, context).await; // client: Twilio
            let verdict = verify::verify(&destination.spec, &accepted.placeholders, &observed); // no client
            Some((observed, verdict))
        }
        _ => None,
    };
    let findings = status::Findings { references, accepted, checked };
    report::report(destination, findings, context).await // client: cluster
}
