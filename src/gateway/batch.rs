//! The events of one request, each brought to its outcome, so many at once and as long as Segment waits. An event is read when
//! its turn comes, so a large batch costs no more memory than its bytes and those that are being worked on.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesOrdered};

use crate::{
    api::reasons::event as reason,
    delivery::{
        batch::{self, PATIENCE},
        engine::Route,
        metrics::InFlight,
        outcome::Outcome,
    },
    gateway::{answer::EventOutcome, destinations::Gateway},
    segment::{Event, body::Body, event::EventError, proof::Proof},
};

/// Events of one request that are worked on at once.
const CONCURRENCY: usize = 64;
/// Time for the events of a body that took long to arrive, so that each repetition gets further.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// What became of one event of a request.
enum Ended {
    As(Outcome),
    /// It has the message id of an earlier one, whose outcome is its own.
    Repeats(usize),
}

impl Gateway {
    /// Brings each event to its outcome. A message id that comes twice in one request is acted on once. Segment counts its
    /// patience from the first byte, so `arrived` is when the request began, not when its body was there.
    pub(super) async fn deliver(
        &self,
        route: &Arc<Route>,
        body: &Body<'_>,
        proof: Proof,
        arrived: Instant,
    ) -> Vec<EventOutcome> {
        let deadline = (arrived + PATIENCE).max(Instant::now() + LEAST_TIME);
        let mut first_of: HashMap<String, usize> = HashMap::new();
        let mut waiting = body.events().iter().enumerate();
        let mut running = FuturesOrdered::new();
        let mut outcomes = Vec::with_capacity(body.events().len());
        loop {
            while running.len() < CONCURRENCY
                && let Some((index, raw)) = waiting.next()
            {
                let counted = self.engine.received(route);
                let event = Event::parse(raw.get());
                let first = event.as_ref().ok().and_then(|event| first_of_id(&mut first_of, event, index));
                running.push_back(async move {
                    let message_id = event.as_ref().ok().map(|event| event.message_id.to_string());
                    let ended = match first {
                        Some(first) => Ended::Repeats(first),
                        None => Ended::As(self.one(route, event, proof.covers(index), deadline).await),
                    };
                    (message_id, ended, counted)
                });
            }
            match running.next().await {
                Some(ended) => outcomes.push(ended),
                None => break,
            }
        }
        finish(route, outcomes)
    }

    async fn one(
        &self,
        route: &Arc<Route>,
        event: Result<Event, EventError>,
        proven: bool,
        deadline: Instant,
    ) -> Outcome {
        let event = match event {
            Ok(event) => event,
            Err(error) => return Outcome::rejected(reason::MALFORMED_EVENT, error.to_string()),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let largest = batch::largest_at(route.destination.limits.rate);
            let detail = format!("the request's time was up before this event's turn; batches of {largest} have time");
            return Outcome::retry(reason::NOT_ATTEMPTED, detail);
        }
        self.engine.handle(route, event, proven, left).await
    }
}

/// The index of the event that had this one's id first, if there was one.
fn first_of_id(first_of: &mut HashMap<String, usize>, event: &Event, index: usize) -> Option<usize> {
    match first_of.entry(event.message_id.to_string()) {
        Entry::Occupied(first) => Some(*first.get()),
        Entry::Vacant(free) => {
            free.insert(index);
            None
        }
    }
}

/// Counts every event under its outcome, and says in the log how many there was no time for.
fn finish(route: &Route, ended: Vec<(Option<String>, Ended, InFlight)>) -> Vec<EventOutcome> {
    let mut outcomes: Vec<EventOutcome> = Vec::with_capacity(ended.len());
    let mut not_attempted = 0_usize;
    for (message_id, ended, counted) in ended {
        let outcome = match ended {
            Ended::As(outcome) => outcome,
            Ended::Repeats(first) => {
                outcomes.get(first).map_or_else(|| Outcome::retry(reason::INTERNAL, ""), |(_, first)| repeated(first))
            }
        };
        not_attempted += usize::from(outcome.reason().is_some_and(|reason| reason.word == reason::NOT_ATTEMPTED));
        counted.ended(&outcome);
        outcomes.push((message_id, outcome));
    }
    if not_attempted > 0 {
        let events = outcomes.len();
        let largest = batch::largest_at(route.destination.limits.rate);
        tracing::warn!(destination = %route.key, events, not_attempted, largest, "a batch was too large for its request");
    }
    outcomes
}

/// The outcome of an event whose twin in the same request came to `first`.
fn repeated(first: &Outcome) -> Outcome {
    match first.clone() {
        Outcome::Final(outcome) | Outcome::Duplicate(outcome) => Outcome::Duplicate(outcome),
        Outcome::Retry(reason) => Outcome::Retry(reason),
    }
}
