//! Looks at what became of opening messages: the oldest first, a bounded number at once and a second, and from disk, so that
//! the end of the process loses none. A destination that cannot be looked at holds up no other.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    look::{self, Look, Then},
    metrics::LookResult,
    store::{DueLook, Looked, Taken},
};
use crate::{
    delivery::{
        engine::{Engine, Route},
        fault::Fault,
        journal::{JournalError, now},
        observe::opening_of,
        recovery::RouteLookup,
    },
    twilio::{TwilioClient, TwilioError, sid::ConversationMessageSid},
};

/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// Destinations that are looked at at once.
const DESTINATIONS: usize = 8;
/// Looks of one destination at once. Twilio limits what an account asks at the same time, and messages go before.
const CONCURRENCY: usize = 4;
/// Looks a second in one account.
const RATE: u32 = 20;
/// Looks of one destination in one round.
const BATCH: usize = 100;
/// By what name looks take their turns, apart from those of senders.
const TURNS: &str = "receipts";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// What is to be looked at, and how.
pub struct Lookups {
    engine: Arc<Engine>,
    lookup: RouteLookup,
    courses: Mutex<HashMap<String, Course>>,
    shutdown: CancellationToken,
}

/// How looking at one destination's messages goes.
#[derive(Debug, Clone, Copy)]
struct Course {
    pause: Duration,
    not_before: Instant,
}

impl Course {
    /// The pause after one more look that failed.
    fn after(before: Option<Self>) -> Self {
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(MAX_PAUSE));
        Self { pause, not_before: Instant::now() + pause.mul_f64(rand::rng().random_range(0.8..1.2)) }
    }
}

/// How one look came out.
enum Outcome {
    Taken(LookResult),
    /// It could not be taken, and others of this destination hardly can.
    Failed(LookResult),
    /// It is for later, and so are all of this destination.
    NotNow,
}

impl Lookups {
    pub fn new(engine: Arc<Engine>, lookup: RouteLookup, shutdown: CancellationToken) -> Self {
        Self { engine, lookup, courses: Mutex::default(), shutdown }
    }

