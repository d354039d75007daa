//! Conversation-scoped webhooks (twilio.md 6.4): at most five, nothing stops two equal ones.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::clock::iso8601;
use crate::lock::lock;
use crate::twilio::paging;
use crate::world::World;

use super::lifecycle::url;
use super::store::{Conversation, Webhook};
use super::{admit, named, open};

const MOST: usize = 5;

/// `POST …/Webhooks`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let webhook = Webhook {
        sid: world.sids.make("WH"),
        target: call.param("Target").unwrap_or_default().to_owned(),
        flow_sid: call.param("Configuration.FlowSid").map(str::to_owned),
        url: call.param("Configuration.Url").map(str::to_owned),
        method: call.param("Configuration.Method").map(str::to_uppercase),
        filters: call.params("Configuration.Filters"),
        triggers: call.params("Configuration.Triggers"),
        created_ms: now,
    };
    check(&webhook)?;
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, now)?;
    admit(world, &conversation.sid)?;
    if conversation.webhooks.len() >= MOST {
        return Err(Failure::bad(50361, "A conversation can have at most 5 webhooks"));
    }
    let answer = call.created(&webhook.sid, &resource(world, &world.account(), &conversation.sid, &webhook));
    conversation.webhooks.push(webhook);
    Ok(answer)
}

fn check(webhook: &Webhook) -> Result<(), Failure> {
    match webhook.target.as_str() {
        "studio" if webhook.flow_sid.is_none() => Err(Failure::bad(50367, "Configuration.FlowSid is missing")),
        "webhook" | "trigger" if webhook.url.is_none() => {
            Err(Failure::bad(20001, "Missing required parameter Configuration.Url in the post body"))
        }
        "webhook" if webhook.filters.is_empty() => Err(Failure::bad(50370, "Configuration.Filters is missing")),
        _ => Ok(()),
    }
}

/// `GET …/Webhooks`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let account = world.account();
    let conversation = named(&mut lock(&world.conversations), call, now)?.clone();
    let is_listed = |one: &&Webhook| now - one.created_ms >= call.reads.list_lag_ms;
    let rows: Vec<&Webhook> = conversation.webhooks.iter().filter(is_listed).collect();
    paging::list(world, call, rows.len(), |index| resource(world, &account, &conversation.sid, rows[index]))
}

/// `GET …/Webhooks/{WH}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let conversation = named(&mut lock(&world.conversations), call, world.now())?.clone();
    let webhook = conversation.webhooks.iter().find(|one| one.sid == call.path_param("Sid"));
    let webhook = webhook.ok_or_else(|| call.not_found())?;
    Ok(call.ok(&resource(world, &world.account(), &conversation.sid, webhook)))
}

/// `POST …/Webhooks/{WH}`.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, world.now())?;
    admit(world, &conversation.sid)?;
    let conversation_sid = conversation.sid.clone();
    let webhook = find(conversation, call)?;
    if let Some(flow) = call.param("Configuration.FlowSid") {
        webhook.flow_sid = Some(flow.to_owned());
    }
    if let Some(url) = call.param("Configuration.Url") {
        webhook.url = Some(url.to_owned());
    }
    if call.param("Configuration.Filters").is_some() {
        webhook.filters = call.params("Configuration.Filters");
    }
    let answer = resource(world, &world.account(), &conversation_sid, webhook);
    Ok(call.created(&webhook.sid.clone(), &answer))
}

/// `DELETE …/Webhooks/{WH}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, world.now())?;
    admit(world, &conversation.sid)?;
    let sid = find(conversation, call)?.sid.clone();
    conversation.webhooks.retain(|one| one.sid != sid);
    Ok(Answer::removed(&sid))
}

fn find<'c>(conversation: &'c mut Conversation, call: &Call) -> Result<&'c mut Webhook, Failure> {
    let sid = call.path_param("Sid");
    conversation.webhooks.iter_mut().find(|one| one.sid == sid).ok_or_else(|| call.not_found())
}

/// A webhook as the API shows it; a studio webhook's configuration is the flow and nothing else.
fn resource(world: &World, account: &Account, conversation_sid: &str, webhook: &Webhook) -> Value {
    let configuration = match webhook.target.as_str() {
        "studio" => json!({"flow_sid": webhook.flow_sid}),
        _ => json!({
            "url": webhook.url, "method": webhook.method, "filters": webhook.filters, "triggers": webhook.triggers,
        }),
    };
    json!({
        "sid": webhook.sid,
        "account_sid": account.sid(),
        "conversation_sid": conversation_sid,
        "target": webhook.target,
        "configuration": configuration,
        "url": format!("{}/Webhooks/{}", url(world, conversation_sid), webhook.sid),
        "date_created": iso8601(webhook.created_ms),
        "date_updated": iso8601(webhook.created_ms),
    })
}
