//! The Tracking API (segment.md 6): nearly everything is answered with 200, and what is wrong with an event is found
//! out later. Here the event is kept with the reason it would be discarded for.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::account::Credential;
use crate::call::{Answer, Call, Failure};
use crate::lock::lock;
use crate::world::World;

/// Largest event, largest batch request, most events in a batch.
const MOST_EVENT_BYTES: usize = 32 * 1024;
const MOST_BATCH_BYTES: usize = 500 * 1024;
const MOST_EVENTS: usize = 2500;

/// An event as it arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tracked {
    /// When.
    pub received_ms: i64,
    /// Who sent it.
    pub write_key: String,
    /// The event.
    pub event: Value,
    /// Why Segment would drop it: its discard code, or `duplicate` for a `messageId` seen before.
    pub discarded: Option<&'static str>,
}

/// The events kept, bounded, and the `messageId`s seen.
#[derive(Debug, Default)]
pub struct Tracker {
    events: VecDeque<Tracked>,
    seen: HashSet<String>,
}

impl Tracker {
    /// All events kept, oldest first.
    pub fn all(&self) -> Vec<Tracked> {
        self.events.iter().cloned().collect()
    }

    fn push(&mut self, tracked: Tracked, capacity: usize) {
        if self.events.len() >= capacity {
            self.events.pop_front();
        }
        self.events.push_back(tracked);
    }
}

/// `POST /v1/batch`.
pub fn batch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let body = call.json.as_ref().ok_or_else(invalid)?;
    if body.to_string().len() > MOST_BATCH_BYTES {
        return Err(Failure::plain(400, "The batch is too large."));
    }
    let events = body.get("batch").and_then(Value::as_array).ok_or_else(invalid)?;
    accept(world, body, events, events.len() > MOST_EVENTS)?;
    Ok(call.ok(&json!({"success": true})))
}

/// `POST /v1/track` and `/v1/identify`.
pub fn single(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let body = call.json.as_ref().filter(|body| body.is_object()).ok_or_else(invalid)?;
    let mut event = body.clone();
    let kind = call.operation.name.rsplit('.').next().unwrap_or_default();
    event["type"] = json!(kind);
    accept(world, body, &[event], false)?;
    Ok(call.ok(&json!({"success": true})))
}

fn invalid() -> Failure {
    Failure::plain(400, "malformed JSON")
}

fn accept(world: &World, body: &Value, events: &[Value], too_many: bool) -> Result<(), Failure> {
    if events.iter().any(|event| event.to_string().len() > MOST_EVENT_BYTES) {
        return Err(Failure::plain(400, "An event is larger than 32 KB."));
    }
    let write_key = body.get("writeKey").and_then(Value::as_str).unwrap_or_default().to_owned();
    let account = world.account();
    let keys = &account.seed.segment.write_keys;
    let unknown = !keys.is_empty() && !keys.contains(&write_key);
    let received_ms = world.now();
    let mut tracked = lock(&world.tracked);
    for event in events {
        let id = event.get("messageId").and_then(Value::as_str).map(str::to_owned);
        let repeated = id.is_some_and(|id| !tracked.seen.insert(id));
        let discarded = match () {
            () if unknown => Some("unknown_source"),
            () if too_many => Some("empty_batch"),
            () if repeated => Some("duplicate"),
            () => reason_to_discard(event),
        };
        let one = Tracked { received_ms, write_key: write_key.clone(), event: event.clone(), discarded };
        tracked.push(one, world.options.log_capacity);
    }
    Ok(())
}

fn reason_to_discard(event: &Value) -> Option<&'static str> {
    let is_text = |key: &str| event.get(key).is_some_and(Value::is_string);
    if !is_text("userId") && !is_text("anonymousId") {
        return Some("no_user_anon_id");
    }
    if event.get("type").and_then(Value::as_str) == Some("track") {
        match event.get("event") {
            None => return Some("event_not_defined"),
            Some(name) if !name.is_string() => return Some("event_not_string"),
            Some(_) => {}
        }
    }
    let is_object_or_absent = |key: &str| event.get(key).is_none_or(Value::is_object);
    if !is_object_or_absent("properties") {
        return Some("properties_not_object");
    }
    (!is_object_or_absent("traits")).then_some("traits_not_object")
}

/// The write key comes in the body or as the Basic user name with an empty password.
pub fn add_write_key(body: &mut Value, credential: Option<&Credential>) {
    if let (Value::Object(fields), Some(credential)) = (body, credential)
        && !fields.contains_key("writeKey")
    {
        fields.insert("writeKey".to_owned(), json!(credential.user));
    }
}
