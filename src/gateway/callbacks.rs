//! `POST /v1/callbacks/{namespace}/{name}`: what Twilio tells of messages, by
//! <https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>. A destination that is not served any more is
//! still told of what it has sent.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::Response,
};
use secrecy::SecretString;
use url::form_urlencoded;

use crate::{
    api::{
        ObjectKey,
        reasons::{condition, event as event_reason, request as reason},
    },
    delivery::{engine::Route, journal::JournalError, receipts::metrics::CallbackResult},
    gateway::{Gateway, answer},
    segment::MessageId,
    twilio::{CallbackUrls, StatusCallback, TwilioCredentials, signature},
};

/// Largest body: Twilio's have about a thousand bytes.
const MAX_BODY: usize = 16 * 1024;
/// Time for a whole body; Twilio gives up after fifteen seconds.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A callback that is not taken.
struct Refusal {
    status: StatusCode,
    reason: &'static str,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self { status, reason, detail: detail.into() }
    }

    fn unreadable(detail: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, event_reason::CREDENTIALS_UNREADABLE, detail.to_string())
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, event_reason::JOURNAL_FAILED, error.to_string())
    }
}

pub async fn receive(
    State(gateway): State<Arc<Gateway>>,
    Path((namespace, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let key = ObjectKey::new(namespace, name);
    match gateway.take(&key, &uri, &headers, body).await {
        Ok(result) => {
            gateway.engine.callback(result);
            // Twilio is told the same of what is not on record any more: saying it again would not help.
            answer::empty()
        }
        Err(Refusal { status, reason, detail }) => {
            let result = if status.is_server_error() { CallbackResult::Failed } else { CallbackResult::Refused };
            gateway.engine.callback(result);
            tracing::warn!(destination = %key, status = status.as_u16(), reason, detail, "callback refused");
            answer::refusal(status, reason, &detail)
        }
    }
}

impl Gateway {
    async fn take(
        &self,
        key: &ObjectKey,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<CallbackResult, Refusal> {
        let parameters = parameters(headers, body).await?;
        let table = self.routes.current();
        let unknown = || {
            if table.is_unreadable(key) {
                let detail = format!("EngageDestination `{key}` is not as this program knows them; its log says why");
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason::UNREADABLE, detail)
            } else if self.routes.is_complete() {
                let detail = format!("there is no EngageDestination `{key}`");
                Refusal::new(StatusCode::NOT_FOUND, reason::UNKNOWN_DESTINATION, detail)
            } else {
                let detail = "the API server is away, and the destination may be new";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason::NOT_KNOWN_YET, detail)
            }
        };
        let served = table.get(key).ok_or_else(unknown)?;
        // The spec makes no sense just now; what it was, and will be again, has messages under way.
        let route = served.route.as_ref().ok_or_else(|| {
            let detail = "the condition Accepted says what is wrong with the spec";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, condition::INVALID_SPEC, detail)
        })?;
        let callbacks = self.callbacks.as_ref().ok_or_else(|| {
            let detail = "callbacks are asked for, and can be proven, only with --public-url";
            Refusal::new(StatusCode::FORBIDDEN, reason::BAD_SIGNATURE, detail)
        })?;
        self.prove_callback(callbacks, route, uri, headers, &parameters).await?;
        let (Some(callback), Some(event)) = (StatusCallback::read(&parameters), event_of(uri)) else {
            return Ok(CallbackResult::Ignored);
        };
        Ok(self.engine.take_callback(route, event, callback).await?)
    }

    /// Checks the signature; if it does not match, once more with the Secret read anew, which may have been rotated.
    async fn prove_callback(
        &self,
        callbacks: &CallbackUrls,
        route: &Route,
        uri: &Uri,
        headers: &HeaderMap,
        parameters: &[(String, String)],
    ) -> Result<(), Refusal> {
        let forbidden = |detail: &str| Refusal::new(StatusCode::FORBIDDEN, reason::BAD_SIGNATURE, detail);
        let given = headers.get(signature::HEADER).ok_or_else(|| forbidden("there is no X-Twilio-Signature"))?;
        let urls = callbacks.signed(uri.path_and_query().map_or("/", |path| path.as_str()));
        let key = route.key.sibling(&route.destination.twilio.name);
        for attempt in 0..2 {
            let secret = if attempt == 0 { self.secrets.get(&key).await } else { self.secrets.refresh(&key).await };
            let secret = secret.map_err(|error| Refusal::unreadable(&error))?;
            let credentials = TwilioCredentials::read(&route.destination.twilio, &secret)
                .map_err(|error| Refusal::unreadable(&error))?;
            let proves = |token: &SecretString| signature::verify(token, &urls, parameters, given.as_bytes());
            if credentials.auth_token.as_ref().is_some_and(proves) {
                return Ok(());
            }
        }
        Err(forbidden("X-Twilio-Signature does not match: see --public-url, and the auth token in the Secret"))
    }
}

/// The decoded parameters of a form.
async fn parameters(headers: &HeaderMap, body: Body) -> Result<Vec<(String, String)>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = content_type.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded");
    let too_slow =
        |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, reason::TOO_SLOW, "the body did not arrive whole within 10 s");
    let too_large =
        |_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason::TOO_LARGE, "the body is larger than 16 KiB");
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await.map_err(too_slow)?;
    let body = body.map_err(too_large)?;
    if !is_form {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, reason::MALFORMED, "the body is no form"));
    }
    Ok(form_urlencoded::parse(&body).into_owned().collect())
}

/// The event that the callback URL names.
fn event_of(uri: &Uri) -> Option<MessageId> {
    let (_, id) = form_urlencoded::parse(uri.query()?.as_bytes()).find(|(name, _)| name == "event")?;
    MessageId::parse(&id).ok()
}
