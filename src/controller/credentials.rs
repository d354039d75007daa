//! Reading what a resource signs in with.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    api::{
        ObjectKey, StudioFlow,
        reasons::condition as reasons,
        references::TwilioCredentialsRef,
        secret::{SecretData, SecretKeyError},
    },
    controller::cluster::{Cluster, ClusterError},
    twilio::TwilioCredentials,
};

/// A Secret that gives no credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretProblem {
    #[error("there is no Secret `{name}` in namespace `{namespace}`: create it, or correct the name")]
    NotFound { namespace: String, name: String },
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    #[error(transparent)]
    Unreadable(#[from] ClusterError),
}

impl SecretProblem {
    /// The reason that a condition gives.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => reasons::SECRET_NOT_FOUND,
            Self::Key(error) => error.reason(),
            Self::Unreadable(_) => reasons::SECRET_UNREADABLE,
        }
    }
}

/// The Secret of that name beside `owner`.
pub async fn secret_beside(owner: &ObjectKey, name: &str, cluster: &dyn Cluster) -> Result<SecretData, SecretProblem> {
    let key = owner.sibling(name);
    let found = cluster
        .secret(&key)
        .await
        .map_err(|error| ClusterError::Read { what: format!("Secret `{key}`"), problem: error.to_string() })?;
    found.ok_or(SecretProblem::NotFound { namespace: key.namespace, name: key.name })
}

/// The Twilio credentials that `reference` names beside `owner`.
pub async fn twilio_credentials(
    owner: &ObjectKey,
    reference: &TwilioCredentialsRef,
    cluster: &dyn Cluster,
) -> Result<TwilioCredentials, SecretProblem> {
    let secret = secret_beside(owner, &reference.name, cluster).await?;
    Ok(TwilioCredentials::read(reference, &secret)?)
}

/// The credentials that last opened the account of a flow, so that the flow can be deleted although its Secret is gone, as
/// when a whole namespace is deleted. They are forgotten with the flow, and with the process.
#[derive(Default)]
pub struct RememberedCredentials(Mutex<HashMap<String, TwilioCredentials>>);

impl RememberedCredentials {
    pub fn put(&self, flow: &StudioFlow, credentials: &TwilioCredentials) {
        if let Some(uid) = &flow.metadata.uid {
            self.lock().insert(uid.clone(), credentials.clone());
        }
    }

    pub fn get(&self, flow: &StudioFlow) -> Option<TwilioCredentials> {
        self.lock().get(flow.metadata.uid.as_ref()?).cloned()
    }

    pub fn forget(&self, flow: &StudioFlow) {
        if let Some(uid) = &flow.metadata.uid {
            self.lock().remove(uid);
        }
    }

    /// Each change is one call, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, TwilioCredentials>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
