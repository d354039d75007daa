//! What stands between a controller and the API server: it stops the controller's writes where a crash is wanted, and shows it a
//! cluster that is older than it is, or of which it hears nothing.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures::{StreamExt, stream};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::{Client, client::Body as KubeBody};
use serde_json::json;
use tokio::sync::watch;

/// A write of the controller to StudioFlows at which it is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Counted from zero.
    pub write: usize,
    /// Whether the write takes effect; its answer does not come in either case.
    pub takes_effect: bool,
}

/// What is shown of StudioFlows.
#[derive(Debug, Clone)]
enum View {
    Live,
    /// Lists are these, and no change is told of.
    Old(Bytes),
    /// No change is told of.
    Blind,
}

pub struct Gate {
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    client: Client,
    writes: AtomicUsize,
    stop: Mutex<Option<Stop>>,
    stopped: AtomicBool,
    view: watch::Sender<View>,
    /// The next watch is told that it has missed too much to go on.
    expired: AtomicBool,
}

impl Gate {
    pub async fn start(client: Client) -> Self {
        let shared = Arc::new(Shared {
            client,
            writes: AtomicUsize::new(0),
            stop: Mutex::new(None),
            stopped: AtomicBool::new(false),
            view: watch::Sender::new(View::Live),
            expired: AtomicBool::new(false),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = tempfile::TempDir::new().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "clusters": [{"name": "gate", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "gate", "user": {"token": "admin-token"}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}],
        });
        std::fs::write(folder.path().join("kubeconfig"), config.to_string()).unwrap();
        Self { shared, folder, server }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub fn stop_at(&self, stop: Stop) {
        *self.shared.stop.lock().unwrap() = Some(stop);
    }

    /// Whether the controller has come to where it is to be ended.
    pub fn has_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::SeqCst)
    }

    /// How many writes to StudioFlows have come through.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// From now on the cluster is shown as `list`, one that was shown before.
    pub fn show(&self, list: Bytes) {
        self.shared.view.send_replace(View::Old(list));
    }

    /// From now on no change is told of.
    pub fn blind(&self) {
        self.shared.view.send_replace(View::Blind);
    }

    /// From now on everything is as it is; a watch has to start anew with a list, so that what came and went meanwhile is never
    /// told of.
    pub fn open(&self) {
        self.shared.expired.store(true, Ordering::SeqCst);
        self.shared.view.send_replace(View::Live);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
    let of_flows = path.contains("/studioflows");
    if of_flows && request.method() != Method::GET {
        let write = shared.writes.fetch_add(1, Ordering::SeqCst);
        let stop = shared.stop.lock().unwrap().filter(|stop| stop.write == write);
        if let Some(stop) = stop {
            if stop.takes_effect {
                drop(forward(&shared, request).await);
            }
            shared.stopped.store(true, Ordering::SeqCst);
            return std::future::pending().await;
        }
        return forward(&shared, request).await;
    }
    if !of_flows || !path.ends_with("/studioflows") {
        return forward(&shared, request).await;
    }
    let mut view = shared.view.subscribe();
    let now = view.borrow_and_update().clone();
    if is_watch {
        let changed = async move {
            let _ = view.changed().await;
        };
        return match now {
            View::Old(_) | View::Blind => {
                let silence = stream::once(async move {
                    changed.await;
                    Ok::<_, Infallible>(Bytes::new())
                });
                answer(Body::from_stream(silence))
            }
            View::Live if shared.expired.swap(false, Ordering::SeqCst) => {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "too old resource version", "reason": "Expired", "code": 410});
                answer(Body::from(json!({"type": "ERROR", "object": status}).to_string() + "\n"))
            }
            View::Live => {
                let (parts, body) = forward(&shared, request).await.into_parts();
                let told = body.into_data_stream().take_until(Box::pin(changed));
                Response::from_parts(parts, Body::from_stream(told))
            }
        };
    }
    if let View::Old(list) = now {
        return answer(Body::from(list));
    }
    forward(&shared, request).await
}

async fn forward(shared: &Shared, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    for name in [header::AUTHORIZATION, header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING] {
        parts.headers.remove(name);
    }
    let body = body.collect().await.unwrap().to_bytes();
    match shared.client.send(Request::from_parts(parts, KubeBody::from(body))).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            parts.headers.remove(header::TRANSFER_ENCODING);
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => Response::builder().status(502).body(Body::from(error.to_string())).unwrap(),
    }
}

fn answer(body: Body) -> Response {
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}
