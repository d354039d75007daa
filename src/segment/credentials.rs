//! What proves that a request is Segment's, and what opens the Profile API, read from the keys of a Secret.

use secrecy::{ExposeSecret, SecretString};

use crate::api::{
    references::SegmentCredentialsRef,
    secret::{SecretData, SecretKeyError},
};

/// Default key of the webhook's shared secret.
const WEBHOOK_SECRET: &str = "SEGMENT_WEBHOOK_SECRET";
/// Default key of the Profile API token.
const PROFILES_API_TOKEN: &str = "SEGMENT_PROFILES_API_TOKEN";

/// The secrets shared with one Segment space.
#[derive(Debug, Clone)]
pub struct SegmentCredentials {
    /// Shared secrets that a signature may be made with; more than one while the secret is being rotated.
    pub webhook_secrets: Vec<SecretString>,
    pub profiles_api_token: SecretString,
}

impl SegmentCredentials {
    /// Reads the credentials that `reference` names out of its Secret.
    pub fn read(reference: &SegmentCredentialsRef, secret: &SecretData) -> Result<Self, SecretKeyError> {
        let keys = reference.keys.clone().unwrap_or_default();
        let webhook_key = keys.webhook_secret.unwrap_or_else(|| WEBHOOK_SECRET.into());
        let token_key = keys.profiles_api_token.unwrap_or_else(|| PROFILES_API_TOKEN.into());
        let shared = secret.required(
            &reference.name,
            &webhook_key,
            "the shared secret of the Webhooks (Actions) destination",
        )?;
        let webhook_secrets: Vec<SecretString> = shared
            .expose_secret()
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(SecretString::from)
            .collect();
        if webhook_secrets.is_empty() {
            return Err(SecretKeyError::Invalid {
                secret: reference.name.clone(),
                key: webhook_key,
                expected: "a shared secret, or several separated by commas",
            });
        }
        let profiles_api_token =
            secret.required(&reference.name, &token_key, "the Profile API token (Unify > settings > API access)")?;
        Ok(Self { webhook_secrets, profiles_api_token })
    }
}
