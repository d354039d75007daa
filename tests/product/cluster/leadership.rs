//! Several controllers, of which one writes.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{AFTER_A_TAKEOVER, SOON, world::Cluster};
use crate::harness::{destination, flow, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_controller_loses_its_lease_and_ends_and_one_that_ends_gives_it_back() {
    let Some((cluster, mut first)) = Cluster::running().await else { return };
    cluster.apply(&destination("a", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "a", "Ready", "Ready", SOON).await;
    let second = cluster.controller("two");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!cluster.log("two").contains("holding the lease"));
    // Paused, it loses the lease; resumed, it ends without having written.
    first.signal("-STOP");
    cluster.apply(&destination("b", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "b", "Ready", "Ready", AFTER_A_TAKEOVER).await;
    first.signal("-CONT");
    let status = first.ended(SOON).await;
    assert!(status.is_some_and(|status| !status.success()), "{status:?}\n{}", cluster.log("one"));
    assert!(cluster.log("one").contains("was lost"), "{}", cluster.log("one"));
    // Asked to end, the second gives the lease back at once.
    second.signal("-TERM");
    let third = cluster.controller("one");
    cluster.apply(&destination("c", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "c", "Ready", "Ready", Duration::from_secs(12)).await;
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_controller_is_killed_another_takes_over_within_half_a_minute() {
    let Some((cluster, first)) = Cluster::running().await else { return };
    cluster.apply(&flow()).await.unwrap();
    cluster.apply(&destination("a", &whatsapp())).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    cluster.reason("EngageDestination", "a", "Ready", "Ready", SOON).await;
    let _second = cluster.controller("two");
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.kill();
    let killed = Instant::now();
    cluster.apply(&destination("b", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "b", "Ready", "Ready", AFTER_A_TAKEOVER).await;
    let took = killed.elapsed();
    let _ = writeln!(
        std::io::stderr(),
        "takeover after kill -9: {:.1} s until a new destination is ready",
        took.as_secs_f32()
    );
    assert!(took <= Duration::from_secs(30), "{took:?}");
    // It found everything as it should be.
    assert_eq!(cluster.sim.state().flows[0].revisions.len(), 1);
}
