//! `POST /v1/destinations/{namespace}/{name}`: from a request to the outcome of its events.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use futures::{StreamExt, stream};

use crate::{
    api::{
        ObjectKey,
        gate::Gate,
        reasons::{event as event_reason, request as request_reason},
    },
    delivery::{
        credentials::SecretCache,
        engine::{Engine, Route},
        outcome::Outcome,
    },
    gateway::{
        answer::{self, EventOutcome},
        body::{BodyBudget, Refused},
        callbacks,
        table::Routes,
    },
    metrics::GatewayMetrics,
    segment::{
        Event, SegmentCredentials,
        body::Body,
        signature::{self, Proof},
    },
    twilio::CallbackUrls,
};

/// How long a request waits for its events. Segment itself gives up after ten seconds.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// Events of one request that are worked on at once.
const CONCURRENCY: usize = 64;

/// What the webhooks share.
#[derive(Debug)]
pub struct Gateway {
    pub routes: Arc<Routes>,
    pub engine: Arc<Engine>,
    pub secrets: Arc<SecretCache>,
    pub metrics: GatewayMetrics,
    /// Where Twilio tells what becomes of messages, as it signs it.
    pub callbacks: Option<CallbackUrls>,
    budget: BodyBudget,
}

impl Gateway {
    pub fn new(
        routes: Arc<Routes>,
        engine: Arc<Engine>,
        secrets: Arc<SecretCache>,
        metrics: GatewayMetrics,
        callbacks: Option<CallbackUrls>,
    ) -> Arc<Self> {
        Arc::new(Self { routes, engine, secrets, metrics, callbacks, budget: BodyBudget::default() })
    }
}

/// The public surface.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/destinations/{namespace}/{name}", post(receive))
        .route("/v1/callbacks/{namespace}/{name}", post(callbacks::receive))
        .with_state(gateway)
}

/// A request that is refused before any event in it is looked at.
struct Refusal {
    status: StatusCode,
    reason: String,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, reason: &str, detail: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), detail: detail.into() }
    }
}

async fn receive(
    State(gateway): State<Arc<Gateway>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: HttpBody,
) -> Response {
    let key = ObjectKey::new(namespace, name);
    // A client that hangs up takes its answer with it and nothing else.
    let task = tokio::spawn(async move { (gateway.answer(&key, &headers, body).await, gateway, key) });
    match task.await {
        Ok((Ok(outcomes), gateway, _)) => {
            let response = answer::of_events(&outcomes);
            gateway.metrics.request(response.status(), "");
            response
        }
        Ok((Err(refusal), gateway, key)) => {
            let Refusal { status, reason, detail } = refusal;
            tracing::warn!(destination = %key, status = status.as_u16(), reason, detail, "request refused");
            gateway.metrics.request(status, &reason);
            answer::refusal(status, &reason, &detail)
        }
        Err(_) => answer::refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            event_reason::INTERNAL,
            "the request failed by a defect of this program; please report it",
        ),
    }
}

