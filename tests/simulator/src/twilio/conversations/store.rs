//! The conversations kept, with the indexes that make the rules cheap: unique names, address pairs, addresses.

use std::collections::HashMap;

use serde::Serialize;

use crate::clock::Millis;
use crate::twilio::messages::store::Fate;

/// A conversation's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Open.
    Active,
    /// Resting; a new message wakes it, and it keeps its address pairs.
    Inactive,
    /// Final; its address pairs are free again.
    Closed,
}

impl State {
    /// From the wire.
    pub fn parse(text: &str) -> Self {
        match text {
            "inactive" => Self::Inactive,
            "closed" => Self::Closed,
            _ => Self::Active,
        }
    }

    /// On the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
        }
    }
}

/// A conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Conversation {
    /// `CH…`.
    pub sid: String,
    /// The caller's own name for it.
    pub unique_name: Option<String>,
    /// For people.
    pub friendly_name: Option<String>,
    /// JSON text.
    pub attributes: String,
    /// State.
    pub state: State,
    /// `MG…`.
    pub messaging_service_sid: Option<String>,
    /// Idle time until it becomes inactive.
    pub inactive_after_ms: Option<Millis>,
    /// Idle time until it is closed.
    pub closed_after_ms: Option<Millis>,
    /// When it was made.
    pub created_ms: Millis,
    /// Last change or message; the timers count from here.
    pub updated_ms: Millis,
    /// Participants.
    pub participants: Vec<Participant>,
    /// Conversation-scoped webhooks.
    pub webhooks: Vec<Webhook>,
    /// Messages, oldest first.
    pub messages: Vec<ConversationMessage>,
}

/// A participant.
#[derive(Debug, Clone, Serialize)]
pub struct Participant {
    /// `MB…`.
    pub sid: String,
    /// Chat identity.
    pub identity: Option<String>,
    /// Address of the customer, e.g. `whatsapp:+55…`.
    pub address: Option<String>,
    /// Our sender.
    pub proxy_address: Option<String>,
    /// JSON text.
    pub attributes: String,
    /// `RL…`.
    pub role_sid: Option<String>,
    /// When it was added.
    pub created_ms: Millis,
}

/// A conversation-scoped webhook.
#[derive(Debug, Clone, Serialize)]
pub struct Webhook {
    /// `WH…`.
    pub sid: String,
    /// `studio`, `webhook`, `trigger`.
    pub target: String,
    /// `FW…` of a studio webhook.
    pub flow_sid: Option<String>,
    /// Of the other targets.
    pub url: Option<String>,
    /// `GET` or `POST`.
    pub method: Option<String>,
    /// Event names.
    pub filters: Vec<String>,
    /// Words.
    pub triggers: Vec<String>,
    /// When it was added.
    pub created_ms: Millis,
}

/// A message inside a conversation.
#[derive(Debug, Clone, Serialize)]
pub struct ConversationMessage {
    /// `IM…`.
    pub sid: String,
    /// From 0.
    pub index: usize,
    /// `system`, an address, an identity.
    pub author: String,
    /// Text; for a template the text as rendered.
    pub body: Option<String>,
    /// JSON text.
    pub attributes: String,
    /// `HX…`.
    pub content_sid: Option<String>,
    /// As written.
    pub content_variables: Option<String>,
    /// The author's participant.
    pub participant_sid: Option<String>,
    /// How it was delivered to each participant outside of chat.
    pub receipts: Vec<Receipt>,
    /// `rest`, `customer` or `studio`.
    pub origin: &'static str,
    /// When it was added.
    pub created_ms: Millis,
}

/// Delivery to one participant.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// `DY…`.
    pub sid: String,
    /// `MB…`.
    pub participant_sid: String,
    /// What becomes of it.
    pub fate: Fate,
    /// When the message was added.
    pub created_ms: Millis,
    /// Time between two states.
    pub step_ms: Millis,
}

impl Receipt {
    /// The last status reached and when it was: `sent`, `delivered`, `read`, `failed`, `undelivered`. Nothing is known before
    /// the first.
    pub fn status(&self, now: Millis) -> Option<(&'static str, Millis)> {
        let reached = self.fate.timeline().iter().rev().filter(|(_, status)| *status != "sending");
        let at = |step: &Millis| self.created_ms + step * self.step_ms.max(1);
        reached.map(|(step, status)| (*status, at(step))).find(|(_, at)| *at <= now)
    }

    /// Why it failed, or will.
    pub const fn failure(&self) -> Option<u32> {
        match self.fate {
            Fate::Fails(code) => Some(code),
            Fate::Delivered | Fate::Read | Fate::Blocked => None,
        }
    }
}

/// A reply that found no conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmatchedReply {
    /// The customer.
    pub from: String,
    /// Our sender.
    pub to: String,
    /// Text.
    pub body: String,
}

/// All conversations.
#[derive(Debug, Default)]
pub struct Conversations {
    by_sid: HashMap<String, Conversation>,
    order: Vec<String>,
    unique_names: HashMap<String, String>,
    pairs: HashMap<(String, String), String>,
    addresses: HashMap<String, Vec<String>>,
    /// Replies nobody expected.
    pub unmatched_replies: Vec<UnmatchedReply>,
}

impl Conversations {
    /// Adds a conversation; its unique name must be free.
    pub fn insert(&mut self, conversation: Conversation) {
        if let Some(name) = &conversation.unique_name {
            self.unique_names.insert(name.clone(), conversation.sid.clone());
        }
        self.order.push(conversation.sid.clone());
        self.by_sid.insert(conversation.sid.clone(), conversation);
    }

