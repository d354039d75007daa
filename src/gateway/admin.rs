//! The admin listener, apart from the public one: `/livez`, `/readyz`, `/metrics`, and of a gateway `/deliveries`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};

use crate::delivery::tally::Tallies;

/// Whether the process takes requests: the resources are read, and it is not shutting down.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone)]
struct Admin {
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// The admin surface.
pub fn router(readiness: Readiness, registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { readiness, registry })
}

/// `/deliveries`: what became of the events and messages of each destination, for the controller. It names no person.
pub fn deliveries(tallies: Arc<Tallies>) -> Router {
    Router::new().route("/deliveries", get(async move |headers: HeaderMap| counted(&tallies, &headers)))
}

fn counted(tallies: &Tallies, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok()).map(|tag| tag.trim_matches('"'));
    if known == Some(tallies.version().as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let (version, tallies) = tallies.all();
    ([(header::ETAG, format!("\"{version}\""))], Json(tallies)).into_response()
}

async fn readyz(State(admin): State<Admin>) -> Response {
    if admin.readiness.is_ready() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the resources are not read yet, or the process is shutting down\n")
            .into_response()
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
