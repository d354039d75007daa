//! `X-Signature` (segment.md 1.3): lower-case hexadecimal HMAC-SHA1 of the JSON text, keyed with the shared secret.

use crate::twilio::signature::hmac_sha1;

/// Signs the bytes of a body, or of the first element of a batch.
pub fn sign(secret: &str, text: &[u8]) -> String {
    hex::encode(hmac_sha1(secret.as_bytes(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"type":"track","event":"Audience Entered","userId":"u1","messageId":"m-1","properties":{"audience_key":"vip","vip":true}}"#;

    #[test]
    fn the_vectors_of_the_reference_hold() {
        assert_eq!(sign("s3cret", FIRST.as_bytes()), "b54be8d73a0d0ae3f00888137eecf04bac31024b");
        let second = FIRST.replace("u1", "u2").replace("m-1", "m-2");
        let batch = format!("[{FIRST},{second}]");
        assert_eq!(sign("s3cret", batch.as_bytes()), "83792890ab6dd6ef27249421327b1053cb2e9de5");
        let plain = r#"{"userId":"u1","name":"Zoë 😀","big":12345678901234567890}"#;
        assert_eq!(sign("s3cret", plain.as_bytes()), "1527f8a9150021abd77df51e56d2b7199344df09");
    }
}
