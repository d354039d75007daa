//! The Messages API (twilio.md 2, 12.3).

use std::time::Duration;

use engage_simulator::{Options, sign_callback};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{ACCOUNT, CONTENT, CUSTOMER, Client, SENDER, SERVICE, start, start_with};

#[tokio::test]
async fn a_message_by_a_service_is_accepted_and_its_sender_is_not_known_yet() {
    let client = start().await;
    let made = client.message(&[("ContentVariables", r#"{"1":"Ana","2":"pro"}"#)]).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.text("status"), "accepted");
    assert!(made.body["from"].is_null());
    assert_eq!(made.text("num_segments"), "1");
    assert!(made.text("date_created").ends_with(" +0000"));
    assert!(made.text("body").starts_with("Hi Ana, thanks for your interest in the pro plan."));
    let state = client.sim.state();
    assert_eq!(state.messages[0].content_variables.as_deref(), Some(r#"{"1":"Ana","2":"pro"}"#));
    assert_eq!(state.messages[0].from, SENDER);
}

#[tokio::test]
async fn a_message_by_a_sender_is_queued_and_shows_it() {
    let client = start().await;
    let made = client.message(&[("MessagingServiceSid", ""), ("From", SENDER)]).await;
    assert_eq!((made.status, made.text("status"), made.text("from")), (201, "queued".to_owned(), SENDER.to_owned()));
}

/// Changes to a message, and the status and code they are refused with.
type Case<'c> = (&'c [(&'c str, &'c str)], (u16, u64));

#[tokio::test]
async fn a_message_is_refused_with_twilios_code() {
    let client = start().await;
    let unknown_service = "MG000000000000000000000000000000ff";
    let unknown_content = "HX000000000000000000000000000000ff";
    let empty_service = "MG00000000000000000000000000000003";
    let newline = "{\"1\":\"a\\nb\"}";
    let cases: &[Case] = &[
        (&[("To", "")], (400, 20001)),
        (&[("To", "whatsapp: 5511987654321")], (400, 21211)),
        (&[("To", "whatsapp:+15005550001")], (400, 21211)),
        (&[("MessagingServiceSid", "")], (400, 21603)),
        (&[("MessagingServiceSid", "nonsense")], (400, 21705)),
        (&[("MessagingServiceSid", unknown_service)], (404, 21701)),
        (&[("MessagingServiceSid", empty_service)], (400, 21704)),
        (&[("To", "+5511987654321")], (400, 21703)),
        (&[("MessagingServiceSid", ""), ("From", "whatsapp:+5511900000009")], (400, 63007)),
        (&[("MessagingServiceSid", ""), ("From", "whatsapp:+5511900000003")], (400, 63007)),
        (&[("ContentSid", "")], (400, 20001)),
        (&[("ContentSid", ""), ("ContentVariables", "{}")], (400, 21654)),
        (&[("ContentSid", unknown_content)], (400, 21655)),
        (&[("ContentVariables", "Ana")], (400, 92007)),
        (&[("ContentVariables", newline)], (400, 21656)),
        (&[("ContentVariables", r#"{"1":null}"#)], (400, 21656)),
        (&[("ContentVariables", r#"{"7":"x"}"#)], (400, 21656)),
        (&[("StatusCallback", "http://under_score.example.com/")], (400, 21609)),
        (&[("ValidityPeriod", "36001")], (400, 20001)),
        (&[("Colour", "blue")], (400, 20001)),
        (&[("To", "whatsapp:+5511955550001")], (400, 63003)),
        (&[("To", "whatsapp:+5511955550006")], (400, 21610)),
    ];
    for (changes, expected) in cases {
        let answered = client.message(changes).await;
        assert_eq!(answered.code(), *expected, "{changes:?}: {answered:?}");
    }
    assert!(client.sim.state().messages.is_empty());
}

#[tokio::test]
async fn an_unknown_parameter_is_named() {
    let client = start().await;
    let answered = client.message(&[("Colour", "blue")]).await;
    assert!(answered.text("message").contains("Colour"), "{answered:?}");
    assert_eq!(answered.body["status"], 400);
    assert_eq!(answered.text("more_info"), "https://www.twilio.com/docs/errors/20001");
}

#[tokio::test]
async fn numbers_as_variables_are_tolerated_and_logged_as_written() {
    let client = start().await;
    assert_eq!(client.message(&[("ContentVariables", r#"{"2":3}"#)]).await.status, 201);
    let logged = client.sim.requests_of("messages.create");
    assert_eq!(logged[0].param("ContentVariables"), Some(r#"{"2":3}"#));
    assert_eq!(logged[0].status, Some(201));
    assert_eq!(logged[0].effect.as_deref(), Some(client.sim.state().messages[0].sid.as_str()));
}

#[tokio::test]
async fn a_message_progresses_and_fails_as_its_recipient_says() {
    let client = start_with(Options { message_step_ms: 1, ..Options::default() }).await;
    let cases = [
        (CUSTOMER, CONTENT, "delivered", None),
        ("whatsapp:+5511955550002", CONTENT, "undelivered", Some(63003)),
        ("whatsapp:+5511955550003", CONTENT, "failed", Some(63016)),
        ("whatsapp:+5511955550004", CONTENT, "sent", None),
        ("whatsapp:+5511955550005", CONTENT, "read", None),
        (CUSTOMER, "HX00000000000000000000000000000002", "failed", Some(63016)),
        (CUSTOMER, "HX00000000000000000000000000000003", "failed", Some(63040)),
    ];
    for (to, content, status, code) in cases {
        let made = client.message(&[("To", to), ("ContentSid", content)]).await;
        assert_eq!(made.status, 201, "{made:?}");
        tokio::time::sleep(Duration::from_millis(15)).await;
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json", made.text("sid"));
        let now = client.get("api", &path).await;
        assert_eq!(now.text("status"), status, "{to} {content}");
        assert_eq!(now.body["error_code"].as_u64(), code);
        assert_eq!(now.text("from"), SENDER);
    }
}

#[tokio::test]
async fn free_text_passes_only_after_the_customer_wrote() {
    let client = start_with(Options { message_step_ms: 1, ..Options::default() }).await;
    let text = [("ContentSid", ""), ("Body", "Hello")];
    let before = client.message(&text).await.text("sid");
    client.sim.customer_reply("+5511987654321", "+5511900000001", "hi");
    let after = client.message(&text).await.text("sid");
    client.sim.advance_clock(1);
    let status = |sid: &str| client.sim.state().messages.into_iter().find(|one| one.sid == sid).unwrap().status;
    assert_eq!((status(&before), status(&after)), ("failed", "delivered"));
}

#[tokio::test]
async fn the_list_is_filtered_paged_and_newest_first() {
    let client = start().await;
    let mut sids = Vec::new();
    for _ in 0..5 {
        sids.push(client.message(&[]).await.text("sid"));
    }
    client.message(&[("To", "whatsapp:+5511987650000")]).await;
    let to = "To=whatsapp%3A%2B5511987654321";
    let mut path = format!("{}?{to}&DateSent%3E=2026-01-01&PageSize=2", Client::messages_path());
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = client.get("api", &path).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.body["page"], pages);
        pages += 1;
        let rows = page.body["messages"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["sid"].as_str().unwrap().to_owned()));
        match page.body["next_page_uri"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    sids.reverse();
    assert_eq!((seen, pages), (sids, 3));
    let none = client.get("api", &format!("{}?{to}&DateSent%3C=2026-01-01", Client::messages_path())).await;
    assert_eq!(none.body["messages"].as_array().unwrap().len(), 0);
    let unknown = client.get("api", &format!("{}?Status=sent", Client::messages_path())).await;
    assert_eq!(unknown.code(), (400, 20001));
}

#[tokio::test]
async fn the_oldest_messages_are_forgotten_first() {
    let client = start_with(Options { message_capacity: 2, ..Options::default() }).await;
    let mut sids = Vec::new();
    for _ in 0..3 {
        sids.push(client.message(&[]).await.text("sid"));
    }
    let kept: Vec<_> = client.sim.state().messages.into_iter().map(|one| one.sid).collect();
    assert_eq!(kept, sids[1..]);
    let path = format!("{}?To=whatsapp%3A%2B5511987654321", Client::messages_path());
    assert_eq!(client.get("api", &path).await.body["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn callbacks_are_signed_and_skip_the_first_status() {
    let receiver = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cb?event=m-1", receiver.local_addr().unwrap());
    let client = start_with(Options { message_step_ms: 1, ..Options::default() }).await;
    let fragment = format!("{url}#rp=all&rc=2");
    client.message(&[("StatusCallback", &fragment), ("To", "whatsapp:+5511955550005")]).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let (mut socket, _) = receiver.accept().await.unwrap();
        let mut text = String::new();
        while !text.contains("\r\n\r\n") || !text.contains("ApiVersion") || !text.contains("ChannelToAddress") {
            let mut buffer = [0; 4096];
            let read = socket.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        let answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        socket.write_all(answer.as_bytes()).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /cb?event=m-1 HTTP/1.1"), "{head}");
        let pairs: Vec<(String, String)> =
            reqwest::Url::parse(&format!("http://x/?{body}")).unwrap().query_pairs().into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let signature = head.lines().find_map(|line| line.strip_prefix("x-twilio-signature: ")).unwrap();
        assert_eq!(signature, sign_callback("demo-auth-token", &url, &pairs));
        assert_eq!(value("ChannelToAddress").unwrap(), "+551195555XXXX");
        statuses.push((value("MessageStatus").unwrap(), value("EventType")));
    }
    let event = |name: &str| Some(name.to_owned());
    let expected = [("sent", None), ("delivered", event("DELIVERED")), ("read", event("READ"))];
    assert_eq!(statuses, expected.map(|(status, kind)| (status.to_owned(), kind)));
}

#[tokio::test]
async fn without_json_the_answer_and_the_error_are_xml() {
    let client = start().await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages");
    let form = [("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("ContentSid", CONTENT)];
    let made = client.post("api", &path, &form).await;
    assert_eq!(made.status, 201);
    assert!(made.body.as_str().unwrap().contains("<TwilioResponse><Message><Sid>SM"), "{made:?}");
    let failed = client.post("api", &path, &[]).await;
    assert!(failed.body.as_str().unwrap().contains("<RestException><Code>20001</Code>"), "{failed:?}");
}

#[tokio::test]
async fn scheduled_messages_wait_and_can_be_cancelled() {
    let client = start().await;
    let form = [("ScheduleType", "fixed"), ("SendAt", "2099-01-01T00:00:00Z")];
    let made = client.message(&form).await;
    assert_eq!(made.text("status"), "scheduled");
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json", made.text("sid"));
    assert_eq!(client.post("api", &path, &[("Status", "canceled")]).await.text("status"), "canceled");
    let without_service = [form[0], form[1], ("MessagingServiceSid", ""), ("From", SENDER)];
    assert_eq!(client.message(&without_service).await.code(), (400, 20001));
    assert_eq!(client.delete("api", &path).await.status, 204);
    assert_eq!(client.get("api", &path).await.code(), (404, 20404));
}
