//! Finds what the spec points at: the definition and the Secret in the cluster, and in the account the ids of everything that is named. A name
//! that is not that of exactly one thing stops everything before a write.

use crate::{
    api::{
        ObjectKey, StudioFlow, conditions,
        references::{ConfigMapKeyRef, DefinitionSource},
        studio_flow::DeletionPolicy,
    },
    controller::{
        account::{Account, Freshness},
        cluster::Cluster,
        context::Context,
        credentials::twilio_credentials,
        studio_flow::{
            error::{ConfigMapProblem, FlowError, NameProblem},
            look_up::look_up,
            subflows,
            validate::{Filling, IN_CONFIG_MAP, IN_SPEC, Written},
        },
    },
};

/// Everything that the spec points at.
pub struct References {
    pub account: Account,
    /// What each of `spec.references` is filled with, in their order.
    pub values: Vec<Filling>,
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
    let subflow = |name: &str| subflows::sid_of(flow, name, account.sid(), context.cluster.as_ref());
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for (index, reference) in flow.spec.references.iter().enumerate() {
        match look_up(reference, &account, subflow).await? {
            Ok(value) => values.push(value),
            Err(problem) => {
                let message = format!("spec.references[{index}]: {}", problem.message);
                problems.push(NameProblem { message, ..problem });
            }
        }
    }
    if problems.is_empty() { Ok(References { account, values }) } else { Err(FlowError::Names(problems)) }
}

/// A flow that was in step in this very form may hear what another was told a moment ago, unless somebody wants to know now.
fn freshness(flow: &StudioFlow) -> Freshness {
    let status = flow.status.as_ref();
    if flow.reconcile_asked() != status.and_then(|status| status.last_handled_reconcile.as_deref()) {
        return Freshness::RECENT;
    }
    let current = status.is_some_and(|status| status.observed_generation == flow.metadata.generation);
    if current && status.is_some_and(|status| conditions::is_true(&status.conditions, conditions::SYNCED)) {
        Freshness::within(flow.spec.resync_interval)
    } else {
        Freshness::RECENT
    }
}
