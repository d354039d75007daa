//! Runs flows: from the trigger, widget by widget, until a branch ends or a widget waits. An execution that waits (for
//! a reply, or for the agent's task) stays active, and the next message of its conversation does not start another.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::lock::lock;
use crate::twilio::addresses;
use crate::twilio::conversations::store::{Conversation, ConversationMessage, Webhook};
use crate::world::World;

use super::store::{Execution, Step};
use super::widgets::{self, Outcome};

const MOST_STEPS: usize = 1000;

/// A message reached a conversation with this studio webhook. Returns the execution that was started or continued;
/// `None` when the flow has no published revision, or its execution is with an agent.
pub fn on_conversation_message(
    world: &Arc<World>,
    conversation: &Conversation,
    webhook: &Webhook,
    message: &ConversationMessage,
) -> Option<String> {
    let flow_sid = webhook.flow_sid.as_deref()?;
    let trigger = json!({
        "ConversationSid": conversation.sid, "Body": message.body, "Author": message.author,
        "MessageSid": message.sid, "ParticipantSid": message.participant_sid, "AccountSid": world.account().sid(),
    });
    let mut studio = lock(&world.studio);
    if let Some(active) = studio.active_for(&conversation.sid, &webhook.sid).cloned() {
        drop(studio);
        return resume(world, active, &trigger);
    }
    let published = studio.flow(flow_sid)?.latest_published()?;
    let definition = Arc::clone(&published.definition);
    let participant = conversation.participants.iter().find(|one| one.address.is_some());
    let sid = world.sids.make("FN");
    let context = json!({
        "trigger": {"conversation": trigger},
        "flow": {
            "sid": sid, "flow_sid": flow_sid, "variables": {}, "data": {},
            "channel": {"address": participant.and_then(|one| one.proxy_address.clone())},
        },
        "contact": {"channel": {"address": message.author}},
        "widgets": {},
    });
    let execution = Execution {
        sid,
        flow_sid: flow_sid.to_owned(),
        flow_version: published.revision,
        status: "active",
        contact_channel_address: message.author.clone(),
        conversation_sid: Some(conversation.sid.clone()),
        webhook_sid: Some(webhook.sid.clone()),
        waiting_at: None,
        context,
        steps: Vec::new(),
        created_ms: world.now(),
    };
    studio.put(execution.clone());
    drop(studio);
    Some(start(world, execution, &definition, "incomingConversationMessage"))
}

/// Runs a new execution from its trigger.
pub fn start(world: &Arc<World>, mut execution: Execution, definition: &Value, event: &str) -> String {
    let trigger = definition.get("initial_state").and_then(Value::as_str).unwrap_or_default().to_owned();
    run(world, &mut execution, definition, &trigger, event, None);
    let sid = execution.sid.clone();
    lock(&world.studio).put(execution);
    sid
}

fn resume(world: &Arc<World>, mut execution: Execution, trigger: &Value) -> Option<String> {
    let widget = execution.waiting_at.take()?;
    let definition = {
        let studio = lock(&world.studio);
        let flow = studio.flow(&execution.flow_sid)?;
        let revision = flow.revisions.iter().find(|one| one.revision == execution.flow_version)?;
        Arc::clone(&revision.definition)
    };
    if widgets::kind_of(&definition, &widget) != Some("send-and-wait-for-reply") {
        return None;
    }
    execution.context["trigger"]["conversation"] = trigger.clone();
    execution.context["widgets"][widget.as_str()] =
        json!({"inbound": {"Body": trigger["Body"], "From": trigger["Author"]}});
    run(world, &mut execution, &definition, &widget, "incomingMessage", None);
    let sid = execution.sid.clone();
    lock(&world.studio).put(execution);
    Some(sid)
}

/// Leaves `widget` by `event` and goes on until the end of the branch or a widget that waits.
fn run(
    world: &Arc<World>,
    execution: &mut Execution,
    definition: &Value,
    widget: &str,
    event: &str,
    note: Option<String>,
) {
    let (mut current, mut event, mut note) = (widget.to_owned(), event.to_owned(), note);
    for _ in 0..MOST_STEPS {
        let next = widgets::next(definition, &current, &event, &execution.context);
        execution.steps.push(Step {
            sid: world.sids.make("FT"),
            event: event.clone(),
            transitioned_from: current.clone(),
            transitioned_to: next.clone().unwrap_or_else(|| "Ended".to_owned()),
            note: note.take(),
            created_ms: world.now(),
        });
        let Some(next) = next else {
            execution.status = "ended";
            return;
        };
        current = next;
        match widgets::perform(world, execution, definition, &current) {
            Outcome::Wait => {
                execution.waiting_at = Some(current);
                return;
            }
            Outcome::Leave(by, why) => (event, note) = (by, why),
        }
    }
    execution.status = "ended";
}

/// The address a REST-started execution talks to, with its channel.
pub fn contact(to: &str) -> String {
    match addresses::channel(to) {
        "sms" => addresses::number(to).to_owned(),
        _ => to.to_owned(),
    }
}
