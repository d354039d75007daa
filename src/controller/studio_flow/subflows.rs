//! Flows that run other flows. The other is made first; a flow whose subflow is not in step waits for it. What Studio would refuse
//! at run time (a subflow inside a subflow, flows in a circle, too many widgets together) is refused before anything is written.
//! The decisions are pure; the account is asked only for the flows that a definition names.

use std::sync::Arc;

use crate::{
    api::{
        ObjectKey, StudioFlow, conditions,
        reasons::condition as reasons,
        references::{FlowReference, Referenced},
    },
    controller::{
        account::{Account, SubflowFacts},
        cluster::Cluster,
        studio_flow::{
            error::{FlowError, NameProblem},
            look_up::Found,
        },
    },
    studio::{
        FlowDefinition,
        subflow::{MAX_WIDGETS, circle, together},
    },
    twilio::{
        TwilioError,
        sid::{AccountSid, FlowSid},
    },
};

/// The StudioFlows that `flow` names as its subflows.
pub fn named(flow: &StudioFlow) -> impl Iterator<Item = &str> {
    let names = flow.spec.references.iter().filter_map(FlowReference::names);
    names.filter_map(|named| match named {
        Referenced::Subflow(subflow) => Some(subflow.name.as_str()),
        _ => None,
    })
}

/// The SID of the StudioFlow `name` for `flow`, which runs it; or why there is none yet, or never will be.
pub fn sid_of(flow: &StudioFlow, name: &str, account: &AccountSid, cluster: &dyn Cluster) -> Found<String> {
    let key = ObjectKey::of(flow);
    let problem = |reason, message, may_pass| Err(NameProblem { reason, message, may_pass });
    let Some(subflow) = cluster.studio_flow(&key.sibling(name)) else {
        let namespace = &key.namespace;
        let message =
            format!("there is no StudioFlow `{name}` in namespace `{namespace}`: create it, or correct the name");
        return problem(reasons::FLOW_NOT_FOUND, message, true);
    };
    let runs = |name: &String| {
        let flow = cluster.studio_flow(&key.sibling(name));
        flow.map(|flow| named(&flow).map(str::to_owned).collect()).unwrap_or_default()
    };
    if let Some(circle) = circle(&key.name, &name.to_owned(), runs) {
        let circle = circle.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
        let message = format!("these flows run each other in a circle, which never ends: {circle}");
        return problem(reasons::SUBFLOW_CYCLE, message, false);
    }
    if let Some(inner) = named(&subflow).next() {
        let message = format!(
            "StudioFlow `{name}` runs `{inner}`, and Studio runs no subflow inside a subflow (81024): run `{inner}` from here"
        );
        return problem(reasons::SUBFLOW_NESTED, message, false);
    }
    let status = subflow.status.as_ref();
    if let Some(other) = status.and_then(|status| status.account_sid.as_deref())
        && other != account.as_str()
    {
        let message = format!("StudioFlow `{name}` is in account {other}, and this one in {account}");
        return problem(reasons::FLOW_IN_OTHER_ACCOUNT, message, false);
    }
    match status.and_then(|status| status.sid.as_deref()) {
        // What is in step is not unsettled by a change of what it runs: the SID stays.
        Some(sid) if in_step(flow) => Ok(sid.to_owned()),
        _ if subflow.metadata.deletion_timestamp.is_some() => {
            problem(reasons::FLOW_NOT_READY, format!("StudioFlow `{name}` is being deleted"), true)
        }
        Some(sid) if in_step(&subflow) || subflow.spec.suspend => Ok(sid.to_owned()),
        _ => {
            let why = status.and_then(|status| conditions::find(&status.conditions, conditions::READY));
            let why = why.filter(|ready| ready.status != "True").map(|ready| ready.message.as_str());
            let why = why.unwrap_or("it has not been looked at yet");
            problem(
                reasons::FLOW_NOT_READY,
                format!("StudioFlow `{name}` comes first, and is not in step: {why}"),
                true,
            )
        }
    }
}

/// Whether the flow was in step with its spec as it is now when it was last looked at.
fn in_step(flow: &StudioFlow) -> bool {
    flow.status.as_ref().is_some_and(|status| {
        status.observed_generation == flow.metadata.generation
            && conditions::is_true(&status.conditions, conditions::SYNCED)
    })
}

