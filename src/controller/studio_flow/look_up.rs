//! The ids of what a flow names, looked up in its account. A name is that of exactly one thing: what is not there, or is there
//! twice, is a problem that says where it was looked for, and nothing is written.

use std::sync::Arc;

use crate::{
    api::{
        engage_destination::{Named, TemplateRef},
        reasons::condition as reasons,
        references::{ContentName, FlowReference, FunctionName, Referenced, ServiceName},
    },
    controller::{
        account::{Account, Entry, Look, Template},
        engage_destination::template,
        names,
        studio_flow::{
            error::{FlowError, NameProblem},
            validate::Filling,
        },
    },
    studio::FunctionAddress,
    twilio::TwilioError,
};

/// What a look-up gave, or what is wrong with the name.
pub type Found<T> = Result<T, NameProblem>;

/// Looks up what `reference` names. A subflow is no thing of the account's: `subflow` says what became of it.
pub async fn look_up(
    reference: &FlowReference,
    account: &Account,
    subflow: impl Fn(&str) -> Found<String>,
) -> Result<Found<Filling>, FlowError> {
    let Some(named) = reference.names() else {
        let message = "names nothing, or several things, to look up: set one of them".to_owned();
        return Ok(Err(NameProblem { reason: reasons::REFERENCE_NOT_FOUND, message, may_pass: false }));
    };
    let text = match named {
        Referenced::Value(value) => Ok(value.to_owned()),
        Referenced::Subflow(flow) => subflow(&flow.name),
        Referenced::Workflow(workflow) => match workspace(workflow.workspace.as_deref(), account).await? {
            Ok(workspace) => {
                let rows = account.workflows(&workspace).await.map_err(failed("list the workflows"))?;
                let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
                exactly_one("workflow", &workflow.friendly_name, &in_workspace(&workspace, account), rows)
            }
            Err(problem) => Err(problem),
        },
        Referenced::TaskChannel(channel) => match workspace(channel.workspace.as_deref(), account).await? {
            Ok(workspace) => {
                let rows = account.task_channels(&workspace).await.map_err(failed("list the task channels"))?;
                let rows = rows.iter().map(|row| (row.unique_name.as_deref(), row.sid.as_str()));
                exactly_one("task channel", &channel.unique_name, &in_workspace(&workspace, account), rows)
            }
            Err(problem) => Err(problem),
        },
        Referenced::TaskQueue(queue) => match workspace(queue.workspace.as_deref(), account).await? {
            Ok(workspace) => {
                let rows = account.task_queues(&workspace).await.map_err(failed("list the task queues"))?;
                among("task queue", &queue.friendly_name, &in_workspace(&workspace, account), &rows)
            }
            Err(problem) => Err(problem),
        },
        Referenced::Content(content) => {
            return Ok(template_of(content, account).await?.map(Box::new).map(Filling::Template));
        }
        Referenced::MessagingService(name) => {
            service("Messaging Service", name, account.messaging_services().await, account)?
        }
        Referenced::ConversationService(name) => {
            service("conversation service", name, account.conversation_services().await, account)?
        }
        Referenced::Function(name) => {
            let whole = reference.property.is_none();
            let found = function(name, account).await?;
            return Ok(found.map(|address| if whole { Filling::Function(address) } else { Filling::Text(address.url) }));
        }
    };
    Ok(text.map(Filling::Text))
}

/// The one template of that name.
async fn template_of(name: &ContentName, account: &Account) -> Result<Found<Template>, FlowError> {
    let shown = account.templates_named(&name.friendly_name).await.map_err(failed("look for the content template"))?;
    let chosen = template::choose(TemplateRef { field: "content", named: Named::Name(name) }, &shown);
    Ok(chosen.cloned().map_err(|finding| NameProblem {
        reason: finding.reason,
        message: format!("{} (account {})", finding.message, account.sid()),
        may_pass: finding.may_pass,
    }))
}

fn service(
    what: &'static str,
    name: &ServiceName,
    listed: Look<Arc<[Entry]>>,
    account: &Account,
) -> Result<Found<String>, FlowError> {
    let rows = listed.map_err(failed("list the services of the account"))?;
    Ok(among(what, &name.friendly_name, &in_account(account), &rows))
}

