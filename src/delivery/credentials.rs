//! Secrets as the delivery path needs them: at hand without a request, fresh soon after they change, and the last good value
//! while their source is away.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rand::Rng;
use tokio::sync::Mutex as AsyncMutex;

use crate::api::{ObjectKey, secret::SecretData};

/// How old a value may be before it is read again in the background.
const REFRESH_AFTER: Duration = Duration::from_secs(30);
/// Shortest time between two reads that a refused signature or credential asks for.
const FORCED_REFRESH_AFTER: Duration = Duration::from_secs(5);
/// A Secret that nobody asked for in this time is dropped.
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// Why a Secret's values are not to be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    #[error("there is no Secret `{0}`")]
    NotFound(ObjectKey),
    #[error("Secret `{key}` could not be read: {problem}")]
    Unreadable { key: ObjectKey, problem: String },
}

/// Where Secrets are read: one at a time, by name.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The Secret's values; `None` when there is no such Secret.
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError>;
}

/// The Secrets in use.
pub struct SecretCache {
    source: Arc<dyn SecretSource>,
    slots: Mutex<HashMap<ObjectKey, Arc<Slot>>>,
}

impl fmt::Debug for SecretCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCache")
    }
}

#[derive(Default)]
struct Slot {
    value: Mutex<Option<Loaded>>,
    /// Held by the one who reads.
    reading: AsyncMutex<()>,
}

#[derive(Clone)]
struct Loaded {
    data: Arc<SecretData>,
    read_at: Instant,
    used_at: Instant,
    refresh_at: Instant,
}

impl Slot {
    fn loaded(&self) -> Option<Loaded> {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = value.as_mut()?;
        loaded.used_at = Instant::now();
        Some(loaded.clone())
    }

    fn store(&self, data: Option<SecretData>) {
        let now = Instant::now();
        let refresh_at = now + REFRESH_AFTER.mul_f64(rand::rng().random_range(0.9..1.1));
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) =
            data.map(|data| Loaded { data: Arc::new(data), read_at: now, used_at: now, refresh_at });
    }
}

impl SecretCache {
    pub fn new(source: Arc<dyn SecretSource>) -> Arc<Self> {
        Arc::new(Self { source, slots: Mutex::default() })
    }

    /// The Secret's values. Only the first use waits for the source; a value grown old is returned and read again aside.
    pub async fn get(self: &Arc<Self>, key: &ObjectKey) -> Result<Arc<SecretData>, SecretError> {
        let slot = self.slot(key);
        if let Some(loaded) = slot.loaded() {
            if Instant::now() >= loaded.refresh_at {
                self.refresh_aside(key.clone(), slot);
            }
            return Ok(loaded.data);
        }
        self.read(key, &slot, None).await
    }

    /// Reads the Secret again because what it said was refused; at most once in five seconds. Gives the value after it, and
    /// keeps the last good one when the source is away.
    pub async fn refresh(&self, key: &ObjectKey) -> Result<Arc<SecretData>, SecretError> {
        let slot = self.slot(key);
        self.read(key, &slot, Some(FORCED_REFRESH_AFTER)).await
    }

    /// Forgets Secrets that are no longer used.
    pub fn forget_unused(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let value = slot.value.lock().unwrap_or_else(PoisonError::into_inner);
            value.as_ref().is_some_and(|loaded| loaded.used_at.elapsed() < FORGET_AFTER)
        });
    }

    fn slot(&self, key: &ObjectKey) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    fn refresh_aside(self: &Arc<Self>, key: ObjectKey, slot: Arc<Slot>) {
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            // Whoever reads already does it for everybody.
            if slot.reading.try_lock().is_ok()
                && let Err(error) = cache.read(&key, &slot, Some(REFRESH_AFTER / 2)).await
            {
                tracing::warn!(secret = %key, %error, "Secret not refreshed; its last value stays in use");
            }
        });
    }

    /// Reads, unless a value younger than `fresh` is there by the time it is this reader's turn (`None`: any value).
    async fn read(
        &self,
        key: &ObjectKey,
        slot: &Slot,
        fresh: Option<Duration>,
    ) -> Result<Arc<SecretData>, SecretError> {
        let _turn = slot.reading.lock().await;
        let before = slot.loaded();
        if let Some(loaded) = &before
            && fresh.is_none_or(|fresh| loaded.read_at.elapsed() < fresh)
        {
            return Ok(Arc::clone(&loaded.data));
        }
        match (self.source.secret(key).await, before) {
            (Ok(Some(data)), _) => {
                slot.store(Some(data));
                slot.loaded().map(|loaded| loaded.data).ok_or_else(|| SecretError::NotFound(key.clone()))
            }
            (Ok(None), _) => {
                slot.store(None);
                Err(SecretError::NotFound(key.clone()))
            }
            (Err(error), Some(loaded)) => {
                tracing::warn!(secret = %key, %error, "Secret not read; its last value stays in use");
                Ok(loaded.data)
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use secrecy::ExposeSecret;

    use super::*;

    /// Says how often it was asked; its answers come from `state`: 0 absent, 1 away, otherwise the number itself.
    #[derive(Default)]
    struct Source {
        asked: AtomicUsize,
        state: AtomicUsize,
    }

    #[async_trait]
    impl SecretSource for Source {
        async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            match self.state.load(Ordering::SeqCst) {
                0 => Ok(None),
                1 => Err(SecretError::Unreadable { key: key.clone(), problem: "away".into() }),
                n => Ok(Some(SecretData::from_bytes([("k".to_owned(), n.to_string().into_bytes())]))),
            }
        }
    }

    fn value(data: &SecretData) -> String {
        data.value("k").unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn the_source_is_asked_once_and_an_absent_secret_again() {
        let source = Arc::new(Source::default());
        let cache = SecretCache::new(source.clone());
        let key = ObjectKey::new("ns", "s");
        assert!(matches!(cache.get(&key).await, Err(SecretError::NotFound(_))));
        source.state.store(7, Ordering::SeqCst);
        let many = futures::future::join_all((0..20).map(|_| cache.get(&key))).await;
        assert!(many.into_iter().all(|data| value(&data.unwrap()) == "7"));
        assert_eq!(source.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_forced_refresh_is_bounded_and_survives_a_source_that_is_away() {
        let source = Arc::new(Source::default());
        source.state.store(7, Ordering::SeqCst);
        let cache = SecretCache::new(source.clone());
        let key = ObjectKey::new("ns", "s");
        cache.get(&key).await.unwrap();
        source.state.store(8, Ordering::SeqCst);
        assert_eq!(value(&cache.refresh(&key).await.unwrap()), "7");
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);

        let slot = cache.slot(&key);
        let age = |by: Duration| {
            let mut value = slot.value.lock().unwrap();
            let loaded = value.as_mut().unwrap();
            loaded.read_at = Instant::now().checked_sub(by).unwrap();
        };
        age(FORCED_REFRESH_AFTER);
        assert_eq!(value(&cache.refresh(&key).await.unwrap()), "8");
        source.state.store(1, Ordering::SeqCst);
        age(FORCED_REFRESH_AFTER);
        assert_eq!(value(&cache.refresh(&key).await.unwrap()), "8");
    }
}
