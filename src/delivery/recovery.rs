//! What a process that is gone left behind. Its attempts are looked for in Twilio; claims that never came to an attempt need
//! nothing, and events that nobody repeats any more are given up in sight.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        destination::Action,
        engine::{Engine, Route, settle_ticket},
        journal::{
            Attempt, Claimed, JournalError, Key, Operation, Reply, State, Ticket, Trace,
            machine::{given_up, why_given_up},
        },
        outcome::{Final, Outcome, Reason},
        plan::unique_name,
        recipients::Hold,
        seeded::{Bug, is_seeded},
        send::{Sending, settle},
        steps::{Sent, settling::Settled},
    },
    segment::Event,
};

/// Pause between looks for a destination that is not known, or whose credentials cannot be read.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an outcome is remembered that a destination no longer says anything about.
const REMEMBER: Duration = Duration::from_hours(168);
/// Longest time for which a customer gets nothing because an attempt to them cannot be looked for.
const MAX_HOLD: Duration = Duration::from_hours(1);
/// Longest wait for another delivery to the same customer.
const RECIPIENT_PATIENCE: Duration = Duration::from_hours(24);

/// Attempts that are taken over at a time; the journal writes them together.
const ADOPTIONS: usize = 256;

/// Finds a destination by its uid.
pub type RouteLookup = Arc<dyn Fn(&str) -> Option<Arc<Route>> + Send + Sync>;

impl Engine {
    /// Takes over the attempts of owners that are gone. To be called once, before the first event is taken.
    pub async fn recover(self: &Arc<Self>, routes: &RouteLookup) -> Result<usize, JournalError> {
        let mut started = Vec::new();
        // Of what has not ended most was only put off, and a start is not to take longer for that.
        for key in self.journal.unended().await? {
            if self.journal.find(&key).await?.is_some_and(|entry| matches!(entry.state, State::Started { .. })) {
                started.push(key);
            }
        }
        let mut adoptions = stream::iter(started.into_iter().map(|key| {
            let remember = routes(&key.destination).map_or(REMEMBER, |route| route.destination.limits.dedupe_window);
            Ticket::adopt(&self.journal, key, remember)
        }))
        .buffered(ADOPTIONS);
        let mut adopted = 0;
        while let Some(adoption) = adoptions.next().await {
            let Some((ticket, attempt)) = adoption? else { continue };
            adopted += 1;
            if is_seeded(Bug::TakeOverStarted) {
                settle_ticket(ticket, Outcome::retry(reason::STILL_SENDING, "")).await;
                continue;
            }
            let hold = self.hold(&attempt);
            self.resolve(ticket, attempt, hold, Arc::clone(routes));
        }
        Ok(adopted)
    }

    /// What Twilio lists for a customer is this attempt's only if nothing else leaves for them meanwhile.
    fn hold(&self, attempt: &Attempt) -> Option<Hold> {
        match &attempt.trace {
            Trace::Message { to, .. } => Some(self.recipients.hold(to)),
            Trace::Conversation { .. } | Trace::Reused { .. } | Trace::Interaction { .. } => None,
        }
    }

    /// Finds out what became of an attempt whose owner is gone. The last byte of it can have left until now at the latest.
    /// Until it is known, or for as long as `hold` lasts, nothing else leaves for the same customer.
    fn resolve(self: &Arc<Self>, ticket: Ticket, attempt: Attempt, hold: Option<Hold>, routes: RouteLookup) {
        let (engine, silent_since) = (Arc::clone(self), Instant::now());
        let mut hold = hold;
        self.spawn(async move {
            let _counted = engine.metrics.unresolved();
            let (route, twilio) = loop {
                let route = routes(&ticket.key().destination);
                if let Some(route) = &route { match engine.credentials(route).await {
                    Ok(credentials) => break (Arc::clone(route), credentials.twilio),
                    Err(problem) => tracing::warn!(event = %ticket.key(), problem, "cannot look for an attempt yet"),
                } } else { tracing::debug!(event = %ticket.key(), "the destination of an attempt is not known yet") }
                if silent_since.elapsed() > MAX_HOLD {
                    hold = None;
                }
                tokio::time::sleep(PAUSE).await;
            };
            let _turn = match &attempt.trace {
                Trace::Message { to, .. } if hold.is_none() => engine.recipients.turn(twilio.account(), to, RECIPIENT_PATIENCE).await,
                _ => None,
            };
            let outcome = match settle(&twilio, &ticket, &attempt, silent_since).await {
                Settled::Present { sid } => Outcome::Final(Final::Sent { sid }),
                Settled::Absent => Outcome::retry(reason::STILL_SENDING, "an attempt was cut off and had no effect"),
                Settled::Unknown(reason) => Outcome::Final(Final::Unknown { reason }),
            };
            tracing::info!(event = %ticket.key(), outcome = outcome.kind().as_str(), "an attempt that was cut off is settled");
            let outcome = settle_ticket(ticket, outcome).await;
            drop(hold);
            engine.metrics.ended_late(&route.key, &outcome);
        });
    }

