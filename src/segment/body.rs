//! The body of a request: one event, or a batch of them. The raw bytes of each are kept, since they are what is signed.

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
    #[error("the batch has {0} events; Segment sends at most {MAX_BATCH}")]
    TooMany(usize),
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
                let events: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(not_json)?;
                if events.is_empty() {
                    return Err(BodyError::EmptyBatch);
                }
                if events.len() > MAX_BATCH {
                    return Err(BodyError::TooMany(events.len()));
                }
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
    fn what_holds_no_event_says_why() {
        for (body, error) in [
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
