//! What is wrong in a resource, or in what it points at, is in its conditions before a customer is affected, and once it is put
//! right the resource goes on by itself.

use serde_json::json;

use crate::{
    flow_references::running,
    harness::{World, config_map, conversation, destination, event, flow, from_config_map, secrets, sid},
};

fn says(message: &str, words: &[&str]) {
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} not in: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_does_not_have_the_definition_says_what_it_lacks() {
    let world = World::with(&[from_config_map(flow(), "agent.json"), config_map("other.json", "{}")]).await;
    let message = world.reason("sf", "connect-to-agent", "ResolvedRefs", "ConfigMapKeyMissing").await;
    says(&message, &["`flows`", "`agent.json`"]);
    world.apply(&config_map("agent.json", "{ \"states\": "));
    let message = world.reason("sf", "connect-to-agent", "Accepted", "DefinitionInvalid").await;
    says(&message, &["flows", "agent.json"]);
    assert!(world.sim.state().flows.is_empty());
    world.apply(&config_map("agent.json", &flow()["spec"]["definition"].to_string()));
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_another_account_is_not_run() {
    let mut outer = running("outer", &["connect-to-agent"]);
    outer["spec"]["twilio"]["credentialsRef"]["name"] = json!("other");
    let world = World::ready(&[flow()]).await;
    let other = secrets().replace("{name: twilio,", "{name: other,").replace(&sid("AC", 1), &sid("AC", 2));
    world.write("other.yaml", other.split("---").next().unwrap());
    world.apply(&outer);
    let message = world.reason("sf", "outer", "ResolvedRefs", "FlowInOtherAccount").await;
    says(&message, &["`connect-to-agent`", &sid("AC", 1), &sid("AC", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_no_reply_would_reach_serves_no_destination() {
    let mut deaf = flow();
    let states = deaf["spec"]["definition"]["states"].as_array_mut().unwrap();
    let trigger = states.iter_mut().find(|state| state["type"] == "trigger").unwrap();
    for transition in trigger["transitions"].as_array_mut().unwrap() {
        if transition["event"] == "incomingConversationMessage" {
            *transition = json!({"event": "incomingConversationMessage"});
        }
    }
    let world = World::with(&[deaf, destination("agent", &conversation())]).await;
    let message = world.reason("ed", "agent", "Verified", "FlowTriggerMissing").await;
    says(&message, &["spec.conversation.flowRef", "incomingConversationMessage"]);
    let answer = world.send("agent", &event("lead-1")).await;
    assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some("FlowTriggerMissing")));
    world.apply(&flow());
    world.reason("ed", "agent", "Ready", "Ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_whose_value_cannot_be_right_names_its_key_and_not_its_value() {
    let world = World::with(&[destination("agent", &conversation()), flow()]).await;
    // The two values, put in the place of each other.
    world.write(
        "secrets.yaml",
        &secrets().replace(&format!("TWILIO_ACCOUNT_SID: {}", sid("AC", 1)), "TWILIO_ACCOUNT_SID: swapped"),
    );
    for kind in ["ed", "sf"] {
        let name = if kind == "ed" { "agent" } else { "connect-to-agent" };
        let message = world.reason(kind, name, "ResolvedRefs", "SecretKeyInvalid").await;
        says(&message, &["Secret `twilio`", "`TWILIO_ACCOUNT_SID`"]);
        assert!(!message.contains("swapped"), "{message}");
    }
    world.write("secrets.yaml", &secrets());
    world.reason("ed", "agent", "Ready", "Ready").await;
}
