//! Credentials, strictness, look-ups and the control API.

use engage_simulator::Options;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, start, start_with};

#[tokio::test]
async fn wrong_credentials_are_401_and_rotation_keeps_what_it_is_told_to() {
    let mut client = start().await;
    let path = "/v1/Services";
    for (user, password, expected) in [
        (ACCOUNT, "demo-auth-token", 200),
        (ACCOUNT, "wrong", 401),
        ("AC000000000000000000000000000000ff", "demo-auth-token", 401),
        ("SK00000000000000000000000000000001", "demo-standard-secret", 200),
        ("SK00000000000000000000000000000002", "demo-main-secret", 200),
        ("SK00000000000000000000000000000003", "demo-restricted-secret", 403),
    ] {
        (client.user, client.password) = (user.to_owned(), password.to_owned());
        let answered = client.get("messaging", path).await;
        assert_eq!(answered.status, expected, "{user}");
        if expected == 401 {
            assert_eq!(answered.code(), (401, 20003));
        }
    }
    (client.user, client.password) = (ACCOUNT.to_owned(), "demo-auth-token".to_owned());
    client.sim.rotate_auth_token("next-token", true);
    assert_eq!(client.get("messaging", path).await.status, 200);
    client.sim.rotate_auth_token("next-token", false);
    assert_eq!(client.get("messaging", path).await.status, 401);
    client.password = "next-token".to_owned();
    assert_eq!(client.get("messaging", path).await.status, 200);
}

#[tokio::test]
async fn a_standard_key_may_not_read_the_account() {
    let mut client = start().await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}.json");
    assert_eq!(client.get("api", &path).await.status, 200);
    client.user = "SK00000000000000000000000000000001".to_owned();
    client.password = "demo-standard-secret".to_owned();
    assert_eq!(client.get("api", &path).await.code(), (401, 20003));
}

#[tokio::test]
async fn the_account_in_the_path_must_be_the_callers() {
    let client = start().await;
    let path = "/2010-04-01/Accounts/AC000000000000000000000000000000ff/Messages.json";
    assert_eq!(client.get("api", path).await.code(), (401, 20003));
}

#[tokio::test]
async fn other_content_types_methods_and_paths_are_errors() {
    let client = start().await;
    let url = client.url("api", &Client::messages_path());
    assert_eq!(client.send(client.http.post(&url).json(&json!({"To": "x"}))).await.status, 415);
    assert_eq!(client.send(client.http.put(&url)).await.status, 405);
    let unknown = client.get("api", "/2010-04-01/Nothing.json").await;
    assert_eq!(unknown.code(), (404, 20404));
    assert_eq!(unknown.text("message"), "The requested resource /2010-04-01/Nothing.json was not found");
    assert_eq!(client.get("nonsense", "/v1/Things").await.status, 404);
    let stray = client.sim.requests().pop().unwrap();
    assert_eq!((stray.product, stray.path.as_str(), stray.status), ("", "/twilio/nonsense/v1/Things", Some(404)));
}

#[tokio::test]
async fn one_of_segments_own_senders_can_be_tolerated() {
    let client = start_with(Options { tolerate_text_plain: true, ..Options::default() }).await;
    let body = "To=whatsapp%3A%2B5511987654321&From=MG00000000000000000000000000000001&ContentSid=HX00000000000000000000000000000001&Tags=%7B%7D";
    let request = client.http.post(client.url("api", &Client::messages_path()));
    let request = request.header("content-type", "text/plain;charset=UTF-8").body(body);
    assert_eq!(client.send(request).await.status, 201);
}

