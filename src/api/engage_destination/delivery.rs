//! How events are delivered: how fast, how long, and what follows when nobody knows what became of one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{Period, references::OutcomesCredentialsRef};

/// Pace, patience and memory of the delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Most sends in any second from the sender: the number that the Messaging Service sends from, or the one of `twilioNumber`
    /// that is used. Destinations of one sender and one rate share it; of several rates each holds for its own destinations,
    /// and the highest for all of them together. A conversation is one send, and an account makes at most 30 of them a second,
    /// which is Twilio's limit. WhatsApp allows a sender 80 messages a second. Default: 80.
    #[serde(default = "Delivery::default_rate")]
    #[schemars(range(min = 1, max = 10_000))]
    pub rate: i32,
    /// Age, by the event's `timestamp`, from which an event is suppressed as `TooOld`. Default: 6h.
    #[serde(default = "Delivery::default_max_age")]
    pub max_age: Period,
    /// How long the outcome of an event is remembered; the same messageId within it is answered `duplicate`. Default: 7d.
    #[serde(default = "Delivery::default_dedupe_window")]
    pub dedupe_window: Period,
    /// How long an attempt whose answer was lost may still turn up in Twilio: only after it is absence believed. Longer than a
    /// request's time-out of 8s and the lag of Twilio's lists. Default: 60s.
    #[serde(default = "Delivery::default_settle")]
    pub settle: Period,
    /// What follows an attempt that Twilio does not show after `settle`: `Resend` makes a new one, `Park` ends the event as
    /// `unknown` for a person to decide. Default: Resend.
    #[serde(default)]
    pub on_unknown_outcome: OnUnknownOutcome,
    /// What becomes of further events of one entry into an audience or a journey step: Segment sends one for each identifier
    /// of a profile that has several of a type. `Skip` acts on one of them and answers the others `duplicate`; `Send` acts on
    /// each. Default: Skip.
    #[serde(default)]
    pub on_same_entry: OnSameEntry,
    /// Events about the same user or recipient and the same audience, computed trait or journey step that are less than this
    /// apart, by their `timestamp`, tell of one entry. Only where the event does not name the passage through a journey
    /// (`epoch_id`), by which entries are told apart exactly. Default: 60s.
    #[serde(default = "Delivery::default_entry_cool_down")]
    pub entry_cool_down: Period,
}

impl Delivery {
    const fn default_rate() -> i32 {
        80
    }

    const fn default_max_age() -> Period {
        Period::hours(6)
    }

    const fn default_dedupe_window() -> Period {
        Period::days(7)
    }

    const fn default_settle() -> Period {
        Period::seconds(60)
    }

    const fn default_entry_cool_down() -> Period {
        Period::seconds(60)
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            rate: Self::default_rate(),
            max_age: Self::default_max_age(),
            dedupe_window: Self::default_dedupe_window(),
            settle: Self::default_settle(),
            on_unknown_outcome: OnUnknownOutcome::default(),
            on_same_entry: OnSameEntry::default(),
            entry_cool_down: Self::default_entry_cool_down(),
        }
    }
}

/// What Segment is told of the messages of `whatsapp` and of the opening messages of `conversation`: `WhatsApp Sent`,
/// `WhatsApp Delivered`, `WhatsApp Read` and `WhatsApp Failed`, as track events of the user whose event made the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcomes {
    /// Secret with the write key of the Segment source that takes these events.
    pub credentials_ref: OutcomesCredentialsRef,
}

/// What follows an attempt of unknown outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnUnknownOutcome {
    #[default]
    Resend,
    Park,
}

/// What becomes of further events of one entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnSameEntry {
    #[default]
    Skip,
    Send,
}
