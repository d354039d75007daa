//! One delivery at a time to one customer of one account. While an attempt to somebody may or may not have had its effect,
//! nothing else leaves for the same number: what Twilio then shows can only be that attempt.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::twilio::{E164, sid::AccountSid};

type Customer = (AccountSid, E164);

/// The customers that something is being sent to.
#[derive(Debug, Default)]
pub struct Recipients {
    busy: Mutex<HashMap<Customer, Arc<AsyncMutex<()>>>>,
}

/// The right to send to one customer; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    recipients: Arc<Recipients>,
    customer: Customer,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Recipients {
    fn lock(&self) -> MutexGuard<'_, HashMap<Customer, Arc<AsyncMutex<()>>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to send to `number`, for as long as `patience`.
    pub async fn turn(self: &Arc<Self>, account: &AccountSid, number: &E164, patience: Duration) -> Option<Turn> {
        let customer = (account.clone(), number.clone());
        let mutex = Arc::clone(self.lock().entry(customer.clone()).or_default());
        // Made before the wait, so that a wait that is given up or cancelled leaves no entry behind.
        let mut turn = Turn { recipients: Arc::clone(self), customer, guard: None };
        turn.guard = Some(tokio::time::timeout(patience, mutex.lock_owned()).await.ok()?);
        Some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut busy = self.recipients.lock();
        // One reference is the map's own: nobody has the turn and nobody waits for it.
        if busy.get(&self.customer).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
            busy.remove(&self.customer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_customer_at_a_time_and_nothing_is_left_behind() {
        let recipients = Arc::new(Recipients::default());
        let account: AccountSid = format!("AC{}", "0".repeat(32)).parse().unwrap();
        let (a, b): (E164, E164) = ("+5511900000001".parse().unwrap(), "+5511900000002".parse().unwrap());
        let patience = Duration::from_millis(20);
        let first = recipients.turn(&account, &a, patience).await.unwrap();
        assert!(recipients.turn(&account, &a, patience).await.is_none());
        assert!(recipients.turn(&account, &b, patience).await.is_some());
        drop(first);
        assert!(recipients.turn(&account, &a, patience).await.is_some());
        assert!(recipients.lock().is_empty());
    }
}