#[tokio::test]
async fn senders_templates_and_flex_are_looked_up() {
    let client = start().await;
    let service = "/v1/Services/MG00000000000000000000000000000001";
    let senders = client.get("messaging", &format!("{service}/ChannelSenders")).await;
    let names: Vec<_> = senders.body["senders"].as_array().unwrap().iter().map(|row| row["sender"].clone()).collect();
    assert_eq!(names, [json!("whatsapp:+5511900000001"), json!("rcs:engage_demo_agent")]);
    assert_eq!(client.get("messaging", "/v2/Channels/Senders").await.code(), (400, 20001));
    let online = client.get("messaging", "/v2/Channels/Senders?Channel=whatsapp").await;
    let statuses: Vec<_> = online.body["senders"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [json!("ONLINE"), json!("ONLINE"), json!("OFFLINE")]);
    let content = client.get("content", "/v1/Content/HX00000000000000000000000000000001").await;
    assert_eq!(
        (content.text("friendly_name").as_str(), &content.body["variables"]["1"]),
        ("lead_welcome", &json!("there"))
    );
    assert!(content.body.get("approval_requests").is_none());
    let approval = |n: u8| format!("/v1/Content/HX{n:032x}/ApprovalRequests");
    assert_eq!(client.get("content", &approval(1)).await.body["whatsapp"]["status"], "approved");
    assert_eq!(client.get("content", &approval(3)).await.body["whatsapp"]["status"], "rejected");
    assert!(client.get("content", &approval(4)).await.body["whatsapp"].is_null());
    assert_eq!(client.get("content", &format!("{}/whatsapp", approval(1))).await.status, 404);
    let flex = client.get("flex-api", "/v1/Configuration").await;
    let workspace = flex.text("taskrouter_workspace_sid");
    let path = format!("/v1/Workspaces/{workspace}");
    let workflows = client.get("taskrouter", &format!("{path}/Workflows?FriendlyName=Support")).await;
    assert_eq!(workflows.body["workflows"][0]["sid"], "WW00000000000000000000000000000002");
    let channels = client.get("taskrouter", &format!("{path}/TaskChannels")).await;
    assert_eq!(
        (&channels.body["meta"]["key"], channels.body["channels"].as_array().unwrap().len()),
        (&json!("channels"), 3)
    );
    assert_eq!(
        client.get("taskrouter", &format!("{path}/TaskChannels/chat")).await.text("sid"),
        "TC00000000000000000000000000000001"
    );
    assert_eq!(
        client.get("taskrouter", &format!("{path}/TaskQueues")).await.body["task_queues"][0]["sid"],
        "WQ00000000000000000000000000000001"
    );
    assert_eq!(
        client.get("taskrouter", &format!("{path}/Workflows/WW000000000000000000000000000000ff")).await.code(),
        (404, 20404)
    );
    let configuration = client.get("conversations", "/v1/Configuration").await;
    assert_eq!(configuration.text("default_chat_service_sid"), flex.text("chat_service_instance_sid"));
}

#[tokio::test]
async fn an_interaction_is_accepted_first_and_active_or_failed_later() {
    let client = start_with(Options { interaction_setup_ms: 60_000, ..Options::default() }).await;
    let conversation = client.conversation("c", None).await;
    let routing = json!({"properties": {"workspace_sid": "WS00000000000000000000000000000001", "workflow_sid": "WW00000000000000000000000000000001", "task_channel_unique_name": "chat", "attributes": {"from": "x"}}});
    let channel =
        json!({"type": "whatsapp", "initiated_by": "customer", "properties": {"media_channel_sid": conversation}});
    let (channel, routing) = (channel.to_string(), routing.to_string());
    let form = [("Channel", channel.as_str()), ("Routing", routing.as_str())];
    let made = client.post("flex-api", "/v1/Interactions", &form).await;
    assert!(matches!(made.status, 200 | 201), "{made:?}");
    let attributes: Value =
        serde_json::from_str(made.body["routing"]["properties"]["attributes"].as_str().unwrap()).unwrap();
    assert_eq!(attributes["conversationSid"], json!(conversation));
    assert_eq!(client.post("flex-api", "/v1/Interactions", &form).await.code(), (400, 45353));
    let path = format!("/v1/Interactions/{}/Channels", made.text("sid"));
    let status = || async { client.get("flex-api", &path).await.body["channels"][0]["status"].clone() };
    assert_eq!(status().await, "setup");
    client.sim.advance_clock(61);
    assert_eq!(status().await, "active");
    let busy = json!({"type": "whatsapp", "initiated_by": "api", "participants": [{"address": "whatsapp:+5511987654321", "proxy_address": "whatsapp:+5511900000001"}]}).to_string();
    let second =
        client.post("flex-api", "/v1/Interactions", &[("Channel", busy.as_str()), ("Routing", routing.as_str())]).await;
    assert_eq!(second.status, 201);
    client.sim.advance_clock(61);
    let channel = client.get("flex-api", &format!("/v1/Interactions/{}/Channels", second.text("sid"))).await;
    assert_eq!(
        (&channel.body["channels"][0]["status"], &channel.body["channels"][0]["error_code"]),
        (&json!("failed"), &json!(45361))
    );
}

