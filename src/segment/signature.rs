//! `X-Signature`: lower-case hex of HMAC-SHA1 over raw bytes, <https://segment.com/docs/connections/destinations/catalog/actions-webhook/>.
//!
//! Segment signs a single event whole, but of a batch only the first element. Both are accepted, and which one matched is
//! kept: what only stands behind a signed first element is not proven.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::segment::proof::Proof;

/// Name of the header that carries the signature.
pub const HEADER: &str = "x-signature";

/// Checks `signature` against the body, then against the first event of a batch, with each of the secrets. Takes the same
/// time wherever the first difference is.
pub fn verify(secrets: &[SecretString], signature: &[u8], body: &[u8], first_event: Option<&[u8]>) -> Option<Proof> {
    if matches_any(secrets, signature, body) {
        return Some(Proof::WholeBody);
    }
    first_event.filter(|first| matches_any(secrets, signature, first)).map(|_| Proof::FirstEvent)
}

fn matches_any(secrets: &[SecretString], signature: &[u8], signed: &[u8]) -> bool {
    secrets.iter().fold(false, |found, secret| {
        let expected = sign(secret, signed);
        found | bool::from(expected.as_bytes().ct_eq(signature))
    })
}

/// The signature that Segment makes of these bytes.
fn sign(secret: &SecretString, signed: &[u8]) -> String {
    // HMAC takes a key of any length (RFC 2104), so this cannot fail.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key");
    mac.update(signed);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"type":"track","event":"Audience Entered","userId":"u1","messageId":"m-1","properties":{"audience_key":"vip","vip":true}}"#;
    const FIRST_SIGNATURE: &str = "b54be8d73a0d0ae3f00888137eecf04bac31024b";
    const WHOLE_SIGNATURE: &str = "83792890ab6dd6ef27249421327b1053cb2e9de5";

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    fn batch() -> String {
        format!("[{FIRST},{}]", FIRST.replace("u1", "u2").replace("m-1", "m-2"))
    }

    #[test]
    fn a_single_event_is_proven_whole() {
        let proof = verify(&secrets(&["s3cret"]), FIRST_SIGNATURE.as_bytes(), FIRST.as_bytes(), None);
        assert_eq!(proof, Some(Proof::WholeBody));
    }

    #[test]
    fn a_batch_is_proven_by_its_first_event_or_whole() {
        let (batch, secrets) = (batch(), secrets(&["s3cret"]));
        let first = Some(FIRST.as_bytes());
        assert_eq!(verify(&secrets, FIRST_SIGNATURE.as_bytes(), batch.as_bytes(), first), Some(Proof::FirstEvent));
        assert_eq!(verify(&secrets, WHOLE_SIGNATURE.as_bytes(), batch.as_bytes(), first), Some(Proof::WholeBody));
    }

    #[test]
    fn bytes_outside_ascii_are_signed_as_they_are() {
        let body = r#"{"userId":"u1","name":"Zoë 😀","big":12345678901234567890}"#;
        let signature = b"1527f8a9150021abd77df51e56d2b7199344df09";
        assert_eq!(verify(&secrets(&["s3cret"]), signature, body.as_bytes(), None), Some(Proof::WholeBody));
    }

    #[test]
    fn while_a_secret_is_rotated_both_prove() {
        let both = secrets(&["new", "s3cret"]);
        assert!(verify(&both, FIRST_SIGNATURE.as_bytes(), FIRST.as_bytes(), None).is_some());
        assert!(verify(&secrets(&["new"]), FIRST_SIGNATURE.as_bytes(), FIRST.as_bytes(), None).is_none());
    }

    #[test]
    fn anything_else_proves_nothing() {
        let secrets = secrets(&["s3cret"]);
        let upper = FIRST_SIGNATURE.to_uppercase();
        let prefixed = format!("sha1={FIRST_SIGNATURE}");
        for signature in ["", "0", &FIRST_SIGNATURE[..39], upper.as_str(), prefixed.as_str(), WHOLE_SIGNATURE] {
            assert_eq!(verify(&secrets, signature.as_bytes(), FIRST.as_bytes(), None), None, "{signature}");
        }
        assert_eq!(verify(&[], FIRST_SIGNATURE.as_bytes(), FIRST.as_bytes(), None), None);
    }
}
