//! The token that a mapping sends as its static `Authorization` header. It covers what a signature does not, the events of
//! a batch behind the first, and stands in where no signature is sent.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The scheme that may stand before the token, as Extensible Webhook writes it by itself.
const SCHEME: &str = "bearer";

/// Whether `authorization` is one of the tokens, with or without `Bearer`. Takes the same time whichever it is, and however
/// long.
pub fn matches(tokens: &[SecretString], authorization: &[u8]) -> bool {
    let presented = Sha256::digest(bare(authorization));
    tokens.iter().fold(false, |found, token| {
        let expected = Sha256::digest(bare(token.expose_secret().as_bytes()));
        found | bool::from(expected.ct_eq(&presented))
    })
}

/// The token without its scheme and without the white space around it.
pub fn bare(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) && rest.first().is_none_or(u8::is_ascii_whitespace) =>
        {
            rest.trim_ascii_start()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    #[test]
    fn the_scheme_may_be_there_or_not_on_both_sides() {
        for kept in ["t0ken", "Bearer t0ken"] {
            for sent in ["t0ken", "Bearer t0ken", "bearer  t0ken", " BEARER t0ken "] {
                assert!(matches(&tokens(&[kept]), sent.as_bytes()), "{kept}, {sent}");
            }
        }
    }

    #[test]
    fn while_a_token_is_rotated_both_prove() {
        for sent in ["old", "new"] {
            assert!(matches(&tokens(&["new", "old"]), sent.as_bytes()), "{sent}");
        }
        assert!(!matches(&tokens(&["new"]), b"old"));
    }

    #[test]
    fn anything_else_proves_nothing() {
        for sent in
            ["", "Bearer", "Bearer ", "t0ke", "t0ken2", "T0KEN", "Bearer undefined", "Basic t0ken", "Bearert0ken"]
        {
            assert!(!matches(&tokens(&["t0ken"]), sent.as_bytes()), "{sent}");
        }
        assert!(!matches(&[], b"t0ken"));
        assert!(bare(b" bearer ").is_empty());
        assert!(!matches(&tokens(&["t0ken"]), b"\xff\xfe"));
    }
}
