//! Conversations (twilio.md 6, 12.4).

use engage_simulator::{ConversationState, Options, PageUrls};

use crate::client::{CONTENT, CUSTOMER, Client, SENDER, start, start_with};

const CONVERSATIONS: &str = "/v1/Conversations";

async fn create(client: &Client, form: &[(&str, &str)]) -> (u16, u64) {
    client.post("conversations", CONVERSATIONS, form).await.code()
}

#[tokio::test]
async fn a_conversation_is_found_by_sid_and_by_unique_name() {
    let client = start().await;
    let form = [("UniqueName", "lead/1 a"), ("State", "active"), ("Timers.Closed", "PT1H")];
    let made = client.post("conversations", CONVERSATIONS, &form).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.text("attributes"), "{}");
    assert!(made.body["timers"]["date_closed"].as_str().unwrap().ends_with('Z'));
    assert!(made.body["timers"]["date_inactive"].is_null());
    let by_name = client.get("conversations", "/v1/Conversations/lead%2F1%20a").await;
    assert_eq!(by_name.text("sid"), made.text("sid"));
    let service = "/v1/Services/IS00000000000000000000000000000001/Conversations/lead%2F1%20a";
    assert_eq!(client.get("conversations", service).await.text("sid"), made.text("sid"));
    let missing = client.get("conversations", "/v1/Conversations/CH000000000000000000000000000000ff").await;
    assert_eq!(missing.code(), (404, 20404));
    let message = "The requested resource /Conversations/CH000000000000000000000000000000ff was not found";
    assert_eq!(missing.text("message"), message);
}

#[tokio::test]
async fn the_rules_of_create_hold() {
    let client = start().await;
    assert_eq!(create(&client, &[("Timers.Closed", "PT10M")]).await, (400, 50382));
    assert_eq!(create(&client, &[("State", "active"), ("Timers.Closed", "PT9M")]).await, (400, 50376));
    assert_eq!(create(&client, &[("State", "active"), ("Timers.Inactive", "PT59S")]).await, (400, 50375));
    assert_eq!(create(&client, &[("State", "active"), ("Timers.Inactive", "600")]).await, (400, 50379));
    assert_eq!(create(&client, &[("State", "active"), ("Timers.Closed", "600")]).await, (400, 50380));
    assert_eq!(create(&client, &[("State", "closed")]).await, (400, 50384));
    assert_eq!(create(&client, &[("UniqueName", "CH00000000000000000000000000000001")]).await, (400, 50390));
    assert_eq!(create(&client, &[("Attributes", "{not json")]).await, (400, 50304));
    assert_eq!(create(&client, &[("UniqueName", "twice")]).await, (201, 0));
    assert_eq!(create(&client, &[("UniqueName", "twice")]).await, (409, 50353));
}

#[tokio::test]
async fn an_address_pair_belongs_to_one_open_conversation() {
    let client = start().await;
    let first = client.conversation("first", None).await;
    create(&client, &[("UniqueName", "second")]).await;
    let path = "/v1/Conversations/second/Participants";
    let form = [("MessagingBinding.Address", CUSTOMER), ("MessagingBinding.ProxyAddress", SENDER)];
    let refused = client.post("conversations", path, &form).await;
    assert_eq!(refused.code(), (409, 50416));
    assert!(refused.text("message").ends_with(&format!("already exists in Conversation {first}")), "{refused:?}");
    let inactive = [("State", "inactive")];
    client.post("conversations", "/v1/Conversations/first", &inactive).await;
    assert_eq!(client.post("conversations", path, &form).await.code(), (409, 50416));
    client.post("conversations", "/v1/Conversations/first", &[("State", "closed")]).await;
    assert_eq!(client.post("conversations", path, &form).await.status, 201);
    assert_eq!(create(&client, &[("UniqueName", "first")]).await, (409, 50353));
    let closed = client.post("conversations", "/v1/Conversations/first", &[("FriendlyName", "x")]).await;
    assert_eq!(closed.code(), (400, 50377));
}

#[tokio::test]
async fn participants_are_checked() {
    let client = start().await;
    create(&client, &[("UniqueName", "c")]).await;
    let cases: &[(&str, &str, u64)] = &[
        ("", SENDER, 50411),
        (CUSTOMER, "", 50412),
        ("whatsapp: 5511", SENDER, 50407),
        (CUSTOMER, "whatsapp:nobody", 50408),
        (SENDER, SENDER, 50409),
        ("+5511987654321", SENDER, 50414),
        (CUSTOMER, "whatsapp:+5511900000009", 50415),
        (CUSTOMER, "whatsapp:+5511900000003", 50415),
    ];
    for (address, proxy, code) in cases {
        let form = [("MessagingBinding.Address", *address), ("MessagingBinding.ProxyAddress", *proxy)];
        let answered = client.post("conversations", "/v1/Conversations/c/Participants", &form).await;
        assert_eq!(answered.code(), (400, *code), "{address} {proxy}");
    }
    let identity = [("Identity", "agent-1")];
    assert_eq!(client.post("conversations", "/v1/Conversations/c/Participants", &identity).await.status, 201);
    let again = client.post("conversations", "/v1/Conversations/c/Participants", &identity).await;
    assert_eq!(again.code(), (409, 50433));
    let by_identity = client.get("conversations", "/v1/Conversations/c/Participants/agent-1").await;
    assert!(by_identity.body["messaging_binding"].is_null());
}

