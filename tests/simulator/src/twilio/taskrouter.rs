//! `TaskRouter` look-ups (twilio.md 7.3): workspaces, workflows, task queues, task channels. The list of task channels
//! has the key `channels`, and a task channel is found by SID or unique name.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::seed::{Named, TaskChannel, Workspace};
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// `GET /v1/Workspaces`.
pub fn workspaces(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let is_meant = |one: &&Workspace| call.query("FriendlyName").is_none_or(|name| name == one.friendly_name);
    let rows: Vec<&Workspace> = account.seed.workspaces.iter().filter(is_meant).collect();
    paging::list(world, call, rows.len(), |index| workspace_resource(world, &account, rows[index]))
}

/// `GET /v1/Workspaces/{WS}`.
pub fn workspace(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    Ok(call.ok(&workspace_resource(world, &account, of(&account, call)?)))
}

/// `GET …/Workflows`.
pub fn workflows(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    named_list(world, call, &account, of(&account, call)?, &of(&account, call)?.workflows, "Workflows")
}

/// `GET …/Workflows/{WW}`.
pub fn workflow(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    named_one(world, call, &account, of(&account, call)?, &of(&account, call)?.workflows, "Workflows")
}

/// `GET …/TaskQueues`.
pub fn queues(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    named_list(world, call, &account, of(&account, call)?, &of(&account, call)?.task_queues, "TaskQueues")
}

/// `GET …/TaskQueues/{WQ}`.
pub fn queue(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    named_one(world, call, &account, of(&account, call)?, &of(&account, call)?.task_queues, "TaskQueues")
}

/// `GET …/TaskChannels`.
pub fn channels(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let workspace = of(&account, call)?;
    let rows = &workspace.task_channels;
    paging::list(world, call, rows.len(), |index| channel_resource(world, &account, workspace, &rows[index]))
}

/// `GET …/TaskChannels/{SidOrUniqueName}`.
pub fn channel(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let workspace = of(&account, call)?;
    let wanted = call.path_param("Sid");
    let found = workspace.task_channels.iter().find(|one| one.sid == wanted || one.unique_name == wanted);
    Ok(call.ok(&channel_resource(world, &account, workspace, found.ok_or_else(|| call.not_found())?)))
}

fn of<'a>(account: &'a Account, call: &Call) -> Result<&'a Workspace, Failure> {
    account.workspace(call.path_param("WorkspaceSid")).ok_or_else(|| call.not_found())
}

fn named_list(
    world: &World,
    call: &Call,
    account: &Account,
    workspace: &Workspace,
    all: &[Named],
    collection: &str,
) -> Result<Answer, Failure> {
    let is_meant = |one: &&Named| call.query("FriendlyName").is_none_or(|name| name == one.friendly_name);
    let rows: Vec<&Named> = all.iter().filter(is_meant).collect();
    paging::list(world, call, rows.len(), |index| named_resource(world, account, workspace, rows[index], collection))
}

fn named_one(
    world: &World,
    call: &Call,
    account: &Account,
    workspace: &Workspace,
    all: &[Named],
    collection: &str,
) -> Result<Answer, Failure> {
    let found = all.iter().find(|one| one.sid == call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    Ok(call.ok(&named_resource(world, account, workspace, found, collection)))
}

fn base(world: &World, workspace_sid: &str) -> String {
    format!("{}/v1/Workspaces/{workspace_sid}", paging::origin(world, Product::Taskrouter))
}

fn workspace_resource(world: &World, account: &Account, workspace: &Workspace) -> Value {
    let url = base(world, &workspace.sid);
    json!({
        "sid": workspace.sid, "account_sid": account.sid(), "friendly_name": workspace.friendly_name,
        "multi_task_enabled": true, "default_activity_name": "Offline", "default_activity_sid": null,
        "timeout_activity_name": "Offline", "timeout_activity_sid": null, "prioritize_queue_order": "FIFO",
        "event_callback_url": null, "events_filter": null, "date_created": LONG_AGO, "date_updated": LONG_AGO,
        "links": {
            "workflows": format!("{url}/Workflows"), "task_queues": format!("{url}/TaskQueues"),
            "task_channels": format!("{url}/TaskChannels"),
        },
        "url": url,
    })
}

fn named_resource(world: &World, account: &Account, workspace: &Workspace, one: &Named, collection: &str) -> Value {
    let mut resource = json!({
        "sid": one.sid, "account_sid": account.sid(), "workspace_sid": workspace.sid,
        "friendly_name": one.friendly_name, "date_created": LONG_AGO, "date_updated": LONG_AGO,
        "url": format!("{}/{collection}/{}", base(world, &workspace.sid), one.sid), "links": {},
    });
    if collection == "Workflows" {
        resource["configuration"] = json!("{\"task_routing\":{\"filters\":[]}}");
        resource["assignment_callback_url"] = json!("");
        resource["task_reservation_timeout"] = json!(120);
        resource["document_content_type"] = json!("application/json");
    }
    resource
}

fn channel_resource(world: &World, account: &Account, workspace: &Workspace, channel: &TaskChannel) -> Value {
    json!({
        "sid": channel.sid, "account_sid": account.sid(), "workspace_sid": workspace.sid,
        "unique_name": channel.unique_name, "friendly_name": channel.friendly_name, "channel_optimized_routing": null,
        "date_created": LONG_AGO, "date_updated": LONG_AGO,
        "url": format!("{}/TaskChannels/{}", base(world, &workspace.sid), channel.sid), "links": {},
    })
}
