//! `POST /v1/Interactions` (twilio.md 7.2): who initiates, which conversation, which task.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::lock::lock;
use crate::seed::Workspace;
use crate::twilio::conversations::store::{Conversation, Participant, State};
use crate::twilio::flex;
use crate::world::World;

/// An interaction that has been checked.
#[derive(Debug)]
pub struct Request {
    /// `whatsapp`, …
    pub channel_type: String,
    /// `customer`, `agent`, `api`.
    pub initiated_by: String,
    /// The conversation behind it.
    pub conversation_sid: Option<String>,
    /// The customer.
    pub customer_address: Option<String>,
    /// Why its channel will fail, if it will.
    pub error_code: Option<u32>,
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
    /// Task attributes as given.
    pub attributes: Value,
    /// The task's priority, if one was given.
    pub priority: Option<i64>,
    /// The task's time to live in seconds, if one was given.
    pub timeout: Option<i64>,
    /// `rest` or `studio`.
    pub origin: &'static str,
}

/// `POST /v1/Interactions`: 200 and 201 in turn, since both are current answers.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let json = |name: &str| call.param(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let channel = json("Channel").unwrap_or_default();
    let routing = json("Routing").ok_or_else(|| invalid("Routing is required"))?;
    let routing = routing.get("properties").cloned().ok_or_else(|| invalid("Routing.properties is required"))?;
    let task = route(&account, &routing)?;
    let request = connect(world, &channel, &routing, task)?;
    let (interaction, task) = flex::open(world, request);
    let mut answer = call.created(&interaction.sid, &flex::resource(world, &interaction, &task));
    if lock(&world.flex).interactions.len().is_multiple_of(2) {
        answer.status = 201;
    }
    Ok(answer)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::bad(45004, message)
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

struct Route {
    workspace_sid: String,
    workflow_sid: String,
    task_channel_sid: String,
    task_channel_unique_name: String,
    queue_sid: Option<String>,
}

fn route(account: &Account, routing: &Value) -> Result<Route, Failure> {
    const KNOWN: [&str; 9] = [
        "workspace_sid",
        "workflow_sid",
        "task_channel_unique_name",
        "task_channel_sid",
        "queue_sid",
        "worker_sid",
        "attributes",
        "priority",
        "timeout",
    ];
    if let Some(unknown) =
        routing.as_object().and_then(|fields| fields.keys().find(|key| !KNOWN.contains(&key.as_str())))
    {
        return Err(invalid(format!("Unknown routing property {unknown}")));
    }
    let workspace_sid = text(routing, "workspace_sid").ok_or_else(|| invalid("workspace_sid is required"))?;
    let workspace = account
        .workspace(workspace_sid)
        .ok_or_else(|| Failure::bad(45103, format!("Workspace {workspace_sid} is not configured for Flex")))?;
    let workflow_sid = match (text(routing, "workflow_sid"), workspace.workflows.as_slice()) {
        (Some(sid), workflows) if workflows.iter().any(|one| one.sid == sid) => sid.to_owned(),
        (Some(sid), _) => return Err(invalid(format!("Workflow {sid} does not exist"))),
        (None, [only]) => only.sid.clone(),
        (None, _) => return Err(invalid("workflow_sid is mandatory in a workspace with several workflows")),
    };
    let (task_channel_sid, task_channel_unique_name) = task_channel(workspace, routing)?;
    let default_queue = workspace.task_queues.first().map(|queue| queue.sid.clone());
    let queue_sid = text(routing, "queue_sid").map(str::to_owned).or(default_queue);
    Ok(Route {
        workspace_sid: workspace.sid.clone(),
        workflow_sid,
        task_channel_sid,
        task_channel_unique_name,
        queue_sid,
    })
}

fn task_channel(workspace: &Workspace, routing: &Value) -> Result<(String, String), Failure> {
    let wanted = text(routing, "task_channel_sid").or_else(|| text(routing, "task_channel_unique_name"));
    let wanted = wanted.unwrap_or("default");
    let mut channels = workspace.task_channels.iter();
    let found = channels.find(|one| one.sid == wanted || one.unique_name == wanted);
    let found = found.ok_or_else(|| invalid(format!("Task channel {wanted} does not exist")))?;
    Ok((found.sid.clone(), found.unique_name.clone()))
}