    /// A delivery of this process panicked: a claim is given back, an attempt is looked for.
    pub(super) async fn resume_after_panic(self: &Arc<Self>, route: &Arc<Route>, event: &Event) {
        let key = Key { destination: route.uid.clone(), message_id: event.message_id.clone() };
        let remember = route.destination.limits.dedupe_window;
        match Ticket::adopt(&self.journal, key.clone(), remember).await {
            Ok(Some((ticket, attempt))) => {
                let route = Arc::clone(route);
                let hold = self.hold(&attempt);
                self.resolve(ticket, attempt, hold, Arc::new(move |_| Some(Arc::clone(&route))));
            }
            Ok(None) => {
                let reason = Reason::new(reason::INTERNAL, "the delivery failed by a defect of this program");
                if let Err(error) = self.journal.apply(key, Operation::Release { reason }).await {
                    tracing::error!(%error, "an event stays claimed until the next start");
                }
            }
            Err(error) => tracing::error!(%error, "an event stays claimed until the next start"),
        }
    }

    /// Gives up an event that may have left something half-made, which is taken away first: after `pause`, within which what was
    /// asked for last shows. Gives what became of it; nothing where it cannot be now.
    pub(super) async fn give_up_leftover(
        self: &Arc<Self>,
        route: &Arc<Route>,
        key: Key,
        why: Reason,
        left: Trace,
        pause: Duration,
    ) -> Result<Option<Outcome>, JournalError> {
        let limits = route.destination.limits;
        let credentials = match self.credentials(route).await {
            Ok(credentials) => credentials,
            Err(problem) => {
                tracing::warn!(event = %key, problem, "an event cannot be given up yet");
                return Ok(None);
            }
        };
        let claimed = Ticket::claim(&self.journal, key, limits.max_age, limits.dedupe_window).await?;
        let Claimed::Granted(ticket) = claimed else { return Ok(None) };
        tokio::time::sleep(pause).await;
        let attempt = Attempt {
            at: super::journal::now(),
            settle: limits.settle,
            on_unknown: limits.on_unknown,
            trace: left.clone(),
        };
        let mut sending =
            Sending { engine: self, route, twilio: &credentials.twilio, sender: "", ticket, attempt, turn: None };
        let word = why.word.clone();
        let outcome = match sending.leftover(&left, why).await {
            Ok(Sent::Final(outcome)) => Outcome::Final(outcome),
            Ok(Sent::NotNow(reason)) => Outcome::Retry(reason),
            Err(error) => {
                tracing::warn!(%error, "an event cannot be given up yet");
                return Ok(None);
            }
        };
        tracing::warn!(event = %sending.ticket.key(), outcome = outcome.kind().as_str(), reason = word, "an event is given up");
        let outcome = settle_ticket(sending.ticket, outcome).await;
        if !matches!(outcome, Outcome::Retry(_)) {
            self.metrics.ended_late(&route.key, &outcome);
        }
        Ok(Some(outcome))
    }

    /// Ends events that were put off and that nobody repeats any more, and forgets old outcomes. To be called now and then.
    pub async fn sweep(self: &Arc<Self>, routes: &RouteLookup) -> Result<(), JournalError> {
        while self.journal.forget_expired().await? > 0 {}
        while self.journal.receipts().forget_receipts().await? > 0 {}
        for key in self.journal.unended().await? {
            let Some(entry) = self.journal.find(&key).await? else { continue };
            if entry.expires > super::journal::now() || matches!(entry.state, State::Started { .. }) {
                continue;
            }
            let route = routes(&key.destination);
            let remember = route.as_ref().map_or(REMEMBER, |route| route.destination.limits.dedupe_window);
            if let Some(route) = route.as_ref().filter(|_| entry.attempts > 0) {
                match leftover_of(route, &key) {
                    Leftover::None => {}
                    Leftover::Of(left) => {
                        // Nothing was asked for since hours.
                        self.give_up_leftover(route, key, why_given_up(&entry.state), left, Duration::ZERO).await?;
                        continue;
                    }
                    Leftover::NotKnownYet => continue,
                }
            }
            let outcome = given_up(&entry);
            if let Reply::Done { .. } = self.journal.apply(key.clone(), Operation::GiveUp { remember }).await? {
                tracing::warn!(event = %key, reason = reason::RETRIES_ENDED, "an event is given up");
                if let Some(route) = route {
                    self.metrics.ended_late(&route.key, &Outcome::Final(outcome));
                }
            }
        }
        Ok(())
    }
}

/// By what the half-made work of an event is known.
pub(super) enum Leftover {
    /// Its action leaves none.
    None,
    Of(Trace),
    /// The controller has yet to say where it would be.
    NotKnownYet,
}

pub(super) fn leftover_of(route: &Route, key: &Key) -> Leftover {
    let unique_name = || unique_name(&key.destination, &key.message_id);
    match (&route.destination.action, &route.task_place) {
        (Action::Whatsapp(_), _) => Leftover::None,
        (Action::Conversation(action), _) => Leftover::Of(Trace::Conversation {
            unique_name: unique_name(),
            event: key.message_id.to_string(),
            opening: action.opening.is_some(),
        }),
        (Action::Interaction(_), Some(place)) => Leftover::Of(Trace::Interaction {
            unique_name: unique_name(),
            workspace: place.workspace.clone(),
            asked: false,
        }),
        (Action::Interaction(_), None) => Leftover::NotKnownYet,
    }
}
