//! Conversations v1 (twilio.md 6): conversations, participants, webhooks, messages, and what a customer's reply sets
//! off.

pub mod events;
pub mod inbound;
pub mod lifecycle;
pub mod lookup;
pub mod messages;
pub mod participants;
pub mod store;
pub mod timers;
pub mod webhooks;

use crate::call::{Call, Failure};
use crate::clock::Millis;
use crate::world::World;

use store::{Conversation, Conversations, State};

/// The conversation a path names, by SID or unique name, with its timers applied.
fn named<'c>(store: &'c mut Conversations, call: &Call, now: Millis) -> Result<&'c mut Conversation, Failure> {
    let sid = store.sid_of(call.path_param("ConversationSid")).ok_or_else(|| call.not_found())?;
    store.settle(&sid, now);
    store.get_mut(&sid).ok_or_else(|| call.not_found())
}

/// The same, refused when it is closed: nothing of it can be changed any more.
fn open<'c>(store: &'c mut Conversations, call: &Call, now: Millis) -> Result<&'c mut Conversation, Failure> {
    let conversation = named(store, call, now)?;
    if conversation.state == State::Closed {
        return Err(Failure::bad(50377, "Conversation is closed and cannot be changed"));
    }
    Ok(conversation)
}

/// 429 above the limit of mutating actions: one key per conversation, or per service for create and delete.
fn admit(world: &World, key: &str) -> Result<(), Failure> {
    if world.conversation_limit.admit(key, world.now()) {
        return Ok(());
    }
    Err(Failure::new(429, 20429, "Too many requests: actions-per-second limit of the Conversations API"))
}
