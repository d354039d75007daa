//! One destination never disturbs another: not one that is wrong, not one whose account does not answer, and not one that
//! cannot even be read.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use engage_simulator::{FaultKind, FaultMatch, FaultRule};
use serde_json::{Value, json};

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{NAMESPACE, conversation, destination, event, flow, merge, sid, whatsapp};

/// Applies a destination, and gives the time until an event for it is sent.
async fn served_after(cluster: &Cluster, name: &str, action: &Value) -> Duration {
    let begin = Instant::now();
    cluster.apply(&destination(name, action)).await.unwrap();
    eventually(name, async || cluster.send(name, &event("lead-1")).await.0 == 200).await;
    begin.elapsed()
}

fn with(change: &Value) -> Value {
    let mut action = whatsapp();
    merge(&mut action, change);
    action
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_and_what_cannot_even_be_read_delays_no_other() {
    let Some(cluster) = Cluster::start().await else { return };
    // Objects from a time when the schema was laxer. No version of this program can read them.
    cluster
        .install_crds(|crd| {
            let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
            schema["spec"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        })
        .await;
    for (kind, spec) in [
        ("EngageDestination", json!({"twilio": 7, "resyncInterval": "soon"})),
        ("StudioFlow", json!({"friendlyName": ["no", "name"], "definition": {}})),
    ] {
        let unreadable = json!({"apiVersion": "engage-operator.dev/v1alpha1", "kind": kind,
            "metadata": {"name": "a-unreadable", "namespace": NAMESPACE}, "spec": spec});
        eventually("the laxer schema is in force", async || cluster.apply(&unreadable).await.is_ok()).await;
    }
    cluster.install_crds(|_| ()).await;
    cluster.put_secrets().await;
    cluster.start_gateway().await;
    let _controller = cluster.controller("one");

    let beside_unreadable = served_after(&cluster, "alone", &whatsapp()).await;
    let wrong = [
        ("wrong-template", json!({"whatsapp": {"contentSid": sid("HX", 999)}}), "ContentNotFound"),
        ("wrong-service", json!({"whatsapp": {"messagingServiceSid": sid("MG", 999)}}), "MessagingServiceNotFound"),
        ("without-secret", json!({"segment": {"credentialsRef": {"name": "absent"}}}), "SecretNotFound"),
    ];
    for (name, change, _) in &wrong {
        cluster.apply(&destination(name, &with(change))).await.unwrap();
    }
    let beside_wrong = served_after(&cluster, "beside", &whatsapp()).await;
    cluster.apply(&flow()).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    for (name, _, reason) in wrong {
        cluster.reason("EngageDestination", name, "Ready", reason, SOON).await;
        let (status, body) = cluster.send(name, &event("lead-1")).await;
        assert_eq!((status, body["reason"].as_str()), (503, Some(reason)));
    }
    let _ = writeln!(
        std::io::stderr(),
        "from apply to sent: {} ms beside what cannot be read, {} ms beside what is wrong too",
        beside_unreadable.as_millis(),
        beside_wrong.as_millis()
    );
    // Whatever is wrong waits for seconds before it is looked at again; nobody else waits for it.
    assert!(beside_unreadable.max(beside_wrong) < Duration::from_secs(10));

    // An event for what cannot be read is kept by Segment until it can be. Made anew, it is taken in like any other.
    let (status, body) = cluster.send("a-unreadable", &event("lead-1")).await;
    assert_eq!((status, body["reason"].as_str()), (503, Some("Unreadable")), "{body}");
    cluster.delete("EngageDestination", "a-unreadable").await;
    served_after(&cluster, "a-unreadable", &whatsapp()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_account_does_not_answer_is_asked_less_and_less_often_and_delays_no_other() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let template = sid("HX", 2);
    cluster.sim.set_faults(vec![FaultRule {
        matches: FaultMatch { path_contains: Some(template.clone()), ..FaultMatch::default() },
        kind: FaultKind::ErrorBefore { status: 503 },
        probability: 1.0,
        times: None,
    }]);
    let slow = with(&json!({"whatsapp": {"contentSid": template}, "verification": "Enforce"}));
    cluster.apply(&destination("slow", &slow)).await.unwrap();
    let begin = Instant::now();
    cluster.reason("EngageDestination", "slow", "Verified", "CheckFailed", SOON).await;
    let pauses = || {
        let asked = cluster.sim.requests_of("content.fetch");
        let asked = asked.iter().filter(|entry| entry.path.contains(&template)).map(|entry| entry.time_ms);
        asked.clone().zip(asked.skip(1)).map(|(before, after)| after - before).collect::<Vec<_>>()
    };
    let mut others = 0;
    while pauses().len() < 3 {
        let took = served_after(&cluster, &format!("other-{others}"), &whatsapp()).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
        others += 1;
        assert!(begin.elapsed() < 2 * SOON, "{:?}", pauses());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let pauses = pauses();
    let _ = writeln!(std::io::stderr(), "pauses between checks that fail: {pauses:?} ms, beside {others} others");
    assert!(pauses[2] > pauses[0] * 3 / 2, "{pauses:?}");

    cluster.sim.clear_faults();
    cluster.reason("EngageDestination", "slow", "Verified", "ContentNotApproved", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_speaks_of_the_spec_that_it_was_made_for() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster.apply(&destination("welcome", &whatsapp())).await.unwrap();
    cluster.reason("EngageDestination", "welcome", "Ready", "Ready", SOON).await;
    let observed = async |generation: i64| {
        let object = cluster.get("EngageDestination", "welcome").await;
        assert_eq!(object["metadata"]["generation"], generation);
        assert_eq!(object["status"]["observedGeneration"], generation, "{object:#}");
        let conditions = object["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().all(|condition| condition["observedGeneration"] == generation), "{conditions:?}");
    };
    observed(1).await;
    for (generation, change, reason) in [
        (2, json!({"suspend": true}), "Suspended"),
        (3, json!({"whatsapp": {"contentSid": sid("HX", 999)}}), "ContentNotFound"),
        (4, json!({}), "Ready"),
    ] {
        cluster.apply(&destination("welcome", &with(&change))).await.unwrap();
        cluster.reason("EngageDestination", "welcome", "Ready", reason, SOON).await;
        observed(generation).await;
        // The gateway heeds the same.
        let served = if reason == "Ready" { 200 } else { 503 };
        eventually(reason, async || cluster.send("welcome", &event("lead-1")).await.0 == served).await;
    }
    // A label is not the spec.
    let mut labelled = destination("welcome", &whatsapp());
    labelled["metadata"]["labels"] = json!({"team": "crm"});
    cluster.apply(&labelled).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    observed(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_its_flow_is_ready_as_soon_as_the_flow_is() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    let mut slowest = Duration::ZERO;
    for n in 0..8 {
        let (agent, flow_name) = (format!("agent-{n}"), format!("flow-{n}"));
        let mut action = conversation();
        action["conversation"]["flowRef"]["name"] = json!(flow_name);
        cluster.apply(&destination(&agent, &action)).await.unwrap();
        cluster.reason("EngageDestination", &agent, "Ready", "FlowNotFound", SOON).await;
        let mut flow = flow();
        merge(&mut flow, &json!({"metadata": {"name": flow_name}, "spec": {"friendlyName": flow_name}}));
        cluster.apply(&flow).await.unwrap();
        cluster.reason("StudioFlow", &flow_name, "Ready", "Ready", SOON).await;
        let begin = Instant::now();
        cluster.reason("EngageDestination", &agent, "Ready", "Ready", SOON).await;
        slowest = slowest.max(begin.elapsed());
    }
    // It looks by itself every fifteen seconds; nobody should have to wait for that.
    let _ = writeln!(std::io::stderr(), "a flow's destination is ready {} ms after it at most", slowest.as_millis());
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_whose_account_answers_slowly_delay_no_other() {
    let Some((cluster, _controller)) = Cluster::running().await else { return };
    cluster
        .put_secret("slow", &json!({"TWILIO_ACCOUNT_SID": sid("AC", 1), "TWILIO_AUTH_TOKEN": "demo-auth-token"}))
        .await;
    served_after(&cluster, "before", &whatsapp()).await;
    let service = sid("MG", 2);
    cluster.sim.set_faults(vec![FaultRule {
        matches: FaultMatch { path_contains: Some(service.clone()), ..FaultMatch::default() },
        kind: FaultKind::Latency { ms: 6_000 },
        probability: 1.0,
        times: None,
    }]);
    let slow = with(&json!({
        "twilio": {"credentialsRef": {"name": "slow"}}, "whatsapp": {"messagingServiceSid": service}, "resyncInterval": "5s",
    }));
    for n in 0..100 {
        cluster.apply(&destination(&format!("slow-{n}"), &slow)).await.unwrap();
    }
    eventually("it is asked", async || !cluster.sim.requests_of("services.fetch").is_empty()).await;
    let took = served_after(&cluster, "beside", &whatsapp()).await;
    let _ = writeln!(std::io::stderr(), "served after {} ms beside a hundred of a slow account", took.as_millis());
    assert!(took < Duration::from_secs(10), "{took:?}");
    cluster.sim.clear_faults();
    cluster.reason("EngageDestination", "slow-99", "Ready", "SeveralWhatsAppSenders", 4 * SOON).await;
}
