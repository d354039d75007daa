//! Looks at the account: only at what the action uses, all at once, and through the answers that resources share.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::{
        EngageDestination, StudioFlow, conditions,
        engage_destination::{Conversation, Interaction, Named, TemplateRef, Whatsapp},
        reasons::condition as reasons,
        references::{TaskChannelRef, WorkflowRef, WorkspaceRef},
    },
    controller::{
        account::{Account, FlowFacts, Freshness, Look, Template},
        context::Context,
        engage_destination::{dereference::References, report::APPROVAL_AGAIN},
        names::{self, Unfound},
    },
    twilio::{E164, flex::FlexConfiguration, messaging::WhatsAppSender, sid::AccountSid},
};

/// What was seen of the account; absent is what the action does not use.
#[derive(Debug, Default)]
pub struct Observed {
    /// WhatsApp senders of the Messaging Service; `Ok(None)` when there is no such service.
    pub service: Option<Look<Option<Arc<[E164]>>>>,
    /// The templates among which the one that the spec names is, if it is there at all.
    pub templates: Option<Look<Arc<[Template]>>>,
    /// Every WhatsApp sender of the account.
    pub senders: Option<Look<Arc<[WhatsAppSender]>>>,
    pub flow: Option<ObservedFlow>,
    pub flex: Option<ObservedFlex>,
    pub tasks: Option<ObservedTasks>,
}

/// What was seen of Flex, and of the service that conversations are in.
#[derive(Debug)]
pub struct ObservedFlex {
    /// `Ok(None)` when the account has no Flex.
    pub configuration: Look<Option<Arc<FlexConfiguration>>>,
    /// The service of conversations that are made without naming one.
    pub default_service: Look<Option<Arc<str>>>,
}

/// An id that was looked up; `Ok(Err(_))` when it leads to no single thing.
pub type NamedSid = Look<Result<String, Unfound>>;

/// What was seen of where tasks go.
#[derive(Debug)]
pub struct ObservedTasks {
    /// Absent where Flex's own is meant and there is none.
    pub workspace: Option<NamedSid>,
    /// Absent where there is no workspace to look in.
    pub workflow: Option<NamedSid>,
    pub task_channel: Option<NamedSid>,
}

/// What was seen of the flow that a reply starts.
#[derive(Debug)]
pub enum ObservedFlow {
    /// Its StudioFlow has not made it yet.
    NotProvisioned { name: String },
    /// Its StudioFlow works in another account than the destination.
    InOtherAccount { name: String, theirs: String, ours: AccountSid },
    /// The account was asked; `Ok(None)` when it has no such flow.
    Asked { sid: String, managed_by: Option<Manager>, found: Look<Option<FlowFacts>> },
}

/// The StudioFlow that keeps a flow, and what it knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    pub name: String,
    pub published_revision: Option<i64>,
}

/// Asks what the action uses.
pub async fn observe(destination: &EngageDestination, references: &References, context: &Context) -> Observed {
    let References { credentials, flow } = references;
    let account = context.accounts.open(credentials.clone(), freshness(destination));
    let (spec, template) = (&destination.spec, destination.spec.template());
    match (&spec.whatsapp, &spec.conversation, &spec.interaction) {
        (Some(whatsapp), _, _) => observe_whatsapp(whatsapp, template, &account).await,
        (None, Some(conversation), _) => {
            Box::pin(observe_conversation(conversation, template, flow.as_deref(), &account)).await
        }
        (None, None, Some(interaction)) => Box::pin(observe_interaction(interaction, &account)).await,
        (None, None, None) => Observed::default(),
    }
}

/// A destination that was fine in this very form may hear what another was told a moment ago. So may one that waits for an
/// approval: a thousand that wait for the same one are one question.
fn freshness(destination: &EngageDestination) -> Freshness {
    let conditions = destination.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let holds = |type_| {
        let current = |condition: &&Condition| condition.observed_generation == destination.metadata.generation;
        let condition = conditions::find(conditions, type_).filter(current)?;
        (condition.status == conditions::Truth::True.as_str()).then_some(condition)
    };
    let within_interval = Freshness::within(destination.spec.resync_interval);
    if holds(conditions::VERIFIED).is_some() {
        within_interval
    } else if holds(conditions::RECONCILING).is_some_and(|waits| waits.reason == reasons::CONTENT_NOT_APPROVED) {
        within_interval.min(Freshness::within(APPROVAL_AGAIN))
    } else {
        Freshness::RECENT
    }
}

async fn observe_whatsapp(whatsapp: &Whatsapp, template: Option<TemplateRef<'_>>, account: &Account) -> Observed {
    let service = async {
        let sid = whatsapp.messaging_service_sid.parse().ok()?;
        Some(account.senders_of_service(&sid).await)
    };
    let (service, templates) = futures::future::join(service, templates(template, account)).await;
    Observed { service, templates, ..Observed::default() }
}

async fn observe_conversation(
    conversation: &Conversation,
    template: Option<TemplateRef<'_>>,
    managed: Option<&StudioFlow>,
    account: &Account,
) -> Observed {
    let flow = observe_flow(conversation, managed, account);
    let (templates, senders, flow, flex) =
        futures::future::join4(templates(template, account), account.senders(), flow, observe_flex(account)).await;
    Observed { templates, senders: Some(senders), flow, flex: Some(flex), ..Observed::default() }
}

async fn observe_interaction(interaction: &Interaction, account: &Account) -> Observed {
    let (senders, flex, tasks) =
        futures::future::join3(account.senders(), observe_flex(account), observe_tasks(interaction, account)).await;
    Observed { senders: Some(senders), flex: Some(flex), tasks: Some(tasks), ..Observed::default() }
}

