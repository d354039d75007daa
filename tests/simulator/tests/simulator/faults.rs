//! Faults on demand, as a client sees them.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule, Options, Product};

use crate::client::{Client, start, start_with};

async fn try_message(client: &Client) -> reqwest::Result<reqwest::Response> {
    let form = [
        ("To", crate::client::CUSTOMER),
        ("MessagingServiceSid", crate::client::SERVICE),
        ("ContentSid", crate::client::CONTENT),
    ];
    let request = client.http.post(client.url("api", &Client::messages_path())).form(&form);
    request.basic_auth(&client.user, Some(&client.password)).send().await
}

#[tokio::test]
async fn throttling_comes_with_and_without_retry_after() {
    let client = start().await;
    for (retry_after, header) in [(Some(7), Some("7")), (None, None)] {
        client.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Throttle { retry_after }).times(1)]);
        let answer = try_message(&client).await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers().get("retry-after").map(|value| value.to_str().unwrap()), header);
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["code"], 20429);
        assert_eq!(try_message(&client).await.unwrap().status(), 201);
    }
    assert_eq!(client.sim.state().messages.len(), 2);
}

#[tokio::test]
async fn errors_come_before_or_after_the_effect() {
    let client = start().await;
    client.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::ErrorBefore { status: 503 })]);
    assert_eq!(try_message(&client).await.unwrap().status(), 503);
    assert_eq!(client.sim.state().messages.len(), 0);
    client.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::ErrorAfter { status: 500 })]);
    assert_eq!(try_message(&client).await.unwrap().status(), 500);
    let state = client.sim.state();
    assert_eq!(state.messages.len(), 1);
    let log = client.sim.requests_of("messages.create");
    assert_eq!((log[0].effect.as_ref(), log[0].fault.as_deref()), (None, Some("error_before")));
    assert_eq!((log[1].effect.as_ref(), log[1].status), (Some(&state.messages[0].sid), Some(500)));
}

#[tokio::test]
async fn a_dropped_connection_is_an_error_and_no_status() {
    let client = start().await;
    for (kind, effects) in [(FaultKind::DropBefore, 0), (FaultKind::DropAfter, 1)] {
        client.sim.reset();
        client.sim.set_faults(vec![FaultRule::on("messages.create", kind.clone())]);
        let error = try_message(&client).await.unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(client.sim.state().messages.len(), effects, "{kind:?}");
        assert_eq!(client.sim.requests()[0].status, None);
    }
}

#[tokio::test]
async fn an_effect_may_come_after_the_drop() {
    let client = start().await;
    client.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::DropThenLateEffect { after_ms: 100 })]);
    assert!(try_message(&client).await.is_err());
    assert_eq!(client.sim.state().messages.len(), 0);
    assert_eq!(client.sim.requests()[0].effect, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let state = client.sim.state();
    assert_eq!(state.messages.len(), 1);
    assert_eq!(client.sim.requests()[0].effect.as_ref(), Some(&state.messages[0].sid));
}

#[tokio::test]
async fn latency_delays_the_answer_and_not_the_effect() {
    let client = start().await;
    client.sim.set_faults(vec![FaultRule::on_product(Product::Api, FaultKind::Latency { ms: 600 })]);
    let begun = Instant::now();
    let hasty = tokio::time::timeout(Duration::from_millis(300), try_message(&client)).await;
    assert!(hasty.is_err());
    assert_eq!(client.sim.state().messages.len(), 1);
    assert_eq!(try_message(&client).await.unwrap().status(), 201);
    assert!(begun.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn the_message_list_lags_and_hides_dates() {
    let client = start_with(Options { message_step_ms: 1, ..Options::default() }).await;
    try_message(&client).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let list = || client.get("api", "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json");
    assert!(list().await.body["messages"][0]["date_sent"].is_string());
    client.sim.set_faults(vec![FaultRule::on("messages.list", FaultKind::NullDateSent)]);
    assert!(list().await.body["messages"][0]["date_sent"].is_null());
    client.sim.set_faults(vec![FaultRule::on("messages.list", FaultKind::ListLag { ms: 5000 })]);
    assert_eq!(list().await.body["messages"].as_array().unwrap().len(), 0);
    client.sim.advance_clock(5);
    assert_eq!(list().await.body["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_seed_meets_the_same_faults() {
    let mut runs = Vec::new();
    for rng_seed in [1, 1, 2] {
        let client = start_with(Options { rng_seed, ..Options::default() }).await;
        let kind = FaultKind::ErrorBefore { status: 500 };
        client.sim.set_faults(vec![FaultRule::on("messages.create", kind).probability(0.5)]);
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(try_message(&client).await.unwrap().status().as_u16());
        }
        runs.push((statuses, client.sim.state().messages.into_iter().map(|one| one.sid).collect::<Vec<_>>()));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].0, runs[2].0);
}
