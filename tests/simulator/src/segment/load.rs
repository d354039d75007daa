//! The sender as a load generator: many different events, a fixed number of connections, one attempt each, and figures
//! at the end. It speaks HTTP/1.1 over its own connections so that little of the machine goes into the measuring.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpStream;

use super::events::Event;
use super::sender::{Sender, outgoing};

/// A load to generate.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where to, how signed and in which mode; the retry policy is not used.
    pub sender: Sender,
    /// How many events.
    pub events: usize,
    /// Number of the first event, so that two loads do not have the same customers.
    pub first: usize,
    /// How many connections.
    pub concurrency: usize,
    /// Name of the track events.
    pub event_name: String,
    /// `context.personas.space_id`.
    pub space: String,
    /// Put the phone into the properties; otherwise the receiver has to look the profile up.
    pub phone_in_event: bool,
    /// User ids are taken from these in turn; when empty each event has its own.
    pub users: Vec<String>,
    /// Start of every `messageId`, so that two runs do not repeat each other.
    pub run: String,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// Events sent.
    pub events: usize,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Events per second.
    pub events_per_second: f64,
    /// Half of the requests were faster.
    pub p50_ms: f64,
    /// All but one in a hundred were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Requests by status; `none` is no answer.
    pub statuses: BTreeMap<String, usize>,
    /// Events by the outcome in the answer's `results` and `counts`.
    pub outcomes: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Tally {
    micros: Vec<u64>,
    statuses: BTreeMap<String, usize>,
    outcomes: BTreeMap<String, usize>,
}

impl Load {
    /// Event number `n`: its own `messageId`, its own phone number.
    pub fn event(&self, n: usize) -> Value {
        let user = match self.users.as_slice() {
            [] => format!("load-{n}"),
            users => users[n % users.len()].clone(),
        };
        let event = Event::track(&self.event_name, &format!("{}-{n}", self.run), &user);
        let mut event = event.engage("audience", "aud_load", "load", &self.space).property("load", true.into());
        event = event.with("timestamp", jiff::Timestamp::now().to_string().into());
        if self.phone_in_event {
            let phone = format!("+55119{:08}", 80_000_000 + n % 20_000_000);
            event = event
                .property("phone", phone.into())
                .property("first_name", "Ana".into())
                .property("plan", "pro".into());
        }
        event.build()
    }

    /// Sends everything.
    pub async fn run(&self) -> std::io::Result<LoadReport> {
        let url: hyper::Uri = self.sender.url.parse().map_err(std::io::Error::other)?;
        let address = url.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let address = if address.contains(':') { address } else { format!("{address}:80") };
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..self.concurrency.max(1) {
            let (load, next, address, url) = (self.clone(), Arc::clone(&next), address.clone(), url.clone());
            workers.spawn(async move { load.work(&next, &address, &url).await });
        }
        let mut total = Tally::default();
        while let Some(done) = workers.join_next().await {
            let tally = done.map_err(std::io::Error::other)?;
            total.micros.extend(tally.micros);
            add(&mut total.statuses, tally.statuses);
            add(&mut total.outcomes, tally.outcomes);
        }
        Ok(total.report(self.events, begun.elapsed()))
    }

    async fn work(&self, next: &AtomicUsize, address: &str, url: &hyper::Uri) -> Tally {
        let size = match self.sender.mode {
            super::sender::Mode::Batched { size } | super::sender::Mode::Wrapped { size } => size.max(1),
            _ => 1,
        };
        let mut tally = Tally::default();
        let mut connection = None;
        loop {
            let first = next.fetch_add(size, Ordering::Relaxed);
            if first >= self.events {
                return tally;
            }
            let events: Vec<Value> =
                (first..(first + size).min(self.events)).map(|n| self.event(self.first + n)).collect();
            let outgoing = outgoing(&self.sender, &events.iter().collect::<Vec<_>>());
            let mut request =
                Request::post(url.path_and_query().map_or("/", |path| path.as_str())).header("host", address);
            for (name, value) in &outgoing.headers {
                request = request.header(name, value);
            }
            let Ok(request) = request.body(Full::new(Bytes::from(outgoing.body))) else { return tally };
            let begun = Instant::now();
            let answered = tokio::time::timeout(self.sender.timeout, exchange(&mut connection, address, request)).await;
            tally.micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            if let Ok(Some((status, body))) = answered {
                *tally.statuses.entry(status.to_string()).or_default() += 1;
                tally.count_outcomes(&body);
            } else {
                connection = None;
                *tally.statuses.entry("none".to_owned()).or_default() += 1;
            }
        }
    }
}

type Connection = SendRequest<Full<Bytes>>;

async fn exchange(
    connection: &mut Option<Connection>,
    address: &str,
    request: Request<Full<Bytes>>,
) -> Option<(u16, Bytes)> {
    let mut sender = match connection.take() {
        Some(sender) if !sender.is_closed() => sender,
        _ => connect(address).await?,
    };
    sender.ready().await.ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    *connection = Some(sender);
    Some((status, body))
}

async fn connect(address: &str) -> Option<Connection> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, driver) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(driver);
    Some(sender)
}

impl Tally {
    fn count_outcomes(&mut self, body: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else { return };
        for result in answer.get("results").and_then(Value::as_array).into_iter().flatten() {
            if let Some(outcome) = result.get("outcome").and_then(Value::as_str) {
                *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
            }
        }
        for (outcome, count) in answer.get("counts").and_then(Value::as_object).into_iter().flatten() {
            let count = count.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
    }

    fn report(mut self, events: usize, took: Duration) -> LoadReport {
        self.micros.sort_unstable();
        let at = |percent: usize| {
            let index = (self.micros.len() * percent / 100).min(self.micros.len().saturating_sub(1));
            self.micros.get(index).map_or(0.0, |micros| Duration::from_micros(*micros).as_secs_f64() * 1000.0)
        };
        let (p50_ms, p99_ms, max_ms) = (at(50), at(99), at(100));
        #[expect(clippy::cast_precision_loss, reason = "a count of events is far below 2^52")]
        let events_per_second = events as f64 / took.as_secs_f64();
        let seconds = took.as_secs_f64();
        let (statuses, outcomes) = (self.statuses, self.outcomes);
        LoadReport { events, seconds, events_per_second, p50_ms, p99_ms, max_ms, statuses, outcomes }
    }
}

fn add(total: &mut BTreeMap<String, usize>, more: BTreeMap<String, usize>) {
    for (key, count) in more {
        *total.entry(key).or_default() += count;
    }
}
