//! The bytes of one request and their signature (segment.md 1.2, 1.3, 1.5).

use serde_json::Value;

use crate::segment::signature::sign;

use super::{Mode, Sender, Sign};

/// A request ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Body.
    pub body: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
}

/// Writes the request for some events; one event in an unbatched mode.
pub fn outgoing(sender: &Sender, events: &[&Value]) -> Outgoing {
    let texts: Vec<String> = events.iter().map(ToString::to_string).collect();
    let first = texts.first().cloned().unwrap_or_default();
    let body = match sender.mode {
        Mode::Single | Mode::Classic => first.clone(),
        Mode::Batched { .. } => format!("[{}]", texts.join(",")),
        Mode::Wrapped { .. } => {
            let wrapped: Vec<String> = texts.iter().map(|text| format!("{{\"json\":{text}}}")).collect();
            format!("[{}]", wrapped.join(","))
        }
    };
    let signature = sender.secrets.first().and_then(|secret| match sender.sign {
        Sign::FirstElement => Some(sign(secret, first.as_bytes())),
        Sign::WholeBody => Some(sign(secret, body.as_bytes())),
        Sign::None => None,
    });
    let agent = if sender.mode == Mode::Classic { "Segment.io/1.0" } else { "Segment (Actions)" };
    let mut headers = vec![("user-agent".to_owned(), agent.to_owned())];
    if let Some(signature) = signature {
        headers.push(("x-signature".to_owned(), signature));
    }
    headers.push(("Accept".to_owned(), "*/*".to_owned()));
    headers.push(("Accept-Encoding".to_owned(), "gzip,deflate".to_owned()));
    for (name, value) in &sender.headers {
        headers.retain(|(existing, _)| !existing.eq_ignore_ascii_case(name));
        headers.push((name.clone(), value.clone()));
    }
    // Forced, whatever the mapping says.
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    Outgoing { body, headers }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header<'o>(outgoing: &'o Outgoing, name: &str) -> Option<&'o str> {
        outgoing.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn events() -> (Value, Value) {
        let event = |user: &str, id: &str| {
            json!({
                "type": "track", "event": "Audience Entered", "userId": user, "messageId": id,
                "properties": {"audience_key": "vip", "vip": true},
            })
        };
        (event("u1", "m-1"), event("u2", "m-2"))
    }

    #[test]
    fn a_batch_is_signed_by_its_first_event_or_as_a_whole() {
        let (first, second) = events();
        let mut sender = Sender::new("http://x", "s3cret").mode(Mode::Batched { size: 2 });
        let signature = "b54be8d73a0d0ae3f00888137eecf04bac31024b";
        assert_eq!(header(&outgoing(&sender, &[&first, &second]), "x-signature"), Some(signature));
        sender.mode = Mode::Wrapped { size: 2 };
        let wrapped = outgoing(&sender, &[&first, &second]);
        assert_eq!(header(&wrapped, "x-signature"), Some(signature));
        assert!(wrapped.body.starts_with("[{\"json\":{\"type\""), "{}", wrapped.body);
        sender.mode = Mode::Batched { size: 2 };
        sender.sign = Sign::WholeBody;
        let whole = outgoing(&sender, &[&first, &second]);
        assert_eq!(header(&whole, "x-signature"), Some("83792890ab6dd6ef27249421327b1053cb2e9de5"));
        sender.sign = Sign::None;
        assert_eq!(header(&outgoing(&sender, &[&first]), "x-signature"), None);
    }

    #[test]
    fn a_mapping_replaces_headers_but_not_the_content_type() {
        let (first, _) = events();
        let mut sender = Sender::new("http://x", "s3cret");
        let mapped = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        sender.headers = vec![mapped("User-Agent", "mine"), mapped("Content-Type", "text/plain")];
        let made = outgoing(&sender, &[&first]);
        assert_eq!(
            (header(&made, "User-Agent"), header(&made, "content-type")),
            (Some("mine"), Some("application/json"))
        );
        assert_eq!(header(&made, "user-agent"), None);
    }
}