    /// The SID of a conversation named by SID or unique name.
    pub fn sid_of(&self, sid_or_name: &str) -> Option<String> {
        if self.by_sid.contains_key(sid_or_name) {
            return Some(sid_or_name.to_owned());
        }
        self.unique_names.get(sid_or_name).cloned()
    }

    /// By SID.
    pub fn get(&self, sid: &str) -> Option<&Conversation> {
        self.by_sid.get(sid)
    }

    /// By SID.
    pub fn get_mut(&mut self, sid: &str) -> Option<&mut Conversation> {
        self.by_sid.get_mut(sid)
    }

    /// Whether a unique name is taken, by an open or by a closed conversation.
    pub fn name_is_taken(&self, name: &str) -> bool {
        self.unique_names.contains_key(name)
    }

    /// Gives a conversation another unique name.
    pub fn rename(&mut self, sid: &str, name: &str) {
        let Some(conversation) = self.by_sid.get_mut(sid) else { return };
        if let Some(old) = conversation.unique_name.replace(name.to_owned()) {
            self.unique_names.remove(&old);
        }
        self.unique_names.insert(name.to_owned(), sid.to_owned());
    }

    /// Every SID, oldest first.
    pub fn sids(&self) -> &[String] {
        &self.order
    }

    /// All conversations, oldest first, timers applied.
    pub fn all(&mut self, now: Millis) -> Vec<Conversation> {
        for sid in self.order.clone() {
            self.settle(&sid, now);
        }
        self.order.iter().filter_map(|sid| self.by_sid.get(sid)).cloned().collect()
    }

    /// Removes a conversation and frees what it held.
    pub fn remove(&mut self, sid: &str) {
        self.release_pairs(sid);
        let Some(conversation) = self.by_sid.remove(sid) else { return };
        if let Some(name) = &conversation.unique_name {
            self.unique_names.remove(name);
        }
        for address in conversation.participants.iter().filter_map(|participant| participant.address.as_ref()) {
            self.forget_address(address, sid);
        }
        self.order.retain(|other| other != sid);
    }

    /// Applies the timers.
    pub fn settle(&mut self, sid: &str, now: Millis) {
        let Some(conversation) = self.by_sid.get_mut(sid) else { return };
        let idle = now - conversation.updated_ms;
        let elapsed = |timer: Option<Millis>| timer.is_some_and(|after| idle >= after);
        if conversation.state != State::Closed && elapsed(conversation.closed_after_ms) {
            self.set_state(sid, State::Closed);
        } else if conversation.state == State::Active && elapsed(conversation.inactive_after_ms) {
            conversation.state = State::Inactive;
        }
    }

    /// Changes the state; closing frees the address pairs and keeps the unique name.
    pub fn set_state(&mut self, sid: &str, state: State) {
        if let Some(conversation) = self.by_sid.get_mut(sid) {
            conversation.state = state;
        }
        if state == State::Closed {
            self.release_pairs(sid);
        }
    }

    /// The conversation that holds an address pair, timers applied.
    pub fn holder_of_pair(&mut self, address: &str, proxy_address: &str, now: Millis) -> Option<String> {
        let pair = (address.to_owned(), proxy_address.to_owned());
        let sid = self.pairs.get(&pair)?.clone();
        self.settle(&sid, now);
        self.pairs.get(&pair).cloned()
    }

    /// Adds a participant; its pair must be free.
    pub fn add_participant(&mut self, sid: &str, participant: Participant) {
        if let (Some(address), Some(proxy)) = (&participant.address, &participant.proxy_address) {
            self.pairs.insert((address.clone(), proxy.clone()), sid.to_owned());
            self.addresses.entry(address.clone()).or_default().push(sid.to_owned());
        }
        if let Some(conversation) = self.by_sid.get_mut(sid) {
            conversation.participants.push(participant);
        }
    }

    /// Removes a participant and frees its pair.
    pub fn remove_participant(&mut self, sid: &str, participant_sid: &str) {
        let Some(conversation) = self.by_sid.get_mut(sid) else { return };
        let Some(position) = conversation.participants.iter().position(|one| one.sid == participant_sid) else {
            return;
        };
        let gone = conversation.participants.remove(position);
        if let (Some(address), Some(proxy)) = (gone.address, gone.proxy_address) {
            self.forget_address(&address, sid);
            self.release(address, proxy, sid);
        }
    }

    /// The conversations an address takes part in, oldest first, closed ones included.
    pub fn with_address(&self, address: &str) -> Vec<String> {
        self.addresses.get(address).cloned().unwrap_or_default()
    }

    fn release_pairs(&mut self, sid: &str) {
        let Some(conversation) = self.by_sid.get(sid) else { return };
        let held: Vec<_> = conversation
            .participants
            .iter()
            .filter_map(|one| Some((one.address.clone()?, one.proxy_address.clone()?)))
            .collect();
        for (address, proxy) in held {
            self.release(address, proxy, sid);
        }
    }

    fn release(&mut self, address: String, proxy: String, sid: &str) {
        let pair = (address, proxy);
        if self.pairs.get(&pair).is_some_and(|holder| holder == sid) {
            self.pairs.remove(&pair);
        }
    }

    fn forget_address(&mut self, address: &str, sid: &str) {
        if let Some(sids) = self.addresses.get_mut(address)
            && let Some(position) = sids.iter().position(|other| other == sid)
        {
            sids.remove(position);
        }
    }
}
