//! Flex (twilio.md 7.1, 7.2): its configuration, interactions with their channel, and the tasks they make. A channel is
//! in `setup` at first and then `active` or `failed`: acceptance says nothing about the outcome.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::clock::{Millis, iso8601};
use crate::lock::lock;
use crate::tables::Product;
use crate::twilio::conversations::store::State;
use crate::twilio::interactions::Request;
use crate::twilio::paging;
use crate::world::World;

/// Interactions and tasks.
#[derive(Debug, Default)]
pub struct Flex {
    /// Oldest first.
    pub interactions: Vec<Interaction>,
    /// Oldest first.
    pub tasks: Vec<Task>,
    /// Codes with which the channels of the next interactions fail.
    pub failing: VecDeque<u32>,
}

/// An interaction with its one channel.
#[derive(Debug, Clone, Serialize)]
pub struct Interaction {
    /// `KD…`.
    pub sid: String,
    /// `UO…`.
    pub channel_sid: String,
    /// `whatsapp`, …
    pub channel_type: String,
    /// `customer`, `agent`, `api`.
    pub initiated_by: String,
    /// The conversation behind it.
    pub conversation_sid: Option<String>,
    /// The task it made.
    pub task_sid: String,
    /// Why its channel fails, if it does.
    pub error_code: Option<u32>,
    /// `closed` or `inactive`, once it was set so.
    pub ended: Option<String>,
    /// `rest` or `studio`.
    pub origin: &'static str,
    /// When it was accepted.
    pub created_ms: Millis,
}

/// A `TaskRouter` task.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    /// `WT…`.
    pub sid: String,
    /// `WS…`.
    pub workspace_sid: String,
    /// `WW…`.
    pub workflow_sid: String,
    /// `TC…`.
    pub task_channel_sid: String,
    /// E.g. `chat`.
    pub task_channel_unique_name: String,
    /// `WQ…`.
    pub queue_sid: Option<String>,
    /// Attributes, those of the interaction included.
    pub attributes: Value,
    /// 0 unless it was given.
    pub priority: i64,
    /// Seconds that it may wait.
    pub timeout: i64,
    /// `pending`, …
    pub assignment_status: &'static str,
    /// The interaction that made it.
    pub interaction_sid: String,
    /// When it was made.
    pub created_ms: Millis,
}

/// What `send-to-flex` hands over.
#[derive(Debug)]
pub struct Handover {
    /// `WW…`.
    pub workflow_sid: String,
    /// `TC…`.
    pub task_channel_sid: String,
    /// The conversation.
    pub conversation_sid: Option<String>,
    /// The customer.
    pub customer_address: String,
    /// Task attributes.
    pub attributes: Value,
}

/// Makes the interaction and task of a `send-to-flex` widget, or says why it cannot.
pub fn enqueue(world: &Arc<World>, handover: &Handover) -> Result<(), String> {
    let account = world.account();
    let workspace = account
        .seed
        .workspaces
        .iter()
        .find(|workspace| workspace.workflows.iter().any(|one| one.sid == handover.workflow_sid))
        .ok_or_else(|| format!("workflow {} does not exist", handover.workflow_sid))?;
    let channel = workspace
        .task_channels
        .iter()
        .find(|one| one.sid == handover.task_channel_sid)
        .ok_or_else(|| format!("task channel {} does not exist", handover.task_channel_sid))?;
    let request = Request {
        channel_type: crate::twilio::addresses::channel(&handover.customer_address).to_owned(),
        initiated_by: "customer".to_owned(),
        conversation_sid: handover.conversation_sid.clone(),
        customer_address: Some(handover.customer_address.clone()),
        error_code: None,
        workspace_sid: workspace.sid.clone(),
        workflow_sid: handover.workflow_sid.clone(),
        task_channel_sid: channel.sid.clone(),
        task_channel_unique_name: channel.unique_name.clone(),
        queue_sid: workspace.task_queues.first().map(|queue| queue.sid.clone()),
        attributes: handover.attributes.clone(),
        priority: None,
        timeout: None,
        origin: "studio",
    };
    open(world, request);
    Ok(())
}

/// Records an accepted interaction with its task.
pub fn open(world: &World, request: Request) -> (Interaction, Task) {
    let now = world.now();
    let interaction = Interaction {
        sid: world.sids.make("KD"),
        channel_sid: world.sids.make("UO"),
        channel_type: request.channel_type,
        initiated_by: request.initiated_by,
        conversation_sid: request.conversation_sid,
        task_sid: world.sids.make("WT"),
        error_code: request.error_code,
        ended: None,
        origin: request.origin,
        created_ms: now,
    };
    let mut attributes = request.attributes;
    for (key, value) in [
        ("conversationSid", json!(interaction.conversation_sid)),
        ("flexInteractionSid", json!(interaction.sid)),
        ("flexInteractionChannelSid", json!(interaction.channel_sid)),
        ("flexChannelInviteSid", json!(world.sids.make("KG"))),
        ("channelType", json!(interaction.channel_type)),
        ("customerAddress", json!(request.customer_address)),
        ("initiatedBy", json!(interaction.initiated_by)),
        ("direction", json!(if interaction.initiated_by == "agent" { "outbound" } else { "inbound" })),
    ] {
        attributes[key] = value;
    }
    let task = Task {
        sid: interaction.task_sid.clone(),
        workspace_sid: request.workspace_sid,
        workflow_sid: request.workflow_sid,
        task_channel_sid: request.task_channel_sid,
        task_channel_unique_name: request.task_channel_unique_name,
        queue_sid: request.queue_sid,
        attributes,
        priority: request.priority.unwrap_or(0),
        timeout: request.timeout.unwrap_or(86_400),
        assignment_status: "pending",
        interaction_sid: interaction.sid.clone(),
        created_ms: now,
    };
    let mut flex = lock(&world.flex);
    flex.interactions.push(interaction.clone());
    flex.tasks.push(task.clone());
    (interaction, task)
}

