//! Calls the reconcilers: one task an object, so that none waits for another, and a bound on how many ask Twilio at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use rand::Rng;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    api::ObjectKey,
    controller::{
        config_map_watch::ConfigMapWatch,
        context::Context,
        disposition::{Disposition, ReconcileError, Requeue},
        engage_destination, studio_flow,
    },
};

/// An object that a reconciler works on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectRef {
    Flow(ObjectKey),
    Destination(ObjectKey),
}

/// Has objects looked at: sent here when they are new or changed, or when something they depend on is.
pub type Waker = mpsc::UnboundedSender<ObjectRef>;

/// Reconciles at once.
const CONCURRENCY: usize = 16;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_mins(5);
/// Shortest time between two checks that deliveries ask for.
const DOUBT: Duration = Duration::from_secs(5);
/// Pause after a failure that repeating does not mend.
const TERMINAL_DELAY: Duration = Duration::from_mins(10);

/// Reconciles objects as they are named, until `shutdown`.
pub async fn drive(context: Arc<Context>, mut woken: mpsc::UnboundedReceiver<ObjectRef>, shutdown: CancellationToken) {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let mut workers: HashMap<ObjectRef, Worker> = HashMap::new();
    loop {
        let object = tokio::select! {
            object = woken.recv() => object,
            () = shutdown.cancelled() => None,
        };
        let Some(object) = object else { break };
        match workers.get(&object) {
            Some(worker) if !worker.task.is_finished() => worker.wake.notify_one(),
            _ => {
                let wake = Arc::new(Notify::new());
                let work = work(object.clone(), Arc::clone(&context), Arc::clone(&permits), Arc::clone(&wake));
                let shutdown = shutdown.clone();
                let task = tokio::spawn(async move {
                    tokio::select! {
                        () = work => {}
                        () = shutdown.cancelled() => {}
                    }
                });
                workers.insert(object, Worker { wake, task });
            }
        }
    }
}

struct Worker {
    wake: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

/// Reconciles one object again and again until it is gone.
async fn work(object: ObjectRef, context: Arc<Context>, permits: Arc<Semaphore>, wake: Arc<Notify>) {
    let mut failures = 0;
    loop {
        let source = Box::pin(ConfigMapWatch::begin(&object, context.cluster.as_ref())).await;
        let reconciled = {
            let Ok(_permit) = permits.acquire().await else { return };
            match &object {
                ObjectRef::Flow(key) => match context.cluster.studio_flow(key) {
                    // On the heap, and given back after it: a task that waits for its next turn would keep the room for it.
                    Some(flow) => Box::pin(studio_flow::reconcile(&flow, &context)).await,
                    None => return,
                },
                ObjectRef::Destination(key) => match context.cluster.destination(key) {
                    Some(destination) => Box::pin(engage_destination::reconcile(&destination, &context)).await,
                    None => return,
                },
            }
        };
        let delay = match reconciled {
            Ok(Requeue { after }) => {
                failures = 0;
                after
            }
            Err(error) => {
                tracing::warn!(?object, reason = error.reason(), error = %chain(&error), "reconcile failed");
                failures += 1;
                delay_after(&error, failures)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = wake.notified() => {}
            () = Box::pin(source.changed(context.cluster.as_ref())) => {}
        }
    }
}

fn delay_after(error: &ReconcileError, failures: u32) -> Duration {
    let growing = FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_DELAY);
    let delay = match error.disposition() {
        Disposition::Retry => growing,
        Disposition::RetryAfter(asked) => asked.max(growing),
        Disposition::Terminal => TERMINAL_DELAY,
        Disposition::Wait => FIRST_DELAY,
    };
    delay.mul_f64(rand::rng().random_range(0.9..1.1))
}

/// The error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Has destinations checked again that a delivery found to be other than they were checked.
pub async fn doubt(mut suspected: mpsc::Receiver<ObjectKey>, context: Arc<Context>, wake: Waker) {
    while let Some(key) = suspected.recv().await {
        let mut keys = BTreeSet::from([key]);
        while let Ok(key) = suspected.try_recv() {
            keys.insert(key);
        }
        context.accounts.forget();
        for key in keys {
            // Nobody listens any more when the process is shutting down.
            let _ = wake.send(ObjectRef::Destination(key));
        }
        tokio::time::sleep(DOUBT).await;
    }
}
