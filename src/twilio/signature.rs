//! `X-Twilio-Signature` of a form, <https://www.twilio.com/docs/usage/security#validating-requests>: Base64 of HMAC-SHA1, keyed
//! with the auth token, over the URL and then the parameters in the order of their names.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Name of the header that carries the signature.
pub const HEADER: &str = "x-twilio-signature";

/// Whether `signature` was made with `token` over one of `urls` and the decoded parameters of the form. Takes the same time
/// wherever the first difference is.
pub fn verify(token: &SecretString, urls: &[String], parameters: &[(String, String)], signature: &[u8]) -> bool {
    let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
    sorted.sort();
    // Of a name that comes several times each value counts once.
    sorted.dedup();
    urls.iter().fold(false, |found, url| {
        let expected = sign(token, url, &sorted);
        found | bool::from(expected.as_bytes().ct_eq(signature))
    })
}

fn sign(token: &SecretString, url: &str, sorted: &[&(String, String)]) -> String {
    // HMAC takes a key of any length (RFC 2104), so this cannot fail.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()).expect("HMAC takes any key");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn call() -> Vec<(String, String)> {
        // Not in the order in which they are signed.
        pairs(&[
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
        ])
    }

    fn proves(url: &str, parameters: &[(String, String)], signature: &str) -> bool {
        let other = "https://elsewhere.example/".to_owned();
        verify(&SecretString::from("12345"), &[other, url.to_owned()], parameters, signature.as_bytes())
    }

    #[test]
    fn the_published_vectors_hold() {
        assert!(proves(URL, &call(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        let repeated = pairs(&[
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
            ("SidAccount", "AC123"),
            ("Sid", "CA123"),
        ]);
        assert!(proves(URL, &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="));
    }

    #[test]
    fn anything_else_proves_nothing() {
        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let mut forged = call();
        forged[2].1.push('5');
        assert!(!proves(URL, &forged, good));
        assert!(!proves("https://mycompany.com/myapp.php?foo=1&bar=3", &call(), good));
        assert!(!verify(&SecretString::from("12346"), &[URL.to_owned()], &call(), good.as_bytes()));
        for signature in ["", "R", &good[..27], "rSOYDt4T1cUTdK1PDd93/VVr8B8="] {
            assert!(!proves(URL, &call(), signature), "{signature}");
        }
    }
}
