//! Conversations themselves: create, fetch, list, update, delete, and the account's configuration.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::clock::{duration_ms, iso8601, parse_instant};
use crate::lock::lock;
use crate::sids::is_sid;
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

use super::store::{Conversation, State};
use super::timers::Timers;
use super::{admit, events, named, open};

/// `GET /v1/Services`: the default service, and those that nothing is in.
pub fn services(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = &account.seed.conversations;
    let mut rows = vec![(&service.service_sid, &service.friendly_name)];
    rows.extend(service.others.iter().map(|other| (&other.sid, &other.friendly_name)));
    paging::list(world, call, rows.len(), |index| {
        let (sid, friendly_name) = rows[index];
        json!({
            "sid": sid, "account_sid": account.sid(), "friendly_name": friendly_name,
            "date_created": "2026-01-01T00:00:00Z", "date_updated": "2026-01-01T00:00:00Z",
            "url": format!("{}/v1/Services/{sid}", paging::origin(world, Product::Conversations)), "links": {},
        })
    })
}

/// `POST /v1/Conversations`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    admit(world, &account.seed.conversations.service_sid)?;
    let timers = Timers::of(call)?;
    if timers.any() && call.param("State").is_none() {
        return Err(Failure::bad(50382, "Timers need the State of the conversation to be set"));
    }
    if call.param("State") == Some("closed") {
        return Err(Failure::bad(50384, "A conversation cannot be created closed"));
    }
    let unique_name = call.param("UniqueName").filter(|name| !name.is_empty());
    check_unique_name(unique_name)?;
    let messaging_service_sid = messaging_service(&account, call)?;
    let defaults = &account.seed.conversations;
    let default = |timer: &Option<String>| timer.as_deref().and_then(duration_ms);
    let now = world.now();
    let mut store = lock(&world.conversations);
    if unique_name.is_some_and(|name| store.name_is_taken(name)) {
        return Err(name_taken());
    }
    let conversation = Conversation {
        sid: world.sids.make("CH"),
        unique_name: unique_name.map(str::to_owned),
        friendly_name: call.param("FriendlyName").map(str::to_owned),
        attributes: call.param("Attributes").unwrap_or("{}").to_owned(),
        state: State::parse(call.param("State").unwrap_or("active")),
        messaging_service_sid,
        inactive_after_ms: timers.inactive.or_else(|| default(&defaults.default_inactive_timer)),
        closed_after_ms: timers.closed.or_else(|| default(&defaults.default_closed_timer)),
        created_ms: now,
        updated_ms: now,
        participants: Vec::new(),
        webhooks: Vec::new(),
        messages: Vec::new(),
    };
    let answer = call.created(&conversation.sid, &resource(world, &account, &conversation));
    store.insert(conversation);
    Ok(answer)
}

/// `GET /v1/Conversations/{SidOrUniqueName}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let conversation = named(&mut lock(&world.conversations), call, now)?.clone();
    if now - conversation.created_ms < call.reads.hidden_ms {
        return Err(call.not_found());
    }
    Ok(call.ok(&resource(world, &world.account(), &conversation)))
}

/// `GET /v1/Conversations`, newest first.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let since = call.query("StartDate").and_then(parse_instant).map(|(start, _)| start);
    let until = call.query("EndDate").and_then(parse_instant).map(|(start, length)| start + length);
    let mut rows = lock(&world.conversations).all(now);
    rows.retain(|one| {
        now - one.created_ms >= call.reads.list_lag_ms
            && call.query("State").is_none_or(|state| state == one.state.name())
            && since.is_none_or(|since| one.created_ms >= since)
            && until.is_none_or(|until| one.created_ms < until)
    });
    rows.reverse();
    let account = world.account();
    paging::list(world, call, rows.len(), |index| resource(world, &account, &rows[index]))
}

