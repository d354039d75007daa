//! Calls the reconcilers: one task an object, so that none waits for another, and [turns](super::turns) to ask Twilio.

use std::{
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use rand::Rng;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    api::ObjectKey,
    controller::{
        config_map_watch::ConfigMapWatch,
        context::Context,
        disposition::{Disposition, ReconcileError, Requeue},
        engage_destination, studio_flow,
        turns::Turns,
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

const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_mins(5);
/// Shortest time between two checks that deliveries ask for.
const DOUBT: Duration = Duration::from_secs(5);
/// Pause after a failure that repeating does not mend.
const TERMINAL_DELAY: Duration = Duration::from_mins(10);
/// How long an object that is gone is waited for: one that is made anew at once may be told of before its task has ended.
const LINGER: Duration = Duration::from_mins(1);

/// Reconciles objects as they are named, until `shutdown`.
pub async fn drive(context: Arc<Context>, mut woken: mpsc::UnboundedReceiver<ObjectRef>, shutdown: CancellationToken) {
    let turns = Arc::new(Turns::default());
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
                if workers.len() == workers.capacity() {
                    workers.retain(|_, worker| !worker.task.is_finished());
                }
                let wake = Arc::new(Notify::new());
                let work = work(object.clone(), Arc::clone(&context), Arc::clone(&turns), Arc::clone(&wake));
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
async fn work(object: ObjectRef, context: Arc<Context>, turns: Arc<Turns>, wake: Arc<Notify>) {
    let mut failures = 0;
    loop {
        // On the heap, and given back after it: thousands of tasks that wait for their next turn would each keep the room for it.
        let source = Box::pin(ConfigMapWatch::begin(&object, context.cluster.as_ref())).await;
        let reconciled = AssertUnwindSafe(Box::pin(reconcile(&object, &context, &turns))).catch_unwind().await;
        let delay = match reconciled {
            Ok(None) => {
                failures = 0;
                match tokio::time::timeout(LINGER, wake.notified()).await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            Ok(Some(Ok(Requeue { after }))) => {
                failures = 0;
                after
            }
            Ok(Some(Err(error))) => {
                tracing::warn!(?object, reason = error.reason(), error = %chain(&error), "reconcile failed");
                let disposition = error.disposition();
                if !matches!(disposition, Disposition::HeldBack(_)) {
                    failures += 1;
                }
                delay_after(disposition, failures)
            }
            Err(_) => {
                tracing::error!(?object, "a reconcile panicked, a defect of this program; please report it");
                failures += 1;
                varied(growing(failures))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            // What has changed may have mended it.
            () = wake.notified() => failures = 0,
            () = Box::pin(source.changed(context.cluster.as_ref())) => failures = 0,
        }
    }
}

/// Reconciles an object once when it is its turn; `None` when there is no such object.
async fn reconcile(object: &ObjectRef, context: &Context, turns: &Turns) -> Option<Result<Requeue, ReconcileError>> {
    let cluster = context.cluster.as_ref();
    // What is reconciled is the object as it is when the turn has come.
    match object {
        ObjectRef::Flow(key) => {
            let _turn = turns.take(&key.sibling(&cluster.studio_flow(key)?.spec.twilio.credentials_ref.name)).await?;
            Some(studio_flow::reconcile(&*cluster.studio_flow(key)?, context).await)
        }
        ObjectRef::Destination(key) => {
            let _turn = turns.take(&key.sibling(&cluster.destination(key)?.spec.twilio.credentials_ref.name)).await?;
            Some(engage_destination::reconcile(&*cluster.destination(key)?, context).await)
        }
    }
}

fn delay_after(disposition: Disposition, failures: u32) -> Duration {
    varied(match disposition {
        // Spread over as long as the pause was, so that those who waited do not come back together.
        Disposition::HeldBack(pause) => pause + pause.max(FIRST_DELAY).mul_f64(rand::random_range(0.15..1.0)),
        Disposition::Retry => growing(failures),
        Disposition::RetryAfter(asked) => asked.max(growing(failures)),
        Disposition::Terminal => TERMINAL_DELAY,
        Disposition::Wait => FIRST_DELAY,
    })
}

fn growing(failures: u32) -> Duration {
    FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_DELAY)
}

fn varied(delay: Duration) -> Duration {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        controller::fake_cluster::FakeCluster,
        twilio::{BaseUrls, TwilioClients},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn an_object_that_is_made_anew_while_its_task_sees_that_it_is_gone_is_looked_at_again() {
        let lead = ObjectRef::Destination(ObjectKey::new("marketing", "lead"));
        let (wake, woken) = mpsc::unbounded_channel();
        let looked = Arc::new(AtomicUsize::new(0));
        let look = {
            let (wake, looked, lead) = (wake.clone(), Arc::clone(&looked), lead.clone());
            move || {
                if looked.fetch_add(1, Ordering::SeqCst) == 0 {
                    // It is there again, and the driver hears of it before this task has ended.
                    wake.send(lead.clone()).unwrap();
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        };
        let cluster = FakeCluster { on_look: Some(Box::new(look)), ..FakeCluster::default() };
        let clients = TwilioClients::new(BaseUrls::parse("http://127.0.0.1:1/{product}").unwrap()).unwrap();
        let context = Arc::new(Context::new(Arc::new(cluster), clients, "test"));
        let shutdown = CancellationToken::new();
        let driver = tokio::spawn(drive(context, woken, shutdown.clone()));
        wake.send(lead).unwrap();
        for _ in 0..100 {
            if looked.load(Ordering::SeqCst) >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(looked.load(Ordering::SeqCst), 2);
        shutdown.cancel();
        driver.await.unwrap();
    }
}
