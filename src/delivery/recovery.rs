//! What a process that is gone left behind. Its attempts are looked for in Twilio; claims that never came to an attempt need
//! nothing, and events that nobody repeats any more are given up in sight.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    api::reasons::event as reason,
    delivery::{
        engine::{Engine, Route, settle_ticket},
        journal::{Attempt, Key, Operation, Reply, State, Ticket, Trace},
        outcome::{Final, Outcome, Reason},
        send::settle,
        steps::settling::Settled,
    },
    segment::Event,
};

/// Pause between looks for a destination that is not known, or whose credentials cannot be read.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an outcome is remembered that a destination no longer says anything about.
const REMEMBER: Duration = Duration::from_hours(168);
/// Longest wait for another delivery to the same customer.
const RECIPIENT_PATIENCE: Duration = Duration::from_hours(24);

/// Finds a destination by its uid.
pub type RouteLookup = Arc<dyn Fn(&str) -> Option<Arc<Route>> + Send + Sync>;

impl Engine {
    /// Takes over the attempts of owners that are gone. To be called once, before the first event is taken.
    pub async fn recover(self: &Arc<Self>, routes: &RouteLookup) -> Result<usize, super::journal::JournalError> {
        let mut adopted = 0;
        for key in self.journal.unended().await? {
            let remember = routes(&key.destination).map_or(REMEMBER, |route| route.destination.limits.dedupe_window);
            if let Some((ticket, attempt)) = Ticket::adopt(&self.journal, key, remember).await? {
                adopted += 1;
                self.resolve(ticket, attempt, Arc::clone(routes));
            }
        }
        Ok(adopted)
    }

    /// Finds out what became of an attempt whose owner is gone. The last byte of it can have left until now at the latest.
    fn resolve(self: &Arc<Self>, ticket: Ticket, attempt: Attempt, routes: RouteLookup) {
        let (engine, silent_since) = (Arc::clone(self), Instant::now());
        self.spawn(async move {
            let _counted = engine.metrics.unresolved();
            let (route, twilio) = loop {
                let route = routes(&ticket.key().destination);
                if let Some(route) = &route { match engine.credentials(route).await {
                    Ok(credentials) => break (Arc::clone(route), credentials.twilio),
                    Err(problem) => tracing::warn!(event = %ticket.key(), problem, "cannot look for an attempt yet"),
                } } else { tracing::debug!(event = %ticket.key(), "the destination of an attempt is not known yet") }
                tokio::time::sleep(PAUSE).await;
            };
            let _turn = match &attempt.trace {
                Trace::Message { to, .. } => engine.recipients.turn(twilio.account(), to, RECIPIENT_PATIENCE).await,
                Trace::Conversation { .. } => None,
            };
            let outcome = match settle(&twilio, &ticket, &attempt, silent_since).await {
                Settled::Present { sid } => Outcome::Final(Final::Sent { sid }),
                Settled::Absent => Outcome::retry(reason::STILL_SENDING, "an attempt was cut off and had no effect"),
                Settled::Unknown(reason) => Outcome::Final(Final::Unknown { reason }),
            };
            tracing::info!(event = %ticket.key(), outcome = outcome.kind().as_str(), "an attempt that was cut off is settled");
            let outcome = settle_ticket(ticket, outcome).await;
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
                self.resolve(ticket, attempt, Arc::new(move |_| Some(Arc::clone(&route))));
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

    /// Ends events that were put off and that nobody repeats any more, and forgets old outcomes. To be called now and then.
    pub async fn sweep(&self, routes: &RouteLookup) -> Result<(), super::journal::JournalError> {
        while self.journal.forget_expired().await? > 0 {}
        for key in self.journal.unended().await? {
            let Some(entry) = self.journal.find(&key).await? else { continue };
            if entry.expires > super::journal::now() || matches!(entry.state, State::Started { .. }) {
                continue;
            }
            let route = routes(&key.destination);
            let remember = route.as_ref().map_or(REMEMBER, |route| route.destination.limits.dedupe_window);
            if let Reply::Done { .. } = self.journal.apply(key.clone(), Operation::GiveUp { remember }).await? {
                tracing::warn!(event = %key, reason = reason::RETRIES_ENDED, "an event is given up");
                if let Some(route) = route {
                    let reason = Reason::new(reason::RETRIES_ENDED, "");
                    self.metrics.ended_late(&route.key, &Outcome::Final(Final::Rejected { reason }));
                }
            }
        }
        Ok(())
    }
}
