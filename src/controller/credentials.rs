//! Reading what a resource signs in with.

use crate::{
    api::{
        ObjectKey,
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
