//! Tells Segment what became of messages: in batches for each destination, again until it is taken, and from disk, so that
//! the end of the process loses nothing. A destination that cannot be told holds up no other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use rand::Rng;
use secrecy::SecretString;

use super::{metrics::ToldResult, store::Announcement};
use crate::{
    api::ObjectKey,
    delivery::{
        credentials::SecretCache,
        engine::Route,
        journal::{Journal, JournalError, UnixMillis, now},
        metrics::DeliveryMetrics,
        recovery::RouteLookup,
    },
    segment::tracking::{self, MAX_BYTES, MAX_EVENTS, TrackingClient, TrackingError},
};

/// Time between two rounds; what comes in between leaves together.
const ROUND: Duration = Duration::from_secs(1);
/// Destinations that are told at once.
const CONCURRENCY: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// What was not taken for so long is given up, after one more try.
const MAX_AGE: Duration = Duration::from_hours(168);

/// What is waiting, and how to tell it.
pub struct Outbox {
    pub journal: Arc<dyn Journal>,
    pub tracking: TrackingClient,
    pub secrets: Arc<SecretCache>,
    pub lookup: RouteLookup,
    pub metrics: DeliveryMetrics,
    courses: Mutex<HashMap<String, Course>>,
}

/// How telling one destination's announcements goes.
#[derive(Debug, Clone)]
struct Course {
    /// Where the next batch begins. What Segment does not take alone is passed, and comes again after all others.
    place: u64,
    /// Most events of a batch: fewer while batches are not taken.
    most: usize,
    pause: Duration,
    not_before: Instant,
}

impl Default for Course {
    fn default() -> Self {
        Self { place: 0, most: MAX_EVENTS, pause: FIRST_PAUSE, not_before: Instant::now() }
    }
}

/// Why a batch has not left.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error("the destination is gone, or tells Segment nothing any more")]
    NoDestination,
    #[error("{0}")]
    Secret(String),
    #[error(transparent)]
    Tracking(#[from] TrackingError),
}

impl Course {
    /// The batch was taken.
    fn went_well(&mut self, last: u64) {
        *self = Self { place: last + 1, ..Self::default() };
    }

    /// The batch of `sent` events, the first of them at `first`, was not taken.
    fn failed(&mut self, first: u64, sent: usize, error: &NotTold) {
        let asked = match error {
            NotTold::Tracking(TrackingError::NotTaken(_)) if sent > 1 => {
                self.most = sent / 2;
                None
            }
            NotTold::Tracking(TrackingError::NotTaken(_)) => {
                self.place = first + 1;
                None
            }
            NotTold::Tracking(TrackingError::Throttled { retry_after }) => *retry_after,
            _ => None,
        };
        let own = self.pause.mul_f64(rand::rng().random_range(0.8..1.2));
        self.not_before = Instant::now() + asked.unwrap_or_default().max(own);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }
}

impl Outbox {
    pub fn new(
        journal: Arc<dyn Journal>,
        tracking: TrackingClient,
        secrets: Arc<SecretCache>,
        lookup: RouteLookup,
        metrics: DeliveryMetrics,
    ) -> Self {
        Self { journal, tracking, secrets, lookup, metrics, courses: Mutex::default() }
    }

    /// Tells what waits and what comes, until it is dropped.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.round().await {
                tracing::error!(%error, "what waits to be told Segment cannot be read");
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn round(&self) -> Result<(), JournalError> {
        let receipts = self.journal.receipts();
        let waiting = receipts.waiting_count().await?;
        self.metrics.receipts.waiting(waiting);
        if waiting == 0 {
            self.courses.lock().unwrap_or_else(PoisonError::into_inner).clear();
            return Ok(());
        }
        let destinations = receipts.waiting_destinations().await?;
        stream::iter(destinations)
            .for_each_concurrent(CONCURRENCY, |uid| async move {
                if let Err(error) = self.tell(&uid).await {
                    tracing::error!(%error, "what waits to be told Segment cannot be read");
                }
            })
            .await;
        self.metrics.receipts.waiting(receipts.waiting_count().await?);
        Ok(())
    }