#[tokio::test]
async fn a_task_is_found_by_an_attribute_and_ended_by_its_channel() {
    let client = start().await;
    let conversation = client.conversation("c", None).await;
    let routing = json!({"properties": {"workspace_sid": "WS00000000000000000000000000000001", "workflow_sid": "WW00000000000000000000000000000001", "task_channel_unique_name": "chat", "attributes": {"mark": "m-1"}, "priority": 3, "timeout": 60}}).to_string();
    let channel =
        json!({"type": "whatsapp", "initiated_by": "customer", "properties": {"media_channel_sid": conversation}});
    let form = [("Channel", channel.to_string()), ("Routing", routing)];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    client.sim.fail_interactions(&[45352]);
    let made = client.post("flex-api", "/v1/Interactions", &form).await;
    client.sim.advance_clock(1);
    let tasks = "/v1/Workspaces/WS00000000000000000000000000000001/Tasks";
    let by = |expression: &str| {
        format!("{tasks}?EvaluateTaskAttributes={}", expression.replace('"', "%22").replace(' ', "%20"))
    };
    let listed = client.get("taskrouter", &by("mark == \"m-1\"")).await;
    let row = listed.body["tasks"][0].clone();
    assert!(row["attributes"].is_null() && listed.body["tasks"].as_array().unwrap().len() == 1, "{row}");
    assert_eq!(
        (&row["priority"], &row["timeout"], &row["assignment_status"]),
        (&json!(3), &json!(60), &json!("pending"))
    );
    assert!(client.get("taskrouter", &by("mark == 'm-2'")).await.body["tasks"].as_array().unwrap().is_empty());
    assert_eq!(client.get("taskrouter", &by("mark HAS 'm-1'")).await.code(), (400, 20001));
    let path = format!("{tasks}/{}", row["sid"].as_str().unwrap());
    let task = client.get("taskrouter", &path).await;
    let attributes: Value = serde_json::from_str(&task.text("attributes")).unwrap();
    assert_eq!(attributes["flexInteractionSid"], json!(made.text("sid")));
    let channels = format!("/v1/Interactions/{}/Channels", made.text("sid"));
    let shown = client.get("flex-api", &channels).await.body["channels"][0].clone();
    assert_eq!((&shown["status"], &shown["error_code"]), (&json!("failed"), &json!(45352)));
    let channel = format!("{channels}/{}", shown["sid"].as_str().unwrap());
    assert_eq!(client.post("flex-api", &channel, &[("Status", "inactive")]).await.code(), (400, 45004));
    let ended = [("Status", "inactive"), ("Routing", "{\"status\":\"closed\"}")];
    assert_eq!(client.post("flex-api", &channel, &ended).await.text("status"), "inactive");
    assert_eq!(client.get("taskrouter", &path).await.text("assignment_status"), "completed");
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.text("state"), "active");
}

