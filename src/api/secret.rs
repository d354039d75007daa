//! The values of a Secret, wherever it is kept. They are never printed, compared or written anywhere.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::api::reasons;

/// A Secret's values by key, as text.
#[derive(Debug, Clone, Default)]
pub struct SecretData(BTreeMap<String, SecretString>);

impl SecretData {
    /// Takes the values as text; one that is not UTF-8 counts as absent.
    pub fn from_bytes(values: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(
            values
                .into_iter()
                .filter_map(|(key, value)| {
                    let text = String::from_utf8(value).ok()?;
                    let text = text.trim();
                    (!text.is_empty()).then(|| (key, SecretString::from(text)))
                })
                .collect(),
        )
    }

    /// Whether both hold the same values.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(key, value)| {
                other.0.get(key).is_some_and(|other| {
                    bool::from(value.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()))
                })
            })
    }

    /// The value of `key` without surrounding white space, if it is there and not empty.
    pub fn value(&self, key: &str) -> Option<SecretString> {
        self.0.get(key).cloned()
    }

    /// The value of `key`, or an error that says which Secret lacks it and what it is for.
    pub fn required(&self, secret: &str, key: &str, purpose: &'static str) -> Result<SecretString, SecretKeyError> {
        self.value(key).ok_or_else(|| SecretKeyError::Missing {
            secret: secret.to_owned(),
            key: key.to_owned(),
            purpose,
        })
    }
}

/// What a Secret lacks to be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SecretKeyError {
    #[error("Secret `{secret}` has no key `{key}`: it holds {purpose}")]
    Missing { secret: String, key: String, purpose: &'static str },
    #[error("Secret `{secret}` has neither key `{first}` nor key `{second}`: one of them has to be there, {purpose}")]
    NeitherOf { secret: String, first: String, second: String, purpose: &'static str },
    /// The value is not repeated: it may be another secret under the wrong key.
    #[error("Secret `{secret}`, key `{key}`: not {expected}")]
    Invalid { secret: String, key: String, expected: &'static str },
}

impl SecretKeyError {
    /// The reason that a condition gives.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::NeitherOf { .. } => reasons::condition::SECRET_KEY_MISSING,
            Self::Invalid { .. } => reasons::condition::SECRET_KEY_INVALID,
        }
    }
}
