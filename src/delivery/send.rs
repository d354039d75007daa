//! One attempt in the hands of the delivery that claimed it, and what both actions do alike: begin it, read a refusal, and
//! find out what became of a call whose answer was lost.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        engine::{Engine, Route},
        fault::Fault,
        journal::{AfterAbsence, Attempt, Ticket, TicketError, machine::after_absence, now},
        observe::{Observed, observe},
        outcome::{Final, Reason},
        pace::TooLong,
    },
    twilio::{TwilioClient, TwilioError},
};

/// Pauses between looks that themselves failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// When the first look is taken after an answer was lost: most effects show at once.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Attempts that one delivery makes when each before was lost and proven to be without effect; then Segment's own repetition
/// takes over.
pub(super) const MAX_ATTEMPTS: u32 = 3;

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

/// How a delivery ended.
pub(super) enum Sent {
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
}

/// What became of an attempt whose answer was lost.
pub(super) enum Settled {
    /// It had its effect.
    Present { sid: String },
    /// It had none and will have none.
    Absent,
    /// It cannot be told.
    Unknown(Reason),
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

    /// Reads a call that certainly had no effect.
    pub async fn refused(&self, error: &TwilioError) -> Sent {
        match Fault::of(error) {
            Fault::Event(reason) => Sent::rejected(reason),
            Fault::Mendable(reason) => {
                if matches!(reason.word.as_str(), reason::TWILIO_NOT_FOUND | reason::TWILIO_REFUSED) {
                    self.engine.suspect(self.route);
                }
                Sent::NotNow(reason)
            }
            Fault::Throttled { retry_after } => {
                self.engine.pacer.throttled(self.twilio.account(), retry_after);
                Sent::NotNow(Reason::new(reason::THROTTLED, "Twilio asked to slow down"))
            }
            Fault::Credentials(reason) => {
                self.engine.refresh_secret(self.route, &self.route.destination.twilio.name).await;
                self.engine.suspect(self.route);
                Sent::NotNow(reason)
            }
        }
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

    /// How long the effect of a step may take to show.
    pub fn settle_time(&self) -> Duration {
        self.attempt.settle
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
    tokio::time::sleep(FIRST_LOOK.min(attempt.settle)).await;
    let mut pause = FIRST_PAUSE;
    loop {
        // The look must begin after the settling time, not only end after it.
        let silent = silent_since.elapsed();
        match observe(twilio, ticket, attempt).await {
            Ok(Observed::Present { sid }) => return Settled::Present { sid },
            Ok(Observed::Absent) => match after_absence(attempt, silent) {
                AfterAbsence::LookAgain { after } => tokio::time::sleep(after).await,
                AfterAbsence::Resend => return Settled::Absent,
                AfterAbsence::Park => {
                    let detail = "the answer of Twilio was lost and the message is not in its list; look at the customer's \
                                  history before sending again";
                    return Settled::Unknown(Reason::new(reason::OUTCOME_UNKNOWN, detail));
                }
            },
            Err(error) => {
                tracing::warn!(event = %ticket.key(), %error, "cannot look for an attempt yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}
