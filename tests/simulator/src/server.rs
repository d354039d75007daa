//! The listener. Connections are served one by one with hyper itself, so that a fault can close one without a word.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::control;
use crate::dispatch::{Dropped, dispatch};
use crate::log::LogEntry;
use crate::request::Received;
use crate::tables::Product;
use crate::world::World;

const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Listens.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Accepts connections until `stop` changes or its sender is gone.
pub async fn serve(world: Arc<World>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        // Out of descriptors, or the peer is already gone: neither ends the simulator.
        let Ok((stream, _)) = accepted else { continue };
        tokio::spawn(connection(Arc::clone(&world), stream, stop.clone()));
    }
}

async fn connection(world: Arc<World>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // Latency is measured through this socket; a refused option only makes it slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle(Arc::clone(&world), request));
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error here is a fault on purpose or a client that left; the log has the request either way.
        _ = serving => {}
        _ = stop.changed() => {}
    }
}

async fn handle(world: Arc<World>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else { return Err(Dropped) };
    let body = body.to_bytes();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    if let Some(action) = path.strip_prefix("/_sim/") {
        return Ok(control::answer(&world, head.method.as_str(), action, query, &body));
    }
    let Some((product, below)) = Product::of_path(path) else {
        world.log.push(LogEntry::stray(world.now(), head.method.as_str(), path));
        return Ok(control::no_such_path(path));
    };
    dispatch(&world, Received::new(product, head.method.as_str(), below, query, &head.headers, body)).await
}
