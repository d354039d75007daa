//! Studio (twilio.md 3, 12.5), and a customer's reply on its way to an agent.

use engage_simulator::{FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::client::{Client, start};

pub fn flow(workflow: &str) -> Value {
    let ends = |events: &[&str]| events.iter().map(|event| json!({"event": event})).collect::<Vec<_>>();
    json!({
        "description": "Connect to an agent", "initial_state": "Trigger", "flags": {"allow_concurrent_calls": true},
        "states": [
            {"name": "Trigger", "type": "trigger", "properties": {"offset": {"x": 0, "y": 0}}, "transitions": [
                {"event": "incomingConversationMessage", "next": "thanks"}, {"event": "incomingMessage"}]},
            {"name": "thanks", "type": "send-message",
             "properties": {"from": "{{flow.channel.address}}", "to": "{{contact.channel.address}}", "body": "One moment, you wrote {{trigger.conversation.Body}}"},
             "transitions": [{"event": "sent", "next": "agent"}, {"event": "failed", "next": "agent"}]},
            {"name": "agent", "type": "send-to-flex",
             "properties": {"workflow": workflow, "channel": "TC00000000000000000000000000000001",
                            "attributes": "{\"from\":\"{{contact.channel.address}}\",\"text\":{{trigger.conversation.Body | to_json}}}"},
             "transitions": ends(&["callComplete", "failedToEnqueue", "callFailure"])}
        ]
    })
}

const WORKFLOW: &str = "WW00000000000000000000000000000001";

async fn publish(client: &Client, definition: &Value) -> String {
    let text = definition.to_string();
    let form = [
        ("FriendlyName", "Connect"),
        ("Status", "published"),
        ("Definition", text.as_str()),
        ("CommitMessage", "first"),
    ];
    let made = client.post("studio", "/v2/Flows", &form).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.text("sid")
}

#[tokio::test]
async fn a_definition_is_sent_as_text_and_returned_as_an_object() {
    let client = start().await;
    let sid = publish(&client, &flow(WORKFLOW)).await;
    let fetched = client.get("studio", &format!("/v2/Flows/{sid}")).await;
    assert_eq!(fetched.body["definition"], flow(WORKFLOW));
    assert_eq!((&fetched.body["revision"], &fetched.body["valid"]), (&json!(1), &json!(true)));
    assert!(fetched.body["date_updated"].is_null());
    let listed = client.get("studio", "/v2/Flows").await;
    for key in ["definition", "commit_message", "valid", "errors", "warnings"] {
        assert!(listed.body["flows"][0][key].is_null(), "{key}");
    }
}

#[tokio::test]
async fn a_draft_does_not_change_what_is_live() {
    let client = start().await;
    let sid = publish(&client, &flow(WORKFLOW)).await;
    let path = format!("/v2/Flows/{sid}");
    assert_eq!(client.post("studio", &path, &[("FriendlyName", "x")]).await.code(), (400, 20001));
    let draft = client.post("studio", &path, &[("Status", "draft"), ("CommitMessage", "trying")]).await;
    assert_eq!((draft.status, &draft.body["revision"], draft.body["definition"].is_object()), (200, &json!(2), true));
    let revision = async |name: &str| client.get("studio", &format!("{path}/Revisions/{name}")).await.body;
    assert_eq!(revision("LatestPublished").await["revision"], 1);
    assert_eq!(revision("LatestRevision").await["revision"], 2);
    assert_eq!(revision("1").await["commit_message"], "first");
    assert_eq!(client.get("studio", &format!("{path}/Revisions/newest")).await.code(), (400, 81021));
    let edited = client.sim.edit_flow(&sid, None, "published");
    assert_eq!(edited, Some(3));
    let foreign = revision("LatestPublished").await;
    assert!(foreign["author_sid"].as_str().unwrap().starts_with("US") && foreign["commit_message"].is_null());
    let rows = client.get("studio", &format!("{path}/Revisions")).await;
    assert_eq!(rows.body["revisions"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_flow_that_was_never_published_has_no_published_revision() {
    let client = start().await;
    let text = flow(WORKFLOW).to_string();
    let form = [("FriendlyName", "x"), ("Status", "draft"), ("Definition", text.as_str())];
    let made = client.post("studio", "/v2/Flows", &form).await;
    let path = format!("/v2/Flows/{}/Revisions/LatestPublished", made.text("sid"));
    assert_eq!(client.get("studio", &path).await.code(), (404, 20404));
}

#[tokio::test]
async fn validation_names_the_place() {
    let client = start().await;
    let mut broken = flow(WORKFLOW);
    broken["states"][2]["properties"]["timeout"] = json!(3600);
    for path in ["/v2/Flows/Validate", "/v2/Flows"] {
        let text = broken.to_string();
        let form = [("FriendlyName", "x"), ("Status", "draft"), ("Definition", text.as_str())];
        let refused = client.post("studio", path, &form).await;
        assert_eq!(refused.code(), (400, 81022));
        let error =
            json!({"message": "integer found, string expected", "property_path": "#/states/2/properties/timeout"});
        assert_eq!(refused.body["details"]["errors"], json!([error]));
    }
    let text = flow(WORKFLOW).to_string();
    let form = [("FriendlyName", "x"), ("Status", "draft"), ("Definition", text.as_str())];
    assert_eq!(client.post("studio", "/v2/Flows/Validate", &form).await.body, json!({"valid": true}));
    assert!(client.sim.state().flows.is_empty());
}

#[tokio::test]
async fn reads_may_be_stale_or_too_early() {
    let client = start().await;
    let sid = publish(&client, &flow(WORKFLOW)).await;
    let path = format!("/v2/Flows/{sid}");
    client.sim.set_faults(vec![FaultRule::on("flows.fetch", FaultKind::NotFoundAfterCreate { ms: 10_000 })]);
    assert_eq!(client.get("studio", &path).await.code(), (404, 20404));
    client.sim.advance_clock(20);
    assert_eq!(client.get("studio", &path).await.body["revision"], 1);
    client.sim.set_faults(vec![FaultRule::on("flows.fetch", FaultKind::StaleRead { ms: 10_000 })]);
    client.post("studio", &path, &[("Status", "published")]).await;
    assert_eq!(client.get("studio", &path).await.body["revision"], 1);
    client.sim.advance_clock(20);
    assert_eq!(client.get("studio", &path).await.body["revision"], 2);
}

#[tokio::test]
async fn a_reply_starts_the_flow_and_ends_with_an_agent() {
    let client = start().await;
    let flow_sid = publish(&client, &flow(WORKFLOW)).await;
    let conversation = client.conversation("c", Some(&flow_sid)).await;
    client.post("conversations", "/v1/Conversations/c/Messages", &[("Body", "our own")]).await;
    assert!(client.sim.state().executions.is_empty(), "a message over REST starts nothing");
    let reply = client.sim.customer_reply("+5511987654321", "+5511900000001", "I say \"yes\"");
    assert_eq!(reply.executions.len(), 1);
    let state = client.sim.state();
    let bodies: Vec<_> = state.conversations[0].messages.iter().map(|one| one.body.clone().unwrap()).collect();
    assert_eq!(bodies, ["our own", "I say \"yes\"", "One moment, you wrote I say \"yes\""]);
    let steps: Vec<_> =
        state.executions[0].steps.iter().map(|step| (step.event.as_str(), step.transitioned_to.as_str())).collect();
    assert_eq!(steps, [("incomingConversationMessage", "thanks"), ("sent", "agent")]);
    assert_eq!(state.tasks[0].workflow_sid, WORKFLOW);
    assert_eq!(state.tasks[0].attributes["text"], "I say \"yes\"");
    assert_eq!(state.tasks[0].attributes["conversationSid"], json!(conversation));
    assert_eq!(state.interactions[0].interaction.conversation_sid.as_ref(), Some(&conversation));
    assert!(client.sim.customer_reply("+5511987654321", "+5511900000001", "still there?").executions.is_empty());
    assert_eq!(client.sim.state().tasks.len(), 1);
    let steps = client.get("studio", &format!("/v2/Flows/{flow_sid}/Executions/{}/Steps", reply.executions[0])).await;
    assert_eq!(steps.body["steps"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn two_studio_webhooks_start_two_executions() {
    let client = start().await;
    let flow_sid = publish(&client, &flow(WORKFLOW)).await;
    client.conversation("c", Some(&flow_sid)).await;
    let form = [("Target", "studio"), ("Configuration.FlowSid", flow_sid.as_str())];
    client.post("conversations", "/v1/Conversations/c/Webhooks", &form).await;
    assert_eq!(client.sim.customer_reply("+5511987654321", "+5511900000001", "hi").executions.len(), 2);
    assert_eq!(client.sim.state().tasks.len(), 2);
}

#[tokio::test]
async fn a_message_that_asks_for_webhooks_starts_the_flow() {
    let client = start().await;
    let flow_sid = publish(&client, &flow(WORKFLOW)).await;
    client.conversation("c", Some(&flow_sid)).await;
    let url = client.url("conversations", "/v1/Conversations/c/Messages");
    let request = client.http.post(url).header("X-Twilio-Webhook-Enabled", "true").form(&[("Body", "ours")]);
    assert_eq!(client.send(request).await.status, 201);
    assert_eq!(client.sim.state().executions.len(), 1);
    assert!(client.sim.requests_of("conversation_messages.create")[0].webhook_enabled);
}

#[tokio::test]
async fn an_unknown_workflow_fails_to_enqueue() {
    let client = start().await;
    let flow_sid = publish(&client, &flow("WW000000000000000000000000000000ff")).await;
    client.conversation("c", Some(&flow_sid)).await;
    client.sim.customer_reply("+5511987654321", "+5511900000001", "hi");
    let state = client.sim.state();
    let last = state.executions[0].steps.last().unwrap();
    assert_eq!((last.event.as_str(), last.transitioned_to.as_str()), ("failedToEnqueue", "Ended"));
    assert!(last.note.as_ref().unwrap().contains("WW000000000000000000000000000000ff"));
    assert_eq!((state.tasks.len(), state.executions[0].status), (0, "ended"));
}

#[tokio::test]
async fn only_the_published_revision_runs() {
    let client = start().await;
    let flow_sid = publish(&client, &flow(WORKFLOW)).await;
    let mut draft = flow(WORKFLOW);
    draft["states"][1]["properties"]["body"] = json!("draft");
    client.sim.edit_flow(&flow_sid, Some(draft), "draft");
    client.conversation("c", Some(&flow_sid)).await;
    client.sim.customer_reply("+5511987654321", "+5511900000001", "hi");
    let state = client.sim.state();
    assert_eq!(state.executions[0].flow_version, 1);
    assert_eq!(state.conversations[0].messages[1].body.as_deref(), Some("One moment, you wrote hi"));
}