#[tokio::test]
async fn a_conversation_takes_five_webhooks() {
    let client = start().await;
    create(&client, &[("UniqueName", "c")]).await;
    let path = "/v1/Conversations/c/Webhooks";
    let studio = [("Target", "studio"), ("Configuration.FlowSid", "FW00000000000000000000000000000001")];
    for _ in 0..5 {
        let made = client.post("conversations", path, &studio).await;
        let configuration = serde_json::json!({"flow_sid": "FW00000000000000000000000000000001"});
        assert_eq!((made.status, &made.body["configuration"]), (201, &configuration));
    }
    assert_eq!(client.post("conversations", path, &studio).await.code(), (400, 50361));
    let listed = client.get("conversations", path).await;
    assert_eq!(listed.body["webhooks"].as_array().unwrap().len(), 5);
    let sid = listed.body["webhooks"][0]["sid"].as_str().unwrap().to_owned();
    assert_eq!(client.delete("conversations", &format!("{path}/{sid}")).await.status, 204);
    for (form, code) in [
        (&[("Configuration.FlowSid", "FW1")][..], 50367),
        (&[("Target", "studio")], 50367),
        (&[], 50368),
        (&[("Target", "carrier-pigeon")], 50364),
        (&[("Target", "webhook"), ("Configuration.Url", "https://example.com")], 50370),
        (&[("Target", "webhook"), ("Configuration.Filters", "onEverything")], 50365),
    ] {
        assert_eq!(client.post("conversations", path, form).await.code(), (400, code), "{form:?}");
    }
}

