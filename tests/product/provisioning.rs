//! A StudioFlow is made once, repaired when somebody edits it, and left alone otherwise.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule};
use serde_json::json;

use crate::harness::{World, config_map, flow, from_config_map, merge, sid};

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(40), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_published_once_with_the_ids_of_the_account_and_then_left_alone() {
    let world = World::ready(&[flow()]).await;
    let state = world.sim.state();
    let [created] = state.flows.as_slice() else { panic!("{:?}", state.flows) };
    assert_eq!((created.revisions.len(), created.revisions[0].status.as_str()), (1, "published"));
    let definition = created.revisions[0].definition.to_string();
    assert!(definition.contains(&sid("WW", 1)) && definition.contains(&sid("TC", 1)), "{definition}");
    let commit = created.revisions[0].commit_message.clone().unwrap();
    assert!(commit.starts_with("engage-operator default/marketing/connect-to-agent"), "{commit}");
    let object = world.get("sf", "connect-to-agent").unwrap();
    assert_eq!(object["status"]["sid"], created.sid);
    assert_eq!(object["status"]["revision"], 1);
    // Longer than the resync interval of five seconds: looked at again, not written again.
    world.sim.clear_requests();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!world.sim.requests().is_empty());
    assert_eq!(world.sim.state().flows[0].revisions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_console_is_reported_and_put_back() {
    let world = World::ready(&[flow()]).await;
    let sid = world.sim.state().flows[0].sid.clone();
    let mut edited = (*world.sim.state().flows[0].revisions[0].definition).clone();
    let states = edited["states"].as_array_mut().unwrap();
    let message = states.iter_mut().find(|state| state["type"] == "send-message").unwrap();
    let widget = message["name"].as_str().unwrap().to_owned();
    message["properties"]["body"] = json!("Edited by hand");
    world.sim.edit_flow(&sid, Some(edited), "published");
    eventually("the flow is put back", || world.sim.state().flows[0].revisions.len() == 3).await;
    let live = world.sim.state().flows[0].latest_published().unwrap().definition.to_string();
    assert!(!live.contains("Edited by hand"));
    eventually("the edit is reported", || {
        let reported = world.get("sf", "connect-to-agent").unwrap_or_default()["status"]["drift"].clone();
        reported["revision"] == 2 && reported["widgets"].to_string().contains(&widget)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.sim.state().flows[0].revisions.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_only_moves_widgets_is_left_alone() {
    let world = World::ready(&[flow()]).await;
    let sid = world.sim.state().flows[0].sid.clone();
    let mut moved = (*world.sim.state().flows[0].revisions[0].definition).clone();
    let states = moved["states"].as_array_mut().unwrap();
    states.reverse();
    states[0]["properties"]["offset"] = json!({"x": 1, "y": 2});
    world.sim.edit_flow(&sid, Some(moved), "published");
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(world.sim.state().flows[0].revisions.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_is_lost_is_never_repeated_blindly() {
    for fault in [FaultKind::DropAfter, FaultKind::ErrorAfter { status: 500 }] {
        let mut world = World::with(&[]).await;
        let name = fault.name();
        world.sim.set_faults(vec![FaultRule::on("flows.create", fault).times(1)]);
        world.apply(&flow());
        eventually(name, || world.sim.state().flows.len() == 1).await;
        // In the middle of it, the process is lost too.
        world.kill();
        world.start().await;
        world.all_ready(&[flow()]).await;
        let flows = world.sim.state().flows;
        assert_eq!((flows.len(), flows[0].revisions.len()), (1, 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_lag_behind_writes_make_no_second_flow_and_no_second_revision() {
    let world = World::with(&[]).await;
    world.sim.set_faults(vec![
        FaultRule::on("flows.fetch", FaultKind::NotFoundAfterCreate { ms: 4_000 }),
        FaultRule::on("revisions.fetch", FaultKind::NotFoundAfterCreate { ms: 4_000 }),
        FaultRule::on("flows.fetch", FaultKind::StaleRead { ms: 4_000 }),
        FaultRule::on("revisions.fetch", FaultKind::StaleRead { ms: 4_000 }),
    ]);
    world.apply(&flow());
    world.all_ready(&[flow()]).await;
    let mut changed = flow();
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    eventually("the change is published", || world.sim.state().flows.iter().any(|flow| flow.revisions.len() >= 2))
        .await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let flows = world.sim.state().flows;
    assert_eq!((flows.len(), flows[0].revisions.len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_or_would_break_customers_is_not_written() {
    let mut nameless = flow();
    merge(&mut nameless, &json!({"metadata": {"name": "nameless"}, "spec": {"friendlyName": "Nameless"}}));
    nameless["spec"]["references"][0]["workflow"]["friendlyName"] = json!("No such workflow");
    let mut dangling = flow();
    merge(&mut dangling, &json!({"metadata": {"name": "dangling"}, "spec": {"friendlyName": "Dangling"}}));
    dangling["spec"]["definition"]["states"][0]["transitions"][0]["next"] = json!("nowhere");
    let mut unfilled = flow();
    merge(&mut unfilled, &json!({"metadata": {"name": "unfilled"}, "spec": {"friendlyName": "Unfilled"}}));
    unfilled["spec"]["references"] = json!([]);
    let world = World::with(&[nameless, dangling, unfilled]).await;
    let message = world.reason("sf", "nameless", "ResolvedRefs", "ReferenceNotFound").await;
    assert!(message.contains("No such workflow") && message.contains("Assign to Anyone"), "{message}");
    let message = world.reason("sf", "dangling", "Ready", "DefinitionInvalid").await;
    assert!(message.contains("nowhere"), "{message}");
    let message = world.reason("sf", "unfilled", "Ready", "DefinitionInvalid").await;
    assert!(message.contains("send_to_flex"), "{message}");
    assert!(world.sim.state().flows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_flow_of_the_same_name_is_left_alone_and_our_own_is_found_again() {
    let mut world = World::ready(&[flow()]).await;
    let ours = world.sim.state().flows[0].sid.clone();
    // The state folder is lost, as when a cluster is rebuilt from git.
    world.kill();
    std::fs::remove_dir_all(world.state()).unwrap();
    world.start().await;
    world.all_ready(&[flow()]).await;
    assert_eq!(world.sim.state().flows.len(), 1);
    assert_eq!(world.get("sf", "connect-to-agent").unwrap()["status"]["sid"], ours);
    // Another installation does not take it.
    let mut other = flow();
    merge(&mut other, &json!({"metadata": {"name": "other"}}));
    world.apply(&other);
    let message = world.reason("sf", "other", "Ready", "NameTaken").await;
    assert!(message.contains("spec.friendlyName") && message.contains(&ours), "{message}");
    assert_eq!(world.sim.state().flows.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_serves_nobody_until_it_is_published() {
    let mut draft = flow();
    merge(&mut draft, &json!({"spec": {"publish": false}}));
    let world =
        World::with(&[draft.clone(), crate::harness::destination("agent", &crate::harness::conversation())]).await;
    world.reason("sf", "connect-to-agent", "Synced", "Draft").await;
    assert_eq!(world.sim.state().flows[0].revisions[0].status, "draft");
    world.reason("ed", "agent", "Verified", "FlowNotPublished").await;
    merge(&mut draft, &json!({"spec": {"publish": true}}));
    world.apply(&draft);
    world.reason("ed", "agent", "Ready", "Ready").await;
    assert_eq!(world.sim.state().flows.len(), 1);
}

fn to_be_deleted() -> serde_json::Value {
    let mut flow = flow();
    flow["spec"]["deletionPolicy"] = json!("Delete");
    flow
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_goes_with_its_file_when_it_is_to_be_deleted_although_the_secret_goes_too() {
    let mut world = World::ready(&[to_be_deleted()]).await;
    world.remove("StudioFlow", "connect-to-agent");
    std::fs::remove_file(world.config().join("secrets.yaml")).unwrap();
    eventually("the flow is deleted", || world.sim.state().flows.is_empty()).await;
    eventually("the resource is gone", || world.get("sf", "connect-to-agent").is_none()).await;
    // Taken away while nobody looked, and there again before it was gone.
    world.write("secrets.yaml", &crate::harness::secrets());
    world.apply(&to_be_deleted());
    world.reason("StudioFlow", "connect-to-agent", "Ready", "Ready").await;
    let first = world.sim.state().flows[0].sid.clone();
    assert!(world.terminate().success());
    world.remove("StudioFlow", "connect-to-agent");
    world.sim.set_faults(vec![FaultRule::on("flows.delete", FaultKind::ErrorBefore { status: 503 }).times(3)]);
    world.start().await;
    world.apply(&to_be_deleted());
    eventually("another flow takes its place", || {
        let flows = world.sim.state().flows;
        flows.len() == 1 && flows[0].sid != first
    })
    .await;
    world.reason("StudioFlow", "connect-to-agent", "Ready", "Ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_while_nothing_ran_is_gone_at_the_next_start() {
    let mut world = World::ready(&[flow()]).await;
    assert!(world.terminate().success());
    world.remove("StudioFlow", "connect-to-agent");
    world.start().await;
    assert_eq!(world.get("sf", "connect-to-agent"), None);
    assert_eq!(world.sim.state().flows.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_in_a_config_map_of_the_folder_is_taken_in_as_it_changes() {
    let mut definition = flow()["spec"]["definition"].clone();
    let world = World::with(&[from_config_map(flow(), "agent.json")]).await;
    world.reason("StudioFlow", "connect-to-agent", "ResolvedRefs", "ConfigMapNotFound").await;
    let config_map = |definition: &serde_json::Value| config_map("agent.json", &definition.to_string());
    world.apply(&config_map(&definition));
    world.reason("StudioFlow", "connect-to-agent", "Ready", "Ready").await;
    let states = definition["states"].as_array_mut().unwrap();
    let message = states.iter_mut().find(|state| state["type"] == "send-message").unwrap();
    message["properties"]["body"] = json!("Changed in git");
    world.apply(&config_map(&definition));
    eventually("the changed definition is published", || world.sim.state().flows[0].revisions.len() == 2).await;
}
