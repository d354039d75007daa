//! The messages kept, and how one looks at a given time. A message's whole future is decided when it is accepted; its
//! status is read off the clock, so that a million messages need no timers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use crate::clock::{Millis, rfc2822};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Ends as `delivered`.
    Delivered,
    /// Ends as `read`.
    Read,
    /// Stays `sent`: the recipient has blocked the business.
    Blocked,
    /// Ends as `failed` or `undelivered` with this code.
    Fails(u32),
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// `SM…`.
    pub sid: String,
    /// Recipient, as written.
    pub to: String,
    /// `From` as written; absent when a messaging service chooses.
    pub from: Option<String>,
    /// The sender that is used.
    pub sender: String,
    /// `MG…`.
    pub messaging_service_sid: Option<String>,
    /// Rendered text.
    pub body: String,
    /// `HX…`; Twilio does not return it.
    pub content_sid: Option<String>,
    /// `ContentVariables` as written; Twilio does not return it.
    pub content_variables: Option<String>,
    /// Number of media.
    pub media: usize,
    /// Where callbacks go.
    pub status_callback: Option<String>,
    /// When it was accepted.
    pub created_ms: Millis,
    /// When sending begins: `SendAt`, otherwise when it was accepted.
    pub starts_ms: Millis,
    /// Time between two states.
    pub step_ms: Millis,
    /// What becomes of it.
    pub fate: Fate,
    /// It was cancelled before it began.
    pub canceled: bool,
}

/// A message as the API shows it.
#[derive(Debug, Serialize)]
pub struct Resource<'m> {
    sid: &'m str,
    account_sid: &'m str,
    messaging_service_sid: Option<&'m str>,
    from: Option<&'m str>,
    to: &'m str,
    body: &'m str,
    status: &'static str,
    direction: &'static str,
    num_segments: &'static str,
    num_media: String,
    price: Option<&'static str>,
    price_unit: Option<&'static str>,
    error_code: Option<u32>,
    error_message: Option<String>,
    date_created: String,
    date_updated: String,
    date_sent: Option<String>,
    api_version: &'static str,
    uri: String,
    subresource_uris: Subresources,
}

#[derive(Debug, Serialize)]
struct Subresources {
    media: String,
}

impl Fate {
    /// The states after the first one, with the step at which each begins.
    pub const fn timeline(self) -> &'static [(Millis, &'static str)] {
        match self {
            Self::Delivered => &[(1, "sending"), (2, "sent"), (3, "delivered")],
            Self::Read => &[(1, "sending"), (2, "sent"), (3, "delivered"), (4, "read")],
            Self::Blocked => &[(1, "sending"), (2, "sent")],
            Self::Fails(code) if is_receipt_code(code) => &[(1, "sending"), (2, "sent"), (3, "undelivered")],
            Self::Fails(_) => &[(1, "sending"), (2, "failed")],
        }
    }
}

impl Message {
    /// The states after the first one, with the step at which each begins.
    pub const fn timeline(&self) -> &'static [(Millis, &'static str)] {
        self.fate.timeline()
    }

    /// The status right after acceptance (twilio.md 2.4).
    pub fn initial_status(&self) -> &'static str {
        if self.starts_ms > self.created_ms {
            "scheduled"
        } else if self.messaging_service_sid.is_some() {
            "accepted"
        } else {
            "queued"
        }
    }

    /// The status at a time.
    pub fn status(&self, now: Millis) -> &'static str {
        if self.canceled {
            return "canceled";
        }
        let reached = |(step, _): &&(Millis, &str)| now - self.starts_ms >= step * self.step_ms.max(1);
        self.timeline().iter().rev().find(reached).map_or_else(|| self.initial_status(), |(_, status)| status)
    }

    /// Whether nothing more will happen.
    pub fn is_settled(&self, now: Millis) -> bool {
        self.canceled || self.timeline().last().is_some_and(|(_, last)| self.status(now) == *last)
    }

    /// When it was sent, once it was.
    pub fn date_sent(&self, now: Millis) -> Option<Millis> {
        let sent = self.timeline().iter().find(|(_, status)| *status == "sent")?;
        let at = self.starts_ms + sent.0 * self.step_ms;
        (!self.canceled && now >= at).then_some(at)
    }

    /// The sender as shown: null until a messaging service has chosen one.
    pub fn shown_from(&self, now: Millis) -> Option<&str> {
        let chosen = self.status(now) != self.initial_status();
        self.from.as_deref().or_else(|| chosen.then_some(self.sender.as_str()))
    }

    /// The error code, once it has failed.
    pub fn error_code(&self, now: Millis) -> Option<u32> {
        match self.fate {
            Fate::Fails(code) if matches!(self.status(now), "failed" | "undelivered") => Some(code),
            _ => None,
        }
    }

    /// The message as the API shows it at a time.
    pub fn resource<'m>(&'m self, account_sid: &'m str, now: Millis, null_date_sent: bool) -> Resource<'m> {
        let error_code = self.error_code(now);
        let uri = format!("/2010-04-01/Accounts/{account_sid}/Messages/{}.json", self.sid);
        Resource {
            sid: &self.sid,
            account_sid,
            messaging_service_sid: self.messaging_service_sid.as_deref(),
            from: self.shown_from(now),
            to: &self.to,
            body: &self.body,
            status: self.status(now),
            direction: "outbound-api",
            num_segments: "1",
            num_media: self.media.to_string(),
            price: None,
            price_unit: None,
            error_code,
            error_message: error_code.map(|code| format!("Simulated failure {code}")),
            date_created: rfc2822(self.created_ms),
            date_updated: rfc2822(now.min(self.starts_ms + 4 * self.step_ms)),
            date_sent: self.date_sent(now).filter(|_| !null_date_sent).map(rfc2822),
            api_version: "2010-04-01",
            subresource_uris: Subresources { media: uri.replace(".json", "/Media.json") },
            uri,
        }
    }
}

