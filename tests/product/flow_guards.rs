//! What keeps a flow from being deleted under those who need it, what has it looked at at once, and how often its account is asked.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule, Product};
use serde_json::{Value, json};

use crate::{
    flow_references::{flow_of, running},
    harness::{World, config_map, from_config_map, merge, sid},
};

/// A flow in which everybody who comes in by the API waits for an answer. Its file says that it is to be deleted.
fn waiting_room(spec: &Value) -> Value {
    let wait = json!({"name": "wait", "type": "send-and-wait-for-reply", "properties": {
        "from": "{{flow.channel.address}}", "body": "Hello", "timeout": "3600"
    }});
    let mut flow = flow_of("inner", &[wait], &json!([]));
    let last = flow["spec"]["definition"]["states"].as_array_mut().unwrap().last_mut().unwrap();
    last["transitions"] = json!([{"event": "incomingMessage"}, {"event": "timeout"}, {"event": "deliveryFailure"}]);
    merge(&mut flow["spec"], &json!({"deletionPolicy": "Delete"}));
    merge(&mut flow["spec"], spec);
    flow
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn studio(world: &World, path: &str, form: &[(&str, &str)]) -> Value {
    let base = world.sim.twilio_base_url().replace("{product}", "studio");
    let request = world.http().post(format!("{base}/v2/Flows/{path}")).form(form);
    let answer = request.basic_auth(sid("AC", 1), Some("demo-auth-token")).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.unwrap()
}

/// Starts an execution of the only flow, which then waits; gives the path of the execution.
async fn customer_comes_in(world: &World, name: &str) -> String {
    let flows = world.sim.state().flows;
    let flow = flows.iter().find(|flow| flow.revisions[0].friendly_name == name).unwrap();
    let form = [("To", "+5511987654321"), ("From", "+15005550006")];
    let execution = studio(world, &format!("{}/Executions", flow.sid), &form).await;
    format!("{}/Executions/{}", flow.sid, execution["sid"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_not_deleted_under_a_flow_that_runs_it_nor_under_a_customer_who_is_in_it() {
    let outer = running("outer", &["inner"]);
    let world = World::ready(&[outer.clone(), waiting_room(&json!({}))]).await;
    let execution = customer_comes_in(&world, "inner").await;
    world.remove("StudioFlow", "inner");
    let message = world.reason("sf", "inner", "Ready", "DeletionBlocked").await;
    assert!(
        message.contains("StudioFlow `outer`") && message.contains("engage-operator.dev/deletion=Now"),
        "{message}"
    );
    // What runs it is not unsettled by that.
    world.reason("sf", "outer", "Ready", "Ready").await;
    world.remove("StudioFlow", "outer");
    let begin = Instant::now();
    loop {
        let message = world.reason("sf", "inner", "Ready", "DeletionBlocked").await;
        if message.contains("1 execution of FW") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{message}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(world.sim.state().flows.len(), 2);
    studio(&world, &execution, &[("Status", "ended")]).await;
    eventually("the flow is deleted", || world.get("sf", "inner").is_none()).await;
    // The one that ran it is retained, as its file said.
    let left: Vec<_> = world.sim.state().flows.iter().map(|it| it.revisions[0].friendly_name.clone()).collect();
    assert_eq!(left, ["outer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_kept_for_one_whose_definition_runs_its_sid_until_that_is_published_without_it() {
    let world = World::ready(&[waiting_room(&json!({}))]).await;
    let inner = world.sim.state().flows[0].sid.clone();
    let mut outer = running("outer", &["inner"]);
    outer["spec"].as_object_mut().unwrap().remove("references");
    let mut definition = outer["spec"]["definition"].clone();
    let config_map = |definition: &Value| config_map("outer.json", &definition.to_string());
    definition["states"][1]["properties"]["flow_sid"] = json!(inner);
    world.apply(&config_map(&definition));
    world.apply(&from_config_map(outer, "outer.json"));
    world.reason("sf", "outer", "Ready", "Ready").await;
    assert_eq!(world.get("sf", "outer").unwrap()["status"]["subflows"], json!([inner]));
    // It is taken out of git, and Studio does not take the change: customers are led to it still.
    world.sim.set_faults(vec![FaultRule::on("flows.update", FaultKind::Throttle { retry_after: None })]);
    definition["states"][1] = json!({"name": "inner", "type": "set-variables", "properties": {"variables": []},
        "transitions": [{"event": "next"}]});
    world.apply(&config_map(&definition));
    world.reason("sf", "outer", "Ready", "RateLimited").await;
    world.remove("StudioFlow", "inner");
    let message = world.reason("sf", "inner", "Ready", "DeletionBlocked").await;
    assert!(message.contains("StudioFlow `outer`"), "{message}");
    world.sim.set_faults(Vec::new());
    eventually("the flow is deleted", || world.get("sf", "inner").is_none()).await;
    let left = world.sim.state().flows;
    assert_eq!((left.len(), left[0].revisions.len()), (1, 2));
    assert_eq!(world.get("sf", "outer").unwrap()["status"]["subflows"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_at_its_deadline_or_when_somebody_says_so() {
    let world = World::ready(&[waiting_room(&json!({"deletionDeadline": "3s"}))]).await;
    customer_comes_in(&world, "inner").await;
    world.remove("StudioFlow", "inner");
    world.reason("sf", "inner", "Ready", "DeletionBlocked").await;
    eventually("the resource is let go", || world.get("sf", "inner").is_none()).await;
    assert_eq!(world.sim.state().flows.len(), 1);
    // There again it finds its flow; told to delete it at once, it does not look who is in it.
    let mut now = waiting_room(&json!({}));
    merge(&mut now, &json!({"metadata": {"annotations": {"engage-operator.dev/deletion": "Now"}}}));
    world.apply(&now);
    world.reason("sf", "inner", "Ready", "Ready").await;
    assert_eq!(world.sim.state().flows.len(), 1);
    let asked = world.sim.requests_of("executions.list").len();
    world.remove("StudioFlow", "inner");
    eventually("the flow is deleted", || world.sim.state().flows.is_empty()).await;
    assert_eq!(world.sim.requests_of("executions.list").len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_of_the_annotation_has_a_flow_looked_at_at_once() {
    let mut flow = waiting_room(&json!({"resyncInterval": "1h"}));
    let world = World::ready(&[flow.clone()]).await;
    let before = world.sim.state().flows[0].clone();
    let mut edited = (*before.revisions[0].definition).clone();
    edited["description"] = json!("Edited by hand");
    world.sim.edit_flow(&before.sid, Some(edited), "published");
    for value in ["first", "second"] {
        merge(&mut flow, &json!({"metadata": {"annotations": {"engage-operator.dev/reconcile-now": value}}}));
        world.sim.clear_requests();
        world.apply(&flow);
        eventually("the account is asked", || !world.sim.requests_of("flows.fetch").is_empty()).await;
        eventually("it is said that it was", || {
            world.get("sf", "inner").unwrap()["status"]["lastHandledReconcile"] == value
        })
        .await;
    }
    assert_eq!(world.sim.state().flows[0].revisions.len(), 3);
    assert_eq!(world.get("sf", "inner").unwrap()["metadata"]["generation"], 1);
}

/// Of the budget in `src/twilio/budget.rs`: at once, and in each second after that.
const BURST: usize = 200;
const RATE: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_flows_wait_together_while_twilio_is_asked_too_often() {
    let flows: Vec<Value> = (0..200)
        .map(|n| {
            let note = json!({"name": "note", "type": "set-variables", "properties": {"variables": []}});
            let mut flow = flow_of(&format!("flow-{n:03}"), &[note], &json!([]));
            merge(&mut flow, &json!({"spec": {"resyncInterval": "1h"}}));
            flow
        })
        .collect();
    let world = World::with(&[]).await;
    world.sim.set_faults(vec![FaultRule::on_product(Product::Studio, FaultKind::Throttle { retry_after: None })]);
    world.sim.clear_requests();
    for flow in &flows {
        world.apply(flow);
    }
    eventually("Twilio is asked", || !world.sim.requests().is_empty()).await;
    let begin = Instant::now();
    let storm = Duration::from_secs(6);
    tokio::time::sleep(storm).await;
    // Those that were under way together, and then one at a time after pauses that double.
    let asked = world.sim.requests().len();
    assert!((1..=30).contains(&asked), "{asked} requests in {storm:?}");
    let message = world.reason("sf", "flow-199", "Ready", "RateLimited").await;
    assert!(message.contains("asked too often"), "{message}");
    world.sim.set_faults(Vec::new());
    let ready = || {
        let flows = world.sim.state().flows;
        flows.len() == 200 && flows.iter().all(|flow| flow.revisions.len() == 1)
    };
    eventually("all flows are made once the storm is over", ready).await;
    let asked = world.sim.requests().len();
    let took = begin.elapsed();
    let budget = BURST + RATE * usize::try_from(took.as_secs() + 1).unwrap();
    assert!(asked <= budget, "{asked} requests in {took:?}, and {budget} were allowed");
    println!("200 flows through a storm of {storm:?}: {asked} requests in {took:?}");
}
