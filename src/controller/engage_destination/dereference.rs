//! Finds what the spec points at in the cluster: its two Secrets, with the keys that are needed of them, and the StudioFlow.

use std::sync::Arc;

use crate::{
    api::{
        EngageDestination, ObjectKey, StudioFlow,
        reasons::condition as reasons,
        references::{OutcomesCredentialsRef, SegmentCredentialsRef},
    },
    controller::{
        cluster::{Cluster, ClusterError},
        credentials::{SecretProblem, secret_beside, twilio_credentials},
    },
    segment::{SegmentCredentials, tracking},
    twilio::TwilioCredentials,
};

/// Everything that the spec points at.
#[derive(Debug)]
pub struct References {
    pub credentials: TwilioCredentials,
    /// The StudioFlow of `spec.conversation.flowRef`, where there is one.
    pub flow: Option<Arc<StudioFlow>>,
}

/// The spec points at something that is not there, or that could not be looked for.
#[derive(Debug)]
pub enum Unresolved {
    Missing(Vec<Missing>),
    /// The cluster could not be asked. What was resolved before may still hold.
    Unreadable(ClusterError),
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub reason: &'static str,
    pub message: String,
    /// Whether another object may be on its way, as when everything is applied at once.
    pub may_come: bool,
}

/// Finds everything, or says all that is missing.
pub async fn dereference(destination: &EngageDestination, cluster: &dyn Cluster) -> Result<References, Unresolved> {
    let key = ObjectKey::of(destination);
    let spec = &destination.spec;
    let mut missing = Vec::new();
    let credentials = twilio_credentials(&key, &spec.twilio.credentials_ref, cluster).await;
    let credentials = keep(credentials, "spec.twilio.credentialsRef", &mut missing)?;
    let segment = segment_keys(&key, &spec.segment.credentials_ref, cluster).await;
    keep(segment, "spec.segment.credentialsRef", &mut missing)?;
    if let Some(outcomes) = &spec.outcomes {
        let write_key = write_key(&key, &outcomes.credentials_ref, cluster).await;
        keep(write_key, "spec.outcomes.credentialsRef", &mut missing)?;
    }
    let flow_ref = spec.conversation.as_ref().and_then(|conversation| conversation.flow_ref.as_ref());
    let flow = flow_ref.and_then(|reference| cluster.studio_flow(&key.sibling(&reference.name)));
    if let (Some(reference), None) = (flow_ref, &flow) {
        missing.push(Missing {
            reason: reasons::FLOW_NOT_FOUND,
            message: format!(
                "spec.conversation.flowRef: there is no StudioFlow `{}` in namespace `{}`: create it, or correct the name",
                reference.name, key.namespace
            ),
            may_come: true,
        });
    }
    match credentials {
        Some(credentials) if missing.is_empty() => Ok(References { credentials, flow }),
        _ => Err(Unresolved::Missing(missing)),
    }
}

/// The keys that the gateway cannot do without; their values stay here.
async fn segment_keys(
    owner: &ObjectKey,
    reference: &SegmentCredentialsRef,
    cluster: &dyn Cluster,
) -> Result<(), SecretProblem> {
    let secret = secret_beside(owner, &reference.name, cluster).await?;
    SegmentCredentials::read(reference, &secret)?;
    Ok(())
}

/// The write key; its value stays here.
async fn write_key(
    owner: &ObjectKey,
    reference: &OutcomesCredentialsRef,
    cluster: &dyn Cluster,
) -> Result<(), SecretProblem> {
    let secret = secret_beside(owner, &reference.name, cluster).await?;
    tracking::write_key(reference, &secret)?;
    Ok(())
}

/// Notes what is missing and goes on; ends only when the cluster could not be asked.
fn keep<T>(found: Result<T, SecretProblem>, field: &str, missing: &mut Vec<Missing>) -> Result<Option<T>, Unresolved> {
    let problem = match found {
        Ok(found) => return Ok(Some(found)),
        Err(SecretProblem::Unreadable(error)) => return Err(Unresolved::Unreadable(error)),
        Err(problem) => problem,
    };
    let may_come = matches!(problem, SecretProblem::NotFound { .. });
    missing.push(Missing { reason: problem.reason(), message: format!("{field}: {problem}"), may_come });
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::fake_cluster::FakeCluster;

    fn destination() -> EngageDestination {
        let spec = json!({
            "twilio": {"credentialsRef": {"name": "twilio"}},
            "segment": {"credentialsRef": {"name": "segment", "keys": {"webhookSecret": "hook"}}},
            "conversation": {"flowRef": {"name": "connect-to-agent"}, "twilioNumber": ["+5511900000001"]}
        });
        let mut destination = EngageDestination::new("lead", serde_json::from_value(spec).unwrap());
        destination.metadata.namespace = Some("marketing".into());
        destination
    }

    #[tokio::test]
    async fn all_that_is_missing_is_said_at_once() {
        let mut cluster = FakeCluster::default();
        cluster.put_secret("segment", &[("SEGMENT_WEBHOOK_SECRET", "under another name")]);
        let Unresolved::Missing(missing) = dereference(&destination(), &cluster).await.unwrap_err() else { panic!() };
        let said: Vec<_> =
            missing.iter().map(|missing| (missing.reason, missing.message.as_str(), missing.may_come)).collect();
        assert_eq!(
            said,
            [
                (
                    "SecretNotFound",
                    "spec.twilio.credentialsRef: there is no Secret `twilio` in namespace `marketing`: create it, or correct the name",
                    true
                ),
                (
                    "SecretKeyMissing",
                    "spec.segment.credentialsRef: Secret `segment` has no key `hook`: it holds the shared secret of the Webhooks (Actions) destination",
                    false
                ),
                (
                    "FlowNotFound",
                    "spec.conversation.flowRef: there is no StudioFlow `connect-to-agent` in namespace `marketing`: create it, or correct the name",
                    true
                ),
            ]
        );
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_answer_is_not_a_missing_secret() {
        let cluster = FakeCluster { unreadable: true, ..FakeCluster::with_secrets() };
        assert!(matches!(dereference(&destination(), &cluster).await, Err(Unresolved::Unreadable(_))));
    }
}
