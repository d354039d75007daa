//! `X-Twilio-Signature` of a form callback (twilio.md 9): HMAC-SHA1 with the primary auth token over the URL and the
//! sorted parameters, in Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// The URL as it is requested and signed: without fragment and without user and password.
pub fn request_url(configured: &str) -> String {
    let url = configured.split('#').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// Signs a URL (see [`request_url`]) and the parameters of a form body.
pub fn sign(auth_token: &str, url: &str, parameters: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut text = url.to_owned();
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    STANDARD.encode(hmac_sha1(auth_token.as_bytes(), text.as_bytes()))
}

/// HMAC-SHA1.
pub fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    #[expect(clippy::expect_used, reason = "HMAC accepts keys of every length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("any key length is valid");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_vectors_of_the_reference_hold() {
        let call = |caller: &str| {
            pairs(&[
                ("CallSid", "CA1234567890ABCDE"),
                ("Caller", caller),
                ("Digits", "1234"),
                ("From", caller),
                ("To", "+18005551212"),
            ])
        };
        assert_eq!(sign("12345", URL, &call("+14158675309")), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let other = "https://example.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign("12345", other, &call("+14158675310")), "L/OH5YylLD5NRKLltdqwSvS0BnU=");
        let repeated = pairs(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert_eq!(sign("12345", URL, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        assert_eq!(sign("12345", &format!("{URL}&bodySHA256={hash}"), &[]), "a9nBmqA0ju/hNViExpshrM61xv4=");
    }

    #[test]
    fn fragment_and_credentials_are_not_signed() {
        assert_eq!(request_url("https://u:p@example.com:8443/cb?a=%20#rc=3"), "https://example.com:8443/cb?a=%20");
        assert_eq!(request_url("http://example.com/@x"), "http://example.com/@x");
    }
}
