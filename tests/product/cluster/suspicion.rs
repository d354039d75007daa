//! The gateway meets what the controller has not seen yet, and may write nothing but its Lease.

use serde_json::{Value, json};

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{OUR_NUMBERS, conversation, destination, event, flow};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_meets_another_account_than_was_checked_has_the_controller_check_it_again() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let mut flow = flow();
    flow["spec"]["resyncInterval"] = json!("10m");
    cluster.apply(&flow).await.unwrap();
    cluster.apply(&destination("agent", &conversation())).await.unwrap();
    cluster.reason("EngageDestination", "agent", "Ready", "Ready", SOON).await;
    for number in OUR_NUMBERS {
        assert!(cluster.sim.set_sender_status(number, "OFFLINE"));
    }
    // The gateway hears of it a moment after the API server has it.
    let (event, mut first) = (event("lead-1"), (0, Value::Null));
    eventually("the destination is served", async || {
        first = cluster.send("agent", &event).await;
        first.1["results"].is_array()
    })
    .await;
    let (status, body) = first;
    assert_eq!((status, body["results"][0]["reason"].as_str()), (503, Some("TwilioRefused")), "{body}");
    // Long before the resync interval of ten minutes.
    cluster.reason("EngageDestination", "agent", "Verified", "SenderOffline", SOON).await;
}