async fn observe_flex(account: &Account) -> ObservedFlex {
    let (configuration, default_service) =
        futures::future::join(account.flex(), account.default_conversations_service()).await;
    ObservedFlex { configuration, default_service }
}

async fn observe_tasks(interaction: &Interaction, account: &Account) -> ObservedTasks {
    let workspace = workspace(interaction.workspace.as_ref(), account).await;
    let Some(Ok(Ok(sid))) = &workspace else {
        return ObservedTasks { workspace, workflow: None, task_channel: None };
    };
    let (workflow, task_channel) = futures::future::join(
        workflow(&interaction.workflow, sid, account),
        task_channel(&interaction.task_channel, sid, account),
    )
    .await;
    ObservedTasks { workspace, workflow: Some(workflow), task_channel: Some(task_channel) }
}

/// The workspace that is named, or the one that Flex works in.
async fn workspace(reference: Option<&WorkspaceRef>, account: &Account) -> Option<NamedSid> {
    let Some(WorkspaceRef { friendly_name, sid }) = reference else {
        return match account.flex_workspace().await {
            Ok(workspace) => workspace.map(|workspace| Ok(Ok(workspace.to_string()))),
            Err(error) => Some(Err(error)),
        };
    };
    let named = account.workspaces().await.map(|rows| {
        let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
        find("workspace", friendly_name.as_deref(), sid.as_deref(), "the account", rows)
    });
    Some(named)
}

async fn workflow(reference: &WorkflowRef, workspace: &str, account: &Account) -> NamedSid {
    let WorkflowRef { friendly_name, sid } = reference;
    let rows = account.workflows(workspace).await?;
    let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
    Ok(find("workflow", friendly_name.as_deref(), sid.as_deref(), workspace, rows))
}

async fn task_channel(reference: &TaskChannelRef, workspace: &str, account: &Account) -> NamedSid {
    let TaskChannelRef { unique_name, sid } = reference;
    let rows = account.task_channels(workspace).await?;
    let rows = rows.iter().map(|row| (row.unique_name.as_deref(), row.sid.as_str()));
    Ok(find("task channel", unique_name.as_deref(), sid.as_deref(), workspace, rows))
}

/// By SID where there is one, else by name.
fn find<'a>(
    what: &str,
    name: Option<&str>,
    sid: Option<&str>,
    place: &str,
    rows: impl Iterator<Item = (Option<&'a str>, &'a str)> + Clone,
) -> Result<String, Unfound> {
    match sid {
        Some(sid) => names::by_id(what, sid, place, rows),
        None => names::exactly_one(what, name.unwrap_or_default(), place, rows),
    }
}

/// A SID that does not parse was refused by `validate`; there is nothing to ask.
async fn templates(template: Option<TemplateRef<'_>>, account: &Account) -> Option<Look<Arc<[Template]>>> {
    match template?.named {
        Named::Sid(sid) => Some(account.template(&sid.parse().ok()?).await),
        Named::Name(name) => Some(account.templates_named(&name.friendly_name).await),
    }
}

async fn observe_flow(
    conversation: &Conversation,
    managed: Option<&StudioFlow>,
    account: &Account,
) -> Option<ObservedFlow> {
    let Some(managed) = managed else {
        let sid = conversation.flow_sid.as_ref()?;
        let found = account.flow(&sid.parse().ok()?, None).await;
        return Some(ObservedFlow::Asked { sid: sid.clone(), managed_by: None, found });
    };
    let name = managed.metadata.name.clone().unwrap_or_default();
    let status = managed.status.as_ref();
    let Some(sid) = status.and_then(|status| status.sid.as_ref()) else {
        return Some(ObservedFlow::NotProvisioned { name });
    };
    let theirs = status.and_then(|status| status.account_sid.as_deref());
    if let Some(theirs) = theirs.filter(|theirs| *theirs != account.sid().as_str()) {
        return Some(ObservedFlow::InOtherAccount { name, theirs: theirs.to_owned(), ours: account.sid().clone() });
    }
    let published_revision = status.and_then(|status| status.published_revision);
    let found = account.flow(&sid.parse().ok()?, published_revision).await;
    Some(ObservedFlow::Asked { sid: sid.clone(), managed_by: Some(Manager { name, published_revision }), found })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::api::conditions::Truth;

    #[test]
    fn those_that_wait_for_an_approval_share_the_answer_and_those_that_were_changed_do_not() {
        let spec = json!({"twilio": {"credentialsRef": {"name": "t"}}, "segment": {"credentialsRef": {"name": "s"}},
            "whatsapp": {"messagingServiceSid": "MG1", "contentSid": "HX1"}});
        let mut destination = EngageDestination::new("lead", serde_json::from_value(spec).unwrap());
        destination.metadata.generation = Some(1);
        assert_eq!(freshness(&destination), Freshness::RECENT);
        let mut say = |type_, reason| {
            let mut conditions = Vec::new();
            conditions::set(&mut conditions, type_, Truth::True, reason, "why", Some(1), Timestamp::UNIX_EPOCH);
            destination.status = Some(crate::api::EngageDestinationStatus { conditions, ..Default::default() });
            freshness(&destination)
        };
        assert_eq!(say(conditions::RECONCILING, reasons::CONTENT_NOT_APPROVED), Freshness::within(APPROVAL_AGAIN));
        assert_eq!(say(conditions::RECONCILING, reasons::FLOW_NOT_READY), Freshness::RECENT);
        // What only a person can mend may have been mended just now.
        assert_eq!(say(conditions::STALLED, reasons::CONTENT_NOT_APPROVED), Freshness::RECENT);
        assert_eq!(say(conditions::VERIFIED, reasons::VERIFIED), Freshness::within(destination.spec.resync_interval));
        destination.metadata.generation = Some(2);
        assert_eq!(freshness(&destination), Freshness::RECENT);
    }
}
