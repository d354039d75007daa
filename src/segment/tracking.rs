//! The Tracking API, <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/>: telling Segment, in
//! batches, what became of messages.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    api::{
        engage_destination::SegmentRegion,
        references::OutcomesCredentialsRef,
        secret::{SecretData, SecretKeyError},
    },
    segment::{Event, RegionalUrls},
};

/// Name of the library in the context of our events.
pub const LIBRARY: &str = "engage-operator";
/// Default key of the source's write key.
const WRITE_KEY: &str = "SEGMENT_WRITE_KEY";

/// Most events of one request; the API takes 2,500.
pub const MAX_EVENTS: usize = 100;
/// Largest sum of events in one request, in bytes; the API takes 500 KB, what is around them included.
pub const MAX_BYTES: usize = 400 * 1024;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest pause that an answer may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Whether an event is one that this program told Segment, come back through a source that feeds a destination of ours.
pub fn is_own(event: &Event) -> bool {
    event.json.pointer("/context/library/name").and_then(Value::as_str) == Some(LIBRARY)
}

/// The write key that `reference` names out of its Secret.
pub fn write_key(reference: &OutcomesCredentialsRef, secret: &SecretData) -> Result<SecretString, SecretKeyError> {
    let key = reference.keys.as_ref().and_then(|keys| keys.write_key.as_deref()).unwrap_or(WRITE_KEY);
    secret.required(&reference.name, key, "the write key of the source that is told what becomes of messages")
}

/// Why a batch was not taken. It may be sent again in any case: Segment drops events that it knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrackingError {
    #[error("the Tracking API could not be reached, or did not answer: {0}")]
    Unavailable(String),
    #[error("the Tracking API asks to wait")]
    Throttled { retry_after: Option<Duration> },
    /// 400 and 413: something in the batch is not taken.
    #[error("the Tracking API does not take the batch: it answered {0}")]
    NotTaken(u16),
    #[error("the Tracking API refused: it answered {0}")]
    Refused(u16),
}

/// Where the Tracking API is found.
pub fn base_urls() -> RegionalUrls {
    RegionalUrls::new("https://api.segment.io", "https://events.eu1.segmentapis.com")
}

/// Tells Segment of events.
#[derive(Debug, Clone)]
pub struct TrackingClient {
    http: reqwest::Client,
    bases: RegionalUrls,
}

impl TrackingClient {
    /// Redirects are not followed: the write key goes to no other host.
    pub fn new(bases: RegionalUrls) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("engage-operator/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, bases })
    }

    /// Sends a batch.
    pub async fn batch(
        &self,
        region: SegmentRegion,
        write_key: &SecretString,
        events: &[&Value],
    ) -> Result<(), TrackingError> {
        let body =
            json!({"batch": events, "sentAt": Timestamp::now().to_string(), "writeKey": write_key.expose_secret()});
        let request = self.http.post(format!("{}/v1/batch", self.bases.of(region))).json(&body);
        let unavailable = |error: reqwest::Error| TrackingError::Unavailable(error.without_url().to_string());
        let response = request.send().await.map_err(unavailable)?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(TrackingError::Throttled { retry_after }),
            status @ (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE) => {
                Err(TrackingError::NotTaken(status.as_u16()))
            }
            status if status.is_server_error() => Err(TrackingError::Unavailable(format!("it answered {status}"))),
            status => Err(TrackingError::Refused(status.as_u16())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_events_are_ours() {
        let own = |json: Value| is_own(&Event::parse(&json.to_string()).unwrap());
        assert!(own(json!({"messageId": "m", "context": {"library": {"name": "engage-operator"}}})));
        assert!(!own(json!({"messageId": "m", "context": {"library": {"name": "analytics-node"}}})));
        assert!(!own(json!({"messageId": "m", "context": null})));
    }
}
