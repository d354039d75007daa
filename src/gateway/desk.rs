//! `/v1/journal/…` on the admin listener: what `engage-operator deliveries` asks of a running gateway. Each question is a JSON
//! body and is looked at only if [`local`] lets it.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

use crate::{
    api::{ObjectKey, gate::Gate},
    delivery::{
        desk::{Address, Desk, List, Names, Refusal, Resolve, Retry, Why},
        engine::{Engine, Route},
    },
    gateway::{Routes, local, table::RouteTable},
};

/// Largest body: an event of Segment has at most half of this.
const MAX_BODY: usize = 1024 * 1024;
/// Time for a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Lists that are made at once: each may read the whole journal.
const MAX_LISTS: usize = 2;

#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    routes: Arc<Routes>,
    lists: Arc<Semaphore>,
}

impl Shared {
    fn desk(&self) -> (Arc<RouteTable>, Desk) {
        let table = self.routes.current();
        let desk = self.engine.desk(Names::of(table.names()));
        (table, desk)
    }
}

/// What people on call ask, each by a POST.
pub fn router(engine: Arc<Engine>, routes: Arc<Routes>) -> Router {
    Router::new()
        .route("/v1/journal/list", post(list))
        .route("/v1/journal/show", post(show))
        .route("/v1/journal/resolve", post(resolve))
        .route("/v1/journal/retry", post(retry))
        .route_layer(middleware::from_fn(guard))
        .with_state(Shared { engine, routes, lists: Arc::new(Semaphore::new(MAX_LISTS)) })
}

async fn guard(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    if let Some(detail) = local::refused(peer, request.headers()) {
        let peer = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        tracing::warn!(path = request.uri().path(), peer, detail, "refused to open the journal");
        return answer::<()>(Err(Refusal::new(Why::Forbidden, detail)));
    }
    next.run(request).await
}

async fn list(State(shared): State<Shared>, body: Body) -> Response {
    let listed = async {
        let list: List = read(body).await?;
        let _turn = shared.lists.acquire().await;
        shared.desk().1.list(&list).await
    };
    answer(listed.await)
}

async fn show(State(shared): State<Shared>, body: Body) -> Response {
    let shown = async {
        let address: Address = read(body).await?;
        shared.desk().1.show(&address).await
    };
    answer(shown.await)
}

async fn resolve(State(shared): State<Shared>, body: Body) -> Response {
    to_its_end(async move {
        let resolve: Resolve = read(body).await?;
        let (table, desk) = shared.desk();
        shared.engine.resolve_by_hand(&desk, route_of(&table, &resolve.event), &resolve).await
    })
    .await
}

async fn retry(State(shared): State<Shared>, body: Body) -> Response {
    to_its_end(async move {
        let retry: Retry = read(body).await?;
        let (table, desk) = shared.desk();
        if retry.body.is_some() {
            is_served(&table, &retry.event)?;
        }
        shared.engine.retry_by_hand(&desk, route_of(&table, &retry.event), &retry).await
    })
    .await
}

/// What was begun is not left half-done because whoever asked has gone.
async fn to_its_end<T: Serialize + Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Response {
    let failed =
        |_| Err(Refusal::new(Why::Unavailable, "a defect of this program; its log says more. Please report it"));
    answer(tokio::spawn(work).await.unwrap_or_else(failed))
}

fn key_of(address: &Address) -> Option<ObjectKey> {
    address.destination.split_once('/').map(|(namespace, name)| ObjectKey::new(namespace, name))
}

fn route_of<'a>(table: &'a RouteTable, address: &Address) -> Option<&'a Arc<Route>> {
    match address.destination.strip_prefix("uid:") {
        Some(uid) => table.by_uid(uid),
        None => table.get(&key_of(address)?)?.route.as_ref(),
    }
}

/// An event is handed in as if Segment had sent it: to a destination that is not served it would not be delivered either.
fn is_served(table: &RouteTable, address: &Address) -> Result<(), Refusal> {
    let served = key_of(address).and_then(|key| table.get(&key).cloned());
    match served.map(|served| served.gate.clone()) {
        Some(Gate::Refuse { reason, message }) => {
            let detail = format!("{} is not served, {reason}: {message}", address.destination);
            Err(Refusal::new(Why::Unavailable, detail))
        }
        Some(Gate::Serve) | None => Ok(()),
    }
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let invalid = |detail: &str| Refusal::new(Why::Invalid, detail);
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await;
    let body = body.map_err(|_| invalid("the body did not arrive whole within 10 s"))?;
    let body = body.map_err(|_| invalid("the body is larger than 1 MiB, or broke off"))?;
    serde_json::from_slice(&body).map_err(|error| invalid(&format!("the body is not as it should be: {error}")))
}

fn answer<T: Serialize>(answer: Result<T, Refusal>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => {
            let status = match refusal.reason {
                Why::Invalid => StatusCode::BAD_REQUEST,
                Why::UnknownDestination | Why::UnknownEvent => StatusCode::NOT_FOUND,
                Why::NotAllowed | Why::NotConfirmed => StatusCode::CONFLICT,
                Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                Why::Forbidden => StatusCode::FORBIDDEN,
            };
            (status, Json(refusal)).into_response()
        }
    }
}
