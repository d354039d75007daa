//! One request from faults to log: draw the faults, check credential and parameters, let the handler act, note what
//! happened, and render the answer (or break the connection).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::Value;

use crate::call::{Answer, Call, Failure};
use crate::clock::Millis;
use crate::faults::FaultKind;
use crate::log::LogEntry;
use crate::request::{Parsed, Received};
use crate::segment::profiles;
use crate::tables::{BodyKind, Match, Product};
use crate::twilio::{self, xml};
use crate::world::World;

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is closed by a fault")
    }
}

impl std::error::Error for Dropped {}

type Outcome = Result<Answer, Failure>;

/// What became of a request.
#[derive(Default)]
struct Happened {
    /// The answer; none when the connection is dropped.
    answer: Option<Outcome>,
    /// SID of what was changed.
    effect: Option<String>,
    /// The effect is still to come, after this many milliseconds.
    late_ms: Option<u64>,
}

/// Answers a request of a simulated product.
pub async fn dispatch(world: &Arc<World>, received: Received) -> Result<Response<Full<Bytes>>, Dropped> {
    let time_ms = world.now();
    let found = received.find(world);
    let operation = match &found {
        Match::Found(operation, _) => Some(operation.name.as_str()),
        _ => None,
    };
    let decision = world.faults.decide(received.product, operation, &received.method, &received.path);
    let mut parsed = received.parse(world, found, decision.reads);
    let happened = act(world, &received, &parsed, decision.breaking.as_ref());
    let response = happened.answer.as_ref().map(|outcome| render(world, &received, operation, outcome));
    let seq = world.log.push(entry(time_ms, &received, operation, &mut parsed, &happened, decision.applied));
    if let Some(after_ms) = happened.late_ms {
        tokio::spawn(act_late(Arc::clone(world), received, parsed, seq, after_ms));
    }
    if decision.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(decision.latency_ms)).await;
    }
    response.ok_or(Dropped)
}

fn act(world: &Arc<World>, received: &Received, parsed: &Parsed, fault: Option<&FaultKind>) -> Happened {
    let refused = |failure: Failure| Happened { answer: Some(Err(failure)), ..Happened::default() };
    let done = || {
        let outcome = perform(world, received, parsed);
        let effect = outcome.as_ref().ok().and_then(|answer| answer.effect.clone());
        Happened { answer: Some(outcome), effect, late_ms: None }
    };
    match fault {
        Some(FaultKind::Throttle { retry_after }) => {
            let mut failure = Failure::new(429, 20429, "Too many requests");
            failure.retry_after = *retry_after;
            refused(failure)
        }
        Some(FaultKind::ErrorBefore { status }) => refused(broken(*status)),
        Some(FaultKind::ErrorAfter { status }) => Happened { answer: Some(Err(broken(*status))), ..done() },
        Some(FaultKind::DropBefore) => Happened::default(),
        Some(FaultKind::DropAfter) => Happened { answer: None, ..done() },
        Some(FaultKind::DropThenLateEffect { after_ms }) => {
            Happened { late_ms: Some(*after_ms), ..Happened::default() }
        }
        _ => done(),
    }
}

fn broken(status: u16) -> Failure {
    match status {
        503 => Failure::new(503, 20503, "Service unavailable"),
        500.. => Failure::new(status, 20500, "Internal server error"),
        other => Failure::plain(other, "Simulated failure"),
    }
}

async fn act_late(world: Arc<World>, received: Received, parsed: Parsed, seq: u64, after_ms: u64) {
    let generation = world.generation();
    tokio::time::sleep(Duration::from_millis(after_ms)).await;
    if world.generation() == generation {
        let outcome = perform(&world, &received, &parsed);
        world.log.set_effect(seq, outcome.ok().and_then(|answer| answer.effect));
    }
}

