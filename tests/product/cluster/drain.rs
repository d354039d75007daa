//! A gateway that is asked to end lets every request end first, and remembers what it did.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule};
use serde_json::Value;

use super::{SOON, world::Cluster};
use crate::harness::{conversation, destination, event_to, flow, messages_to, phone, whatsapp};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_midst_of_slow_deliveries_loses_no_request_and_forgets_no_outcome() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&flow()).await.unwrap();
    for (name, action) in [("welcome", whatsapp()), ("agent", conversation())] {
        cluster.apply(&destination(name, &action)).await.unwrap();
    }
    for name in ["welcome", "agent"] {
        cluster.reason("EngageDestination", name, "Ready", "Ready", SOON).await;
        assert_eq!(cluster.send_until_settled(name, &event_to(&phone(900))).await.0, 200, "{name}");
    }

    cluster.sim.clear_requests();
    // A message waits for one slow answer, a conversation for two.
    cluster.sim.set_faults(vec![
        FaultRule::on("messages.create", FaultKind::Latency { ms: 3_000 }),
        FaultRule::on("participants.create", FaultKind::Latency { ms: 1_500 }),
        FaultRule::on("conversation_messages.create", FaultKind::Latency { ms: 1_500 }),
    ]);
    let events: Vec<(&str, Value)> =
        (0..40).map(|n| (if n % 2 == 0 { "welcome" } else { "agent" }, event_to(&phone(n)))).collect();
    let (mut gateway, begin) = {
        let requests = futures::future::join_all(events.iter().map(|(name, event)| cluster.send(name, event)));
        let ending = async {
            let asked = |operation: &str| cluster.sim.requests_of(operation).len() >= events.len() / 2;
            while !(asked("messages.create") && asked("participants.create")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let begin = Instant::now();
            let gateway = cluster.terminate_gateway();
            // Whoever balances the load is told before the last request is answered.
            while cluster.gateway_readiness().await == Some(200) {
                assert!(begin.elapsed() < Duration::from_secs(1), "still ready");
            }
            (gateway, begin)
        };
        let (answers, (gateway, begin)) = tokio::join!(requests, ending);
        for ((name, event), (status, body)) in events.iter().zip(&answers) {
            assert_eq!((*status, body["results"][0]["outcome"].as_str()), (200, Some("sent")), "{name} {event} {body}");
        }
        (gateway, begin)
    };
    let status = gateway.ended(SOON).await;
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", cluster.log("gateway"));
    assert!(begin.elapsed() <= Duration::from_secs(15), "{:?}", begin.elapsed());

    cluster.sim.clear_faults();
    cluster.start_gateway().await;
    for (name, event) in &events {
        let (status, body) = cluster.send_until_settled(name, event).await;
        assert_eq!((status, body["results"][0]["outcome"].as_str()), (200, Some("duplicate")), "{name} {body}");
    }
    for n in (0..40).step_by(2) {
        assert_eq!(messages_to(&cluster.sim, &phone(n)), 1);
    }
    assert_eq!(cluster.sim.state().conversations.len(), 20 + 1);
}
