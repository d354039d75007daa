//! Everything a test may want to look at, as one value.

use serde::Serialize;

use crate::clock::Millis;
use crate::lock::lock;
use crate::segment::tracking::Tracked;
use crate::twilio::callbacks::CallbackRecord;
use crate::twilio::conversations::store::{Conversation, UnmatchedReply};
use crate::twilio::flex::{Interaction, Task};
use crate::twilio::messages::store::Message;
use crate::twilio::studio::store::{Execution, Flow};
use crate::world::World;

/// The simulated world at one moment; every list is oldest first.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    /// The simulated time.
    pub now_ms: Millis,
    /// Messages of the 2010 API.
    pub messages: Vec<MessageState>,
    /// Conversations with participants, webhooks and messages.
    pub conversations: Vec<Conversation>,
    /// Customer replies that found no conversation.
    pub unmatched_replies: Vec<UnmatchedReply>,
    /// Flows with all their revisions.
    pub flows: Vec<Flow>,
    /// Studio executions with their steps.
    pub executions: Vec<Execution>,
    /// Flex interactions.
    pub interactions: Vec<InteractionState>,
    /// `TaskRouter` tasks.
    pub tasks: Vec<Task>,
    /// Status callbacks and webhooks sent.
    pub callbacks: Vec<CallbackRecord>,
    /// Events sent to the Tracking API.
    pub tracked: Vec<Tracked>,
}

/// A message, with what the API does not return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageState {
    /// `SM…`.
    pub sid: String,
    /// Recipient.
    pub to: String,
    /// The sender used.
    pub from: String,
    /// `MG…`.
    pub messaging_service_sid: Option<String>,
    /// Text as the customer sees it.
    pub body: String,
    /// `HX…`.
    pub content_sid: Option<String>,
    /// As written.
    pub content_variables: Option<String>,
    /// Where callbacks go.
    pub status_callback: Option<String>,
    /// Now.
    pub status: &'static str,
    /// Why it failed.
    pub error_code: Option<u32>,
    /// When it was accepted.
    pub created_ms: Millis,
}

/// An interaction with its channel's status now.
#[derive(Debug, Clone, Serialize)]
pub struct InteractionState {
    /// `setup`, `active`, `failed`, `closed`, `inactive`.
    pub channel_status: String,
    /// The interaction.
    #[serde(flatten)]
    pub interaction: Interaction,
}

impl MessageState {
    fn of(message: &Message, now: Millis) -> Self {
        Self {
            sid: message.sid.clone(),
            to: message.to.clone(),
            from: message.sender.clone(),
            messaging_service_sid: message.messaging_service_sid.clone(),
            body: message.body.clone(),
            content_sid: message.content_sid.clone(),
            content_variables: message.content_variables.clone(),
            status_callback: message.status_callback.clone(),
            status: message.status(now),
            error_code: message.error_code(now),
            created_ms: message.created_ms,
        }
    }
}

/// Looks at everything. Each product is consistent in itself.
pub fn snapshot(world: &World) -> State {
    let now_ms = world.now();
    let setup_ms = Millis::try_from(world.options.interaction_setup_ms).unwrap_or(0);
    let messages = lock(&world.messages).all();
    let (conversations, unmatched_replies) = {
        let mut store = lock(&world.conversations);
        (store.all(now_ms), store.unmatched_replies.clone())
    };
    let (flows, executions) = {
        let studio = lock(&world.studio);
        (studio.flows.clone(), studio.executions.clone())
    };
    let (interactions, tasks) = {
        let flex = lock(&world.flex);
        (flex.interactions.clone(), flex.tasks.clone())
    };
    State {
        now_ms,
        messages: messages.iter().map(|message| MessageState::of(message, now_ms)).collect(),
        conversations,
        unmatched_replies,
        flows,
        executions,
        interactions: interactions
            .into_iter()
            .map(|one| InteractionState {
                channel_status: one.channel_status(now_ms, setup_ms).to_owned(),
                interaction: one,
            })
            .collect(),
        tasks,
        callbacks: world.callbacks.all(),
        tracked: lock(&world.tracked).all(),
    }
}