/// Codes of delivery receipts: the message left and was then not delivered (twilio.md 10.3).
const fn is_receipt_code(code: u32) -> bool {
    matches!(code, 63003 | 63024 | 63032 | 63033 | 63049)
}

/// All messages.
#[derive(Debug, Default)]
pub struct Messages {
    all: Vec<Option<Arc<Message>>>,
    oldest: usize,
    by_sid: HashMap<String, usize>,
    by_recipient: HashMap<String, VecDeque<usize>>,
}

impl Messages {
    /// Adds one, and forgets the oldest beyond `capacity`.
    pub fn insert(&mut self, message: Arc<Message>, capacity: usize) {
        let index = self.all.len();
        self.by_sid.insert(message.sid.clone(), index);
        match self.by_recipient.get_mut(&message.to) {
            Some(indices) => indices.push_back(index),
            None => {
                self.by_recipient.insert(message.to.clone(), VecDeque::from([index]));
            }
        }
        self.all.push(Some(message));
        while self.by_sid.len() > capacity.max(1) && self.oldest < index {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let index = self.oldest;
        self.oldest += 1;
        let Some(message) = self.all.get_mut(index).and_then(Option::take) else { return };
        self.by_sid.remove(&message.sid);
        if let Some(indices) = self.by_recipient.get_mut(&message.to) {
            // Indices are in order, so the oldest message is at the front.
            indices.pop_front_if(|one| *one == index);
            if indices.is_empty() {
                self.by_recipient.remove(&message.to);
            }
        }
    }

    /// One by its SID.
    pub fn get(&self, sid: &str) -> Option<Arc<Message>> {
        self.by_sid.get(sid).and_then(|index| self.all.get(*index)?.clone())
    }

    /// Puts a changed message in its place.
    pub fn replace(&mut self, message: Arc<Message>) {
        if let Some(slot) = self.by_sid.get(&message.sid).and_then(|index| self.all.get_mut(*index)) {
            *slot = Some(message);
        }
    }

    /// Removes one.
    pub fn remove(&mut self, sid: &str) {
        let Some(index) = self.by_sid.remove(sid) else { return };
        let Some(message) = self.all.get_mut(index).and_then(Option::take) else { return };
        if let Some(indices) = self.by_recipient.get_mut(&message.to) {
            indices.retain(|one| *one != index);
        }
    }

    /// The messages to a recipient (or all) that pass the filter, newest first.
    pub fn newest_first(&self, to: Option<&str>, keep: impl Fn(&Message) -> bool) -> Vec<Arc<Message>> {
        let kept = |message: &&Arc<Message>| keep(message);
        match to {
            Some(to) => {
                let indices = self.by_recipient.get(to).into_iter().flat_map(|indices| indices.iter().rev());
                indices.filter_map(|index| self.all[*index].as_ref()).filter(kept).cloned().collect()
            }
            None => self.all.iter().rev().flatten().filter(kept).cloned().collect(),
        }
    }

    /// All, oldest first.
    pub fn all(&self) -> Vec<Arc<Message>> {
        self.all.iter().flatten().cloned().collect()
    }
}
