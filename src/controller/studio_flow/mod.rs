//! A StudioFlow, made and kept in its account.
//!
//! `dereference → validate → observe → plan → apply → report`. What is remembered between reconciles is the resource's
//! status alone, through the [`journal`](journal::Journal): a create is written there before it is begun.

pub mod apply;
pub mod course;
pub mod dereference;
pub mod error;
pub mod journal;
pub mod ledger;
pub mod lint;
pub mod live;
pub mod look_up;
pub mod marker;
#[cfg(test)]
mod model;
pub mod observe;
pub mod plan;
pub mod recorded;
pub mod removal;
pub mod report;
pub mod subflows;
mod templates;
mod told;
pub mod validate;

use k8s_openapi::jiff::Timestamp;

use self::{apply::Applied, course::Outcome, error::FlowError, journal::Journal, marker::Marker, recorded::Recorded};
use crate::{
    api::{StudioFlow, StudioFlowStatus},
    controller::{
        context::Context,
        disposition::{ReconcileError, Requeue},
    },
};

/// How often a plan may ask for a new look at once: adopt, save again what was gone over, and see that it stays.
const ROUNDS: usize = 4;

/// Brings the account in step with a flow and writes its status. An error means that something could not be asked or
/// written; what came of it so far is in the status.
pub async fn reconcile(flow: &StudioFlow, context: &Context) -> Result<Requeue, ReconcileError> {
    if flow.metadata.deletion_timestamp.is_some() {
        return removal::reconcile(flow, context).await;
    }
    let mut journal = Journal::open(flow, context.cluster.as_ref());
    if flow.spec.suspend {
        journal.note(|status| handled(flow, status));
        return report::suspended(flow, journal).await; // client: cluster
    }
    let result = provision(flow, &mut journal, context).await;
    journal.note(|status| handled(flow, status));
    report::report(flow, journal, result).await // client: cluster
}

/// Whoever asked for the flow to be looked at sees by this that it was.
fn handled(flow: &StudioFlow, status: &mut StudioFlowStatus) {
    status.last_handled_reconcile = flow.reconcile_asked().map(str::to_owned);
}

async fn provision(flow: &StudioFlow, journal: &mut Journal<'_>, context: &Context) -> Result<Applied, FlowError> {
    let cluster = context.cluster.as_ref();
    removal::hold(flow, cluster).await?; // client: cluster
    let written = dereference::definition(flow, cluster).await?; // client: cluster
    let definition = validate::definition(&flow.spec, written)?; // no client
    lint::note(flow, &definition, journal)?; // no client
    let references = dereference::dereference(flow, context).await?; // client: cluster, Twilio
    let desired = validate::desired(&flow.spec, definition, &references.values)?; // no client
    let account = &references.account;
    let templates = templates::known(&desired.definition, &references.values, account).await?; // client: Twilio
    lint::judge(&flow.spec, &desired.definition, &templates, journal)?; // no client
    subflows::check(&desired.definition, account).await?; // client: Twilio
    let marker = Marker::new(&context.cluster_id, flow);
    for _ in 0..ROUNDS {
        let recorded = Recorded::of(journal.status(), account.sid(), Timestamp::now(), context.settle);
        let observed = observe::observe(&desired, &recorded, &marker, account).await?; // client: Twilio
        let pinned = observe::pinned(desired.clone(), &recorded, observed, &marker, account.client()).await?; // client: Twilio
        let (desired, observed) = pinned;
        let plan = plan::plan(&desired, &recorded, &observed); // no client
        let applied = apply::apply(plan, &desired, &marker, account.client(), journal).await?; // client: Twilio, cluster
        if *applied.outcome() != Outcome::Again {
            return Ok(applied);
        }
    }
    Err(FlowError::NoRest)
}
