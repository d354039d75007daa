//! How many reconciles run at once: a few for each Secret that they sign in with, so that an account which answers slowly makes
//! none but its own wait, and a bound on all together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::ObjectKey;

/// Reconciles at once that sign in with one Secret.
const OF_ONE_SECRET: usize = 16;
/// Reconciles at once.
const OF_ALL: usize = 256;

/// Turns to reconcile.
pub struct Turns {
    all: Arc<Semaphore>,
    of_secrets: Mutex<HashMap<ObjectKey, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
pub struct Turn {
    _of_secret: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(OF_ALL)), of_secrets: Mutex::default() }
    }
}

impl Turns {
    /// Waits for the turn of a resource that signs in with that Secret. Who waits for their own kind takes no place of others.
    pub async fn take(&self, secret: &ObjectKey) -> Option<Turn> {
        let of_secret = self.of(secret).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn { _of_secret: of_secret, _of_all: of_all })
    }

    fn of(&self, secret: &ObjectKey) -> Arc<Semaphore> {
        let mut of_secrets = self.of_secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = of_secrets.get(secret) {
            return Arc::clone(known);
        }
        // Those that nobody holds or waits for are as good as new.
        of_secrets.retain(|_, known| Arc::strong_count(known) > 1);
        let new = Arc::new(Semaphore::new(OF_ONE_SECRET));
        of_secrets.insert(secret.clone(), Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_secret_whose_turns_are_all_taken_leaves_others_theirs() {
        let turns = Turns::default();
        let (slow, quick) = (ObjectKey::new("marketing", "slow"), ObjectKey::new("marketing", "quick"));
        let mut taken = Vec::new();
        for _ in 0..OF_ONE_SECRET {
            taken.push(turns.take(&slow).await.unwrap());
        }
        let soon = Duration::from_millis(20);
        let waiting: Vec<_> = (0..OF_ALL).map(|_| tokio::time::timeout(soon, turns.take(&slow))).collect();
        let (waited, other) = tokio::join!(futures::future::join_all(waiting), turns.take(&quick));
        assert!(waited.iter().all(Result::is_err));
        assert!(other.is_some());
        drop(taken);
        assert!(turns.take(&slow).await.is_some());
        assert_eq!(turns.of_secrets.lock().unwrap().len(), 2);
        turns.of(&ObjectKey::new("marketing", "third"));
        assert!(!turns.of_secrets.lock().unwrap().contains_key(&slow));
    }
}
