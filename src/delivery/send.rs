//! One attempt in the hands of the delivery that claimed it, and what all actions do alike: keep the pace, begin it, read an
//! answer, and find out what became of a call whose answer was lost. What to do next is decided in [`super::steps`].

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        engine::{Engine, Route},
        fault::Fault,
        journal::{Attempt, Ticket, TicketError, now},
        observe::{Observed, observe},
        outcome::Reason,
        pace::TooLong,
        steps::{
            Answer, Lost,
            settling::{Looked, Settled, Settling, Step},
        },
    },
    twilio::{TwilioClient, TwilioError},
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
}

impl Sending<'_> {
    /// Waits for the sender's turn. A reason means that it would not come in time.
    pub async fn pace(&self) -> Result<(), Reason> {
        let rate = self.route.destination.limits.rate;
        self.engine
            .pacer
            .turn(self.twilio.account(), self.sender, rate)
            .await
            .map_err(|TooLong| Reason::new(reason::THROTTLED, "the sender is at its rate, or Twilio asked to wait"))
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

    /// Twilio took a request: a pause that was asked for is over.
    pub fn accepted(&self) {
        self.engine.pacer.accepted(self.twilio.account());
    }

    /// Finds out what became of the attempt, whose last byte left at the latest now.
    pub async fn settle(&self) -> Settled {
        let _counted = self.engine.metrics.unresolved();
        settle(self.twilio, &self.ticket, &self.attempt, Instant::now()).await
    }
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
        let silent = silent_since.elapsed();
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