fn perform(world: &Arc<World>, received: &Received, parsed: &Parsed) -> Outcome {
    let (call, wellformed) = match parsed {
        Parsed::Call(call, wellformed) => (call, wellformed),
        Parsed::Stray(failure) => return Err(failure.clone()),
    };
    authorize(world, received, call)?;
    wellformed.clone()?;
    call.operation.check(&call.query, &call.form).map_err(|failure| in_family(received.product, failure))?;
    if let (BodyKind::Json, Some(body), true) = (call.operation.body, &call.json, received.product.is_twilio()) {
        call.operation.check_json(body)?;
    }
    let handler = twilio::handler(&call.operation.name).ok_or_else(|| call.not_found())?;
    handler(world, call)
}

fn authorize(world: &World, received: &Received, call: &Call) -> Result<(), Failure> {
    let credential = received.credential.as_ref();
    match received.product {
        Product::Profiles => profiles::authorize(world, call, credential),
        Product::Tracking => Ok(()),
        _ => {
            let account = world.account();
            account.authorize(credential, call.operation, &received.path, call.path_param("AccountSid"))
        }
    }
}

/// Twilio's codes mean nothing at Segment.
fn in_family(product: Product, failure: Failure) -> Failure {
    if product.is_twilio() { failure } else { Failure::plain(failure.status, failure.message) }
}

fn entry(
    time_ms: Millis,
    received: &Received,
    operation: Option<&'static str>,
    parsed: &mut Parsed,
    happened: &Happened,
    fault: Option<String>,
) -> LogEntry {
    let (query, form, json) = match parsed {
        Parsed::Call(call, _) if happened.late_ms.is_some() => {
            (call.query.clone(), call.form.clone(), call.json.clone())
        }
        Parsed::Call(call, _) => (std::mem::take(&mut call.query), std::mem::take(&mut call.form), call.json.take()),
        Parsed::Stray(_) => (Vec::new(), Vec::new(), None),
    };
    let failure = happened.answer.as_ref().and_then(|outcome| outcome.as_ref().err());
    LogEntry {
        seq: 0,
        time_ms,
        product: received.product.name(),
        operation,
        method: received.method.clone(),
        path: received.path.clone(),
        query,
        form,
        json,
        credential: received.credential.as_ref().map(|credential| credential.user.clone()),
        webhook_enabled: received.webhook_enabled,
        status: happened.answer.as_ref().map(status_of),
        code: failure.and_then(|failure| failure.code),
        fault,
        effect: happened.effect.clone(),
    }
}

fn status_of(outcome: &Outcome) -> u16 {
    match outcome {
        Ok(answer) => answer.status,
        Err(failure) => failure.status,
    }
}

fn render(world: &World, received: &Received, operation: Option<&str>, outcome: &Outcome) -> Response<Full<Bytes>> {
    let (mut body, retry_after) = match outcome {
        Ok(answer) => (answer.body.clone(), None),
        Err(failure) => {
            let body = serde_json::to_vec(&failure.body(Some(received.product))).unwrap_or_default();
            (Bytes::from(body), failure.retry_after)
        }
    };
    let mut content_type = "application/json";
    if received.wants_xml() && !body.is_empty() {
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        let element = if outcome.is_err() { "RestException" } else { xml_element(operation) };
        body = Bytes::from(xml::document(element, &value));
        content_type = "application/xml";
    }
    let has_body = !body.is_empty();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status_of(outcome)).unwrap_or_default();
    let headers = response.headers_mut();
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let (name, prefix) = if received.product.is_twilio() { ("twilio-request-id", "RQ") } else { ("request-id", "") };
    if let Ok(value) = HeaderValue::from_str(&world.request_ids.make(prefix)) {
        headers.insert(name, value);
    }
    response
}

fn xml_element(operation: Option<&str>) -> &'static str {
    match operation {
        Some("messages.list") => "Messages",
        Some("accounts.fetch") => "Account",
        _ => "Message",
    }
}
