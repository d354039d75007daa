//! An event that needs a person, from the list to the decision, with the command of whoever is on call.

use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use engage_simulator::{FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::harness::{World, conversation, destination, event, event_to, flow, merge, messages_to, phone, whatsapp};

const WELCOME: &str = "marketing/welcome";

/// What a command came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    errors: String,
}

impl Ran {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

/// `deliveries` with these arguments; by the admin port unless they say otherwise.
fn deliveries(world: &World, arguments: &[&str]) -> Ran {
    let offline = arguments.iter().any(|argument| ["--state-dir", "--journal"].contains(argument));
    let mut command = Command::new(env!("CARGO_BIN_EXE_engage-operator"));
    command.arg("deliveries").args(arguments).env("USER", "somebody").stdin(Stdio::null());
    if !offline {
        command.args(["--admin-url", &format!("http://127.0.0.1:{}", world.admin_port())]);
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn parking() -> World {
    let mut action = whatsapp();
    merge(&mut action, &json!({"delivery": {"onUnknownOutcome": "Park"}}));
    World::ready(&[destination("welcome", &action)]).await
}

/// An event whose message is lost, or comes this long after the request, and that is parked.
async fn parked(world: &World, to: &str, late: Option<Duration>) -> Value {
    let fault = match late {
        None => FaultKind::DropBefore,
        Some(late) => FaultKind::DropThenLateEffect { after_ms: u64::try_from(late.as_millis()).unwrap() },
    };
    world.sim.set_faults(vec![FaultRule::on("messages.create", fault).times(1)]);
    let event = event_to(to);
    let answer = world.send_until_settled("welcome", &event).await;
    assert_eq!((answer.status, answer.outcome().2), (409, "OutcomeUnknown"), "{answer:?}");
    event
}

fn id(event: &Value) -> &str {
    event["messageId"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_is_listed_shown_and_resolved_and_its_repetition_answered_from_that() {
    let world = parking().await;
    let event = parked(&world, &phone(1), None).await;
    assert_eq!(world.send("welcome", &event_to(&phone(2))).await.outcome(), (200, "sent", ""));

    let list = deliveries(&world, &["list"]);
    assert!(list.out.contains(id(&event)) && list.out.contains("OutcomeUnknown"), "{list:?}");
    assert_eq!(list.out.lines().count(), 2, "what was sent needs nobody: {list:?}");
    let sent = deliveries(&world, &["list", "--outcome", "sent", "-d", WELCOME, "-o", "json"]).json();
    assert_eq!(sent["deliveries"].as_array().unwrap().len(), 1, "{sent}");
    let wide = deliveries(&world, &["list", "-o", "wide", "-n", "marketing"]);
    let show = deliveries(&world, &["show", WELCOME, id(&event)]);
    assert!(show.out.contains("+55***") && show.out.contains("--as sent --sid"), "{show:?}");

    let sid = format!("SM{:032x}", 0xbeef);
    let arguments = ["resolve", WELCOME, id(&event), "--as", "sent", "--sid", &sid, "--note", "told by +5511999990000"];
    let resolved = deliveries(&world, &arguments);
    assert_eq!(resolved.code, 0, "{resolved:?}");
    assert!(resolved.out.contains("somebody") && resolved.out.contains("told by [number]"), "{resolved:?}");
    let again = world.send("welcome", &event).await;
    assert_eq!(again.outcome(), (200, "duplicate", ""));
    assert_eq!(again.result()["sid"], sid.as_str());
    assert_eq!(messages_to(&world.sim, &phone(1)), 0);

    // What has ended so is nobody's to decide any more.
    let twice = deliveries(&world, &["resolve", WELCOME, id(&event), "--as", "rejected", "--reason", "no"]);
    assert_eq!(twice.code, 4, "{twice:?}");
    let retry = deliveries(&world, &["retry", WELCOME, id(&event), "--yes"]);
    assert!(retry.code == 4 && retry.errors.contains("new event"), "{retry:?}");

    assert!(
        (world.metric("engage_decisions_total", &[("decision", "resolved_sent")]).await - 1.0).abs() < f64::EPSILON
    );
    world.assert_every_event_has_an_outcome().await;
    assert!(world.log().contains("decided by hand"), "{}", world.log());
    for text in [list.out, wide.out, show.out, resolved.out, world.log()] {
        assert!(!text.contains(&phone(1)[1..]) && !text.contains("5511999990000"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_event_is_mended_and_delivered_at_once() {
    let world = parking().await;
    let mut event = event("nobody-known");
    assert_eq!(world.send("welcome", &event).await.status, 422);
    let before = deliveries(&world, &["show", WELCOME, id(&event), "-o", "json"]).json();
    assert_eq!(before["outcome"], "rejected");
    event["properties"] = event_to(&phone(1))["properties"].clone();
    let file = world.folder.path().join("event.json");
    // As Segment sends it: the event may be one of a batch.
    std::fs::write(&file, json!([event_to(&phone(2)), event]).to_string()).unwrap();
    let retried = deliveries(&world, &["retry", WELCOME, id(&event), "--event", file.to_str().unwrap(), "-o", "json"]);
    assert_eq!(retried.json()["outcome"], "sent", "{retried:?}");
    assert_eq!((messages_to(&world.sim, &phone(1)), messages_to(&world.sim, &phone(2))), (1, 0));
    assert_eq!(world.send("welcome", &event).await.outcome(), (200, "duplicate", ""));
    world.assert_every_event_has_an_outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_be_sent_is_not_reopened_and_what_is_not_sent_says_so() {
    let world = parking().await;
    let mut event = event("nobody-known");
    assert_eq!(world.send("welcome", &event).await.status, 422);
    let file = world.folder.path().join("event.json");
    let retry = |event: &Value| {
        std::fs::write(&file, event.to_string()).unwrap();
        deliveries(&world, &["retry", WELCOME, id(event), "--event", file.to_str().unwrap()])
    };
    let still = retry(&event);
    assert!(still.code == 5 && still.errors.contains("rejected"), "{still:?}");
    event["timestamp"] = "2020-01-01T00:00:00Z".into();
    let old = retry(&event);
    assert!(old.code == 4 && old.errors.contains("TooOld"), "{old:?}");
    let now = deliveries(&world, &["show", WELCOME, id(&event), "-o", "json"]).json();
    assert_eq!(now["outcome"], "rejected");
    let other = event_to(&phone(1));
    std::fs::write(&file, other.to_string()).unwrap();
    let wrong = deliveries(&world, &["retry", WELCOME, id(&event), "--event", file.to_str().unwrap()]);
    assert!(wrong.code == 1 && wrong.errors.contains("no event of message id"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_sent_is_reopened_only_by_somebody_who_says_that_they_know() {
    let world = parking().await;
    let event = parked(&world, &phone(1), None).await;
    let refused = deliveries(&world, &["retry", WELCOME, id(&event)]);
    assert!(refused.code == 2 && refused.errors.contains("second time"), "{refused:?}");
    assert_eq!(world.send("welcome", &event).await.outcome(), (409, "duplicate", "OutcomeUnknown"));
    let reopened = deliveries(&world, &["retry", WELCOME, id(&event), "--yes", "-o", "json"]);
    assert_eq!(reopened.json()["outcome"], "open");
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "sent", ""));
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
    let decided = [("decision", "reopened_unknown")];
    assert!((world.metric("engage_decisions_total", &decided).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_shows_late_is_named_and_not_sent_again_by_a_retry() {
    let world = parking().await;
    let event = parked(&world, &phone(1), Some(Duration::from_secs(7))).await;
    let begin = Instant::now();
    let shown = loop {
        let shown = deliveries(&world, &["show", WELCOME, id(&event), "-o", "json"]).json();
        if shown["messages"][0]["status"].is_string() {
            break shown;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{shown}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let sid = shown["messages"][0]["sid"].as_str().unwrap();
    assert!(shown["next"][0].as_str().unwrap().contains(sid), "{shown}");
    let file = world.folder.path().join("event.json");
    std::fs::write(&file, event.to_string()).unwrap();
    let retried =
        deliveries(&world, &["retry", WELCOME, id(&event), "--yes", "--event", file.to_str().unwrap(), "-o", "json"]);
    assert_eq!(retried.json()["sid"], sid, "{retried:?}");
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_runs_the_file_is_read_and_decided_in() {
    let mut world = parking().await;
    let event = parked(&world, &phone(1), None).await;
    let state = world.state();
    let state = state.to_str().unwrap();
    let locked = deliveries(&world, &["list", "--state-dir", state]);
    assert!(locked.code == 1 && locked.errors.contains("--admin-url"), "{locked:?}");
    world.kill();
    let list = deliveries(&world, &["list", "--state-dir", state]);
    assert!(list.out.contains(WELCOME) && list.out.contains(id(&event)), "{list:?}");
    let gone = deliveries(&world, &["list"]);
    assert!(gone.code == 1 && gone.errors.contains("port-forward"), "{gone:?}");
    let unknown = deliveries(&world, &["show", WELCOME, "another", "--state-dir", state]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    let unknown = deliveries(&world, &["show", "marketing/another", id(&event), "--state-dir", state]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    let arguments =
        ["resolve", WELCOME, id(&event), "--as", "rejected", "--reason", "told by phone", "--state-dir", state];
    let resolved = deliveries(&world, &arguments);
    assert_eq!(resolved.code, 0, "{resolved:?}");
    world.start().await;
    world.all_ready(&[destination("welcome", &whatsapp())]).await;
    let answer = world.send("welcome", &event).await;
    assert_eq!(answer.outcome(), (422, "duplicate", "DecidedByHand"));
    assert_eq!(answer.result()["detail"], "told by phone");
    // By the file alone, its names are those that were counted.
    world.terminate();
    let journal = format!("file:{state}/journal.redb");
    let shown = deliveries(&world, &["show", WELCOME, id(&event), "--journal", &journal]);
    assert!(shown.code == 0 && shown.out.contains("told by phone"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_given_up_leaves_nothing_half_made() {
    let world = World::ready(&[flow(), destination("agent", &conversation())]).await;
    let fault = FaultKind::Throttle { retry_after: None };
    world.sim.set_faults(vec![FaultRule::on("participants.create", fault)]);
    let event = event_to(&phone(1));
    assert_eq!(world.send("agent", &event).await.status, 503);
    assert_eq!(world.sim.state().conversations.len(), 1);
    let waiting = deliveries(&world, &["list", "--outcome", "open", "-o", "json"]).json();
    assert_eq!(waiting["deliveries"][0]["messageId"], event["messageId"]);
    let sent = deliveries(&world, &["resolve", "marketing/agent", id(&event), "--as", "sent"]);
    assert_eq!(sent.code, 4, "{sent:?}");
    let arguments = ["resolve", "marketing/agent", id(&event), "--as", "rejected", "--reason", "too late"];
    let given_up = deliveries(&world, &arguments);
    assert_eq!(given_up.code, 0, "{given_up:?}");
    assert!(world.sim.state().conversations.is_empty(), "{:?}", world.sim.state().conversations);
    assert_eq!(world.send("agent", &event).await.outcome(), (422, "duplicate", "DecidedByHand"));
    assert!(world.metric("engage_late_outcomes_total", &[("reason", "DecidedByHand")]).await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_flight_is_nobodys_to_decide() {
    let world = parking().await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Latency { ms: 4_000 }).times(1)]);
    let event = event_to(&phone(1));
    world.send_until_asked("welcome", &event, "messages.create").await;
    for arguments in [
        ["resolve", WELCOME, id(&event), "--as", "rejected", "--reason", "no"].as_slice(),
        ["retry", WELCOME, id(&event), "--yes"].as_slice(),
    ] {
        let ran = deliveries(&world, arguments);
        assert!(ran.code == 4 && ran.errors.contains("under way"), "{ran:?}");
    }
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome().0, 200);
    assert_eq!(messages_to(&world.sim, &phone(1)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_each_event_once() {
    let world = parking().await;
    for _ in 0..7 {
        assert_eq!(world.send("welcome", &event("nobody-known")).await.status, 422);
    }
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = vec!["list", "--limit", "3", "-o", "json", "--reason", "NoProfile,NoPhone"];
        if let Some(token) = &token {
            arguments.extend(["--continue", token]);
        }
        let page = deliveries(&world, &arguments).json();
        found.extend(page["deliveries"].as_array().unwrap().iter().map(|row| row["messageId"].to_string()));
        match page["continue"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(found.len(), 7, "{found:?}");
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 7, "{found:?}");
    let none = deliveries(&world, &["list", "--since", "1s", "--outcome", "sent"]);
    assert!(none.code == 0 && none.out.is_empty(), "{none:?}");
    assert_eq!(deliveries(&world, &["list", "--outcome", "lost"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_elsewhere_or_a_page_in_a_browser_reads_nothing_and_decides_nothing() {
    let world = parking().await;
    let event = parked(&world, &phone(1), None).await;
    let url = |what: &str| format!("http://127.0.0.1:{}/v1/journal/{what}", world.admin_port());
    let address = json!({"destination": WELCOME, "messageId": id(&event)});
    let ours = |client: &reqwest::Client, what: &str| {
        client.post(url(what)).header("x-engage-operator", "deliveries").json(&address)
    };
    let here = reqwest::Client::new();
    assert_eq!(ours(&here, "show").send().await.unwrap().status(), 200);
    // Everything else of loopback is somebody else: a sidecar delivers from such addresses what came from outside.
    let elsewhere = reqwest::Client::builder().local_address(Some(Ipv4Addr::new(127, 0, 0, 6).into())).build().unwrap();
    let page = [("origin", "https://a.example"), ("sec-fetch-site", "cross-site"), ("host", "a.example")];
    let mut refused = vec![
        ours(&elsewhere, "show"),
        here.post(url("show")).json(&address),
        here.post(url("show")).header("x-engage-operator", "deliveries").body(address.to_string()),
    ];
    refused.extend(page.iter().map(|(name, value)| ours(&here, "show").header(*name, *value)));
    let resolve = json!({"event": address, "as": "sent"});
    refused.push(here.post(url("resolve")).json(&resolve));
    for request in refused {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403);
        let text = answer.text().await.unwrap();
        assert!(text.contains("Forbidden") && !text.contains(id(&event)), "{text}");
    }
    assert_eq!(here.get(url("show")).send().await.unwrap().status(), 403);
    let large = "x".repeat(2 * 1024 * 1024);
    let large = here.post(url("show")).header("x-engage-operator", "deliveries").json(&large).send().await.unwrap();
    assert_eq!(large.status(), 400);
    assert_eq!(world.send("welcome", &event).await.outcome(), (409, "duplicate", "OutcomeUnknown"));
}
