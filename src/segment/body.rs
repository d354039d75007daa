//! The body of a request: one event, a batch of them, or the batch of an Extensible Webhook, `[{"json": event}, …]`. The raw
//! bytes of each event are kept, since they are what is signed.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The events of one request, in order, as raw JSON.
#[derive(Debug)]
pub enum Body<'a> {
    Single(&'a RawValue),
    Batch(Vec<&'a RawValue>),
}

/// Why a body holds no events.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    #[error("the body is empty; map the whole event in Segment (`data` as $event)")]
    Empty,
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("the body is neither an event (an object) nor a batch of events (an array of objects)")]
    NotEvents,
    #[error("the batch is empty")]
    EmptyBatch,
    #[error("element {0} of the batch is not an object; map the whole event in Segment (`data` as $event)")]
    NotAnObject(usize),
    #[error("element {0} of the batch has not the form of the first one, {{\"json\": event}}")]
    Mixed(usize),
    #[error(
        "the batch is form-encoded; leave `content-type` out of the mapping's headers, or make it application/json"
    )]
    FormEncoded,
    #[error("the batch has {0} events; Segment sends at most {MAX_BATCH}")]
    TooMany(usize),
}

/// An element of an Extensible Webhook's batch, or of its form-encoded one; nothing else is beside it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Wrapped<'a> {
    #[serde(borrow)]
    Json(&'a RawValue),
    Body(serde::de::IgnoredAny),
}

/// Most events in a batch: what the Webhooks (Actions) destination allows as batch size.
pub const MAX_BATCH: usize = 4_000;

impl<'a> Body<'a> {
    /// Reads the shape of a body without looking into its events.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BodyError> {
        if bytes.trim_ascii().is_empty() {
            return Err(BodyError::Empty);
        }
        let not_json = |error: serde_json::Error| BodyError::NotJson(error.to_string());
        let whole: &RawValue = serde_json::from_slice(bytes).map_err(not_json)?;
        match whole.get().as_bytes().first() {
            Some(b'{') => Ok(Self::Single(whole)),
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(not_json)?;
                if elements.is_empty() {
                    return Err(BodyError::EmptyBatch);
                }
                if elements.len() > MAX_BATCH {
                    return Err(BodyError::TooMany(elements.len()));
                }
                let events = unwrapped(elements)?;
                match events.iter().position(|event| !event.get().starts_with('{')) {
                    Some(index) => Err(BodyError::NotAnObject(index)),
                    None => Ok(Self::Batch(events)),
                }
            }
            _ => Err(BodyError::NotEvents),
        }
    }

    /// The bytes of the first event of a batch, which is all that Segment signs of it today.
    pub fn first_of_batch(&self) -> Option<&[u8]> {
        match self {
            Self::Single(_) => None,
            Self::Batch(events) => events.first().map(|event| event.get().as_bytes()),
        }
    }

    /// The events, in order.
    pub fn events(&self) -> &[&'a RawValue] {
        match self {
            Self::Single(event) => std::slice::from_ref(event),
            Self::Batch(events) => events,
        }
    }
}

/// The events themselves: those inside the elements when the first one is wrapped, else the elements.
fn unwrapped(elements: Vec<&RawValue>) -> Result<Vec<&RawValue>, BodyError> {
    match elements.first().and_then(|first| serde_json::from_str(first.get()).ok()) {
        None => Ok(elements),
        Some(Wrapped::Body(_)) => Err(BodyError::FormEncoded),
        Some(Wrapped::Json(_)) => elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| match serde_json::from_str(element.get()) {
                Ok(Wrapped::Json(event)) => Ok(event),
                Ok(Wrapped::Body(_)) | Err(_) => Err(BodyError::Mixed(index)),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_event_are_kept_as_they_came() {
        let body = br#" [ {"a" : 1} ,{"b":2}] "#;
        let parsed = Body::parse(body).unwrap();
        assert_eq!(parsed.first_of_batch().unwrap(), br#"{"a" : 1}"#);
        assert_eq!(parsed.events().len(), 2);
    }

    #[test]
    fn a_wrapped_batch_is_its_inner_events_byte_for_byte() {
        let body = br#"[ {"json" : {"a" : 1} } ,{"json":{"json":2}}]"#;
        let parsed = Body::parse(body).unwrap();
        assert_eq!(parsed.first_of_batch().unwrap(), br#"{"a" : 1}"#);
        assert_eq!(parsed.events()[1].get(), r#"{"json":2}"#);
        // One key more, or one twice, and it is an event like any other.
        for body in [r#"[{"json":{},"messageId":"m"}]"#, r#"[{"json":{},"json":{}}]"#] {
            assert_eq!(
                Body::parse(body.as_bytes()).unwrap().first_of_batch().unwrap(),
                &body.as_bytes()[1..body.len() - 1]
            );
        }
    }

    #[test]
    fn what_holds_no_event_says_why() {
        for (body, error) in [
            (r#"[{"json":null}]"#, BodyError::NotAnObject(0)),
            (r#"[{"json":{}},{"messageId":"m"}]"#, BodyError::Mixed(1)),
            (r#"[{"json":{}},{"body":"a=1"}]"#, BodyError::Mixed(1)),
            (r#"[{"json":{}},null]"#, BodyError::Mixed(1)),
            (r#"[{"body":"messageId=m"}]"#, BodyError::FormEncoded),
            ("", BodyError::Empty),
            ("  \n", BodyError::Empty),
            ("[]", BodyError::EmptyBatch),
            ("[null]", BodyError::NotAnObject(0)),
            ("[{},3]", BodyError::NotAnObject(1)),
            ("null", BodyError::NotEvents),
            ("\"text\"", BodyError::NotEvents),
        ] {
            assert_eq!(Body::parse(body.as_bytes()).unwrap_err(), error, "{body}");
        }
        for body in ["{", "[{]", "{} {}", "\u{0}", "[{\"a\":}]"] {
            assert!(matches!(Body::parse(body.as_bytes()), Err(BodyError::NotJson(_))), "{body}");
        }
        assert!(matches!(Body::parse(b"\xff\xfe"), Err(BodyError::NotJson(_))));
    }
}
