//! Flows: create, fetch, list, update, delete, validate, test users (twilio.md 3.1–3.4).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::clock::{Millis, iso8601};
use crate::lock::lock;
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

use super::store::{Flow, Revision};
use super::validate;

/// `POST /v2/Flows`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let definition = definition(call)?.unwrap_or_default();
    let flow = Flow {
        sid: world.sids.make("FW"),
        revisions: vec![Revision {
            revision: 1,
            friendly_name: call.param("FriendlyName").unwrap_or_default().to_owned(),
            status: call.param("Status").unwrap_or_default().to_owned(),
            definition: Arc::new(definition),
            commit_message: call.param("CommitMessage").map(str::to_owned),
            author_sid: None,
            created_ms: world.now(),
        }],
        test_users: Vec::new(),
    };
    let answer = call.created(&flow.sid, &resource(world, &flow, flow.latest(), false));
    lock(&world.studio).flows.push(flow);
    Ok(answer)
}

/// `POST /v2/Flows/{FW}`: every save makes a revision; without `Definition` the newest one is taken again.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let definition = definition(call)?;
    let now = world.now();
    let mut studio = lock(&world.studio);
    let flow = studio.flow_mut(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    let latest = flow.latest().cloned().ok_or_else(|| call.not_found())?;
    flow.revisions.push(Revision {
        revision: latest.revision + 1,
        friendly_name: call.param("FriendlyName").map_or(latest.friendly_name, str::to_owned),
        status: call.param("Status").unwrap_or_default().to_owned(),
        definition: definition.map_or(latest.definition, Arc::new),
        commit_message: call.param("CommitMessage").map(str::to_owned),
        author_sid: None,
        created_ms: now,
    });
    Ok(call.created(&flow.sid.clone(), &resource(world, flow, flow.latest(), false)))
}

/// `GET /v2/Flows/{FW}`: the newest revision, draft or not.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let studio = lock(&world.studio);
    let flow = studio.flow(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    let visible = visible(flow, call, world.now()).ok_or_else(|| call.not_found())?;
    Ok(call.ok(&resource(world, flow, visible.last(), false)))
}

/// The revisions a read shows: faults hide new flows and new revisions.
pub(super) fn visible<'f>(flow: &'f Flow, call: &Call, now: Millis) -> Option<&'f [Revision]> {
    let created = flow.revisions.first()?.created_ms;
    if now - created < call.reads.hidden_ms {
        return None;
    }
    let settled = |revision: &&Revision| now - revision.created_ms >= call.reads.stale_ms;
    let count = flow.revisions.iter().take_while(settled).count().max(1);
    flow.revisions.get(..count)
}

/// `GET /v2/Flows`: newest first, without definitions.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let is_listed =
        |flow: &&Flow| flow.revisions.first().is_some_and(|first| now - first.created_ms >= call.reads.list_lag_ms);
    let rows: Vec<Flow> = lock(&world.studio).flows.iter().rev().filter(is_listed).cloned().collect();
    paging::list(world, call, rows.len(), |index| resource(world, &rows[index], rows[index].latest(), true))
}

/// `DELETE /v2/Flows/{FW}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let sid = call.path_param("Sid");
    let mut studio = lock(&world.studio);
    if studio.flow(sid).is_none() {
        return Err(call.not_found());
    }
    studio.flows.retain(|flow| flow.sid != sid);
    Ok(Answer::removed(sid))
}

/// `POST /v2/Flows/Validate`.
pub fn validate(_: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    definition(call)?;
    Ok(call.ok(&json!({"valid": true})))
}

/// `GET /v2/Flows/{FW}/TestUsers`.
pub fn test_users(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let studio = lock(&world.studio);
    let flow = studio.flow(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    Ok(call.ok(&users(world, flow)))
}

/// `POST /v2/Flows/{FW}/TestUsers`: the list is replaced as a whole.
pub fn set_test_users(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut studio = lock(&world.studio);
    let flow = studio.flow_mut(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    flow.test_users = call.params("TestUsers").into_iter().filter(|user| !user.is_empty()).collect();
    Ok(call.created(&flow.sid.clone(), &users(world, flow)))
}

fn users(world: &World, flow: &Flow) -> Value {
    json!({"sid": flow.sid, "test_users": flow.test_users, "url": format!("{}/TestUsers", url(world, &flow.sid))})
}

/// The definition in a request, as JSON and without problems; 81022 otherwise.
fn definition(call: &Call) -> Result<Option<Value>, Failure> {
    let Some(text) = call.param("Definition") else { return Ok(None) };
    let (parsed, problems) = match serde_json::from_str::<Value>(text) {
        Ok(parsed) => {
            let problems = validate::problems(&parsed);
            (parsed, problems)
        }
        Err(error) => (
            Value::Null,
            vec![validate::Problem { message: format!("is not JSON: {error}"), property_path: "#".to_owned() }],
        ),
    };
    if problems.is_empty() {
        return Ok(Some(parsed));
    }
    let mut failure = Failure::bad(81022, "Flow definition validation failed");
    failure.details = Some(Box::new(json!({"errors": problems})));
    Err(failure)
}

/// A flow as the API shows it; list rows have no definition and no validation result.
fn resource(world: &World, flow: &Flow, shown: Option<&Revision>, in_list: bool) -> Value {
    let account_sid = world.account().sid().to_owned();
    let Some(shown) = shown else { return Value::Null };
    let url = url(world, &flow.sid);
    let full = |value: Value| if in_list { Value::Null } else { value };
    let created = flow.revisions.first().map_or(shown.created_ms, |first| first.created_ms);
    json!({
        "sid": flow.sid,
        "account_sid": account_sid,
        "author_sid": shown.author_sid,
        "friendly_name": shown.friendly_name,
        "definition": full(Value::clone(&shown.definition)),
        "status": shown.status,
        "revision": shown.revision,
        "commit_message": full(json!(shown.commit_message)),
        "valid": full(json!(true)),
        "errors": full(json!([])),
        "warnings": full(json!([])),
        "date_created": iso8601(created),
        "date_updated": (shown.revision > 1).then(|| iso8601(shown.created_ms)),
        "webhook_url": format!("https://webhooks.twilio.com/v1/Accounts/{account_sid}/Flows/{}", flow.sid),
        "links": {
            "revisions": format!("{url}/Revisions"),
            "test_users": format!("{url}/TestUsers"),
            "executions": format!("{url}/Executions"),
        },
        "url": url,
    })
}

/// The absolute URL of a flow.
pub(super) fn url(world: &World, sid: &str) -> String {
    format!("{}/v2/Flows/{sid}", paging::origin(world, Product::Studio))
}
