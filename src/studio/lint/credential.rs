//! Texts that have the shape of a credential. A definition can be read by everybody who may open the Console.

/// What kind of credential a text holds, if it holds one.
pub fn credential_in(key: &str, text: &str) -> Option<&'static str> {
    // The shortest of them all.
    if text.len() < 12 {
        return None;
    }
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if let Some(found) = words(text).find_map(shaped) {
        return Some(found);
    }
    if let Some(found) = after_scheme(text) {
        return Some(found);
    }
    if has_user_and_password(text) {
        return Some("a password in a URL");
    }
    // Thirty-two hexadecimal digits are an auth token of Twilio's, and many another id besides: the key decides.
    if text.len() != 32 || !is_hex(text) {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let secret = ["auth_token", "authtoken", "api_key", "apikey", "api_secret", "secret", "password", "access_token"];
    secret.iter().any(|name| key.contains(name)).then_some("an auth token")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.' | '/' | '+' | '=')))
}

/// A word whose beginning and length say what it is.
fn shaped(word: &str) -> Option<&'static str> {
    if word.len() < 20 {
        return None;
    }
    let long = |prefix: &str, least: usize| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= least);
    let upper = |rest: &str| rest.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit());
    if word.len() == 20 && word.strip_prefix("AKIA").is_some_and(upper) {
        Some("an AWS access key")
    } else if long("sk_live_", 16) || long("rk_live_", 16) {
        Some("a Stripe key")
    } else if long("ghp_", 30) || long("github_pat_", 30) {
        Some("a GitHub token")
    } else if long("xoxb-", 20) || long("xoxp-", 20) {
        Some("a Slack token")
    } else if long("SG.", 40) && word.matches('.').count() == 2 {
        Some("a SendGrid key")
    } else if long("AIza", 35) && word.len() == 39 {
        Some("a Google API key")
    } else if long("eyJ", 20) && word.matches('.').count() == 2 {
        Some("a JSON Web Token")
    } else {
        None
    }
}

/// `Bearer` or `Basic` with something after it that is written out.
fn after_scheme(text: &str) -> Option<&'static str> {
    for (scheme, found) in [("Bearer ", "a bearer token"), ("Basic ", "a basic authorization")] {
        for (at, _) in text.match_indices(scheme) {
            let is_start = text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
            let token = words(text[at + scheme.len()..].trim_start()).next().unwrap_or_default();
            let mixed = token.chars().any(|char| char.is_ascii_digit() || char.is_ascii_uppercase());
            if is_start && token.len() >= 16 && mixed {
                return Some(found);
            }
        }
    }
    None
}

/// `https://user:password@host`, both written out.
fn has_user_and_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let rest = &text[at + separator.len()..];
        let authority = rest.split(['/', '?', '#', ' ', '"', '<']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(user, password)| !user.is_empty() && !password.is_empty() && !authority.contains(['{', '$']))
    })
}

fn is_hex(text: &str) -> bool {
    text.chars().all(|char| char.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_shape_and_ids_are_not_taken_for_them() {
        let token = "0123456789abcdef0123456789abcdef";
        for (key, text, expected) in [
            ("body", "Authorization: Bearer abcDEF0123456789xyz", Some("a bearer token")),
            ("value", "Basic QUMwMTIzOjQ1Njc4OWFi", Some("a basic authorization")),
            ("url", "https://AC1:secret@api.example.com/x", Some("a password in a URL")),
            ("body", "{\"key\": \"AKIAABCDEFGHIJKLMNOP\"}", Some("an AWS access key")),
            ("auth_token", token, Some("an auth token")),
            ("conversation", token, None),
            ("url", "https://example.com/a:b@c?x={{flow.sid}}", None),
            ("url", "https://{{user}}:{{password}}@example.com", None),
            ("value", "Bearer {{widgets.token.parsed.access_token}}", None),
            ("body", "Basic information about your appointment", None),
            ("workflow", "WW0123456789abcdef0123456789abcdef", None),
        ] {
            assert_eq!(credential_in(key, text), expected, "{key}: {text}");
        }
    }
}
