//! A customer writes. Twilio looks for the open conversation of the address pair; an inactive one wakes up; the
//! message is added with the customer's address as author, and every webhook of the conversation hears of it.

use std::sync::Arc;

use serde::Serialize;

use crate::lock::lock;
use crate::world::World;

use super::events;
use super::messages::{Draft, append};
use super::store::{State, UnmatchedReply};

/// What a reply led to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The conversation it reached; `None` when it matched none and was put under `unmatched_replies`.
    pub conversation_sid: Option<String>,
    /// The message it became.
    pub message_sid: Option<String>,
    /// Studio executions it started or continued, one per studio webhook.
    pub executions: Vec<String>,
}

/// A reply from a customer's number to one of our senders; `whatsapp:` is put in front of a bare number.
pub fn reply(world: &Arc<World>, from: &str, to: &str, body: &str) -> Reply {
    let (from, to) = (on_whatsapp(from), on_whatsapp(to));
    world.open_session(&from, &to);
    let holder = lock(&world.conversations).holder_of_pair(&from, &to, world.now());
    let found = holder.and_then(|sid| deliver(world, &sid, &from, body));
    found.unwrap_or_else(|| {
        lock(&world.conversations).unmatched_replies.push(UnmatchedReply { from, to, body: body.to_owned() });
        Reply::default()
    })
}

/// A reply into a known conversation by one of its participants. `None`: no such conversation or participant, or it is
/// closed.
pub fn reply_in(world: &Arc<World>, conversation_sid: &str, address: &str, body: &str) -> Option<Reply> {
    let address = on_whatsapp(address);
    let proxy = {
        let mut store = lock(&world.conversations);
        let sid = store.sid_of(conversation_sid)?;
        store.settle(&sid, world.now());
        let conversation = store.get(&sid)?;
        let participant = conversation.participants.iter().find(|one| one.address.as_deref() == Some(&address))?;
        participant.proxy_address.clone()?
    };
    world.open_session(&address, &proxy);
    deliver(world, conversation_sid, &address, body)
}

fn deliver(world: &Arc<World>, sid_or_name: &str, author: &str, body: &str) -> Option<Reply> {
    let account = world.account();
    let draft = Draft {
        author: author.to_owned(),
        body: Some(body.to_owned()),
        attributes: "{}".to_owned(),
        content: None,
        origin: "customer",
    };
    let mut store = lock(&world.conversations);
    let sid = store.sid_of(sid_or_name)?;
    let conversation = store.get_mut(&sid).filter(|conversation| conversation.state != State::Closed)?;
    let message = append(world, &account, conversation, draft);
    let changed = conversation.clone();
    drop(store);
    let executions = events::message_added(world, &changed, &message, "SDK");
    Some(Reply { conversation_sid: Some(sid), message_sid: Some(message.sid), executions })
}

fn on_whatsapp(address: &str) -> String {
    if address.contains(':') { address.to_owned() } else { format!("whatsapp:{address}") }
}