#[tokio::test]
async fn a_template_in_a_conversation_is_returned_with_its_sid_and_delivered() {
    let client = start().await;
    client.conversation("c", None).await;
    let path = "/v1/Conversations/c/Messages";
    let form = [("ContentSid", CONTENT), ("ContentVariables", r#"{"1":"Ana"}"#), ("Attributes", r#"{"event":"m-1"}"#)];
    let made = client.post("conversations", path, &form).await;
    assert_eq!((made.status, made.text("content_sid")), (201, CONTENT.to_owned()), "{made:?}");
    assert_eq!((made.text("author"), made.body["index"].clone()), ("system".to_owned(), 0.into()));
    assert_eq!(made.body["delivery"]["sent"], "none");
    let free = client.post("conversations", path, &[("Body", "hello")]).await;
    client.sim.advance_clock(1);
    let made = client.get("conversations", &format!("{path}/{}", made.text("sid"))).await;
    assert_eq!((&made.body["delivery"]["delivered"], &made.body["delivery"]["read"]), (&"all".into(), &"none".into()));
    let free = client.get("conversations", &format!("{path}/{}", free.text("sid"))).await;
    assert_eq!(free.body["delivery"]["failed"], "all");
    let receipts = client.get("conversations", &format!("{path}/{}/Receipts", free.text("sid"))).await;
    assert_eq!(receipts.body["delivery_receipts"][0]["error_code"], 63016);
    let long = "x".repeat(257);
    for (content, variables, code) in [
        ("HX000000000000000000000000000000ff", "{}".to_owned(), 50526),
        (CONTENT, "nonsense".to_owned(), 50527),
        (CONTENT, r#"{"a_very_long_placeholder_name":"x"}"#.to_owned(), 50540),
        (CONTENT, format!(r#"{{"1":"{long}"}}"#), 50541),
    ] {
        let form = [("ContentSid", content), ("ContentVariables", variables.as_str())];
        assert_eq!(client.post("conversations", path, &form).await.code(), (400, code));
    }
}

#[tokio::test]
async fn a_receipt_goes_its_way_step_by_step() {
    let client = start_with(Options { message_step_ms: 60_000, ..Options::default() }).await;
    for (customer, way) in [
        ("whatsapp:+5511955550005", &[(None, 0), (Some("sent"), 0), (Some("delivered"), 0), (Some("read"), 0)][..]),
        ("whatsapp:+5511955550004", &[(None, 0), (Some("sent"), 0), (Some("sent"), 0)]),
        ("whatsapp:+5511955550003", &[(None, 0), (Some("failed"), 63_016)]),
        ("whatsapp:+5511955550002", &[(None, 0), (Some("sent"), 0), (Some("undelivered"), 63_003)]),
    ] {
        let made = client.post("conversations", CONVERSATIONS, &[]).await.text("sid");
        let pair = [("MessagingBinding.Address", customer), ("MessagingBinding.ProxyAddress", SENDER)];
        client.post("conversations", &format!("{CONVERSATIONS}/{made}/Participants"), &pair).await;
        let path = format!("{CONVERSATIONS}/{made}/Messages");
        let form = [("ContentSid", CONTENT), ("ContentVariables", r#"{"1":"Ana"}"#)];
        let message = client.post("conversations", &path, &form).await.text("sid");
        client.sim.advance_clock(60);
        for (status, code) in way {
            let receipts = client.get("conversations", &format!("{path}/{message}/Receipts")).await;
            let receipt = &receipts.body["delivery_receipts"][0];
            assert_eq!((receipt["status"].as_str(), receipt["error_code"].as_i64().unwrap_or(0)), (*status, *code));
            client.sim.advance_clock(60);
        }
    }
}

#[tokio::test]
async fn conversation_messages_are_paged_in_the_order_asked_for() {
    let client = start_with(Options { page_urls: PageUrls::Simulator, ..Options::default() }).await;
    client.conversation("c", None).await;
    for text in ["0", "1", "2"] {
        client.post("conversations", "/v1/Conversations/c/Messages", &[("Body", text)]).await;
    }
    let page = client.get("conversations", "/v1/Conversations/c/Messages?Order=desc&PageSize=2").await;
    let bodies = |page: &serde_json::Value| {
        page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["body"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(bodies(&page.body), ["2", "1"]);
    assert_eq!(page.body["meta"]["key"], "messages");
    let next = page.body["meta"]["next_page_url"].as_str().unwrap();
    assert!(next.starts_with(&client.sim.base_url()), "{next}");
    let next = client.send(client.http.get(next)).await;
    assert_eq!(bodies(&next.body), ["0"]);
    assert!(next.body["meta"]["next_page_url"].is_null());
}

#[tokio::test]
async fn page_urls_name_twilios_host_unless_told_otherwise() {
    let client = start().await;
    create(&client, &[]).await;
    create(&client, &[]).await;
    let page = client.get("conversations", "/v1/Conversations?PageSize=1").await;
    let next = page.body["meta"]["next_page_url"].as_str().unwrap();
    assert!(
        next.starts_with("https://conversations.twilio.com/v1/Conversations?PageSize=1&Page=1&PageToken="),
        "{next}"
    );
}

#[tokio::test]
async fn participant_conversations_show_open_and_closed_ones() {
    let client = start().await;
    let first = client.conversation("first", None).await;
    client.sim.close_conversation("first");
    let second = client.conversation("second", None).await;
    let path = "/v1/ParticipantConversations?Address=whatsapp%3A%2B5511987654321";
    let found = client.get("conversations", path).await;
    let rows: Vec<_> = found.body["conversations"].as_array().unwrap().iter().collect();
    let states: Vec<_> =
        rows.iter().map(|row| (row["conversation_sid"].clone(), row["conversation_state"].clone())).collect();
    assert_eq!(states, [(first.into(), "closed".into()), (second.into(), "active".into())]);
    assert_eq!(rows[1]["participant_messaging_binding"]["proxy_address"], SENDER);
    assert_eq!(client.get("conversations", "/v1/ParticipantConversations").await.code(), (400, 50451));
}

#[tokio::test]
async fn timers_run_out_on_the_simulated_clock() {
    let client = start().await;
    let form = [("UniqueName", "c"), ("State", "active"), ("Timers.Inactive", "PT1M"), ("Timers.Closed", "PT10M")];
    create(&client, &form).await;
    client.sim.advance_clock(61);
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.text("state"), "inactive");
    client.sim.advance_clock(600);
    assert_eq!(client.get("conversations", "/v1/Conversations/c").await.text("state"), "closed");
}

#[tokio::test]
async fn a_reply_wakes_its_conversation_or_is_recorded_as_unmatched() {
    let client = start().await;
    let sid = client.conversation("c", None).await;
    client.post("conversations", "/v1/Conversations/c", &[("State", "inactive")]).await;
    let reply = client.sim.customer_reply("+5511987654321", "+5511900000001", "hi");
    assert_eq!(reply.conversation_sid, Some(sid));
    let state = client.sim.state();
    assert_eq!(state.conversations[0].state, ConversationState::Active);
    let message = &state.conversations[0].messages[0];
    assert_eq!((message.author.as_str(), message.origin), (CUSTOMER, "customer"));
    assert_eq!(message.participant_sid.as_ref(), Some(&state.conversations[0].participants[0].sid));
    client.sim.close_conversation("c");
    let lost = client.sim.customer_reply("+5511987654321", "+5511900000001", "anyone?");
    assert_eq!(lost.conversation_sid, None);
    assert_eq!(client.sim.state().unmatched_replies[0].body, "anyone?");
}

#[tokio::test]
async fn the_actions_per_second_are_limited_when_asked_for() {
    let client = start_with(Options { conversation_limit: Some(2), ..Options::default() }).await;
    assert_eq!(create(&client, &[]).await, (201, 0));
    assert_eq!(create(&client, &[]).await, (201, 0));
    assert_eq!(create(&client, &[]).await, (429, 20429));
}
