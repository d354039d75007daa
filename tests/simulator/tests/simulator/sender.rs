//! Segment's sender against a webhook that answers as told (segment.md 1.7, 1.8, 1.11).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engage_simulator::segment::events::{Event, examples};
use engage_simulator::segment::load::Load;
use engage_simulator::segment::sender::{Mode, Outcome, RetryPolicy, Sender};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A webhook that gives the queued answers in turn, then 200; status 0 hangs up. It keeps what it was sent.
struct Webhook {
    address: SocketAddr,
    received: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Webhook {
    async fn start(answers: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers: VecDeque<(u16, String)> =
            answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let answers = Arc::new(Mutex::new(answers));
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&kept)));
            }
        });
        Self { address, received }
    }

    fn sender(&self) -> Sender {
        Sender::new(format!("http://{}/hook", self.address), "s3cret")
            .retry(RetryPolicy::within(Duration::from_secs(4)))
    }

    fn received(&self) -> Vec<(String, Value)> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    kept: Arc<Mutex<Vec<(String, Value)>>>,
) {
    let mut text = String::new();
    loop {
        let body_at = text.find("\r\n\r\n").map(|at| at + 4);
        let length = text
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if let (Some(at), Some(length)) = (body_at, length)
            && text.len() >= at + length
        {
            let body = serde_json::from_str(&text[at..]).unwrap();
            kept.lock().unwrap().push((text[..at].to_owned(), body));
            text.clear();
            let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((200, "{}".to_owned()));
            if status == 0 {
                return;
            }
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            continue;
        }
        let mut buffer = [0; 8192];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
        }
    }
}

fn event(id: &str) -> Value {
    Event::track("Lead Qualified", id, "lead-1").build()
}

#[tokio::test]
async fn an_event_is_written_as_segment_writes_it() {
    let webhook = Webhook::start(&[]).await;
    let report = webhook.sender().send(&[event("m-1")]).await.unwrap();
    assert_eq!((report[0].outcome, report[0].label.as_str()), (Outcome::Delivered, "successes.attempt.1"));
    let (head, body) = webhook.received().remove(0);
    assert_eq!(body, event("m-1"));
    for line in [
        "POST /hook HTTP/1.1",
        "user-agent: Segment (Actions)",
        "content-type: application/json",
        "accept-encoding: gzip,deflate",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(head.contains("x-signature: ") && !head.to_lowercase().contains("transfer-encoding"), "{head}");
    let classic = webhook.sender().mode(Mode::Classic);
    assert_eq!(classic.timeout, Duration::from_secs(5));
    classic.send(&[event("m-2")]).await.unwrap();
    assert!(webhook.received()[1].0.contains("user-agent: Segment.io/1.0"));
}

#[tokio::test]
async fn what_can_pass_is_retried_and_what_cannot_is_dropped() {
    let answers = [(503, "busy"), (429, ""), (0, ""), (200, "{\"results\":[]}")];
    let webhook = Webhook::start(&answers).await;
    let report = webhook.sender().send(&[event("m-1")]).await.unwrap();
    let statuses: Vec<_> = report[0].attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(429), None, Some(200)]);
    assert_eq!(report[0].label, "successes.attempt.4");
    assert_eq!(report[0].attempts[0].body, "busy");
    let webhook = Webhook::start(&[(422, ""), (501, ""), (409, "")]).await;
    for label in ["errors.discarded.422", "errors.discarded.501", "errors.discarded.409"] {
        let report = webhook.sender().send(&[event("m-1")]).await.unwrap();
        assert_eq!((report[0].outcome, report[0].label.as_str()), (Outcome::Dropped, label));
    }
}

