//! What a running gateway does beside the journal's operation: it takes away what an event has left half-made, delivers an event
//! that is handed in, counts, and writes who has decided what into the log.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Desk, Refusal, Resolve, Retried, Retry, Shown, Why,
    decide::{GIVE_UP, REMEMBER, fitting},
};
use crate::{
    api::ObjectKey,
    delivery::{
        batch::PATIENCE,
        engine::{Engine, Route},
        journal::By,
        outcome::{Final, Outcome},
        plan,
        recovery::{Leftover, leftover_of},
    },
    segment::Event,
};

impl Engine {
    /// A desk on the journal of this gateway.
    pub fn desk(&self, names: super::Names) -> Desk {
        Desk::new(Arc::clone(&self.journal), names)
    }

    /// Resolves an event, or gives it up.
    pub async fn resolve_by_hand(
        self: &Arc<Self>,
        desk: &Desk,
        route: Option<&Arc<Route>>,
        resolve: &Resolve,
    ) -> Result<Shown, Refusal> {
        let decision = desk.decision(resolve).await?;
        let (word, by, gives_up) = (decision.word(), decision.by.clone(), decision.gives_up());
        let tried = route.filter(|_| gives_up && decision.entry.attempts > 0);
        let left = match tried.map(|route| (route, leftover_of(route, &decision.key))) {
            Some((route, Leftover::Of(left))) => Some((route, left)),
            Some((_, Leftover::NotKnownYet)) => {
                let detail = "where it may have left a task is not known yet: see the conditions of the destination";
                return Err(Refusal::new(Why::Unavailable, detail));
            }
            Some((_, Leftover::None)) | None => None,
        };
        let shown = if let (Some((route, left)), Final::Rejected { reason }) = (left, &decision.outcome) {
            let outcome = self
                .give_up_leftover(route, decision.key.clone(), reason.clone(), left, route.destination.limits.settle)
                .await?;
            if let None | Some(Outcome::Retry(_)) = &outcome {
                let why = outcome.as_ref().and_then(Outcome::reason).map(|reason| reason.detail.as_str());
                let why = why.unwrap_or("somebody works on it, or a Secret is not there");
                let detail = format!("what it has left at Twilio cannot be taken away now, so it still waits: {why}");
                return Err(Refusal::new(Why::Unavailable, detail));
            }
            desk.show(&resolve.event).await?
        } else {
            let remember = route.map_or(REMEMBER, |route| route.destination.limits.dedupe_window);
            let outcome = decision.outcome.clone();
            let shown = desk.end(decision, remember).await?;
            if let Some(route) = route.filter(|_| gives_up) {
                self.metrics.ended_late(&route.key, &Outcome::Final(outcome));
            }
            shown
        };
        self.decided(route.map(|route| &route.key), &shown, word, &by);
        Ok(shown)
    }

    /// Reopens an event, and delivers it if it was handed in.
    pub async fn retry_by_hand(
        self: &Arc<Self>,
        desk: &Desk,
        route: Option<&Arc<Route>>,
        retry: &Retry,
    ) -> Result<Retried, Refusal> {
        let event = retry.body.as_ref().map(|_| handed_in(route, retry)).transpose()?;
        let before = desk.show(&retry.event).await?;
        let give_up = route.map_or(GIVE_UP, |route| route.destination.limits.max_age.max(GIVE_UP));
        let shown = desk.reopen(retry, give_up).await?;
        if before.row.outcome.has_ended() {
            let word = if before.may_double() { "reopened_unknown" } else { "reopened_rejected" };
            self.decided(route.map(|route| &route.key), &shown, word, &fitting(&retry.by));
        }
        let Some((route, event)) = event else {
            return Ok(Retried { outcome: None, reason: None, detail: None, event: shown });
        };
        let counted = self.received(route);
        let outcome = self.handle(route, event, true, PATIENCE).await;
        counted.ended(&outcome);
        let reason = outcome.reason();
        Ok(Retried {
            outcome: Some(outcome.kind()),
            reason: reason.map(|reason| reason.word.clone()),
            detail: reason.map(|reason| reason.detail.clone()).filter(|detail| !detail.is_empty()),
            event: desk.show(&retry.event).await?,
        })
    }

    /// Who has decided what, for whoever has to know it later.
    fn decided(&self, destination: Option<&ObjectKey>, shown: &Shown, decision: &'static str, by: &By) {
        let (name, note) = (by.name.as_deref().unwrap_or_default(), by.note.as_deref().unwrap_or_default());
        let row = &shown.row;
        let sid = row.sid.as_deref().unwrap_or_default();
        let detail = row.detail.as_deref().unwrap_or_default();
        tracing::warn!(
            destination = row.destination,
            message_id = row.message_id,
            decision,
            outcome = row.outcome.as_str(),
            sid,
            detail,
            by = name,
            note,
            "decided by hand"
        );
        if let Some(destination) = destination {
            self.metrics.decided(destination, decision);
        }
    }
}

/// The event that was handed in, and the destination that would deliver it. What would not be sent is not reopened for it.
fn handed_in<'a>(route: Option<&'a Arc<Route>>, retry: &Retry) -> Result<(&'a Arc<Route>, Event), Refusal> {
    let invalid = |detail: String| Refusal::new(Why::Invalid, detail);
    let route = route.ok_or_else(|| {
        let detail = format!("{} is not served by this gateway, so it delivers no event", retry.event.destination);
        Refusal::new(Why::UnknownDestination, detail)
    })?;
    let json = retry.body.as_ref().map(ToString::to_string).unwrap_or_default();
    let event = Event::parse(&json).map_err(|error| invalid(format!("the event that was handed in: {error}")))?;
    if event.message_id.as_str() != retry.event.message_id {
        let detail = format!("the event that was handed in is {}, not {}", event.message_id, retry.event.message_id);
        return Err(invalid(detail));
    }
    match plan::select(&route.destination, &event, Timestamp::now()) {
        Some(outcome) => {
            let (word, detail) =
                outcome.reason().map_or(("", ""), |reason| (reason.word.as_str(), reason.detail.as_str()));
            let detail = format!(
                "nothing was done, since the event would be suppressed as {word}: {detail}. One that is too old can be sent as \
                 a new event"
            );
            Err(Refusal::new(Why::NotAllowed, detail))
        }
        None => Ok((route, event)),
    }
}