#[tokio::test]
async fn the_control_api_does_what_the_rust_methods_do() {
    let client = start().await;
    let control = |path: &str| format!("{}/_sim/{path}", client.sim.base_url());
    client.conversation("c", None).await;
    let reply = json!({"from": "+5511987654321", "to": "+5511900000001", "body": "hi"});
    let replied = client.send(client.http.post(control("reply")).json(&reply)).await;
    assert!(replied.body["conversation_sid"].as_str().unwrap().starts_with("CH"));
    let within = json!({"address": "+5511987654321", "body": "again"});
    assert_eq!(client.send(client.http.post(control("conversations/c/reply")).json(&within)).await.status, 200);
    let state = client.send(client.http.get(control("state"))).await;
    assert_eq!(state.body["conversations"][0]["messages"].as_array().unwrap().len(), 2);
    let log = client.send(client.http.get(control("requests?since=1"))).await;
    assert_eq!(log.body[0]["operation"], "participants.create");
    let faults = json!([{"match": {"product": "conversations"}, "kind": "throttle", "retry_after": 3, "times": 1}]);
    assert_eq!(client.send(client.http.put(control("faults")).json(&faults)).await.status, 200);
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.status, 429);
    assert_eq!(client.send(client.http.get(control("faults"))).await.body[0]["fired"], 1);
    let misspelt = json!([{"kind": "drop_before", "probabilty": 0.5}]);
    assert_eq!(client.send(client.http.put(control("faults")).json(&misspelt)).await.status, 400);
    let profile = json!({"traits": {"plan": "free"}});
    assert_eq!(client.send(client.http.put(control("profiles/spa_demo/user_id:new")).json(&profile)).await.status, 200);
    let approval = json!({"status": "paused"});
    let content = "content/HX00000000000000000000000000000001/approval";
    assert_eq!(client.send(client.http.put(control(content)).json(&approval)).await.status, 200);
    let shown = client.get("content", "/v1/Content/HX00000000000000000000000000000001/ApprovalRequests").await;
    assert_eq!(shown.body["whatsapp"]["status"], "paused");
    assert_eq!(client.send(client.http.post(control("auth-token")).json(&json!({"token": "t2"}))).await.status, 200);
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.status, 401);
    assert_eq!(client.send(client.http.post(control("reset"))).await.status, 200);
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.status, 404);
    assert_eq!(client.send(client.http.post(control("nonsense"))).await.status, 404);
}

#[tokio::test]
async fn templates_are_searched_by_a_pattern_of_their_name_and_come_and_go() {
    let client = start().await;
    let found = async |pattern: &str| {
        let path = format!("/v2/ContentAndApprovals?PageSize=2&ContentName={pattern}");
        let answered = client.get("content", &path).await;
        let rows = answered.body["contents"].as_array().cloned().unwrap_or_default();
        let sids: Vec<String> = rows.iter().map(|row| row["sid"].as_str().unwrap()[32..].to_owned()).collect();
        (answered.status, sids.join(" "), !answered.body["meta"]["next_page_url"].is_null())
    };
    assert_eq!(found("%5Elead_welcome%24").await, (200, "01".into(), false));
    assert_eq!(found("LEAD").await, (200, "01 02".into(), true));
    assert_eq!(found("nothing").await, (200, String::new(), false));
    assert_eq!(found("%28").await.0, 400);
    let approval = client.get("content", "/v2/ContentAndApprovals?ContentName=lead_offer").await.body;
    assert_eq!(approval["contents"][0]["approval_requests"]["status"], "rejected");
    assert_eq!(client.get("content", "/v2/Content?Name=x").await.code(), (400, 20001));

    let mut template = engage_simulator::Seed::demo().content.remove(0);
    template.sid = format!("HX{:032}", 9);
    assert!(client.sim.remove_template(&format!("HX{:032}", 1)));
    let control = format!("{}/_sim/content", client.sim.base_url());
    assert_eq!(client.send(client.http.put(&control).json(&template)).await.status, 200);
    assert_eq!(found("%5Elead_welcome%24").await.1, "09");
    let approval = json!({"status": "rejected", "rejection_reason": "Too long."});
    let path = format!("{control}/{}/approval", template.sid);
    assert_eq!(client.send(client.http.put(path).json(&approval)).await.status, 200);
    let approval = client.get("content", &format!("/v1/Content/{}/ApprovalRequests", template.sid)).await;
    assert_eq!(approval.body["whatsapp"]["rejection_reason"], "Too long.");
    let path = format!("{control}/{}", template.sid);
    assert_eq!(client.send(client.http.delete(&path)).await.status, 200);
    assert_eq!(client.send(client.http.delete(&path)).await.status, 404);
    assert_eq!(found("lead_welcome").await.1, "");
}