    /// Tells what waits for one destination, batch after batch, until nothing is left or one is not taken.
    async fn tell(&self, uid: &str) -> Result<(), JournalError> {
        let mut course = self.course(uid);
        while course.not_before <= Instant::now() {
            let mut batch = self.journal.receipts().waiting(uid, course.place, course.most).await?;
            shorten(&mut batch);
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
                // Those that were passed come again.
                course.place = 0;
                break;
            };
            let (first, last) = (first.place, last.place);
            match self.send(uid, &batch).await {
                Ok(route) => {
                    self.metrics.receipts.told(&route.key, ToldResult::Told, batch.len() as u64);
                    let places = batch.iter().map(|announcement| announcement.place).collect();
                    self.journal.receipts().told(uid, places).await?;
                    course.went_well(last);
                }
                Err(error) => {
                    self.give_up_old(uid, &batch).await?;
                    course.failed(first, batch.len(), &error);
                    let pause = course.not_before.saturating_duration_since(Instant::now()).as_secs();
                    tracing::warn!(destination = self.name(uid), events = batch.len(), pause, %error, "Segment was not told");
                }
            }
        }
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), course);
        Ok(())
    }

    fn course(&self, uid: &str) -> Course {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned().unwrap_or_default()
    }

    async fn send(&self, uid: &str, batch: &[Announcement]) -> Result<Arc<Route>, NotTold> {
        let route = (self.lookup)(uid).ok_or(NotTold::NoDestination)?;
        let write_key = self.write_key(&route).await?;
        let events: Vec<_> = batch.iter().map(|announcement| &announcement.event).collect();
        match self.tracking.batch(route.destination.region, &write_key, &events).await {
            Ok(()) => Ok(route),
            Err(error) => {
                if let (TrackingError::Refused(_), Some(outcomes)) = (&error, &route.destination.outcomes) {
                    // The write key may have been changed; the next try has the new one.
                    let _ = self.secrets.refresh(&route.key.sibling(&outcomes.name)).await;
                }
                Err(error.into())
            }
        }
    }

    async fn write_key(&self, route: &Route) -> Result<SecretString, NotTold> {
        let outcomes = route.destination.outcomes.as_ref().ok_or(NotTold::NoDestination)?;
        let secret = self.secrets.get(&route.key.sibling(&outcomes.name)).await;
        let secret = secret.map_err(|error| NotTold::Secret(error.to_string()))?;
        tracking::write_key(outcomes, &secret).map_err(|error| NotTold::Secret(error.to_string()))
    }

    /// Takes out what has waited too long.
    async fn give_up_old(&self, uid: &str, batch: &[Announcement]) -> Result<(), JournalError> {
        let oldest = now() - UnixMillis::try_from(MAX_AGE.as_millis()).unwrap_or(UnixMillis::MAX);
        let old: Vec<u64> = batch.iter().filter(|row| row.since < oldest).map(|row| row.place).collect();
        if old.is_empty() {
            return Ok(());
        }
        tracing::error!(
            destination = self.name(uid),
            events = old.len(),
            "Segment will not be told: it was not for a week"
        );
        let destination = (self.lookup)(uid).map_or_else(|| ObjectKey::new("", ""), |route| route.key.clone());
        self.metrics.receipts.told(&destination, ToldResult::Expired, old.len() as u64);
        self.journal.receipts().told(uid, old).await
    }

    fn name(&self, uid: &str) -> String {
        (self.lookup)(uid).map_or_else(|| uid.to_owned(), |route| route.key.to_string())
    }
}

/// Leaves out what would make a request too large; one event always stays.
fn shorten(batch: &mut Vec<Announcement>) {
    let mut bytes = 0;
    let fits = batch.iter().take_while(|announcement| {
        bytes += announcement.event.to_string().len() + 1;
        bytes <= MAX_BYTES
    });
    let fits = fits.count().max(1);
    batch.truncate(fits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_taken() -> NotTold {
        TrackingError::NotTaken(400).into()
    }

    #[test]
    fn a_batch_that_is_not_taken_is_halved_and_one_event_that_is_not_is_passed() {
        let mut course = Course::default();
        course.failed(5, 100, &not_taken());
        assert_eq!((course.place, course.most), (0, 50));
        course.failed(5, 1, &not_taken());
        assert_eq!(course.place, 6);
        course.went_well(9);
        assert_eq!((course.place, course.most, course.pause), (10, MAX_EVENTS, FIRST_PAUSE));
    }

    #[test]
    fn pauses_grow_and_what_is_asked_for_is_kept_to() {
        let mut course = Course::default();
        for _ in 0..12 {
            course.failed(1, 1, &TrackingError::Unavailable("away".into()).into());
        }
        assert_eq!(course.pause, MAX_PAUSE);
        let mut course = Course::default();
        let retry_after = Some(Duration::from_mins(2));
        course.failed(1, 1, &TrackingError::Throttled { retry_after }.into());
        assert!(course.not_before > Instant::now() + Duration::from_secs(110));
    }

    #[test]
    fn a_batch_is_no_larger_than_the_api_takes() {
        let row = |place| Announcement { place, since: 0, event: "x".repeat(100_000).into() };
        let mut batch: Vec<_> = (0..9).map(row).collect();
        shorten(&mut batch);
        assert_eq!(batch.len(), 4);
        let mut batch = vec![Announcement { place: 1, since: 0, event: "x".repeat(1_000_000).into() }];
        shorten(&mut batch);
        assert_eq!(batch.len(), 1);
    }
}
