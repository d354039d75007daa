//! What authenticates calls to Twilio, read from the keys of a Secret.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    api::{
        references::TwilioCredentialsRef,
        secret::{SecretData, SecretKeyError},
    },
    twilio::sid::AccountSid,
};

/// An account and the pair of user name and password that opens it,
/// <https://www.twilio.com/docs/iam/api-keys>.
#[derive(Debug, Clone)]
pub struct TwilioCredentials {
    pub account: AccountSid,
    pub(crate) user: SecretString,
    pub(crate) password: SecretString,
    /// What Twilio signs its callbacks with. An API key proves nothing of them, so without it none can be believed.
    pub auth_token: Option<SecretString>,
}

impl TwilioCredentials {
    /// Reads the credentials that `reference` names out of its Secret. An API key is preferred to the auth token, since it
    /// can be revoked alone.
    pub fn read(reference: &TwilioCredentialsRef, secret: &SecretData) -> Result<Self, SecretKeyError> {
        let keys = reference.keys.clone().unwrap_or_default();
        let account_key = keys.account_sid.unwrap_or_else(|| "TWILIO_ACCOUNT_SID".into());
        let token_key = keys.auth_token.unwrap_or_else(|| "TWILIO_AUTH_TOKEN".into());
        let api_key = keys.api_key.unwrap_or_else(|| "TWILIO_API_KEY".into());
        let api_secret = keys.api_secret.unwrap_or_else(|| "TWILIO_API_SECRET".into());

        let account_text = secret.required(&reference.name, &account_key, "the account SID, AC…")?;
        let account: AccountSid = account_text.expose_secret().parse().map_err(|_| SecretKeyError::Invalid {
            secret: reference.name.clone(),
            key: account_key,
            expected: "an account SID: it is AC followed by 32 hexadecimal digits",
        })?;
        let auth_token = secret.value(&token_key);
        let (user, password) = match (secret.value(&api_key), secret.value(&token_key)) {
            (Some(user), None) => (user, secret.required(&reference.name, &api_secret, "the secret of the API key")?),
            (Some(user), Some(token)) => match secret.value(&api_secret) {
                Some(password) => (user, password),
                None => (account_text, token),
            },
            (None, _) => {
                let token = secret.required(
                    &reference.name,
                    &token_key,
                    "the auth token (an API key with its secret does as well)",
                )?;
                (account_text, token)
            }
        };
        Ok(Self { account, user, password, auth_token })
    }
}
