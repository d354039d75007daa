//! One delivery at a time to one customer of one account. While an attempt to somebody may or may not have had its effect,
//! nothing else leaves for the same number: what Twilio then shows can only be that attempt.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

use crate::twilio::{E164, sid::AccountSid};

type Customer = (AccountSid, E164);

/// The customers that something is being sent to.
#[derive(Debug, Default)]
pub struct Recipients {
    busy: Mutex<HashMap<Customer, Arc<AsyncMutex<()>>>>,
    /// Numbers that nothing may leave for, with how many times they are held.
    held: Mutex<HashMap<E164, usize>>,
    let_go: Notify,
}

/// Keeps everything from one number, in whatever account; let go when dropped.
#[derive(Debug)]
pub struct Hold {
    recipients: Arc<Recipients>,
    number: E164,
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
        let wait = async {
            self.wait_while_held(number).await;
            mutex.lock_owned().await
        };
        turn.guard = Some(tokio::time::timeout(patience, wait).await.ok()?);
        Some(turn)
    }

    /// Holds back every turn for `number` that is not given yet: an earlier run may have sent something to it.
    pub fn hold(self: &Arc<Self>, number: &E164) -> Hold {
        *self.held().entry(number.clone()).or_default() += 1;
        Hold { recipients: Arc::clone(self), number: number.clone() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<E164, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_while_held(&self, number: &E164) {
        loop {
            // Made before the look, so that a hold that is let go in between is noticed.
            let let_go = self.let_go.notified();
            if !self.held().contains_key(number) {
                return;
            }
            let_go.await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.recipients.held();
        if let Some(holds) = held.get_mut(&self.number) {
            *holds -= 1;
            if *holds == 0 {
                held.remove(&self.number);
            }
        }
        drop(held);
        self.recipients.let_go.notify_waiters();
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

    #[tokio::test]
    async fn a_customer_who_is_held_gets_nothing_until_every_hold_is_let_go() {
        let recipients = Arc::new(Recipients::default());
        let account: AccountSid = format!("AC{}", "0".repeat(32)).parse().unwrap();
        let number: E164 = "+5511900000001".parse().unwrap();
        let (first, second) = (recipients.hold(&number), recipients.hold(&number));
        assert!(recipients.turn(&account, &number, Duration::from_millis(20)).await.is_none());
        drop(first);
        assert!(recipients.turn(&account, &number, Duration::from_millis(20)).await.is_none());
        let turn = recipients.turn(&account, &number, Duration::from_secs(5));
        let (turn, ()) = tokio::join!(turn, async { drop(second) });
        assert!(turn.is_some());
        assert!(recipients.held().is_empty());
    }
}
