//! The control API, `/_sim/…`: JSON in and out, no credentials (the simulator listens on loopback).

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::actions;
use crate::faults::FaultRule;
use crate::form;
use crate::seed::{Profile, Template};
use crate::snapshot::snapshot;
use crate::twilio::conversations::inbound;
use crate::world::World;

type Reply = Result<Value, (u16, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyBody {
    from: String,
    to: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConversationReplyBody {
    address: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalBody {
    status: Option<String>,
    category: Option<String>,
    rejection_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditBody {
    definition: Option<Value>,
    #[serde(default = "published")]
    status: String,
    commit_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    token: String,
    #[serde(default)]
    keep_old: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    advance_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderBody {
    status: String,
}

fn published() -> String {
    "published".to_owned()
}

/// Answers a control request; `action` is the path below `/_sim/`.
pub fn answer(world: &Arc<World>, method: &str, action: &str, query: &str, body: &Bytes) -> Response<Full<Bytes>> {
    let pieces: Option<Vec<String>> = action.split('/').map(|piece| form::decode_segment(piece).ok()).collect();
    let pieces = pieces.unwrap_or_default();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    match act(world, method, &pieces, query, body) {
        Ok(value) => json_response(200, &value),
        Err((status, message)) => json_response(status, &json!({"error": message})),
    }
}

/// 404 for a path that is neither a product's nor a control action.
pub fn no_such_path(path: &str) -> Response<Full<Bytes>> {
    let message = format!(
        "nothing is simulated at {path}; Twilio is under /twilio/{{product}}, Segment under /segment/profiles and \
         /segment/tracking, and the control API under /_sim"
    );
    json_response(404, &json!({"error": message}))
}

fn act(world: &Arc<World>, method: &str, pieces: &[&str], query: &str, body: &Bytes) -> Reply {
    match (method, pieces) {
        ("POST", ["reset"]) => {
            world.reset();
            Ok(done())
        }
        ("GET", ["requests"]) => {
            let query = form::parse(query.as_bytes()).unwrap_or_default();
            let since = form::first(&query, "since").and_then(|since| since.parse().ok()).unwrap_or(0);
            to_value(&world.log.since(since))
        }
        ("DELETE", ["requests"]) => {
            world.log.clear();
            Ok(done())
        }
        ("GET", ["state"]) => to_value(&snapshot(world)),
        ("GET", ["faults"]) => {
            let rules = world.faults.rules();
            Ok(rules.iter().map(|(rule, fired)| json!({"rule": rule, "fired": fired})).collect())
        }
        ("PUT", ["faults"]) => {
            world.faults.set(fault_rules(body)?);
            Ok(done())
        }
        ("DELETE", ["faults"]) => {
            world.faults.set(Vec::new());
            Ok(done())
        }
        ("PUT", ["profiles", space, key]) => {
            actions::put_profile(world, space, key, read::<Profile>(body)?);
            Ok(done())
        }
        ("POST", ["reply"]) => {
            let ReplyBody { from, to, body } = read(body)?;
            to_value(&inbound::reply(world, &from, &to, &body))
        }
        ("POST", ["conversations", sid, "reply"]) => {
            let ConversationReplyBody { address, body } = read(body)?;
            let reply = inbound::reply_in(world, sid, &address, &body);
            to_value(&reply.ok_or_else(|| missing("open conversation with this participant"))?)
        }
        ("POST", ["conversations", sid, "close"]) => found(actions::close_conversation(world, sid), "conversation"),
        ("PUT", ["content", sid, "approval"]) => {
            let ApprovalBody { status, category, rejection_reason } = read(body)?;
            let is_found = actions::set_approval(world, sid, status.as_deref(), category.as_deref());
            if let Some(reason) = rejection_reason {
                actions::set_rejection_reason(world, sid, &reason);
            }
            found(is_found, "template")
        }
        ("PUT", ["content"]) => {
            actions::put_template(world, read::<Template>(body)?);
            Ok(done())
        }
        ("DELETE", ["content", sid]) => found(actions::remove_template(world, sid), "template"),
        ("PUT", ["senders", number]) => {
            let SenderBody { status } = read(body)?;
            found(actions::set_sender_status(world, number, &status), "sender")
        }
        ("PUT", ["failing-interactions"]) => {
            actions::fail_interactions(world, &read::<Vec<u32>>(body)?);
            Ok(done())
        }
        ("PUT", ["default-service", sid]) => {
            actions::set_default_service(world, sid);
            Ok(done())
        }
        ("POST", ["flows", sid, "edit"]) => {
            let EditBody { definition, status, commit_message } = read(body)?;
            let revision = actions::edit_flow(world, sid, definition, &status, commit_message.as_deref());
            Ok(json!({"revision": revision.ok_or_else(|| missing("flow"))?}))
        }
        ("POST", ["auth-token"]) => {
            let TokenBody { token, keep_old } = read(body)?;
            actions::rotate_auth_token(world, &token, keep_old);
            Ok(done())
        }
        ("POST", ["clock"]) => {
            let ClockBody { advance_seconds } = read(body)?;
            actions::advance_clock(world, advance_seconds);
            Ok(done())
        }
        _ => Err((404, format!("there is no control action {method} /_sim/{}", pieces.join("/")))),
    }
}

/// A list of rules, or one; a key that no kind of fault has is an error.
fn fault_rules(body: &Bytes) -> Result<Vec<FaultRule>, (u16, String)> {
    const KEYS: [&str; 8] = ["match", "kind", "probability", "times", "retry_after", "status", "ms", "after_ms"];
    let parsed: Value = read(body)?;
    let list = if parsed.is_array() { parsed } else { json!([parsed]) };
    let keys = list.as_array().into_iter().flatten().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
    if let Some(unknown) = keys.into_iter().find(|key| !KEYS.contains(&key.as_str())) {
        return Err((400, format!("a fault rule has no field '{unknown}'")));
    }
    serde_json::from_value(list).map_err(|error| (400, format!("the fault rules cannot be read: {error}")))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body cannot be read: {error}")))
}

fn to_value<T: serde::Serialize>(value: &T) -> Reply {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

fn done() -> Value {
    json!({"ok": true})
}

fn missing(what: &str) -> (u16, String) {
    (404, format!("there is no such {what}"))
}

fn found(is_found: bool, what: &str) -> Reply {
    if is_found { Ok(done()) } else { Err(missing(what)) }
}

fn json_response(status: u16, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
