//! Executions: start over REST, list, fetch, end, delete, and the steps (twilio.md 3.1).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::clock::{iso8601, parse_instant};
use crate::lock::lock;
use crate::twilio::paging;
use crate::world::World;

use super::flows::url;
use super::runtime;
use super::store::Execution;

/// `POST …/Executions`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let flow_sid = call.path_param("Sid");
    let sid = world.sids.make("FN");
    let parameters: Value =
        call.param("Parameters").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(json!({}));
    let to = runtime::contact(call.param("To").unwrap_or_default());
    let (execution, definition) = {
        let mut studio = lock(&world.studio);
        let flow = studio.flow(flow_sid).ok_or_else(|| call.not_found())?;
        let published = flow.latest_published().ok_or_else(|| call.not_found())?;
        let definition = Arc::clone(&published.definition);
        let execution = Execution {
            sid: sid.clone(),
            flow_sid: flow_sid.to_owned(),
            flow_version: published.revision,
            status: "active",
            contact_channel_address: to.clone(),
            conversation_sid: None,
            webhook_sid: None,
            waiting_at: None,
            context: json!({
                "trigger": {"request": {"parameters": parameters}},
                "flow": {"sid": sid, "flow_sid": flow_sid, "variables": {}, "data": parameters, "channel": {"address": call.param("From")}},
                "contact": {"channel": {"address": to}},
                "widgets": {},
            }),
            steps: Vec::new(),
            created_ms: world.now(),
        };
        studio.put(execution.clone());
        (execution, definition)
    };
    let answer = call.created(&sid, &resource(world, &execution));
    runtime::start(world, execution, &definition, "incomingRequest");
    Ok(answer)
}

/// `GET …/Executions`, newest first.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let flow_sid = call.path_param("Sid");
    let studio = lock(&world.studio);
    if studio.flow(flow_sid).is_none() {
        return Err(call.not_found());
    }
    let bound = |name: &str| call.query(name).and_then(parse_instant);
    let (from, to) = (bound("DateCreatedFrom"), bound("DateCreatedTo"));
    let is_listed = |one: &&Execution| {
        one.flow_sid == flow_sid
            && call.query("status").is_none_or(|status| status == one.status)
            && from.is_none_or(|(start, _)| one.created_ms >= start)
            && to.is_none_or(|(start, length)| one.created_ms < start + length)
    };
    let rows: Vec<Execution> = studio.executions.iter().rev().filter(is_listed).cloned().collect();
    drop(studio);
    paging::list(world, call, rows.len(), |index| resource(world, &rows[index]))
}

/// `GET …/Executions/{FN}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    Ok(call.ok(&resource(world, &find(world, call)?)))
}

/// `POST …/Executions/{FN}` with `Status=ended`.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut execution = find(world, call)?;
    if call.param("Status") == Some("ended") {
        execution.status = "ended";
        execution.waiting_at = None;
    }
    lock(&world.studio).put(execution.clone());
    Ok(call.created(&execution.sid, &resource(world, &execution)))
}

/// `DELETE …/Executions/{FN}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let execution = find(world, call)?;
    lock(&world.studio).executions.retain(|one| one.sid != execution.sid);
    Ok(Answer::removed(&execution.sid))
}

/// `GET …/Executions/{FN}/Steps`, oldest first.
pub fn steps(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let execution = find(world, call)?;
    let account_sid = world.account().sid().to_owned();
    paging::list(world, call, execution.steps.len(), |index| {
        let step = &execution.steps[index];
        json!({
            "sid": step.sid, "account_sid": account_sid, "flow_sid": execution.flow_sid,
            "execution_sid": execution.sid, "name": step.event, "context": {},
            "transitioned_from": step.transitioned_from, "transitioned_to": step.transitioned_to,
            "date_created": iso8601(step.created_ms), "date_updated": null,
            "url": format!("{}/Executions/{}/Steps/{}", url(world, &execution.flow_sid), execution.sid, step.sid),
        })
    })
}

fn find(world: &World, call: &Call) -> Result<Execution, Failure> {
    let studio = lock(&world.studio);
    let found = studio.execution(call.path_param("Sid"), call.path_param("ExecutionSid"));
    found.cloned().ok_or_else(|| call.not_found())
}

fn resource(world: &World, execution: &Execution) -> Value {
    let url = format!("{}/Executions/{}", url(world, &execution.flow_sid), execution.sid);
    json!({
        "sid": execution.sid,
        "account_sid": world.account().sid(),
        "flow_sid": execution.flow_sid,
        "contact_sid": execution.sid.replacen("FN", "FC", 1),
        "contact_channel_address": execution.contact_channel_address,
        "flow_version": execution.flow_version,
        "context": {},
        "status": execution.status,
        "initiated_by": null,
        "date_created": iso8601(execution.created_ms),
        "date_updated": null,
        "links": {"steps": format!("{url}/Steps"), "execution_context": format!("{url}/Context")},
        "url": url,
    })
}
