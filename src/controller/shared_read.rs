//! One question to Twilio for many askers: one under way is joined and a recent answer is shared, so that a thousand
//! destinations with one template ask for it once.
//!
//! Answers are shared among resources that sign in with the same credentials only. One that merely knows the account's SID
//! must not be told that its own, wrong token works.

use std::{
    hash::Hash,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::future::Cache;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    api::Period,
    twilio::{TwilioCredentials, TwilioError},
};

/// What came of asking. The error is shared as the answer would be.
pub type Look<T> = Result<T, Arc<TwilioError>>;

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Freshness(Duration);

impl Freshness {
    /// After a change or a failed check: only what is asked at the same moment is shared.
    pub const RECENT: Self = Self(Duration::from_secs(1));
    const LONGEST: Duration = Duration::from_secs(30);

    /// For a resource that was fine when last looked at, which it is at this interval.
    pub fn within(interval: Period) -> Self {
        Self((interval.as_duration() / 2).clamp(Self::RECENT.0, Self::LONGEST))
    }
}

/// Longest time that an answer is kept, and most answers of one sort.
const KEPT: Duration = Duration::from_mins(1);
const CAPACITY: u64 = 20_000;

/// Who asks: a digest of the account and what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asker([u8; 32]);

impl Asker {
    pub fn of(credentials: &TwilioCredentials) -> Self {
        let mut digest = Sha256::new();
        for part in
            [credentials.account.as_str(), credentials.user.expose_secret(), credentials.password.expose_secret()]
        {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

/// Answers to one sort of question.
pub struct Shared<K, T>(Cache<(Asker, K), Answer<T>>);

#[derive(Clone)]
struct Answer<T> {
    asked_at: Instant,
    look: Look<T>,
}

impl<K, T> Shared<K, T>
where
    K: Hash + Eq + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(KEPT).build())
    }

    /// Believes no answer any more that was given until now.
    pub fn forget(&self) {
        self.0.invalidate_all();
    }

    /// The answer, fresh enough for who asks. A failure is shared only among those who ask at the same moment.
    pub async fn read(
        &self,
        asker: Asker,
        freshness: Freshness,
        key: K,
        ask: impl Future<Output = Result<T, TwilioError>>,
    ) -> Look<T> {
        let too_old = |answer: &Answer<T>| {
            let Freshness(oldest) = if answer.look.is_ok() { freshness } else { Freshness::RECENT };
            answer.asked_at.elapsed() > oldest
        };
        self.0.entry((asker, key)).or_insert_with_if(answer(ask), too_old).await.into_value().look
    }

    /// The answer to a question that was not put before this was called. Who comes while one is under way waits for the next,
    /// with all others who do.
    pub async fn read_as_of_now<A>(&self, asker: Asker, key: K, ask: impl Fn() -> A) -> Look<T>
    where
        K: Clone,
        A: Future<Output = Result<T, TwilioError>>,
    {
        let called_at = Instant::now();
        let too_old = |answer: &Answer<T>| answer.asked_at < called_at;
        loop {
            // One that is joined was not held against `too_old`.
            let entry = self.0.entry((asker, key.clone()));
            let answer = entry.or_insert_with_if(answer(ask()), too_old).await.into_value();
            if !too_old(&answer) {
                return answer.look;
            }
        }
    }
}

/// Asks, and notes when.
fn answer<T>(ask: impl Future<Output = Result<T, TwilioError>>) -> Pin<Box<impl Future<Output = Answer<T>>>> {
    Box::pin(async {
        let asked_at = Instant::now();
        Answer { asked_at, look: ask.await.map_err(Arc::new) }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ASKER: Asker = Asker([0; 32]);
    const SHARED: Freshness = Freshness(Freshness::LONGEST);

    #[tokio::test]
    async fn a_thousand_askers_are_one_question() {
        let shared = Shared::<u8, u8>::new();
        let asked = AtomicUsize::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(7)
        };
        let all = (0..1_000).map(|_| shared.read(ASKER, Freshness::RECENT, 1, ask()));
        for look in futures::future::join_all(all).await {
            assert_eq!(look.unwrap(), 7);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn as_of_now_no_question_is_shared_that_was_put_earlier() {
        let shared = Shared::<u8, usize>::new();
        let asked = AtomicUsize::new(0);
        let ask = || async {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(number)
        };
        let first = shared.read_as_of_now(ASKER, 1, ask);
        let later = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let all = (0..100).map(|_| shared.read_as_of_now(ASKER, 1, ask));
            futures::future::join_all(all).await
        };
        let (first, later) = futures::join!(first, later);
        assert_eq!(first.unwrap(), 0);
        // They came while the first was under way, and are one question together.
        assert!(later.into_iter().all(|look| look.unwrap() == 1));
        assert_eq!(shared.read_as_of_now(ASKER, 1, ask).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn other_credentials_ask_for_themselves() {
        let shared = Shared::<u8, u8>::new();
        assert_eq!(shared.read(ASKER, SHARED, 1, async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(shared.read(Asker([1; 32]), SHARED, 1, async { Ok(2) }).await.unwrap(), 2);
        assert_eq!(shared.read(ASKER, SHARED, 1, async { Ok(3) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn after_a_change_an_older_answer_is_not_taken() {
        let shared = Shared::<u8, u8>::new();
        shared.read(ASKER, SHARED, 1, async { Ok(1) }).await.unwrap();
        tokio::time::sleep(Freshness::RECENT.0 + Duration::from_millis(50)).await;
        assert_eq!(shared.read(ASKER, SHARED, 1, async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(shared.read(ASKER, Freshness::RECENT, 1, async { Ok(3) }).await.unwrap(), 3);
    }
}
