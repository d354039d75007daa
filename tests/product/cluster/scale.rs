//! A thousand destinations of one account.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::ListParams;
use serde_json::json;

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{destination, event_to, merge, phone, whatsapp};

const DESTINATIONS: usize = 1_000;
/// For all of them to become ready; it is a few seconds on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_mins(2);

fn name(n: usize) -> String {
    format!("welcome-{n:04}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_destinations_are_checked_together_and_written_only_when_they_change() {
    let Some((cluster, controller)) = Cluster::running().await else { return };
    // The controller holds the lease and the gateway is known.
    cluster.apply(&destination("first", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "first", "Ready", "Ready", SOON).await;
    cluster.sim.clear_requests();

    let begin = Instant::now();
    stream::iter(0..DESTINATIONS)
        .map(async |n| cluster.apply(&destination(&name(n), &whatsapp())).await)
        .buffer_unordered(32)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
    let created = begin.elapsed();
    while states(&cluster).await.values().any(|(_, ready)| !ready) {
        let unready = states(&cluster).await.values().filter(|(_, ready)| !ready).count();
        assert!(begin.elapsed() < PATIENCE, "{unready} are not ready\n{}", cluster.log("one"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let ready = begin.elapsed();
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for request in cluster.sim.requests() {
        *asked.entry(request.operation.unwrap_or_default()).or_default() += 1;
    }
    let _ = writeln!(
        std::io::stderr(),
        "{DESTINATIONS} destinations: created after {:.1} s, ready after {:.1} s; asked of Twilio {asked:?}",
        created.as_secs_f32(),
        ready.as_secs_f32()
    );
    // What is asked for one of them answers for all that come in the same second.
    let total: usize = asked.values().sum();
    assert!(total <= 5 * usize::try_from(ready.as_secs() + 2).unwrap(), "{total} requests in {ready:?}");

    // Another process looks at all of them, asks once for all and writes nothing.
    let before = states(&cluster).await;
    controller.kill();
    cluster.forget_lease().await;
    cluster.sim.clear_requests();
    let _restarted = cluster.controller("two");
    eventually("it looks", async || !cluster.sim.requests_of("content.fetch").is_empty()).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(before, states(&cluster).await);
    let asked = cluster.sim.requests().len();
    assert!(asked <= 20, "{asked} requests for what was fine a moment ago");

    let mut suspended = whatsapp();
    merge(&mut suspended, &json!({"suspend": true}));
    let changed_at = Instant::now();
    cluster.apply(&destination(&name(500), &suspended)).await.unwrap();
    eventually("suspended", async || cluster.send(&name(500), &event_to(&phone(0))).await.0 == 503).await;
    let _ = writeln!(
        std::io::stderr(),
        "a change among {DESTINATIONS} is heeded after {} ms",
        changed_at.elapsed().as_millis()
    );
    cluster.reason("EngageDestination", &name(500), "Ready", "Suspended", SOON).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = states(&cluster).await;
    let changed: Vec<&String> =
        after.iter().filter(|(name, state)| before[*name] != **state).map(|(name, _)| name).collect();
    assert_eq!(changed, [&name(500)]);

    // Last, since what became of events is written too.
    stream::iter((1..DESTINATIONS).step_by(50))
        .for_each_concurrent(8, async |n| {
            let (status, body) = cluster.send_until_settled(&name(n), &event_to(&phone(n))).await;
            assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{n}: {body}");
        })
        .await;
}

/// Resource version of each destination, and whether it is ready.
async fn states(cluster: &Cluster) -> HashMap<String, (String, bool)> {
    let list = cluster.api("EngageDestination").list(&ListParams::default()).await.unwrap();
    list.into_iter()
        .map(|object| {
            let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
            (object.metadata.name.unwrap(), (object.metadata.resource_version.unwrap(), ready))
        })
        .collect()
}
