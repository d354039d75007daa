//! What proves that a request is Segment's, and what opens the Profile API, read from the keys of a Secret.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    api::{
        references::SegmentCredentialsRef,
        secret::{SecretData, SecretKeyError},
    },
    segment::token,
};

/// Default key of the webhook's shared secret.
const WEBHOOK_SECRET: &str = "SEGMENT_WEBHOOK_SECRET";
/// Default key of the token in the mapping's `Authorization` header.
const WEBHOOK_TOKEN: &str = "SEGMENT_WEBHOOK_TOKEN";
/// Default key of the Profile API token.
const PROFILES_API_TOKEN: &str = "SEGMENT_PROFILES_API_TOKEN";

/// The secrets shared with one Segment space. Of the first two at least one is there.
#[derive(Debug, Clone)]
pub struct SegmentCredentials {
    /// Shared secrets that a signature may be made with; more than one while the secret is being rotated.
    pub webhook_secrets: Vec<SecretString>,
    /// Tokens that the mapping may send; more than one while the token is being rotated.
    pub webhook_tokens: Vec<SecretString>,
    pub profiles_api_token: SecretString,
}

impl SegmentCredentials {
    /// Reads the credentials that `reference` names out of its Secret.
    pub fn read(reference: &SegmentCredentialsRef, secret: &SecretData) -> Result<Self, SecretKeyError> {
        let keys = reference.keys.clone().unwrap_or_default();
        let read = |key: Option<&String>, usual: &str, purpose, expected| match key {
            // What is named has to be there.
            Some(key) => list(reference, key, &secret.required(&reference.name, key, purpose)?, expected),
            None => secret.value(usual).map_or(Ok(Vec::new()), |value| list(reference, usual, &value, expected)),
        };
        let webhook_secrets = read(
            keys.webhook_secret.as_ref(),
            WEBHOOK_SECRET,
            "the shared secret of the Webhooks (Actions) destination",
            "a shared secret, or several separated by commas",
        )?;
        let webhook_tokens = read(
            keys.webhook_token.as_ref(),
            WEBHOOK_TOKEN,
            "the token in the Authorization header of the mapping",
            "a token, or several separated by commas",
        )?;
        if webhook_secrets.is_empty() && webhook_tokens.is_empty() {
            return Err(SecretKeyError::NeitherOf {
                secret: reference.name.clone(),
                first: WEBHOOK_SECRET.into(),
                second: WEBHOOK_TOKEN.into(),
                purpose: "to tell Segment's requests from anybody's",
            });
        }
        let token_key = keys.profiles_api_token.as_deref().unwrap_or(PROFILES_API_TOKEN);
        let purpose = "the Profile API token (Unify > settings > API access)";
        let profiles_api_token = secret.required(&reference.name, token_key, purpose)?;
        Ok(Self { webhook_secrets, webhook_tokens, profiles_api_token })
    }
}

/// The values between the commas, of which there has to be one.
fn list(
    reference: &SegmentCredentialsRef,
    key: &str,
    value: &SecretString,
    expected: &'static str,
) -> Result<Vec<SecretString>, SecretKeyError> {
    let values = value.expose_secret().split(',').map(str::trim);
    let values: Vec<_> =
        values.filter(|value| !token::bare(value.as_bytes()).is_empty()).map(SecretString::from).collect();
    if values.is_empty() {
        return Err(SecretKeyError::Invalid { secret: reference.name.clone(), key: key.to_owned(), expected });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: &serde_json::Value, values: &[(&str, &str)]) -> Result<SegmentCredentials, SecretKeyError> {
        let reference = serde_json::from_value(json!({"name": "segment", "keys": keys})).unwrap();
        let profiles = [("SEGMENT_PROFILES_API_TOKEN", "profiles")];
        let values = profiles.iter().chain(values).map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        SegmentCredentials::read(&reference, &SecretData::from_bytes(values))
    }

    #[test]
    fn a_secret_a_token_or_both_and_several_of_each_while_they_are_rotated() {
        for (values, secrets, tokens) in [
            (&[("SEGMENT_WEBHOOK_SECRET", "new, old,")][..], 2, 0),
            (&[("SEGMENT_WEBHOOK_TOKEN", "new,Bearer old,Bearer ")], 0, 2),
            (&[("SEGMENT_WEBHOOK_SECRET", "a"), ("SEGMENT_WEBHOOK_TOKEN", "b")], 1, 1),
        ] {
            let read = read(&json!({}), values).unwrap();
            assert_eq!((read.webhook_secrets.len(), read.webhook_tokens.len()), (secrets, tokens), "{values:?}");
        }
    }

    #[test]
    fn without_either_both_are_named() {
        let error = read(&json!({}), &[]).unwrap_err();
        assert_eq!(error.reason(), "SecretKeyMissing");
        assert_eq!(
            error.to_string(),
            "Secret `segment` has neither key `SEGMENT_WEBHOOK_SECRET` nor key `SEGMENT_WEBHOOK_TOKEN`: one of them has \
             to be there, to tell Segment's requests from anybody's"
        );
    }

    #[test]
    fn a_key_that_is_named_has_to_be_there_whatever_else_is() {
        let values = [("SEGMENT_WEBHOOK_SECRET", "a"), ("hook", "b")];
        let renamed = read(&json!({"webhookToken": "hook"}), &values).unwrap();
        assert_eq!(renamed.webhook_tokens[0].expose_secret(), "b");
        let error = read(&json!({"webhookToken": "elsewhere"}), &values).unwrap_err();
        assert!(error.to_string().contains("no key `elsewhere`"), "{error}");
    }

    #[test]
    fn a_key_that_holds_nothing_is_said_to_hold_nothing() {
        for (key, value) in [("SEGMENT_WEBHOOK_SECRET", " , "), ("SEGMENT_WEBHOOK_TOKEN", "Bearer ,")] {
            let error = read(&json!({}), &[(key, value), ("SEGMENT_WEBHOOK_SECRET2", "x")]).unwrap_err();
            assert_eq!(error.reason(), "SecretKeyInvalid", "{error}");
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
