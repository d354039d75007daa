//! The controller is killed between two writes, and the next one goes on: one flow, and no revision more than there were
//! changes.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use engage_simulator::{FaultKind, FaultRule};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{
    SOON,
    world::{Cluster, Role, eventually},
};
use crate::harness::flow;

/// Kills the controller as soon as Twilio has been asked for `operation`, and starts another, which need not wait for the
/// lease. What was asked takes effect; its answer is lost.
async fn killed_after(cluster: &Cluster, controller: Role, operation: &str) -> Role {
    eventually(operation, async || !cluster.sim.requests_of(operation).is_empty()).await;
    controller.kill();
    cluster.sim.clear_faults();
    cluster.forget_lease().await;
    cluster.controller("two")
}

/// Numbers of the revisions of the only flow that are published.
fn published(cluster: &Cluster) -> Vec<usize> {
    let flows = cluster.sim.state().flows;
    assert_eq!(flows.len(), 1, "{flows:?}");
    let published = flows[0].revisions.iter().filter(|revision| revision.status == "published");
    published.map(|revision| revision.revision).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_its_create_was_answered_the_flow_is_found_and_not_made_again() {
    for operation in ["flows.validate", "flows.create"] {
        let Some((cluster, controller)) = Cluster::running().await else { return };
        cluster.sim.set_faults(vec![FaultRule::on(operation, FaultKind::Latency { ms: 5_000 })]);
        cluster.apply(&flow()).await.unwrap();
        let _next = killed_after(&cluster, controller, operation).await;
        cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
        assert_eq!(published(&cluster), [1], "{operation}");
        let object = cluster.get("StudioFlow", "connect-to-agent").await;
        assert_eq!(object["status"]["sid"], cluster.sim.state().flows[0].sid);
        assert_eq!(object["status"]["pendingCreate"], json!(null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_its_update_was_answered_the_change_is_not_published_twice() {
    let Some((cluster, controller)) = Cluster::running().await else { return };
    cluster.apply(&flow()).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    let mut changed = flow();
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    cluster.sim.set_faults(vec![FaultRule::on("flows.update", FaultKind::Latency { ms: 5_000 })]);
    cluster.apply(&changed).await.unwrap();
    let _next = killed_after(&cluster, controller, "flows.update").await;
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    assert_eq!(published(&cluster), [1, 2]);
    assert_eq!(cluster.get("StudioFlow", "connect-to-agent").await["status"]["publishedRevision"], 2);
}

/// A write that was on record and had not left is waited for, for a minute, before it is made again.
const SETTLED: Duration = Duration::from_secs(90);

/// How often the controller is killed: `ENGAGE_CONTROLLER_KILLS`, or twenty times.
fn kills() -> usize {
    std::env::var("ENGAGE_CONTROLLER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_change_there_is_one_flow_and_one_revision_for_each_change() {
    let Some((cluster, mut controller)) = Cluster::running().await else { return };
    let rng_seed = std::env::var("ENGAGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
    let mut rng = StdRng::seed_from_u64(rng_seed);
    // Every call takes a moment, so that there are moments between.
    cluster.sim.set_faults(
        ["flows.fetch", "flows.validate", "flows.create", "flows.update", "revisions.fetch"]
            .map(|operation| FaultRule::on(operation, FaultKind::Latency { ms: 30 }))
            .to_vec(),
    );
    let begin = Instant::now();
    for change in 1..=kills() {
        let mut changed = flow();
        changed["spec"]["definition"]["description"] = json!(format!("Change {change}"));
        cluster.apply(&changed).await.unwrap();
        let killed_after = Duration::from_millis(rng.random_range(0..350));
        tokio::time::sleep(killed_after).await;
        controller.kill();
        cluster.forget_lease().await;
        controller = cluster.controller("one");
        cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SETTLED).await;
        assert_eq!(
            published(&cluster).len(),
            change,
            "killed {killed_after:?} after change {change} (seed {rng_seed})"
        );
    }
    let took = begin.elapsed().as_secs_f32();
    let _ = writeln!(std::io::stderr(), "{} kills of the controller in {took:.0} s (seed {rng_seed})", kills());
}