/// The Function as it is deployed: in the build of that environment, under that path.
async fn function(name: &FunctionName, account: &Account) -> Result<Found<FunctionAddress>, FlowError> {
    let services = account.function_services().await.map_err(failed("list the Functions services"))?;
    let service = match among("Functions service", &name.service, &in_account(account), &services) {
        Ok(service) => service,
        Err(problem) => return Ok(Err(problem)),
    };
    let place = format!("Functions service `{}` of {}", name.service, in_account(account));
    let environments = account.environments(&service).await.map_err(failed("list the environments"))?;
    let environment = match (&name.environment, &*environments) {
        (None, [only]) => only,
        (None, []) => return Ok(Err(missing(format!("{place} has no environment: deploy it first")))),
        (None, several) => {
            let names: Vec<_> = several.iter().filter_map(|it| it.unique_name.as_deref()).collect();
            let message = format!("{place} has several environments ({}): name one by environment", names.join(", "));
            return Ok(Err(NameProblem { reason: reasons::REFERENCE_AMBIGUOUS, message, may_pass: false }));
        }
        (Some(wanted), all) => {
            let rows = all.iter().map(|it| (it.unique_name.as_deref(), it.sid.as_str()));
            let sid = match exactly_one("environment", wanted, &place, rows) {
                Ok(sid) => sid,
                Err(problem) => return Ok(Err(problem)),
            };
            let Some(found) = all.iter().find(|it| it.sid == sid) else {
                return Ok(Err(missing(format!("{place} has no environment {sid}"))));
            };
            found
        }
    };
    let place = format!("environment `{}` of {place}", environment.unique_name.as_deref().unwrap_or(&environment.sid));
    let (Some(build), Some(domain)) = (&environment.build_sid, &environment.domain_name) else {
        return Ok(Err(missing(format!("nothing is deployed in {place}: deploy it first"))));
    };
    let functions = account.functions_of_build(&service, build).await.map_err(failed("read the deployed build"))?;
    let path = name.path.trim_start_matches('/');
    let Some(deployed) = functions.iter().find(|it| it.path.as_deref().map(without_slash) == Some(path)) else {
        let known: Vec<_> = functions.iter().filter_map(|it| it.path.as_deref()).take(MAX_PATHS).collect();
        let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
        return Ok(Err(missing(format!(
            "no function `/{path}` is deployed in {place}, which has {known}: correct the path, or deploy it"
        ))));
    };
    if deployed.is_private() {
        let message =
            format!("function `/{path}` in {place} is private, which Studio cannot call: deploy it as protected");
        return Ok(Err(missing(message)));
    }
    Ok(Ok(FunctionAddress {
        url: format!("https://{domain}/{path}"),
        service_sid: service,
        environment_sid: environment.sid.clone(),
        function_sid: deployed.function_sid.clone(),
    }))
}

/// Most paths that a message lists.
const MAX_PATHS: usize = 10;

fn without_slash(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The workspace of that name, or the one that Flex works in.
async fn workspace(name: Option<&str>, account: &Account) -> Result<Found<String>, FlowError> {
    if let Some(name) = name {
        let rows = account.workspaces().await.map_err(failed("list the workspaces"))?;
        let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
        return Ok(exactly_one("workspace", name, &in_account(account), rows));
    }
    let workspace = account.flex_workspace().await.map_err(failed("read the Flex configuration"))?;
    Ok(workspace.map(|workspace| workspace.to_string()).ok_or_else(|| {
        let place = in_account(account);
        missing(format!("{place} has no Flex workspace to look names up in: set up Flex, or name a `workspace`"))
    }))
}

fn in_account(account: &Account) -> String {
    format!("account {}", account.sid())
}

fn in_workspace(workspace: &str, account: &Account) -> String {
    format!("workspace {workspace} of {}", in_account(account))
}

fn among(what: &str, name: &str, place: &str, rows: &[Entry]) -> Found<String> {
    exactly_one(what, name, place, rows.iter().map(|row| (row.name.as_deref(), row.sid.as_str())))
}

/// The id of the one row of that name, as a reference.
fn exactly_one<'a>(
    what: &str,
    name: &str,
    place: &str,
    rows: impl Iterator<Item = (Option<&'a str>, &'a str)> + Clone,
) -> Found<String> {
    names::exactly_one(what, name, place, rows).map_err(|unfound| {
        if unfound.ambiguous {
            NameProblem { reason: reasons::REFERENCE_AMBIGUOUS, message: unfound.message, may_pass: false }
        } else {
            missing(format!("{}: correct the name, or create it there", unfound.message))
        }
    })
}

fn missing(message: String) -> NameProblem {
    NameProblem { reason: reasons::REFERENCE_NOT_FOUND, message, may_pass: false }
}

fn failed(doing: &'static str) -> impl FnOnce(Arc<TwilioError>) -> FlowError {
    move |source| FlowError::LookUp { doing, source }
}
