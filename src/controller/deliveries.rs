//! Brings what became of events and messages from the gateway into the status of their destinations: at most once a minute
//! for each, ten a second in all, and nothing at rest.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kube::ResourceExt;

use crate::{
    api::{ObjectKey, engage_destination::DeliveriesStatus},
    controller::cluster::Cluster,
    delivery::tally::{Tallies, Tally},
};

/// Shortest time between two writes to one destination.
const BETWEEN: Duration = Duration::from_mins(1);
/// Shortest time between two writes at all.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the sums are. Its version is another after each change.
#[async_trait]
pub trait DeliverySource: Send + Sync {
    /// All sums with their version, or `None` while the version is `known`.
    async fn read(&self, known: Option<&str>) -> Result<Option<(String, Vec<Tally>)>, String>;

    /// Time between two looks.
    fn interval(&self) -> Duration;
}

#[async_trait]
impl DeliverySource for Tallies {
    async fn read(&self, known: Option<&str>) -> Result<Option<(String, Vec<Tally>)>, String> {
        // Asked for before anything is copied: at rest nothing is.
        Ok((known != Some(self.version().as_str())).then(|| self.all()))
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// Writes until it is dropped.
pub async fn publish(source: Arc<dyn DeliverySource>, cluster: Arc<dyn Cluster>) {
    let mut publisher = Publisher::default();
    loop {
        tokio::time::sleep(source.interval()).await;
        match source.read(publisher.version.as_deref()).await {
            Ok(Some((version, tallies))) => publisher.take(version, tallies),
            Ok(None) => {}
            // The status stays as it is; the metrics are not concerned.
            Err(problem) => tracing::debug!(problem, "what became of events is not known just now"),
        }
        publisher.write(cluster.as_ref(), Instant::now()).await;
    }
}

#[derive(Default)]
struct Publisher {
    version: Option<String>,
    /// What has changed and is not written yet.
    pending: BTreeMap<ObjectKey, Tally>,
    /// What was last written, or found to be written.
    written: HashMap<ObjectKey, (DeliveriesStatus, Option<Instant>)>,
}

impl Publisher {
    fn take(&mut self, version: String, tallies: Vec<Tally>) {
        self.version = Some(version);
        let known: std::collections::BTreeSet<_> = tallies.iter().map(|tally| tally.destination.clone()).collect();
        self.written.retain(|key, _| known.contains(key));
        self.pending = tallies
            .into_iter()
            .filter(|tally| {
                self.written.get(&tally.destination).is_none_or(|(written, _)| *written != tally.deliveries)
            })
            .map(|tally| (tally.destination.clone(), tally))
            .collect();
    }

    /// Writes what is due, and leaves the rest for another time.
    async fn write(&mut self, cluster: &dyn Cluster, now: Instant) {
        let is_due = |key: &ObjectKey| {
            let last = self.written.get(key).and_then(|(_, at)| *at);
            last.is_none_or(|at| now.duration_since(at) >= BETWEEN)
        };
        let due: Vec<ObjectKey> = self.pending.keys().filter(|key| is_due(key)).cloned().collect();
        for key in due {
            let Some(destination) = cluster.destination(&key) else { continue };
            let Some(tally) = self.pending.get(&key) else { continue };
            let is_other = tally.uid.is_some() && tally.uid != destination.uid();
            // Of one that was not looked at yet nothing is said either.
            let Some(status) = destination.status.as_ref().filter(|_| !is_other) else { continue };
            let deliveries = tally.deliveries.clone();
            let mut at = None;
            if status.deliveries.as_ref() != Some(&deliveries) {
                if let Err(error) = cluster.write_deliveries(&key, &deliveries).await {
                    tracing::debug!(destination = %key, %error, "what became of events is not in the status yet");
                    continue;
                }
                at = Some(now);
                tokio::time::sleep(PAUSE).await;
            }
            self.pending.remove(&key);
            self.written.insert(key, (deliveries, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{controller::fake_cluster::FakeCluster, delivery::outcome::Outcome};

    #[tokio::test]
    async fn a_status_is_written_once_a_minute_at_most_and_never_at_rest() {
        let key = ObjectKey::new("marketing", "lead");
        let (cluster, tallies) = (FakeCluster::with_destination(&key), Tallies::default());
        let (mut publisher, begin) = (Publisher::default(), Instant::now());
        let mut looks = 0;
        for second in 0..200 {
            if second < 100 {
                tallies.outcome(&key, &Outcome::suppressed("TooOld", ""));
            }
            if let Some((version, all)) = tallies.read(publisher.version.as_deref()).await.unwrap() {
                looks += 1;
                publisher.take(version, all);
            }
            publisher.write(&cluster, begin + Duration::from_secs(second)).await;
        }
        let writes = cluster.deliveries_writes.lock().unwrap();
        let sums: Vec<i64> = writes.iter().map(|deliveries| deliveries.outcomes["suppressed"]).collect();
        assert_eq!(sums, [1, 61, 100]);
        assert_eq!(looks, 100, "at rest nothing is read");
    }

    #[tokio::test]
    async fn what_was_counted_of_another_destination_of_the_name_is_not_its_status() {
        let key = ObjectKey::new("marketing", "lead");
        let (cluster, mut publisher) = (FakeCluster::with_destination(&key), Publisher::default());
        let deliveries = DeliveriesStatus::default();
        let tally = Tally { destination: key.clone(), uid: Some("before".into()), deliveries };
        publisher.take("1".into(), vec![tally.clone()]);
        publisher.write(&cluster, Instant::now()).await;
        assert!(cluster.deliveries_writes.lock().unwrap().is_empty());
        publisher.take("2".into(), vec![Tally { uid: None, ..tally }]);
        publisher.write(&cluster, Instant::now()).await;
        assert_eq!(cluster.deliveries_writes.lock().unwrap().len(), 1);
    }
}
