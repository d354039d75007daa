//! What proves that a request is Segment's: its signature, or the token that the mapping sends along. Either is enough, and
//! what stands behind the stronger of the two is believed.

use crate::segment::{SegmentCredentials, signature, token};

/// What is proven to come from Segment, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The signature is that of every byte of the body.
    WholeBody,
    /// Whoever sent the request knows the token.
    Bearer,
    /// The signature is that of the first event of a batch; the others may be anybody's.
    FirstEvent,
}

impl Proof {
    /// The word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WholeBody => "whole_body",
            Self::Bearer => "bearer",
            Self::FirstEvent => "first_event",
        }
    }

    /// Whether the event at `index` of the request may be believed.
    pub const fn covers(self, index: usize) -> bool {
        match self {
            Self::WholeBody | Self::Bearer => true,
            Self::FirstEvent => index == 0,
        }
    }
}

/// What a request brings to be believed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'a> {
    /// `X-Signature`.
    pub signature: Option<&'a [u8]>,
    /// `Authorization`.
    pub authorization: Option<&'a [u8]>,
}

/// The strongest proof that a request brings. `first_event` are the bytes of the first event of a batch.
pub fn prove(
    credentials: &SegmentCredentials,
    presented: Presented<'_>,
    body: &[u8],
    first_event: Option<&[u8]>,
) -> Option<Proof> {
    let Presented { signature, authorization } = presented;
    let signed =
        signature.and_then(|signature| signature::verify(&credentials.webhook_secrets, signature, body, first_event));
    let bearer = authorization.is_some_and(|authorization| token::matches(&credentials.webhook_tokens, authorization));
    match signed {
        Some(Proof::WholeBody) => signed,
        _ if bearer => Some(Proof::Bearer),
        _ => signed,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    const EVENT: &str = r#"{"type":"track","event":"Audience Entered","userId":"u1","messageId":"m-1","properties":{"audience_key":"vip","vip":true}}"#;
    const SIGNATURE: &[u8] = b"b54be8d73a0d0ae3f00888137eecf04bac31024b";

    fn credentials(secrets: &[&str], tokens: &[&str]) -> SegmentCredentials {
        let list = |texts: &[&str]| texts.iter().map(|text| SecretString::from(*text)).collect();
        SegmentCredentials {
            webhook_secrets: list(secrets),
            webhook_tokens: list(tokens),
            profiles_api_token: SecretString::from("profiles"),
        }
    }

    /// The proof that a batch of two with this signature and this header brings.
    fn of_batch(
        credentials: &SegmentCredentials,
        signature: Option<&[u8]>,
        authorization: Option<&str>,
    ) -> Option<Proof> {
        let batch = format!("[{EVENT},{{}}]");
        let presented = Presented { signature, authorization: authorization.map(str::as_bytes) };
        prove(credentials, presented, batch.as_bytes(), Some(EVENT.as_bytes()))
    }

    #[test]
    fn either_is_enough_and_the_stronger_one_counts() {
        let both = credentials(&["s3cret"], &["t0ken"]);
        assert_eq!(of_batch(&both, Some(SIGNATURE), None), Some(Proof::FirstEvent));
        assert_eq!(of_batch(&both, None, Some("Bearer t0ken")), Some(Proof::Bearer));
        assert_eq!(of_batch(&both, Some(SIGNATURE), Some("t0ken")), Some(Proof::Bearer));
        let single = Presented { signature: Some(SIGNATURE), authorization: Some(b"t0ken") };
        assert_eq!(prove(&both, single, EVENT.as_bytes(), None), Some(Proof::WholeBody));
    }

    #[test]
    fn a_wrong_one_takes_nothing_from_the_other() {
        let both = credentials(&["s3cret"], &["t0ken"]);
        assert_eq!(of_batch(&both, Some(SIGNATURE), Some("Bearer other")), Some(Proof::FirstEvent));
        assert_eq!(of_batch(&both, Some(b"other"), Some("Bearer t0ken")), Some(Proof::Bearer));
        assert_eq!(of_batch(&both, Some(b"other"), Some("Bearer other")), None);
        assert_eq!(of_batch(&both, None, None), None);
    }

    #[test]
    fn what_the_secret_does_not_hold_proves_nothing() {
        assert_eq!(of_batch(&credentials(&[], &["t0ken"]), Some(SIGNATURE), None), None);
        assert_eq!(of_batch(&credentials(&["s3cret"], &[]), None, Some("Bearer s3cret")), None);
        assert_eq!(of_batch(&credentials(&["s3cret"], &["t0ken"]), Some(b"t0ken"), Some("s3cret")), None);
    }

    #[test]
    fn what_is_behind_the_first_event_is_believed_with_the_whole() {
        assert!(Proof::FirstEvent.covers(0) && !Proof::FirstEvent.covers(1));
        assert!(Proof::WholeBody.covers(1) && Proof::Bearer.covers(1));
    }
}
