//! A flow between git and the people who edit it in the Console: what the policy keeps is kept, also in a race; a flow that
//! is there already is adopted only when that is asked for; and its history can be gone back to.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::harness::{World, flow, merge};

/// Longer than the interval at which the flow is compared again.
const ANOTHER_LOOK: Duration = Duration::from_secs(7);

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(40), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn with(spec: &Value) -> Value {
    let mut flow = flow();
    merge(&mut flow, &json!({"spec": spec}));
    flow
}

/// The published definition with another text in its first message.
fn edited(world: &World, text: &str) -> Value {
    let mut definition = (*world.sim.state().flows[0].latest_published().unwrap().definition).clone();
    let states = definition["states"].as_array_mut().unwrap();
    states.iter_mut().find(|state| state["type"] == "send-message").unwrap()["properties"]["body"] = json!(text);
    definition
}

fn status(world: &World) -> Value {
    world.get("sf", "connect-to-agent").unwrap_or_default()["status"].clone()
}

fn revisions(world: &World) -> Vec<String> {
    let state = world.sim.state();
    assert_eq!(state.flows.len(), 1);
    state.flows[0].revisions.iter().map(|revision| revision.commit_message.clone().unwrap_or_default()).collect()
}

fn published(world: &World) -> String {
    world.sim.state().flows[0].latest_published().unwrap().definition.to_string()
}

