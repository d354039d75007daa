//! Finds what the spec points at: the definition and the Secret in the cluster, and in the account the ids of everything that is named. A name
//! that is not that of exactly one thing stops everything before a write.

use std::sync::Arc;

use crate::{
    api::{
        ObjectKey, StudioFlow, conditions,
        reasons::condition as reasons,
        references::{ConfigMapKeyRef, DefinitionSource, FlowReference},
        studio_flow::DeletionPolicy,
    },
    controller::{
        account::{Account, Freshness},
        cluster::Cluster,
        context::Context,
        credentials::twilio_credentials,
        names,
        studio_flow::{
            error::{ConfigMapProblem, FlowError, NameProblem},
            validate::{IN_CONFIG_MAP, IN_SPEC, Written},
        },
    },
    twilio::TwilioError,
};

/// Everything that the spec points at.
pub struct References {
    pub account: Account,
    /// The id for each of `spec.references`, in their order.
    pub values: Vec<String>,
}

/// The definition from where the spec has it.
pub async fn definition(flow: &StudioFlow, cluster: &dyn Cluster) -> Result<Written, FlowError> {
    match (&flow.spec.definition, &flow.spec.definition_from) {
        (Some(fields), _) => Ok(Written { field: IN_SPEC, fields: fields.clone() }),
        (None, Some(DefinitionSource { config_map_key_ref: reference })) => {
            let text = config_map_text(&ObjectKey::of(flow), reference, cluster).await?;
            let fields = serde_json::from_str(&text).map_err(|error| {
                let (name, key) = (reference.name.clone(), reference.key.clone());
                ConfigMapProblem::NotJson { name, key, problem: error.to_string() }
            })?;
            Ok(Written { field: IN_CONFIG_MAP, fields })
        }
        (None, None) => Err(FlowError::NoDefinition),
    }
}

/// The text that a ConfigMap beside `owner` has now.
pub async fn config_map_text(
    owner: &ObjectKey,
    reference: &ConfigMapKeyRef,
    cluster: &dyn Cluster,
) -> Result<String, ConfigMapProblem> {
    let ConfigMapKeyRef { name, key } = reference;
    let place = owner.sibling(name);
    let data = cluster.config_map(&place).await.map_err(ConfigMapProblem::Unreadable)?;
    let mut data = data.ok_or_else(|| ConfigMapProblem::NotFound { namespace: place.namespace, name: name.clone() })?;
    data.remove(key).ok_or_else(|| ConfigMapProblem::KeyMissing { name: name.clone(), key: key.clone() })
}

/// Finds everything, or says all that is missing.
pub async fn dereference(flow: &StudioFlow, context: &Context) -> Result<References, FlowError> {
    let key = ObjectKey::of(flow);
    let credentials = twilio_credentials(&key, &flow.spec.twilio.credentials_ref, context.cluster.as_ref()).await?;
    if flow.spec.deletion_policy == DeletionPolicy::Delete {
        context.remembered.put(flow, &credentials);
    }
    let account = context.accounts.open(credentials, freshness(flow));
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for (index, reference) in flow.spec.references.iter().enumerate() {
        match look_up(reference, &account).await? {
            Ok(value) => values.push(value),
            Err(NameProblem { reason, message }) => {
                problems.push(NameProblem { reason, message: format!("spec.references[{index}]: {message}") });
            }
        }
    }
    if problems.is_empty() { Ok(References { account, values }) } else { Err(FlowError::Names(problems)) }
}

/// A flow that was in step in this very form may hear what another was told a moment ago.
fn freshness(flow: &StudioFlow) -> Freshness {
    let status = flow.status.as_ref();
    let current = status.is_some_and(|status| status.observed_generation == flow.metadata.generation);
    if current && status.is_some_and(|status| conditions::is_true(&status.conditions, conditions::SYNCED)) {
        Freshness::within(flow.spec.resync_interval)
    } else {
        Freshness::RECENT
    }
}

type Found = Result<String, NameProblem>;

async fn look_up(reference: &FlowReference, account: &Account) -> Result<Found, FlowError> {
    let FlowReference { widget: _, property: _, workflow, task_channel } = reference;
    if let Some(workflow) = workflow {
        let workspace = match workspace(workflow.workspace.as_deref(), account).await? {
            Ok(workspace) => workspace,
            Err(problem) => return Ok(Err(problem)),
        };
        let rows = account.workflows(&workspace).await.map_err(failed("list the workflows"))?;
        let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
        return Ok(exactly_one("workflow", &workflow.friendly_name, &workspace, rows));
    }
    if let Some(channel) = task_channel {
        let workspace = match workspace(channel.workspace.as_deref(), account).await? {
            Ok(workspace) => workspace,
            Err(problem) => return Ok(Err(problem)),
        };
        let rows = account.task_channels(&workspace).await.map_err(failed("list the task channels"))?;
        let rows = rows.iter().map(|row| (row.unique_name.as_deref(), row.sid.as_str()));
        return Ok(exactly_one("task channel", &channel.unique_name, &workspace, rows));
    }
    let message = "names nothing to look up: set either workflow or taskChannel".to_owned();
    Ok(Err(NameProblem { reason: reasons::REFERENCE_NOT_FOUND, message }))
}

/// The workspace of that name, or the one that Flex works in.
async fn workspace(name: Option<&str>, account: &Account) -> Result<Found, FlowError> {
    if let Some(name) = name {
        let rows = account.workspaces().await.map_err(failed("list the workspaces"))?;
        let rows = rows.iter().map(|row| (row.friendly_name.as_deref(), row.sid.as_str()));
        return Ok(exactly_one("workspace", name, "the account", rows));
    }
    let workspace = account.flex_workspace().await.map_err(failed("read the Flex configuration"))?;
    Ok(workspace.map(|workspace| workspace.to_string()).ok_or_else(|| NameProblem {
        reason: reasons::REFERENCE_NOT_FOUND,
        message: "the account has no Flex workspace to look names up in: set up Flex, or name a `workspace`".into(),
    }))
}

/// The id of the one row of that name, as a reference.
fn exactly_one<'a>(
    what: &str,
    name: &str,
    place: &str,
    rows: impl Iterator<Item = (Option<&'a str>, &'a str)> + Clone,
) -> Found {
    names::exactly_one(what, name, place, rows).map_err(|unfound| {
        let reason = if unfound.ambiguous { reasons::REFERENCE_AMBIGUOUS } else { reasons::REFERENCE_NOT_FOUND };
        NameProblem { reason, message: unfound.message }
    })
}

fn failed(doing: &'static str) -> impl FnOnce(Arc<TwilioError>) -> FlowError {
    move |source| FlowError::LookUp { doing, source }
}