fn connect(world: &World, channel: &Value, routing: &Value, task: Route) -> Result<Request, Failure> {
    const TYPES: [&str; 7] = ["sms", "whatsapp", "web", "chat", "email", "messenger", "gbm"];
    let channel_type = text(channel, "type").filter(|kind| TYPES.contains(kind));
    let channel_type = channel_type.ok_or_else(|| invalid("Channel.type is missing or unknown"))?;
    let initiated_by = text(channel, "initiated_by").ok_or_else(|| invalid("Channel.initiated_by is missing"))?;
    let media = channel.pointer("/properties/media_channel_sid").and_then(Value::as_str);
    let first = channel.pointer("/participants/0");
    let reached = match (initiated_by, media, first) {
        ("customer" | "api", Some(sid), _) => existing(world, sid)?,
        ("customer", None, _) => return Err(invalid("properties.media_channel_sid is required")),
        ("agent", _, _) if text(routing, "queue_sid").is_none() || text(routing, "worker_sid").is_none() => {
            return Err(invalid("queue_sid and worker_sid are required when an agent initiates"));
        }
        ("agent" | "api", None, Some(participant)) => fresh(world, participant),
        ("agent" | "api", _, _) => return Err(Failure::bad(45355, "There are no participants")),
        _ => return Err(invalid("Channel.initiated_by is unknown")),
    };
    let number = |key: &str| match routing.get(key) {
        None => Ok(None),
        Some(given) => match given.as_i64().filter(|number| *number >= 0) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(format!("{key} is not a whole number"))),
        },
    };
    let (priority, timeout) = (number("priority")?, number("timeout")?);
    let error_code = lock(&world.flex).failing.pop_front().or(reached.error_code);
    Ok(Request {
        channel_type: channel_type.to_owned(),
        initiated_by: initiated_by.to_owned(),
        conversation_sid: Some(reached.conversation_sid),
        customer_address: reached.customer_address,
        error_code,
        workspace_sid: task.workspace_sid,
        workflow_sid: task.workflow_sid,
        task_channel_sid: task.task_channel_sid,
        task_channel_unique_name: task.task_channel_unique_name,
        queue_sid: task.queue_sid,
        attributes: routing.get("attributes").filter(|given| given.is_object()).cloned().unwrap_or(json!({})),
        priority,
        timeout,
        origin: "rest",
    })
}

struct Reached {
    conversation_sid: String,
    customer_address: Option<String>,
    error_code: Option<u32>,
}

fn existing(world: &World, sid: &str) -> Result<Reached, Failure> {
    let mut store = lock(&world.conversations);
    store.settle(sid, world.now());
    let conversation = store.get(sid).ok_or_else(|| invalid(format!("Conversation {sid} does not exist")))?;
    if conversation.state == State::Closed {
        return Err(Failure::bad(45354, "The conversation is closed"));
    }
    let customer = conversation.participants.iter().find_map(|one| one.address.clone());
    let customer = customer.ok_or_else(|| Failure::bad(45355, "The conversation has no customer participant"))?;
    drop(store);
    let is_mapped = |one: &flex::Interaction| one.conversation_sid.as_deref() == Some(sid) && one.ended.is_none();
    if lock(&world.flex).interactions.iter().any(is_mapped) {
        return Err(Failure::bad(45353, "The conversation already has an interaction channel"));
    }
    Ok(Reached { conversation_sid: sid.to_owned(), customer_address: Some(customer), error_code: None })
}

/// A new conversation with the participant. When the address pair is in use elsewhere the task is made all the same,
/// and the channel fails with 45361.
fn fresh(world: &World, participant: &Value) -> Reached {
    let now = world.now();
    let account = world.account();
    let address = text(participant, "address").unwrap_or_default().to_owned();
    let proxy = text(participant, "proxy_address").unwrap_or_default().to_owned();
    let sid = world.sids.make("CH");
    let mut store = lock(&world.conversations);
    let in_use = store.holder_of_pair(&address, &proxy, now).is_some();
    let error_code = (in_use || !account.is_whatsapp_sender(&proxy)).then_some(45361);
    store.insert(Conversation {
        sid: sid.clone(),
        unique_name: None,
        friendly_name: None,
        attributes: "{}".to_owned(),
        state: State::Active,
        messaging_service_sid: account.seed.conversations.default_messaging_service_sid.clone(),
        inactive_after_ms: None,
        closed_after_ms: None,
        created_ms: now,
        updated_ms: now,
        participants: Vec::new(),
        webhooks: Vec::new(),
        messages: Vec::new(),
    });
    if error_code.is_none() {
        let participant = Participant {
            sid: world.sids.make("MB"),
            identity: None,
            address: Some(address.clone()),
            proxy_address: Some(proxy),
            attributes: "{}".to_owned(),
            role_sid: None,
            created_ms: now,
        };
        store.add_participant(&sid, participant);
    }
    Reached { conversation_sid: sid, customer_address: Some(address), error_code }
}