impl Interaction {
    /// The status of its channel at a time.
    pub fn channel_status(&self, now: Millis, setup_ms: Millis) -> &str {
        match (&self.ended, self.error_code) {
            (Some(ended), _) => ended,
            (None, _) if now - self.created_ms < setup_ms => "setup",
            (None, Some(_)) => "failed",
            (None, None) => "active",
        }
    }
}

/// `GET /v1/Configuration`.
pub fn configuration(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let flex = account.seed.flex.as_ref().ok_or_else(|| call.not_found())?;
    Ok(call.ok(&json!({
        "account_sid": account.sid(),
        "status": flex.status,
        "taskrouter_workspace_sid": flex.taskrouter_workspace_sid,
        "taskrouter_target_workflow_sid": flex.taskrouter_target_workflow_sid,
        "taskrouter_target_taskqueue_sid": flex.taskrouter_target_taskqueue_sid,
        "chat_service_instance_sid": flex.chat_service_instance_sid,
        "flex_service_instance_sid": flex.chat_service_instance_sid,
        "flex_instance_sid": flex.flex_instance_sid,
        "messaging_service_instance_sid": account.seed.conversations.default_messaging_service_sid,
        "runtime_domain": "https://flex.example.com",
        "ui_version": "~2.0.0",
        "url": format!("{}/v1/Configuration", paging::origin(world, Product::FlexApi)),
    })))
}

/// `GET /v1/Interactions/{KD}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let (interaction, task) = find(world, call)?;
    Ok(call.ok(&resource(world, &interaction, &task)))
}

/// `GET …/Channels`.
pub fn list_channels(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let (interaction, _) = find(world, call)?;
    paging::list(world, call, 1, |_| channel(world, &interaction))
}

/// `GET …/Channels/{UO}`.
pub fn fetch_channel(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let (interaction, _) = find(world, call)?;
    if interaction.channel_sid != call.path_param("Sid") {
        return Err(call.not_found());
    }
    Ok(call.ok(&channel(world, &interaction)))
}

/// `POST …/Channels/{UO}`.
pub fn update_channel(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let status = call.param("Status").unwrap_or_default();
    if status == "inactive" && call.param("Routing").is_none() {
        return Err(Failure::bad(45004, "Routing is mandatory when a channel is made inactive"));
    }
    let mut flex = lock(&world.flex);
    let sid = call.path_param("InteractionSid");
    let interaction = flex.interactions.iter_mut().find(|one| one.sid == sid).ok_or_else(|| call.not_found())?;
    interaction.ended = Some(status.to_owned());
    let changed = interaction.clone();
    let routing = call.param("Routing").and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    if let Some(task) = flex.tasks.iter_mut().find(|task| task.sid == changed.task_sid) {
        task.assignment_status = if routing["status"] == "closed" { "completed" } else { "wrapping" };
    }
    drop(flex);
    if let (Some(conversation), "closed") = (&changed.conversation_sid, status) {
        lock(&world.conversations).set_state(conversation, State::Closed);
    }
    Ok(call.created(&changed.channel_sid, &channel(world, &changed)))
}

fn find(world: &World, call: &Call) -> Result<(Interaction, Task), Failure> {
    let sid = call.path_param("InteractionSid");
    let flex = lock(&world.flex);
    let found = flex.interactions.iter().find(|one| one.sid == sid).cloned();
    let found = found.ok_or_else(|| call.not_found())?;
    let task = flex.tasks.iter().find(|task| task.sid == found.task_sid).cloned();
    Ok((found, task.ok_or_else(|| call.not_found())?))
}

/// An interaction as the API shows it; the conversation is named only inside the task's attributes.
pub fn resource(world: &World, interaction: &Interaction, task: &Task) -> Value {
    let url = format!("{}/v1/Interactions/{}", paging::origin(world, Product::FlexApi), interaction.sid);
    json!({
        "sid": interaction.sid,
        "channel": {"type": interaction.channel_type, "sid": interaction.channel_sid},
        "routing": {"reservation": null, "properties": {
            "account_sid": world.account().sid(),
            "sid": task.sid,
            "workspace_sid": task.workspace_sid,
            "workflow_sid": task.workflow_sid,
            "queue_sid": task.queue_sid,
            "task_channel_sid": task.task_channel_sid,
            "task_channel_unique_name": task.task_channel_unique_name,
            "assignment_status": task.assignment_status,
            "attributes": task.attributes.to_string(),
            "date_created": task.created_ms / 1000,
            "date_updated": task.created_ms / 1000,
        }},
        "interaction_context_sid": null,
        "webhook_ttid": null,
        "links": {"channels": format!("{url}/Channels")},
        "url": url,
    })
}

fn channel(world: &World, interaction: &Interaction) -> Value {
    let setup = Millis::try_from(world.options.interaction_setup_ms).unwrap_or(0);
    let status = interaction.channel_status(world.now(), setup);
    let error_code = interaction.error_code.filter(|_| status == "failed");
    let url = format!(
        "{}/v1/Interactions/{}/Channels/{}",
        paging::origin(world, Product::FlexApi),
        interaction.sid,
        interaction.channel_sid
    );
    json!({
        "sid": interaction.channel_sid,
        "interaction_sid": interaction.sid,
        "type": interaction.channel_type,
        "status": status,
        "error_code": error_code,
        "error_message": error_code.map(|code| format!("Simulated failure {code}")),
        "date_created": iso8601(interaction.created_ms),
        "links": {"participants": format!("{url}/Participants"), "invites": format!("{url}/Invites")},
        "url": url,
    })
}
