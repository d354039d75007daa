//! How fast requests leave, read from the times at which they arrive at Twilio.

use std::{io::Write, time::Duration};

use engage_simulator::{FaultKind, FaultRule};
use serde_json::{Value, json};

use crate::harness::{World, conversation, delivered, destination, event, event_to, flow, merge, phone, whatsapp};

/// Most arrivals in a second at this rate: on a busy machine the way to the simulator takes one request longer than the next.
/// That no second has more *departures* is shown in `src/delivery/pace`.
pub const fn most(rate: usize) -> usize {
    rate + rate / 5 + 1
}

/// The action at a rate.
fn at(rate: u32, mut action: Value) -> Value {
    merge(&mut action, &json!({"delivery": {"rate": rate}}));
    action
}

/// When requests of these operations arrived, in milliseconds and in order.
fn arrivals(world: &World, operations: &[&str]) -> Vec<i64> {
    let mut times: Vec<i64> = world
        .sim
        .requests()
        .iter()
        .filter(|entry| entry.operation.is_some_and(|operation| operations.contains(&operation)))
        .map(|entry| entry.time_ms)
        .collect();
    times.sort_unstable();
    times
}

/// The most arrivals within so many milliseconds.
pub fn most_within(milliseconds: i64, times: &[i64]) -> usize {
    let within = |from: usize| times[from..].iter().take_while(|at| **at < times[from] + milliseconds).count();
    (0..times.len()).map(within).max().unwrap_or_default()
}

/// Sends so many events to each of these destinations at once, each to a customer of its own, until all are delivered.
async fn deliver(world: &World, names: &[&str], events: usize) {
    let sent = names.iter().enumerate().map(|(n, name)| {
        let mut sender = world.segment(name, Duration::from_mins(1));
        sender.concurrency = events;
        sender.retry.first = Duration::from_millis(300);
        sender.retry.longest = Duration::from_secs(1);
        sender.retry.time_scale = 1.0;
        let events: Vec<Value> = (n * events..(n + 1) * events).map(|n| event_to(&phone(n))).collect();
        async move { sender.send(&events).await.unwrap() }
    });
    let deliveries = futures::future::join_all(sent).await.concat();
    assert_eq!(delivered(&deliveries), names.len() * events, "{}", world.log());
}

/// The share of the rate that was used between the first and the last arrival.
fn used(rate: f64, times: &[i64]) -> f64 {
    let took = Duration::from_millis(u64::try_from(times[times.len() - 1] - times[0]).unwrap());
    f64::from(u32::try_from(times.len() - 1).unwrap()) / took.as_secs_f64() / rate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_sends_at_its_rate_and_in_no_second_more() {
    let resources = [destination("one", &at(40, whatsapp())), destination("two", &at(40, whatsapp()))];
    let world = World::ready(&resources).await;
    deliver(&world, &["one", "two"], 100).await;
    let times = arrivals(&world, &["messages.create"]);
    let (most_arrived, used) = (most_within(1_000, &times), used(40.0, &times));
    let _ =
        writeln!(std::io::stderr(), "rate 40: at most {most_arrived} in a second, {:.1} % of it used", used * 100.0);
    assert!(most_arrived <= most(40), "{times:?}");
    assert!(used > 0.5, "{used}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_makes_up_for_nothing_in_a_heap() {
    let resources = [destination("one", &at(40, whatsapp())), destination("two", &at(40, whatsapp()))];
    let world = World::ready(&resources).await;
    let pauses = async {
        let mut goes_on = Vec::new();
        for pause in [700, 900, 800] {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            goes_on.push(world.pause(Duration::from_millis(pause)).await);
        }
        goes_on
    };
    let ((), goes_on) = tokio::join!(deliver(&world, &["one", "two"], 100), pauses);
    let times = arrivals(&world, &["messages.create"]);
    for begin in goes_on {
        let heap = times.iter().filter(|at| (begin..begin + 200).contains(*at)).count();
        // Eight of those 200 ms and four that are made up for, not the 28 and more of the pause; two were stopped on their way.
        assert!(heap <= 8 + 4 + 1 + 2, "{heap} after {begin}: {times:?}");
    }
    assert!(most_within(1_000, &times) <= most(40), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_and_a_conversation_of_one_sender_share_its_rate() {
    let message = destination("welcome", &at(20, whatsapp()));
    let resources = [flow(), message, destination("agent", &at(20, conversation()))];
    let world = World::ready(&resources).await;
    deliver(&world, &["welcome", "agent"], 40).await;
    // The first of the conversation's numbers is the one that the service sends from.
    let times = arrivals(&world, &["messages.create", "conversations.create"]);
    assert_eq!(times.len(), 80);
    assert!(most_within(1_000, &times) <= most(20), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_makes_no_more_conversations_a_second_than_twilio_allows() {
    let mut second = conversation();
    merge(&mut second, &json!({"conversation": {"twilioNumber": ["+5511900000002"]}}));
    let resources = [flow(), destination("one", &conversation()), destination("two", &second)];
    let world = World::ready(&resources).await;
    deliver(&world, &["one", "two"], 50).await;
    let times = arrivals(&world, &["conversations.create", "conversations.delete"]);
    assert_eq!(times.len(), 100);
    let (most_arrived, used) = (most_within(1_000, &times), used(30.0, &times));
    let _ =
        writeln!(std::io::stderr(), "30 conversations: at most {most_arrived} in a second, {:.1} % used", used * 100.0);
    assert!(most_arrived <= most(30), "{times:?}");
    assert!(used > 0.5, "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_there_is_no_turn_for_is_refused_before_its_profile_is_read() {
    let world = World::ready(&[destination("welcome", &at(1, whatsapp()))]).await;
    let throttle = FaultKind::Throttle { retry_after: Some(60) };
    world.sim.set_faults(vec![FaultRule::on("messages.create", throttle).times(1)]);
    assert_eq!(world.send("welcome", &event_to(&phone(1))).await.outcome(), (503, "retry", "Throttled"));
    // The account waits for a minute now, longer than any event does.
    assert_eq!(world.send("welcome", &event("lead-1")).await.outcome(), (503, "retry", "Throttled"));
    assert!(world.sim.requests_of("profiles.traits").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_429_the_account_waits_as_long_as_asked_and_comes_back_gently() {
    let resources = [destination("welcome", &at(40, whatsapp()))];
    let world = World::ready(&resources).await;
    world.sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::Throttle { retry_after: Some(2) }).times(1)]);
    deliver(&world, &["welcome"], 60).await;
    let times = arrivals(&world, &["messages.create"]);
    // What had left before the answer was read arrives before the pause.
    let pause = times.windows(2).max_by_key(|pair| pair[1] - pair[0]).unwrap();
    assert!(pause[1] >= times[0] + 2_000 && pause[1] - pause[0] > 1_000, "{times:?}");
    let first_second = times.iter().filter(|at| (pause[1]..pause[1] + 1_000).contains(*at)).count();
    assert!((2..=20).contains(&first_second), "{first_second} in the first second after the pause: {times:?}");
}