/// `POST /v1/Conversations/{SidOrUniqueName}`.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let account = world.account();
    let timers = Timers::of(call)?;
    let new_name = call.param("UniqueName").filter(|name| !name.is_empty());
    check_unique_name(new_name)?;
    let service = messaging_service(&account, call)?;
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, now)?;
    admit(world, &conversation.sid)?;
    let sid = conversation.sid.clone();
    let before = conversation.state;
    let renamed = new_name.filter(|name| conversation.unique_name.as_deref() != Some(*name)).map(str::to_owned);
    if renamed.as_deref().is_some_and(|name| store.name_is_taken(name)) {
        return Err(name_taken());
    }
    if let Some(name) = renamed {
        store.rename(&sid, &name);
    }
    let conversation = store.get_mut(&sid).ok_or_else(|| call.not_found())?;
    if let Some(name) = call.param("FriendlyName") {
        conversation.friendly_name = Some(name.to_owned());
    }
    if let Some(attributes) = call.param("Attributes") {
        attributes.clone_into(&mut conversation.attributes);
    }
    if call.param("MessagingServiceSid").is_some() {
        conversation.messaging_service_sid = service;
    }
    conversation.inactive_after_ms = timers.inactive.or(conversation.inactive_after_ms);
    conversation.closed_after_ms = timers.closed.or(conversation.closed_after_ms);
    conversation.updated_ms = now;
    if let Some(state) = call.param("State") {
        store.set_state(&sid, State::parse(state));
    }
    let changed = store.get(&sid).cloned().ok_or_else(|| call.not_found())?;
    drop(store);
    if call.webhook_enabled && changed.state != before {
        events::state_updated(world, &changed, before);
    }
    Ok(call.created(&sid, &resource(world, &account, &changed)))
}

/// `DELETE /v1/Conversations/{SidOrUniqueName}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    admit(world, &world.account().seed.conversations.service_sid)?;
    let now = world.now();
    let mut store = lock(&world.conversations);
    let sid = named(&mut store, call, now)?.sid.clone();
    store.remove(&sid);
    Ok(Answer::removed(&sid))
}

/// `GET /v1/Configuration`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a handler")]
pub fn configuration(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = &account.seed.conversations;
    let url = format!("{}/v1/Configuration", paging::origin(world, Product::Conversations));
    Ok(call.ok(&json!({
        "account_sid": account.sid(),
        "default_chat_service_sid": service.service_sid,
        "default_messaging_service_sid": service.default_messaging_service_sid,
        "default_inactive_timer": service.default_inactive_timer,
        "default_closed_timer": service.default_closed_timer,
        "url": url,
        "links": {"service": url, "webhooks": format!("{url}/Webhooks")},
    })))
}

/// A conversation as the API shows it; `timers` holds points in time, not durations.
pub fn resource(world: &World, account: &Account, conversation: &Conversation) -> Value {
    let url = url(world, &conversation.sid);
    json!({
        "sid": conversation.sid,
        "account_sid": account.sid(),
        "chat_service_sid": account.seed.conversations.service_sid,
        "messaging_service_sid": conversation.messaging_service_sid,
        "friendly_name": conversation.friendly_name,
        "unique_name": conversation.unique_name,
        "attributes": conversation.attributes,
        "state": conversation.state,
        "timers": timers(conversation),
        "bindings": {},
        "date_created": iso8601(conversation.created_ms),
        "date_updated": iso8601(conversation.updated_ms),
        "links": {
            "participants": format!("{url}/Participants"),
            "messages": format!("{url}/Messages"),
            "webhooks": format!("{url}/Webhooks"),
        },
        "url": url,
    })
}

/// The absolute times at which the timers run out.
pub fn timers(conversation: &Conversation) -> Value {
    let mut shown = serde_json::Map::new();
    for (key, timer) in
        [("date_inactive", conversation.inactive_after_ms), ("date_closed", conversation.closed_after_ms)]
    {
        if let Some(after) = timer.filter(|_| conversation.state != State::Closed) {
            shown.insert(key.to_owned(), json!(iso8601(conversation.updated_ms + after)));
        }
    }
    Value::Object(shown)
}

/// The absolute URL of a conversation.
pub fn url(world: &World, sid: &str) -> String {
    format!("{}/v1/Conversations/{sid}", paging::origin(world, Product::Conversations))
}

fn check_unique_name(name: Option<&str>) -> Result<(), Failure> {
    match name {
        Some(name) if is_sid(name, "CH") => {
            Err(Failure::bad(50390, "A unique name must not look like a Conversation SID"))
        }
        _ => Ok(()),
    }
}

fn name_taken() -> Failure {
    Failure::new(409, 50353, "Conversation with provided unique name already exists")
}

fn messaging_service(account: &Account, call: &Call) -> Result<Option<String>, Failure> {
    match call.param("MessagingServiceSid") {
        None => Ok(account.seed.conversations.default_messaging_service_sid.clone()),
        Some(sid) if account.service(sid).is_some() => Ok(Some(sid.to_owned())),
        Some(sid) => Err(Failure::bad(50342, format!("Messaging Service {sid} does not belong to the account"))),
    }
}
