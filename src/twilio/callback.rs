//! Status callbacks of messages, <https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>: where Twilio is
//! asked to send them, and what they say.

use url::{Url, form_urlencoded};

use crate::api::ObjectKey;

/// Connection overrides: whatever fails, a 4xx of a Secret that lags behind included, is repeated up to five times within
/// Twilio's fifteen seconds. Twilio signs the URL without them.
const OVERRIDES: &str = "rc=5&rp=all";

/// The address under which Twilio reaches the gateway.
#[derive(Debug, Clone)]
pub struct CallbackUrls {
    /// Without a trailing slash, query, fragment, user and password.
    base: Url,
}

/// A public address to which Twilio sends nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallbackUrlError {
    #[error("`{0}` is neither http nor https")]
    Scheme(String),
    #[error("Twilio calls back no host with an underscore in its name, such as `{0}`")]
    Host(String),
}

impl CallbackUrls {
    /// Callbacks to the gateway that is found at `public_url`.
    pub fn at(public_url: &Url) -> Result<Self, CallbackUrlError> {
        if !matches!(public_url.scheme(), "http" | "https") {
            return Err(CallbackUrlError::Scheme(public_url.to_string()));
        }
        let host = public_url.host_str().unwrap_or_default();
        if host.contains('_') {
            return Err(CallbackUrlError::Host(host.to_owned()));
        }
        let mut base = public_url.clone();
        base.set_query(None);
        base.set_fragment(None);
        // These fail for URLs without a host only, and http has one.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        Ok(Self { base })
    }

    /// Whether what is called back crosses the network in the clear.
    pub fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Where Twilio is to send the callbacks of an event's messages.
    pub fn of(&self, destination: &ObjectKey, event: &str) -> String {
        // A space as %20: not everything between Twilio and the gateway takes a plus sign for one.
        let event = form_urlencoded::byte_serialize(event.as_bytes()).collect::<String>().replace('+', "%20");
        let path = format!("/v1/callbacks/{}/{}", destination.namespace, destination.name);
        format!("{}{path}?event={event}#{OVERRIDES}", text(&self.base))
    }

    /// The URLs over which Twilio may have signed a request that came with this path and query: without a port, and with one,
    /// the scheme's own where none was given.
    pub fn signed(&self, path_and_query: &str) -> [String; 2] {
        let mut bare = self.base.clone();
        // Fails for URLs without a host only.
        let _ = bare.set_port(None);
        let with_port = match (self.base.port_or_known_default(), bare.host_str()) {
            (Some(port), Some(host)) => {
                format!("{}://{host}:{port}{}", bare.scheme(), bare.path().trim_end_matches('/'))
            }
            _ => text(&bare).to_owned(),
        };
        [format!("{}{path_and_query}", text(&bare)), format!("{with_port}{path_and_query}")]
    }
}

fn text(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// What Twilio says of a message. Its numbers, masked or not, are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCallback {
    pub message: String,
    /// Twilio's word, such as `delivered`.
    pub status: String,
    /// Number in Twilio's error dictionary, of a message that failed.
    pub error_code: Option<u32>,
}

impl StatusCallback {
    /// Reads the parameters of a form; `None` when it is not about a message.
    pub fn read(parameters: &[(String, String)]) -> Option<Self> {
        let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let message = value("MessageSid").or_else(|| value("SmsSid")).filter(|sid| is_message_sid(sid))?;
        let status = value("MessageStatus").or_else(|| value("SmsStatus"))?;
        let error_code = value("ErrorCode").and_then(|code| code.trim().parse().ok());
        Some(Self { message, status, error_code })
    }
}

fn is_message_sid(text: &str) -> bool {
    text.len() == 34
        && matches!(text.get(..2), Some("SM" | "MM"))
        && text[2..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> CallbackUrls {
        CallbackUrls::at(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_url_names_the_event_whatever_its_id_is_made_of() {
        let url = at("https://user:secret@engage.example.com/base/").of(&ObjectKey::new("ns", "welcome"), "a b&c=ü#+");
        let expected =
            "https://engage.example.com/base/v1/callbacks/ns/welcome?event=a%20b%26c%3D%C3%BC%23%2B#rc=5&rp=all";
        assert_eq!(url, expected);
    }

    #[test]
    fn a_signature_may_be_over_either_form_of_the_port() {
        for (public, without, with) in [
            ("https://e.example", "https://e.example/v1?event=%20", "https://e.example:443/v1?event=%20"),
            ("https://e.example:443/", "https://e.example/v1?event=%20", "https://e.example:443/v1?event=%20"),
            ("https://e.example:8443/x", "https://e.example/x/v1?event=%20", "https://e.example:8443/x/v1?event=%20"),
            ("http://e.example", "http://e.example/v1?event=%20", "http://e.example:80/v1?event=%20"),
            ("http://[::1]:9", "http://[::1]/v1?event=%20", "http://[::1]:9/v1?event=%20"),
        ] {
            assert_eq!(at(public).signed("/v1?event=%20"), [without, with], "{public}");
        }
    }

    #[test]
    fn an_address_that_twilio_does_not_call_is_refused() {
        assert!(matches!(CallbackUrls::at(&"ftp://e.example".parse().unwrap()), Err(CallbackUrlError::Scheme(_))));
        assert!(matches!(
            CallbackUrls::at(&"https://my_host.example".parse().unwrap()),
            Err(CallbackUrlError::Host(_))
        ));
        assert!(at("http://127.0.0.1:80").is_plain() && !at("https://e.example").is_plain());
    }

    #[test]
    fn only_what_is_about_a_message_is_read() {
        let sid = format!("SM{}", "0a".repeat(16));
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            StatusCallback::read(&pairs)
        };
        let failed = read(&[("MessageSid", &sid), ("MessageStatus", "undelivered"), ("ErrorCode", "63016")]);
        let expected = StatusCallback { message: sid.clone(), status: "undelivered".into(), error_code: Some(63_016) };
        assert_eq!(failed, Some(expected));
        // What is about to be withheld, a number, is not needed.
        let masked = read(&[("SmsSid", &sid), ("SmsStatus", "read"), ("ChannelToAddress", "+4479460XXXX")]).unwrap();
        assert_eq!((masked.status.as_str(), masked.error_code), ("read", None));
        assert_eq!(read(&[("MessageSid", "SMé"), ("MessageStatus", "read")]), None);
        assert_eq!(read(&[("MessageSid", &sid)]), None);
        assert_eq!(read(&[("CallSid", "CA1"), ("CallStatus", "completed")]), None);
    }
}