#[tokio::test]
async fn it_gives_up_when_the_time_is_over() {
    let webhook = Webhook::start(&vec![(503, ""); 1000]).await;
    let sender = webhook.sender().retry(RetryPolicy::within(Duration::from_millis(300)));
    let report = sender.send(&[event("m-1")]).await.unwrap();
    assert_eq!((report[0].outcome, report[0].label.as_str()), (Outcome::GaveUp, "errors.awaiting-retry.5xx"));
    assert!(report[0].attempts.len() > 3, "{}", report[0].attempts.len());
    let once = webhook.sender().retry(RetryPolicy::never()).send(&[event("m-1")]).await.unwrap();
    assert_eq!(once[0].attempts.len(), 1);
}

#[tokio::test]
async fn a_batch_has_one_status_and_is_batched_anew() {
    let webhook = Webhook::start(&[(503, ""), (207, "")]).await;
    let events: Vec<Value> = (0..5).map(|n| event(&format!("m-{n}"))).collect();
    let mut sender = webhook.sender().mode(Mode::Batched { size: 5 });
    let report = sender.send(&events).await.unwrap();
    assert!(report.iter().all(|one| one.label == "successes.attempt.2"));
    let received = webhook.received();
    let ids = |body: &Value| body.as_array().unwrap().iter().map(|one| one["messageId"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&received[0].1).len(), 5);
    assert_ne!(ids(&received[0].1), ids(&received[1].1));
    sender.mode = Mode::Wrapped { size: 2 };
    sender.send(&events).await.unwrap();
    assert!(webhook.received()[2..].iter().all(|(_, body)| body[0]["json"]["messageId"].is_string()));
    assert_eq!(webhook.received().len(), 5);
}

#[tokio::test]
async fn duplicates_order_and_identifiers_are_on_demand() {
    let webhook = Webhook::start(&[]).await;
    let mut sender = webhook.sender();
    (sender.duplicates, sender.reorder, sender.concurrency) = (1.0, true, 1);
    let events: Vec<Value> = (0..10).map(|n| event(&format!("m-{n}"))).collect();
    let report = sender.send(&events).await.unwrap();
    assert_eq!(report.len(), 20);
    assert_eq!(report.iter().filter(|one| one.message_id == "m-3").count(), 2);
    let webhook = Webhook::start(&[]).await;
    let mut sender = webhook.sender();
    sender.one_event_per_identifier = true;
    let ids = json!([{"type": "email", "id": "a@example.com"}, {"type": "email", "id": "b@example.com"}]);
    let event = Event::track("Audience Entered", "m", "u").context("externalIds", ids).build();
    let ids: Vec<_> = sender.send(&[event]).await.unwrap().into_iter().map(|one| one.message_id).collect();
    assert_eq!(ids, ["m-1", "m-2"]);
}

#[tokio::test]
async fn a_large_answer_stalls_segments_client() {
    let large = "x".repeat(70_000);
    let webhook = Webhook::start(&[(200, &large)]).await;
    let report = webhook.sender().send(&[event("m-1")]).await.unwrap();
    assert!(report[0].attempts[0].error.as_ref().unwrap().contains("stalls"), "{report:?}");
    assert_eq!(report[0].label, "successes.attempt.2");
}

#[tokio::test]
async fn the_load_generator_counts_what_it_is_told() {
    let webhook = Webhook::start(&[(503, "{\"results\":[{\"outcome\":\"retry\"}]}")]).await;
    let load = Load {
        sender: webhook.sender(),
        events: 50,
        first: 0,
        concurrency: 4,
        event_name: "Lead Qualified".to_owned(),
        space: "spa_demo".to_owned(),
        phone_in_event: true,
        users: Vec::new(),
        run: "r".to_owned(),
    };
    let report = load.run().await.unwrap();
    assert_eq!((report.statuses["200"], report.statuses["503"], report.outcomes["retry"]), (49, 1, 1));
    let ids: std::collections::HashSet<_> =
        webhook.received().iter().map(|(_, body)| body["messageId"].to_string()).collect();
    assert_eq!(ids.len(), 50);
    assert!(examples("spa_demo").len() == 7 && report.p99_ms >= report.p50_ms);
}