    /// Looks at what is due and what will be until `shutdown`, then ends the looks under way.
    pub async fn run(self) {
        while !self.shutdown.is_cancelled() {
            if let Err(error) = self.round().await {
                tracing::error!(%error, "what opening messages are to be looked at cannot be read");
            }
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    async fn round(&self) -> Result<(), JournalError> {
        let receipts = self.engine.journal.receipts();
        let waiting = receipts.looks_count().await?;
        self.engine.metrics.receipts.looks_waiting(waiting);
        if waiting == 0 {
            self.courses.lock().unwrap_or_else(PoisonError::into_inner).clear();
            return Ok(());
        }
        let destinations = receipts.looking_destinations().await?;
        stream::iter(destinations)
            .for_each_concurrent(DESTINATIONS, |uid| async move {
                if let Err(error) = self.look_at(&uid).await {
                    tracing::error!(%error, "what opening messages are to be looked at cannot be read");
                }
            })
            .await;
        self.engine.metrics.receipts.looks_waiting(receipts.looks_count().await?);
        Ok(())
    }

    /// Takes the looks of one destination that are due, until one fails.
    async fn look_at(&self, uid: &str) -> Result<(), JournalError> {
        let due = self.engine.journal.receipts().looks(uid, now(), BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        let course = self.course(uid);
        if course.is_some_and(|course| course.not_before > Instant::now()) {
            return self.give_up_old(&due).await;
        }
        let failed = match self.open(uid).await {
            Ok((route, twilio)) => self.take(&route, &twilio, due).await?,
            Err(problem) => {
                tracing::warn!(destination = self.name(uid), problem, "opening messages cannot be looked at");
                self.give_up_old(&due).await?;
                true
            }
        };
        let mut courses = self.courses.lock().unwrap_or_else(PoisonError::into_inner);
        if failed {
            courses.insert(uid.to_owned(), Course::after(course));
        } else {
            courses.remove(uid);
        }
        drop(courses);
        Ok(())
    }

    /// Takes looks, and leaves the rest for later when one fails; gives whether one did.
    async fn take(&self, route: &Route, twilio: &TwilioClient, due: Vec<DueLook>) -> Result<bool, JournalError> {
        let (stopped, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (stopped, failed) = (&stopped, &failed);
        let mut looks = stream::iter(due)
            .map(|due| async move {
                if stopped.load(Ordering::Relaxed) || self.shutdown.is_cancelled() {
                    return Ok(());
                }
                match self.look(route, twilio, due).await? {
                    Outcome::Taken(result) => self.engine.metrics.receipts.look(result),
                    Outcome::Failed(result) => {
                        self.engine.metrics.receipts.look(result);
                        failed.store(true, Ordering::Relaxed);
                        stopped.store(true, Ordering::Relaxed);
                    }
                    Outcome::NotNow => stopped.store(true, Ordering::Relaxed),
                }
                Ok(())
            })
            .buffer_unordered(CONCURRENCY);
        while let Some(looked) = looks.next().await {
            looked?;
        }
        Ok(failed.load(Ordering::Relaxed))
    }

    async fn look(&self, route: &Route, twilio: &TwilioClient, due: DueLook) -> Result<Outcome, JournalError> {
        let Some(look) = &due.look else {
            return self.end(&due).await.map(Outcome::Taken);
        };
        let pacer = &self.engine.pacer;
        // The turn is over as soon as it has come: a look is one request, or two.
        if pacer.message(twilio.account(), TURNS, RATE).await.map(drop).is_err() {
            return Ok(Outcome::NotNow);
        }
        let (result, looked) = match see(twilio, &due, look).await {
            Ok(looked) => {
                pacer.accepted(twilio.account());
                let result = if looked.message.is_none() { LookResult::NotListed } else { LookResult::Repeated };
                (result, looked)
            }
            Err(error) if error.is_not_found() => {
                tracing::info!(event = %due.key, conversation = %look.conversation, "a conversation is gone, and with it what became of its message");
                (LookResult::Gone, unseen(Then::End))
            }
            Err(error) => match Fault::of(&error) {
                Fault::Throttled { retry_after } => {
                    self.engine.metrics.receipts.look(LookResult::Throttled);
                    pacer.throttled(twilio.account(), retry_after);
                    return Ok(Outcome::NotNow);
                }
                fault => {
                    tracing::warn!(event = %due.key, %error, "an opening message could not be looked at");
                    (self.failed(route, &fault).await, unseen(Then::Again))
                }
            },
        };
        let outcome = match result {
            LookResult::Failed | LookResult::Refused => Outcome::Failed,
            _ => Outcome::Taken,
        };
        self.record(route, &due, look, result, looked).await.map(outcome)
    }

    /// Does what a refusal asks for.
    async fn failed(&self, route: &Route, fault: &Fault) -> LookResult {
        if !matches!(fault, Fault::Credentials(_)) {
            return LookResult::Failed;
        }
        self.engine.refresh_secret(route, &route.destination.twilio.name).await;
        self.engine.suspect(route);
        LookResult::Refused
    }

    /// Puts on record what a look has come to, and counts what was learned by it.
    async fn record(
        &self,
        route: &Route,
        due: &DueLook,
        look: &Look,
        result: LookResult,
        looked: Looked,
    ) -> Result<LookResult, JournalError> {
        let receipts = looked.receipts.clone();
        let taken = self.engine.journal.receipts().looked(due.key.clone(), due.due, looked).await?;
        for (receipt, taken) in receipts.iter().zip(&taken.receipts) {
            self.engine.learned(route, &due.key.message_id, receipt, *taken);
        }
        let is_new = taken.receipts.iter().any(|taken| matches!(taken, Taken::Advanced { .. }));
        let unseen = matches!(result, LookResult::NotListed | LookResult::Failed | LookResult::Refused);
        if unseen && !taken.goes_on {
            self.engine.metrics.receipts.look(result);
            self.given_up(due, Some(look));
            return Ok(LookResult::GivenUp);
        }
        Ok(if is_new { LookResult::New } else { result })
    }

    /// Gives up what waits since too long, unseen, while nothing can be looked at.
    async fn give_up_old(&self, due: &[DueLook]) -> Result<(), JournalError> {
        let at = now();
        for due in due.iter().filter(|due| due.look.as_ref().is_none_or(|look| look.is_over(at))) {
            let result = self.end(due).await?;
            self.engine.metrics.receipts.look(result);
        }
        Ok(())
    }

    /// Takes out a look that will not be taken.
    async fn end(&self, due: &DueLook) -> Result<LookResult, JournalError> {
        self.engine.journal.receipts().looked(due.key.clone(), due.due, unseen(Then::End)).await?;
        self.given_up(due, due.look.as_ref());
        Ok(LookResult::GivenUp)
    }

    fn given_up(&self, due: &DueLook, look: Option<&Look>) {
        let conversation = look.map(|look| look.conversation.as_str()).unwrap_or_default();
        tracing::warn!(
            destination = self.name(&due.key.destination),
            message_id = %due.key.message_id,
            conversation,
            "what became of an opening message will not be known: it could not be looked at in time"
        );
    }

    /// The destination, and the client of its account.
    async fn open(&self, uid: &str) -> Result<(Arc<Route>, TwilioClient), String> {
        let route = (self.lookup)(uid).ok_or("the destination is gone or not known yet")?;
        let twilio = self.engine.twilio_client(&route).await?;
        Ok((route, twilio))
    }

    fn course(&self, uid: &str) -> Option<Course> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).get(uid).copied()
    }

    fn name(&self, uid: &str) -> String {
        (self.lookup)(uid).map_or_else(|| uid.to_owned(), |route| route.key.to_string())
    }
}

/// A look that has shown nothing.
const fn unseen(then: Then) -> Looked {
    Looked { message: None, receipts: Vec::new(), then }
}

/// Reads the receipts of the message.
async fn see(twilio: &TwilioClient, due: &DueLook, look: &Look) -> Result<Looked, TwilioError> {
    let Some(message) = message_of(twilio, due, look).await? else { return Ok(unseen(Then::Next)) };
    let receipts = twilio.delivery_receipts(&look.conversation, &message).await?;
    let receipts = look::said(message.as_str(), &look.conversation, &receipts);
    Ok(Looked { message: Some(message), receipts, then: Then::Next })
}

/// The message, which is found by its event where its SID is not known.
async fn message_of(
    twilio: &TwilioClient,
    due: &DueLook,
    look: &Look,
) -> Result<Option<ConversationMessageSid>, TwilioError> {
    if look.message.is_some() {
        return Ok(look.message.clone());
    }
    let messages = twilio.conversation_messages(&look.conversation).await?;
    let ours = opening_of(&messages, due.key.message_id.as_str());
    Ok(ours.and_then(|message| message.sid.parse().ok()))
}
