//! The names of what a definition gives SIDs of. A name counts only if the look-up that the controller makes leads from it to the
//! very same SID.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::{Failure, account::failed},
    resource_name,
};
use crate::{
    api::references::FlowReference,
    controller::{
        account::{Account, Entry},
        studio_flow::{error::NameProblem, look_up::look_up, validate::Filling},
    },
    studio::{
        FlowDefinition, FunctionAddress,
        ids::{AccountId, FunctionCall, IdKind},
    },
    twilio::TwilioError,
};

/// What became of the SIDs.
#[derive(Debug, Default)]
pub struct Named {
    pub references: Vec<Value>,
    /// What a person has to know, such as what is left.
    pub notes: Vec<String>,
}

/// Replaces the SIDs in `definition` by placeholders, and gives the references that fill them.
pub async fn named(definition: &mut FlowDefinition, account: &Account) -> Result<Named, Failure> {
    let mut named = Named::default();
    for call in definition.function_calls() {
        let reference = function(&call, account).await?;
        match confirmed(reference, &Filling::Function(call.address.clone()), account).await? {
            Some(reference) => {
                let left_open = |what: &str| format!("${{{what}}}");
                let open = FunctionAddress {
                    url: left_open("url"),
                    service_sid: left_open("service"),
                    environment_sid: left_open("environment"),
                    function_sid: left_open("function"),
                };
                definition.fill_function(&call.widget, &open).map_err(|error| Failure::Account(error.to_string()))?;
                named.references.push(reference);
            }
            None => named.notes.push(format!(
                "widget `{}` calls {}, which is deployed under no name in this account: it stays as it is",
                call.widget, call.address.url
            )),
        }
    }
    for id in definition.account_ids() {
        let (what, reference) = by_name(&id, account, &mut named.notes).await?;
        let reference = match id.kind {
            // A StudioFlow is nothing of the account's.
            IdKind::Flow => reference,
            _ => confirmed(reference, &Filling::Text(id.sid.clone()), account).await?,
        };
        let AccountId { widget, property, kind: _, sid } = id;
        let Some(reference) = reference else {
            let note =
                format!("widget `{widget}`: `{property}` stays {sid}: no name in this account leads to that {what}");
            named.notes.push(note);
            continue;
        };
        let placeholder = format!("${{{}}}", what.replace(' ', "_"));
        definition.fill(&widget, &property, &placeholder).map_err(|error| Failure::Account(error.to_string()))?;
        named.references.push(reference);
    }
    Ok(named)
}

/// The reference, if it is one and leads to what the definition has.
async fn confirmed(reference: Option<Value>, wanted: &Filling, account: &Account) -> Result<Option<Value>, Failure> {
    let Some(reference) = reference else { return Ok(None) };
    let read: FlowReference =
        serde_json::from_value(reference.clone()).map_err(|error| Failure::Account(error.to_string()))?;
    let no_subflow = |_: &str| Err(NameProblem { reason: "", message: String::new(), may_pass: false });
    let found = look_up(&read, account, no_subflow).await.map_err(|error| Failure::Account(error.to_string()))?;
    Ok(found.is_ok_and(|found| found.is_as(wanted)).then_some(reference))
}