/// Has the account say what it has of the flows that `definition` runs, and decides whether it may.
pub async fn check(definition: &FlowDefinition, account: &Account) -> Result<(), FlowError> {
    let mut facts = Vec::new();
    for subflow in definition.subflows() {
        // What is no SID is Studio's to refuse.
        let Ok(sid) = subflow.flow_sid.parse::<FlowSid>() else { continue };
        let asked = account.subflow(&sid).await;
        let known =
            asked.map_err(|source: Arc<TwilioError>| FlowError::LookUp { doing: "read the subflow", source })?;
        facts.push((sid, known));
    }
    let problems = problems(definition, &facts, account.sid());
    if problems.is_empty() { Ok(()) } else { Err(FlowError::Names(problems)) }
}

/// What is wrong with a flow together with the ones that it runs.
fn problems(
    definition: &FlowDefinition,
    facts: &[(FlowSid, Option<SubflowFacts>)],
    account: &AccountSid,
) -> Vec<NameProblem> {
    let mut problems = Vec::new();
    let mut ran = Vec::new();
    for subflow in definition.subflows() {
        let Some((sid, known)) = facts.iter().find(|(sid, _)| sid.as_str() == subflow.flow_sid) else { continue };
        let widget = subflow.widget;
        let Some(SubflowFacts { published, widgets: more, runs_subflows }) = known else {
            let message = format!("widget `{widget}` runs {sid}, which account {account} does not have, or not yet");
            problems.push(NameProblem { reason: reasons::REFERENCE_NOT_FOUND, message, may_pass: true });
            continue;
        };
        ran.push((sid, *more));
        if *runs_subflows {
            let message = format!(
                "widget `{widget}` runs {sid}, which runs a subflow itself, and Studio runs none inside a subflow (81024)"
            );
            problems.push(NameProblem { reason: reasons::SUBFLOW_NESTED, message, may_pass: false });
        }
        if !published && subflow.wants_published() {
            let message = format!(
                "widget `{widget}` runs the published revision of {sid}, which has none: publish it, or choose a revision"
            );
            problems.push(NameProblem { reason: reasons::FLOW_NOT_PUBLISHED, message, may_pass: true });
        }
    }
    let widgets = together(definition.widgets(), ran.into_iter());
    if widgets > MAX_WIDGETS {
        let message = format!(
            "the flow has {widgets} widgets together with its subflows, and Studio takes {MAX_WIDGETS} (81026): make it smaller"
        );
        problems.push(NameProblem { reason: reasons::TOO_MANY_WIDGETS, message, may_pass: false });
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(widgets: usize, sid: &str) -> FlowDefinition {
        let mut states = vec![
            json!({"name": "Trigger", "type": "trigger"}),
            json!({"name": "sub", "type": "run-subflow", "properties": {"flow_sid": sid}}),
        ];
        states.extend((2..widgets).map(|n| json!({"name": format!("w{n}"), "type": "say-play"})));
        FlowDefinition::parse(json!({"initial_state": "Trigger", "states": states})).unwrap()
    }

    fn reasons_of(widgets: usize, facts: Option<SubflowFacts>) -> Vec<(&'static str, bool)> {
        let sid = format!("FW{}", "0".repeat(31) + "1");
        let account = format!("AC{}", "0".repeat(31) + "1").parse().unwrap();
        let facts = [(sid.parse().unwrap(), facts)];
        problems(&definition(widgets, &sid), &facts, &account).iter().map(|it| (it.reason, it.may_pass)).collect()
    }

    const GOOD: SubflowFacts = SubflowFacts { published: true, widgets: 1_000, runs_subflows: false };

    #[test]
    fn what_studio_would_refuse_of_flows_together_is_refused_here() {
        assert!(reasons_of(1_000, Some(GOOD)).is_empty());
        assert_eq!(reasons_of(1_001, Some(GOOD)), [("TooManyWidgets", false)]);
        assert_eq!(reasons_of(2, Some(SubflowFacts { runs_subflows: true, ..GOOD })), [("SubflowNested", false)]);
        assert_eq!(reasons_of(2, Some(SubflowFacts { published: false, ..GOOD })), [("FlowNotPublished", true)]);
        assert_eq!(reasons_of(2, None), [("ReferenceNotFound", true)]);
    }
}
