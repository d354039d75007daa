//! One attempt in the hands of the delivery that claimed it, and what all actions do alike: keep the pace, begin it, read an
//! answer, and find out what became of a call whose answer was lost. What to do next is decided in [`super::steps`].

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        engine::{Engine, Route},
        fault::Fault,
        journal::{Attempt, Ticket, TicketError, now},
        observe::{Observed, observe},
        outcome::Reason,
        pace::{TooLong, Turn},
        seeded::{Bug, is_seeded},
        steps::{
            Answer, Lost,
            settling::{Looked, Settled, Settling, Step},
        },
    },
    twilio::{E164, TwilioClient, TwilioError},
};

/// A delivery that is about to have its effect.
pub(super) struct Sending<'a> {
    pub engine: &'a Arc<Engine>,
    pub route: &'a Arc<Route>,
    pub twilio: &'a TwilioClient,
    /// Whose pace is kept: a Messaging Service or a number.
    pub sender: &'a str,
    pub ticket: Ticket,
    pub attempt: Attempt,
    /// The right to let a request leave, from when it was waited for until then.
    pub turn: Option<Turn>,
}

impl Sending<'_> {
    /// Waits for the sender's turn, before anything is started. A reason means that it would not come in time.
    pub async fn pace(&mut self) -> Result<(), Reason> {
        let rate = self.route.destination.limits.rate;
        let turn = self.engine.pacer.message(self.twilio.account(), self.sender, rate).await;
        self.turn = Some(turn.map_err(too_long)?);
        Ok(())
    }

    /// As [`Sending::pace`], for a conversation from this number of ours.
    pub async fn pace_conversation(&mut self, number: &E164) -> Result<(), Reason> {
        let rate = self.route.destination.limits.rate;
        let turn = self.engine.pacer.conversation(self.twilio.account(), number.as_str(), rate).await;
        self.turn = Some(turn.map_err(too_long)?);
        Ok(())
    }

    /// What the turn was waited for leaves now.
    pub fn leaves(&mut self) {
        self.turn = None;
    }

    /// A conversation is made or deleted now: by the turn that was waited for, or else by one that is waited for now, which costs
    /// nothing where an answer was lost or something is taken away.
    pub async fn changes_conversations(&mut self) -> Result<(), Fault> {
        let turn = self.turn.take();
        if !turn.is_some_and(|turn| turn.of_conversations) {
            let turn = self.engine.pacer.change_of_conversations(self.twilio.account()).await;
            drop(turn.map_err(|TooLong| Fault::Mendable(too_long(TooLong)))?);
        }
        Ok(())
    }

    /// Records the attempt. After this, and not before, its first byte may leave.
    pub async fn start(&mut self) -> Result<(), TicketError> {
        self.attempt.at = now();
        self.ticket.start(self.attempt.clone()).await
    }

    /// Reads how a call came out, and does what a refusal asks for: keep a pause, read a Secret again, check a destination again.
    pub async fn answer<T>(&self, what: &str, result: Result<T, TwilioError>) -> Answer<T> {
        let error = match result {
            Ok(value) => return Answer::Done(value),
            Err(error) if !error.had_no_effect() => {
                tracing::warn!(event = %self.ticket.key(), %error, what, "an answer of Twilio was lost");
                let taken = matches!(error, TwilioError::NotUnderstood { .. });
                return Answer::Lost(Lost { taken, detail: error.to_string() });
            }
            Err(error) => error,
        };
        let fault = Fault::of(&error);
        match &fault {
            // The template may ask for other variables than when it was checked.
            Fault::Event(reason) if reason.word == reason::INVALID_VARIABLE => self.engine.suspect(self.route),
            Fault::Event(_) => {}
            Fault::Mendable(reason) => {
                if matches!(reason.word.as_str(), reason::TWILIO_NOT_FOUND | reason::TWILIO_REFUSED) {
                    self.engine.suspect(self.route);
                }
            }
            Fault::Throttled { retry_after } => self.engine.pacer.throttled(self.twilio.account(), *retry_after),
            Fault::Credentials(_) => {
                self.engine.refresh_secret(self.route, &self.route.destination.twilio.name).await;
                self.engine.suspect(self.route);
            }
        }
        Answer::Refused(fault)
    }

    /// Twilio took a request: another refusal is a new one.
    pub fn accepted(&self) {
        self.engine.pacer.accepted(self.twilio.account());
    }

    /// Finds out what became of the attempt, whose last byte left at the latest now.
    pub async fn settle(&self) -> Settled {
        let _counted = self.engine.metrics.unresolved();
        settle(self.twilio, &self.ticket, &self.attempt, Instant::now()).await
    }
}

/// What is said to an event that there is no turn for.
pub(super) const THROTTLED: &str = "the sender or the account is at its rate, or Twilio asked to wait";

fn too_long(TooLong: TooLong) -> Reason {
    Reason::new(reason::THROTTLED, THROTTLED)
}

/// Looks for an attempt's effect until it shows, or until its absence is proof. `silent_since` is the last moment at which a
/// byte of it can have left.
pub(super) async fn settle(
    twilio: &TwilioClient,
    ticket: &Ticket,
    attempt: &Attempt,
    silent_since: Instant,
) -> Settled {
    let (mut settling, mut step) = Settling::begin(attempt);
    loop {
        match step {
            Step::LookAfter(pause) => tokio::time::sleep(pause).await,
            Step::End(settled) => return settled,
        }
        // The look must begin after the settling time, not only end after it.
        let silent = if is_seeded(Bug::ResendWithoutSettling) { Duration::MAX } else { silent_since.elapsed() };
        let looked = match observe(twilio, ticket, attempt).await {
            Ok(Observed::Present { sid }) => Looked::Present { sid },
            Ok(Observed::Absent) => Looked::Absent { silent },
            Ok(Observed::Unreached) => Looked::Unreached { silent },
            Err(error) => {
                tracing::warn!(event = %ticket.key(), %error, "cannot look for an attempt yet");
                Looked::Failed
            }
        };
        step = settling.looked(attempt, looked);
    }
}