async fn somebody_makes(world: &World, name: &str) -> String {
    let url = format!("{}/v2/Flows", world.sim.twilio_base_url().replace("{product}", "studio"));
    let definition = json!({"initial_state": "Trigger", "states": [{"name": "Trigger", "type": "trigger",
        "properties": {"offset": {"x": 0, "y": 0}}, "transitions": [{"event": "incomingMessage"}]}]});
    let form = [("FriendlyName", name), ("Status", "published"), ("Definition", &definition.to_string())];
    let answer = world
        .http()
        .post(url)
        .basic_auth(crate::harness::sid("AC", 1), Some("demo-auth-token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    let made: Value = answer.json().await.unwrap();
    made["sid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_report_nothing_is_written_over_an_edit_until_git_names_it() {
    let world = World::ready(&[with(&json!({"driftPolicy": "Report"}))]).await;
    let sid = world.sim.state().flows[0].sid.clone();
    let edit = edited(&world, "Edited by hand");
    world.sim.edit_flow_saying(&sid, edit, "published", "Shorter greeting");
    let message = world.reason("sf", "connect-to-agent", "Ready", "FlowEdited").await;
    for told in [
        "US0",
        "saved revision 2",
        "Shorter greeting",
        "first_message",
        "flow diff",
        "flow pull",
        "overwriteRevision to 2",
    ] {
        assert!(message.contains(told), "{told}: {message}");
    }
    let drift = status(&world)["drift"].clone();
    assert_eq!((&drift["revision"], &drift["commitMessage"]), (&json!(2), &json!("Shorter greeting")), "{drift}");
    // A change in git waits too.
    let mut changed = with(&json!({"driftPolicy": "Report"}));
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    eventually("the change waits", || {
        status(&world)["conditions"].to_string().contains("the spec has changed too and waits")
    })
    .await;
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&world).len(), 2);
    assert!(published(&world).contains("Edited by hand"));
    merge(&mut changed, &json!({"spec": {"overwriteRevision": 2}}));
    world.apply(&changed);
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    assert!(published(&world).contains("Changed in git") && !published(&world).contains("Edited by hand"));
    assert_eq!(revisions(&world).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_adopt_an_edit_is_kept_until_git_changes() {
    let world = World::ready(&[with(&json!({"driftPolicy": "Adopt"}))]).await;
    let sid = world.sim.state().flows[0].sid.clone();
    world.sim.edit_flow(&sid, Some(edited(&world, "Edited by hand")), "published");
    let message = world.reason("sf", "connect-to-agent", "Ready", "EditKept").await;
    assert!(message.contains("revision 2"), "{message}");
    assert_eq!(status(&world)["keptRevision"], 2);
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&world).len(), 2);
    let mut changed = with(&json!({"driftPolicy": "Adopt"}));
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    assert!(published(&world).contains("Changed in git") && !published(&world).contains("Edited by hand"));
    assert_eq!(status(&world)["keptRevision"], json!(null));
    assert_eq!(revisions(&world).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_between_our_look_and_our_write_is_found_and_saved_again_where_edits_are_kept() {
    for (policy, reason, saved) in [("Correct", "Ready", 3), ("Report", "FlowEdited", 4), ("Adopt", "EditKept", 4)] {
        let world = World::ready(&[with(&json!({"driftPolicy": policy}))]).await;
        let sid = world.sim.state().flows[0].sid.clone();
        let edit = edited(&world, "Edited by hand");
        // Time enough for somebody else, after the look and before the write.
        world.sim.set_faults(vec![FaultRule::on("flows.validate", FaultKind::Latency { ms: 3_000 })]);
        world.sim.clear_requests();
        let mut changed = with(&json!({"driftPolicy": policy}));
        changed["spec"]["definition"]["description"] = json!("Changed in git");
        world.apply(&changed);
        eventually("it is about to write", || !world.sim.requests_of("flows.validate").is_empty()).await;
        world.sim.edit_flow(&sid, Some(edit), "published");
        eventually(policy, || {
            let drift = status(&world)["drift"].clone();
            drift["revision"] == 2 && drift["overwrittenBy"] == 3 && (saved == 3 || drift["restoredAs"] == 4)
        })
        .await;
        world.reason("sf", "connect-to-agent", "Ready", reason).await;
        tokio::time::sleep(ANOTHER_LOOK).await;
        let revisions = revisions(&world);
        assert_eq!(revisions.len(), saved, "{policy}: {revisions:?}");
        assert_eq!(published(&world).contains("Edited by hand"), saved == 4, "{policy}");
        assert_eq!(revisions.iter().any(|message| message.contains("restores=2")), saved == 4, "{revisions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_whose_answer_is_lost_is_not_written_again_although_reads_lag() {
    let world = World::ready(&[flow()]).await;
    world.sim.set_faults(vec![
        FaultRule::on("flows.update", FaultKind::DropAfter).times(1),
        FaultRule::on("flows.fetch", FaultKind::StaleRead { ms: 6_000 }),
    ]);
    let mut changed = flow();
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    eventually("it is written", || revisions(&world).len() == 2).await;
    eventually("it is seen", || status(&world)["revision"] == 2).await;
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&world).len(), 2);
    assert_eq!(status(&world)["pendingWrite"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_there_is_adopted_by_sid_or_by_a_name_that_only_one_has() {
    let world = World::with(&[]).await;
    let named = |name: &str| with(&json!({"adopt": {"friendlyName": name}}));
    world.apply(&named("Old name"));
    world.reason("sf", "connect-to-agent", "Ready", "NothingToAdopt").await;
    let first = somebody_makes(&world, "Old name").await;
    world.apply(&named("Old name"));
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    assert_eq!(status(&world)["sid"], first);
    let state = world.sim.state();
    assert_eq!((state.flows.len(), state.flows[0].latest().unwrap().friendly_name.as_str()), (1, "Connect to agent"));
    assert_eq!(status(&world)["drift"]["revision"], 1, "what was there is told of");

    let mut other = with(&json!({"friendlyName": "Other", "adopt": {"friendlyName": "Twice"}}));
    merge(&mut other, &json!({"metadata": {"name": "other"}}));
    let twice = [somebody_makes(&world, "Twice").await, somebody_makes(&world, "Twice").await];
    world.apply(&other);
    let message = world.reason("sf", "other", "Ready", "SeveralToAdopt").await;
    assert!(twice.iter().all(|sid| message.contains(sid)), "{message}");
    other["spec"]["adopt"] = json!({"sid": twice[1]});
    other["spec"]["driftPolicy"] = json!("Report");
    world.apply(&other);
    world.reason("sf", "other", "Ready", "FlowEdited").await;
    assert_eq!(world.get("sf", "other").unwrap()["status"]["sid"], twice[1]);
    let state = world.sim.state();
    assert!(state.flows.iter().filter(|flow| twice.contains(&flow.sid)).all(|flow| flow.revisions.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_revision_is_served_again_while_the_spec_names_it() {
    let world = World::ready(&[flow()]).await;
    let mut changed = flow();
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    eventually("the change is published", || revisions(&world).len() == 2).await;
    merge(&mut changed, &json!({"spec": {"revision": 1}}));
    world.apply(&changed);
    let message = world.reason("sf", "connect-to-agent", "Ready", "Pinned").await;
    assert!(message.contains("revision 3 is published, which is revision 1 again"), "{message}");
    assert!(!published(&world).contains("Changed in git"));
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert_eq!(revisions(&world).len(), 3);
    changed["spec"].as_object_mut().unwrap().remove("revision");
    world.apply(&changed);
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    assert!(published(&world).contains("Changed in git"));
    assert_eq!(revisions(&world).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn test_users_are_set_as_a_whole_and_only_when_they_differ() {
    let users = |world: &World| world.sim.state().flows.first().map(|flow| flow.test_users.clone()).unwrap_or_default();
    let world = World::ready(&[with(&json!({"testUsers": ["+5511900000001", "+5511900000002"]}))]).await;
    eventually("they are set", || users(&world).len() == 2).await;
    world.sim.clear_requests();
    // The order does not count.
    world.apply(&with(&json!({"testUsers": ["+5511900000002", "+5511900000001"]})));
    tokio::time::sleep(ANOTHER_LOOK).await;
    assert!(world.sim.requests_of("test_users.update").is_empty());
    assert!(!world.sim.requests_of("test_users.fetch").is_empty());
    world.apply(&with(&json!({"testUsers": []})));
    eventually("they are removed", || users(&world).is_empty()).await;
    assert_eq!(revisions(&world).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_staged_is_a_draft_before_it_is_published_also_when_the_program_is_killed_between() {
    let mut world = World::ready(&[with(&json!({"staged": true}))]).await;
    let saved = |world: &World| -> Vec<String> {
        world.sim.state().flows[0].revisions.iter().map(|revision| revision.status.clone()).collect()
    };
    assert_eq!(saved(&world), ["draft", "published"]);
    world.sim.set_faults(vec![FaultRule::on("flows.update", FaultKind::Latency { ms: 2_000 })]);
    let mut changed = with(&json!({"staged": true}));
    changed["spec"]["definition"]["description"] = json!("Changed in git");
    world.apply(&changed);
    eventually("the draft is saved", || saved(&world).len() == 3).await;
    assert!(!published(&world).contains("Changed in git"));
    world.kill();
    world.sim.clear_faults();
    world.start().await;
    eventually("it is published", || saved(&world).len() == 4).await;
    world.reason("sf", "connect-to-agent", "Ready", "Ready").await;
    assert_eq!(saved(&world), ["draft", "published", "draft", "published"]);
    assert!(published(&world).contains("Changed in git"));
}
