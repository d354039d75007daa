//! `POST /v1/destinations/{namespace}/{name}`: from a request to the outcome of its events.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};

use crate::{
    api::{
        ObjectKey,
        gate::Gate,
        reasons::{event as event_reason, request as request_reason},
    },
    delivery::{credentials::SecretCache, engine::Engine},
    gateway::{
        answer::{self, EventOutcome},
        body::{BodyBudget, Refused},
        callbacks,
        table::Routes,
    },
    metrics::GatewayMetrics,
    segment::body::Body,
    twilio::CallbackUrls,
};

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
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: &str, detail: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), detail: detail.into() }
    }
}

async fn receive(
    State(gateway): State<Arc<Gateway>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: HttpBody,
) -> Response {
    let arrived = Instant::now();
    let key = ObjectKey::new(namespace, name);
    // A client that hangs up takes its answer with it and nothing else.
    let task = tokio::spawn(async move { (gateway.answer(&key, &headers, body, arrived).await, gateway, key) });
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
        arrived: Instant,
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
        Ok(self.deliver(route, &parsed, proof, arrived).await)
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