/// What the SID is of, and the reference by the name that it has.
async fn by_name(
    id: &AccountId,
    account: &Account,
    notes: &mut Vec<String>,
) -> Result<(&'static str, Option<Value>), Failure> {
    let reference = |field: &str, names: Value| {
        let mut reference = json!({"widget": id.widget, "property": id.property});
        reference[field] = names;
        reference
    };
    Ok(match id.kind {
        IdKind::Workflow => ("workflow", in_workspaces(id, account).await?.map(|names| reference("workflow", names))),
        IdKind::TaskChannel => {
            ("task channel", in_workspaces(id, account).await?.map(|names| reference("taskChannel", names)))
        }
        IdKind::TaskQueue => {
            ("task queue", in_workspaces(id, account).await?.map(|names| reference("taskQueue", names)))
        }
        IdKind::Content => {
            let sid = id.sid.parse().map_err(|_| Failure::Account(format!("{} is no template's SID", id.sid)))?;
            let content = account.client().content(&sid).await.map_err(failed("read a content template"))?;
            let names = content.and_then(|content| {
                let mut names = json!({"friendlyName": content.friendly_name?});
                if let Some(language) = content.language {
                    names["language"] = json!(language);
                }
                Some(reference("content", names))
            });
            ("template", names)
        }
        IdKind::MessagingService => {
            let listed = account.messaging_services().await.map_err(listing("the Messaging Services"))?;
            ("messaging service", name_in(&listed, &id.sid).map(|name| reference("messagingService", name)))
        }
        IdKind::ConversationService => {
            let listed = account.conversation_services().await.map_err(listing("the conversation services"))?;
            ("conversation service", name_in(&listed, &id.sid).map(|name| reference("conversationService", name)))
        }
        IdKind::Flow => {
            let flows = account.client().flows().await.map_err(failed("list the flows"))?;
            let name = flows.into_iter().find(|flow| flow.sid.as_str() == id.sid).and_then(|flow| flow.friendly_name);
            let names = name.map(|friendly| {
                let name = resource_name(&friendly);
                notes.push(format!(
                    "widget `{}` runs flow {}, `{friendly}`: it has to be a StudioFlow `{name}` of the same namespace, so pull it too",
                    id.widget, id.sid
                ));
                reference("subflow", json!({"name": name}))
            });
            ("subflow", names)
        }
    })
}

/// The names under which TaskRouter has it, with the workspace if that is not the one that Flex works in.
async fn in_workspaces(id: &AccountId, account: &Account) -> Result<Option<Value>, Failure> {
    let flex = account.flex_workspace().await.map_err(listing("the Flex configuration"))?;
    let workspaces = account.workspaces().await.map_err(listing("the workspaces"))?;
    for workspace in workspaces.iter() {
        let name = match id.kind {
            IdKind::Workflow => {
                let rows = account.workflows(&workspace.sid).await.map_err(listing("the workflows"))?;
                rows.iter().find(|row| row.sid == id.sid).and_then(|row| row.friendly_name.clone())
            }
            IdKind::TaskChannel => {
                let rows = account.task_channels(&workspace.sid).await.map_err(listing("the task channels"))?;
                rows.iter().find(|row| row.sid == id.sid).and_then(|row| row.unique_name.clone())
            }
            _ => {
                let rows = account.task_queues(&workspace.sid).await.map_err(listing("the task queues"))?;
                rows.iter().find(|row| row.sid == id.sid).and_then(|row| row.name.clone())
            }
        };
        let Some(name) = name else { continue };
        let field = if id.kind == IdKind::TaskChannel { "uniqueName" } else { "friendlyName" };
        let mut names = json!({field: name});
        if flex.as_deref() != Some(workspace.sid.as_str()) {
            names["workspace"] = json!(workspace.friendly_name);
        }
        return Ok(Some(names));
    }
    Ok(None)
}

fn name_in(rows: &Arc<[Entry]>, sid: &str) -> Option<Value> {
    let name = rows.iter().find(|row| row.sid == sid)?.name.as_ref()?;
    Some(json!({"friendlyName": name}))
}

/// The names under which a Function is deployed.
async fn function(call: &FunctionCall, account: &Account) -> Result<Option<Value>, Failure> {
    let FunctionAddress { url: _, service_sid, environment_sid, function_sid } = &call.address;
    let services = account.function_services().await.map_err(listing("the Functions services"))?;
    let Some(service) = services.iter().find(|row| row.sid == *service_sid).and_then(|row| row.name.clone()) else {
        return Ok(None);
    };
    let environments = account.environments(service_sid).await.map_err(listing("the environments"))?;
    let Some(environment) = environments.iter().find(|it| it.sid == *environment_sid) else { return Ok(None) };
    let Some(build) = &environment.build_sid else { return Ok(None) };
    let functions = account.functions_of_build(service_sid, build).await.map_err(listing("the deployed build"))?;
    let path = functions.iter().find(|it| it.function_sid == *function_sid).and_then(|it| it.path.clone());
    let Some(path) = path else { return Ok(None) };
    let mut names = json!({"service": service, "path": format!("/{}", path.trim_start_matches('/'))});
    if let Some(environment) = &environment.unique_name {
        names["environment"] = json!(environment);
    }
    Ok(Some(json!({"widget": call.widget, "twilioFunction": names})))
}

fn listing(what: &'static str) -> impl FnOnce(Arc<TwilioError>) -> Failure {
    move |error| Failure::Account(format!("cannot read {what} of the account: {error}"))
}
