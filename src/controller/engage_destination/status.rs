//! What a destination's status says of what was found. Pure: the same findings and the same time give the same status.

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus,
        admission::Rejection,
        engage_destination::{ContentStatus, FlowStatus, InteractionStatus},
    },
    controller::{
        cluster::Programmed,
        condition_writer::ConditionWriter,
        engage_destination::{
            conditions,
            dereference::{References, Unresolved},
            observe::{Observed, ObservedFlow, ObservedTasks},
            template::choose,
            verify::Verdict,
        },
    },
    delivery::destination::Destination,
    twilio::E164,
};

/// What the steps found.
#[derive(Debug)]
pub struct Findings {
    pub references: Result<References, Unresolved>,
    pub accepted: Result<Destination, Vec<Rejection>>,
    /// Absent where there was nothing to check yet.
    pub checked: Option<(Observed, Verdict)>,
}

/// What does not come from the destination or its account.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub url: String,
    pub programmed: Programmed,
    pub journal_durable: bool,
    /// Whether Twilio can call back.
    pub callbacks: bool,
    pub now: Timestamp,
}

/// The status that follows from the findings.
pub fn compose(destination: &EngageDestination, findings: &Findings, around: &Surroundings) -> EngageDestinationStatus {
    let Findings { references, accepted, checked } = findings;
    let generation = destination.metadata.generation;
    let before = destination.status.clone().unwrap_or_default();
    let verdict = checked.as_ref().map(|(_, verdict)| verdict);
    let mut writer = ConditionWriter::new(before.conditions.clone(), generation, around.now);
    let accepted = conditions::accepted(accepted, &mut writer);
    let (verified, unchecked_since) = conditions::verified(&before, verdict, references, &mut writer);
    conditions::followed(destination, references, around.callbacks, &mut writer);
    let references = conditions::references(references, &mut writer);
    let programmed = conditions::programmed(&around.programmed, &mut writer);
    conditions::durable(around.journal_durable, &mut writer);
    let mut status = EngageDestinationStatus {
        observed_generation: generation,
        url: Some(around.url.clone()),
        unchecked_since,
        deliveries: before.deliveries.clone(),
        conditions: writer.conditions().to_vec(),
        ..seen(destination, &before, checked.as_ref().map(|(observed, _)| observed))
    };
    let outlooks = ([accepted, references, verified], programmed);
    conditions::ready(destination, &status, &around.url, outlooks, &mut writer);
    status.conditions = writer.into_conditions();
    status
}

/// What was seen of the account; what could not be seen this time stays as it was, as long as the spec still means it.
fn seen(
    destination: &EngageDestination,
    before: &EngageDestinationStatus,
    observed: Option<&Observed>,
) -> EngageDestinationStatus {
    let same_spec = before.observed_generation == destination.metadata.generation;
    let mut status = EngageDestinationStatus::default();
    if same_spec {
        status.senders.clone_from(&before.senders);
        status.content.clone_from(&before.content);
        status.flow.clone_from(&before.flow);
        status.interaction.clone_from(&before.interaction);
    }
    let Some(Observed { service, templates, senders: _, flow, flex: _, tasks }) = observed else { return status };
    let spec = &destination.spec;
    if let Some((_, numbers)) = spec.twilio_numbers() {
        let numbers = numbers.iter().filter_map(|number| number.parse::<E164>().ok());
        status.senders = numbers.map(|number| number.as_str().to_owned()).collect();
    } else if let Some(Ok(senders)) = service {
        status.senders =
            senders.iter().flat_map(|senders| senders.iter()).map(|sender| sender.as_str().to_owned()).collect();
    }
    if let (Some(template), Some(Ok(shown))) = (spec.template(), templates) {
        status.content = choose(template, shown).ok().map(|template| ContentStatus {
            sid: template.sid.to_string(),
            name: template.name.clone(),
            language: template.language.clone(),
            approval_status: Some(template.approval.clone().unwrap_or_else(|| "unsubmitted".into())),
            variables: template.placeholders.iter().cloned().collect(),
        });
    }
    if let Some(flow) = flow {
        let known = status.flow.take();
        status.flow = match flow {
            ObservedFlow::NotProvisioned { name: _ } | ObservedFlow::InOtherAccount { name: _, theirs: _, ours: _ } => {
                None
            }
            ObservedFlow::Asked { sid, managed_by: _, found } => {
                let revision = match found {
                    Ok(facts) => facts.and_then(|facts| facts.published).and_then(|published| published.revision),
                    Err(_) => known.filter(|known| known.sid == *sid).and_then(|known| known.revision),
                };
                Some(FlowStatus { sid: sid.clone(), revision })
            }
        };
    }
    if let Some(tasks) = tasks {
        status.interaction = where_tasks_go(tasks, status.interaction.take());
    }
    status
}

/// A name that leads nowhere leaves nothing of what was known before; one that could not be looked up does.
fn where_tasks_go(tasks: &ObservedTasks, known: Option<InteractionStatus>) -> Option<InteractionStatus> {
    let ObservedTasks { workspace, workflow, task_channel } = tasks;
    let all = [workspace, workflow, task_channel];
    if all.iter().any(|named| matches!(named, Some(Ok(Err(_))))) || workspace.is_none() {
        return None;
    }
    match all {
        [Some(Ok(Ok(workspace))), Some(Ok(Ok(workflow))), Some(Ok(Ok(task_channel)))] => Some(InteractionStatus {
            workspace_sid: workspace.clone(),
            workflow_sid: workflow.clone(),
            task_channel_sid: task_channel.clone(),
        }),
        _ => known,
    }
}