impl Gateway {
    async fn answer(
        self: &Arc<Self>,
        key: &ObjectKey,
        headers: &HeaderMap,
        body: HttpBody,
    ) -> Result<Vec<EventOutcome>, Refusal> {
        // The body is read first in any case: a sender that is answered before it has finished sees a reset.
        let held = self.budget.read(headers, body).await.map_err(body_refused)?;
        let table = self.routes.current();
        let served = table.get(key).ok_or_else(|| {
            if table.is_unreadable(key) {
                let detail = format!("EngageDestination `{key}` is not as this program knows them; its log says why");
                return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, request_reason::UNREADABLE, detail);
            }
            if !self.routes.is_complete() {
                let detail = "the API server is away, and the destination may be new";
                return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, request_reason::NOT_KNOWN_YET, detail);
            }
            let detail = format!("there is no EngageDestination `{key}`; check the URL of the mapping");
            Refusal::new(StatusCode::NOT_FOUND, request_reason::UNKNOWN_DESTINATION, detail)
        })?;
        let route = match (&served.gate, &served.route) {
            (Gate::Refuse { reason, message: _ }, _) => {
                self.engine.refused(key);
                // Who asks is not known yet, and the message names what is in the account.
                let detail = format!("not served; the condition Ready of EngageDestination `{key}` says why");
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason, detail));
            }
            (Gate::Serve, Some(route)) => route,
            (Gate::Serve, None) => {
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, event_reason::INTERNAL, "no route"));
            }
        };
        let parsed = Body::parse(&held.bytes)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, request_reason::MALFORMED, error.to_string()))?;
        let proof = self.prove(route, headers, &held.bytes, &parsed).await?;
        Ok(self.deliver(route, &parsed, proof).await)
    }

    /// Checks the signature; if it does not match, once more with the Secret read anew, which may have been rotated.
    async fn prove(&self, route: &Route, headers: &HeaderMap, bytes: &[u8], body: &Body<'_>) -> Result<Proof, Refusal> {
        let unauthorized = |detail: &str| Refusal::new(StatusCode::UNAUTHORIZED, request_reason::BAD_SIGNATURE, detail);
        let signature = headers.get(signature::HEADER).ok_or_else(|| {
            unauthorized("the request has no X-Signature; set the destination's shared secret in Segment")
        })?;
        let key = route.key.sibling(&route.destination.segment.name);
        for attempt in 0..2 {
            let secret = if attempt == 0 { self.secrets.get(&key).await } else { self.secrets.refresh(&key).await };
            let unreadable = |detail: String| {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, event_reason::CREDENTIALS_UNREADABLE, detail)
            };
            let secret = secret.map_err(|error| unreadable(error.to_string()))?;
            let credentials = SegmentCredentials::read(&route.destination.segment, &secret)
                .map_err(|error| unreadable(error.to_string()))?;
            let first = body.first_of_batch();
            if let Some(proof) = signature::verify(&credentials.webhook_secrets, signature.as_bytes(), bytes, first) {
                self.metrics.proof(proof);
                return Ok(proof);
            }
        }
        Err(unauthorized("X-Signature matches no shared secret of this destination"))
    }

    /// Brings each event to its outcome. A message id that comes twice in one request is acted on once.
    async fn deliver(&self, route: &Arc<Route>, body: &Body<'_>, proof: Proof) -> Vec<EventOutcome> {
        let deadline = Instant::now() + PATIENCE;
        let mut first_of: HashMap<String, usize> = HashMap::new();
        let mut events = Vec::with_capacity(body.events().len());
        for (index, raw) in body.events().iter().enumerate() {
            let counted = self.engine.received(route);
            let event = Event::parse(raw.get());
            let repeats = match &event {
                Ok(event) => match first_of.entry(event.message_id.to_string()) {
                    std::collections::hash_map::Entry::Occupied(first) => Some(*first.get()),
                    std::collections::hash_map::Entry::Vacant(free) => {
                        free.insert(index);
                        None
                    }
                },
                Err(_) => None,
            };
            let proven = proof == Proof::WholeBody || index == 0;
            events.push((counted, event, repeats, proven));
        }
        let outcomes: Vec<(Option<String>, Option<Outcome>, _, _)> = stream::iter(events)
            .map(|(counted, event, repeats, proven)| async move {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        let outcome = Outcome::rejected(event_reason::MALFORMED_EVENT, error.to_string());
                        return (None, Some(outcome), counted, None);
                    }
                };
                let message_id = event.message_id.to_string();
                if repeats.is_some() {
                    return (Some(message_id), None, counted, repeats);
                }
                let left = deadline.saturating_duration_since(Instant::now());
                let outcome = if left.is_zero() {
                    Outcome::retry(event_reason::NOT_ATTEMPTED, "the request's time was up before this event's turn")
                } else {
                    self.engine.handle(route, event, proven, left).await
                };
                (Some(message_id), Some(outcome), counted, None)
            })
            .buffered(CONCURRENCY)
            .collect()
            .await;
        let firsts: Vec<Option<Outcome>> = outcomes.iter().map(|(_, outcome, _, _)| outcome.clone()).collect();
        outcomes
            .into_iter()
            .map(|(message_id, outcome, counted, repeats)| {
                let outcome = outcome
                    .or_else(|| firsts.get(repeats?)?.clone().map(repeated))
                    .unwrap_or_else(|| Outcome::retry(event_reason::INTERNAL, ""));
                counted.ended(&outcome);
                (message_id, outcome)
            })
            .collect()
    }
}

/// The outcome of an event whose twin in the same request came to `first`.
fn repeated(first: Outcome) -> Outcome {
    match first {
        Outcome::Final(outcome) | Outcome::Duplicate(outcome) => Outcome::Duplicate(outcome),
        Outcome::Retry(reason) => Outcome::Retry(reason),
    }
}

fn body_refused(refused: Refused) -> Refusal {
    match refused {
        Refused::TooLarge => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            request_reason::TOO_LARGE,
            "the body is larger than 8 MiB; lower the batch size of the mapping",
        ),
        Refused::TooSlow | Refused::Gone => Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            request_reason::TOO_SLOW,
            "the body did not arrive whole within 30 s",
        ),
        Refused::Busy => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            event_reason::OVERLOADED,
            "too many request bodies are being held",
        ),
    }
}
