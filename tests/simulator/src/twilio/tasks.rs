//! `TaskRouter` tasks, as far as they are looked for: by an attribute in a list, which itself shows no attributes, and one by one.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::clock::iso8601;
use crate::lock::lock;
use crate::tables::Product;
use crate::twilio::flex::Task;
use crate::twilio::paging;
use crate::world::World;

/// `GET …/Tasks`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let workspace = workspace(world, call)?;
    let wanted = match call.query("EvaluateTaskAttributes") {
        Some(expression) => Some(equality(expression).ok_or_else(|| {
            let message = format!("Invalid expression {expression}; simulated is an attribute that equals a text");
            Failure::bad(20001, message)
        })?),
        None => None,
    };
    let now = world.now();
    let is_meant = |task: &&Task| {
        task.workspace_sid == workspace
            && now - task.created_ms >= call.reads.list_lag_ms
            && wanted.as_ref().is_none_or(|(name, value)| task.attributes[name.as_str()] == json!(value))
            && call
                .query("AssignmentStatus")
                .is_none_or(|status| status.split(',').any(|one| one == task.assignment_status))
            && call.query("WorkflowSid").is_none_or(|sid| sid == task.workflow_sid)
    };
    let rows: Vec<Task> = lock(&world.flex).tasks.iter().filter(is_meant).cloned().collect();
    paging::list(world, call, rows.len(), |index| {
        let mut row = resource(world, &rows[index]);
        row["attributes"] = Value::Null;
        row
    })
}

/// `GET …/Tasks/{WT}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let workspace = workspace(world, call)?;
    let flex = lock(&world.flex);
    let mut of_workspace = flex.tasks.iter().filter(|task| task.workspace_sid == workspace);
    let task = of_workspace.find(|task| task.sid == call.path_param("Sid")).cloned();
    drop(flex);
    Ok(call.ok(&resource(world, &task.ok_or_else(|| call.not_found())?)))
}

fn workspace(world: &World, call: &Call) -> Result<String, Failure> {
    let account = world.account();
    account.workspace(call.path_param("WorkspaceSid")).map(|one| one.sid.clone()).ok_or_else(|| call.not_found())
}

/// `name == "value"`, with one or two signs and either quotes.
fn equality(expression: &str) -> Option<(String, String)> {
    let (name, value) = expression.split_once('=')?;
    let value = value.strip_prefix('=').unwrap_or(value).trim();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let value = value.strip_prefix(quote)?.strip_suffix(quote).filter(|inside| !inside.contains(quote))?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '.'));
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

fn resource(world: &World, task: &Task) -> Value {
    let url = format!(
        "{}/v1/Workspaces/{}/Tasks/{}",
        paging::origin(world, Product::Taskrouter),
        task.workspace_sid,
        task.sid
    );
    json!({
        "sid": task.sid, "account_sid": world.account().sid(), "workspace_sid": task.workspace_sid,
        "workflow_sid": task.workflow_sid, "task_queue_sid": task.queue_sid,
        "task_channel_sid": task.task_channel_sid, "task_channel_unique_name": task.task_channel_unique_name,
        "attributes": task.attributes.to_string(), "assignment_status": task.assignment_status,
        "priority": task.priority, "timeout": task.timeout, "reason": null,
        "date_created": iso8601(task.created_ms), "date_updated": iso8601(task.created_ms), "links": {}, "url": url,
    })
}
