//! What each action decides, step by step, as plain functions: no clock, no client, no async.
//!
//! An action has a `Progress` and a `Step`. `Progress::begin` gives the first step; whoever performs a step tells what came of
//! it by the method of that name and gets the next, until `Step::End`. The async part of an action (`delivery::whatsapp`,
//! `delivery::conversation`, `delivery::interaction`) does nothing else, and `delivery::model` performs the same steps in a world of its own.
//!
//! What always holds: a step that has an effect comes after `Start`; after a lost answer comes a look, unless repeating the
//! step cannot double it.

pub mod conversation;
pub mod interaction;
pub mod leftover;
pub mod places;
pub mod settling;
pub mod whatsapp;

use std::time::Duration;

use crate::{
    api::reasons::event as reason,
    delivery::{
        fault::Fault,
        outcome::{Final, Reason},
    },
};

/// Attempts that one delivery makes when each before was lost and proven to be without effect; then Segment's own repetition
/// takes over.
pub const MAX_ATTEMPTS: u32 = 3;

/// Times a step that is safe to repeat is tried again while answers are lost.
pub const STEP_TRIES: u32 = 3;
/// Pause before that.
pub const STEP_PAUSE: Duration = Duration::from_millis(400);

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sent {
    Final(Final),
    /// It certainly had no effect that the customer sees, and may be repeated.
    NotNow(Reason),
}

impl Sent {
    pub fn sid(sid: &impl ToString) -> Self {
        Self::Final(Final::Sent { sid: sid.to_string() })
    }

    pub fn suppressed(word: &str, detail: impl Into<String>) -> Self {
        Self::Final(Final::Suppressed { reason: Reason::new(word, detail) })
    }

    pub fn rejected(reason: Reason) -> Self {
        Self::Final(Final::Rejected { reason })
    }

    pub fn unknown(reason: Reason) -> Self {
        Self::Final(Final::Unknown { reason })
    }

    pub fn not_now(word: &str, detail: impl Into<String>) -> Self {
        Self::NotNow(Reason::new(word, detail))
    }
}

/// What a refusal makes of a delivery of which nothing is left behind.
impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Event(reason) => Self::rejected(reason),
            Fault::Mendable(reason) | Fault::Credentials(reason) => Self::NotNow(reason),
            Fault::Throttled { retry_after: _ } => Self::not_now(reason::THROTTLED, "Twilio asked to slow down"),
        }
    }
}

/// What a lost answer makes of a delivery whose step is safe to repeat: the next delivery goes on.
impl From<Lost> for Sent {
    fn from(lost: Lost) -> Self {
        Self::not_now(reason::TWILIO_UNAVAILABLE, lost.detail)
    }
}

/// How a call to Twilio came out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer<T> {
    /// It did what it is for.
    Done(T),
    /// It certainly had no effect.
    Refused(Fault),
    /// It may have had its effect, or may have it later.
    Lost(Lost),
}

/// A call whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lost {
    /// Twilio said that it took the request, and no more that is understood.
    pub taken: bool,
    pub detail: String,
}

impl<T> Answer<T> {
    /// The answer to a call that changes nothing or can be repeated freely, or else the end of the delivery, which is put off.
    fn or_put_off(self) -> Result<T, Sent> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(fault) => Err(fault.into()),
            Self::Lost(lost) => Err(lost.into()),
        }
    }
}
