//! The promise under fire: the process is killed at random moments under load, with Twilio failing in every way, and Segment
//! goes on repeating. Every event has an outcome, and none has two effects.

use std::{
    collections::HashMap,
    io::Write,
    time::{Duration, Instant},
};

use engage_simulator::{FaultKind, FaultRule, Options, segment::sender::Outcome};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::harness::{World, conversation, destination, event_to, flow, interaction, phone, whatsapp};

/// Faults on every call that has an effect; together about a fifth of them fail.
fn faults() -> Vec<FaultRule> {
    let mut rules = Vec::new();
    let operations = [
        "messages.create",
        "conversations.create",
        "webhooks.create",
        "participants.create",
        "conversation_messages.create",
        "interactions.create",
        "interaction_channels.update",
    ];
    for operation in operations {
        for kind in [
            FaultKind::Throttle { retry_after: None },
            FaultKind::ErrorBefore { status: 503 },
            FaultKind::ErrorAfter { status: 500 },
            FaultKind::DropBefore,
            FaultKind::DropAfter,
            FaultKind::DropThenLateEffect { after_ms: 1_000 },
            FaultKind::Latency { ms: 700 },
        ] {
            rules.push(FaultRule::on(operation, kind).probability(0.03));
        }
    }
    rules.push(FaultRule::on("messages.list", FaultKind::ListLag { ms: 1_000 }).probability(0.5));
    rules.push(FaultRule::on("messages.list", FaultKind::NullDateSent).probability(0.5));
    rules
}

/// How often the process is killed: `ENGAGE_KILLS`, or fifty times.
fn kills() -> usize {
    std::env::var("ENGAGE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_every_event_has_an_outcome_and_none_has_two_effects() {
    let kills = kills();
    let rng_seed = std::env::var("ENGAGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let mut rng = StdRng::seed_from_u64(rng_seed);
    let resources = [
        flow(),
        destination("welcome", &whatsapp()),
        destination("agent", &conversation()),
        destination("task", &interaction()),
    ];
    let options = Options { log_capacity: 1_000, ..Options::default() };
    let mut world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;
    world.sim.set_faults(faults());

    let per_destination = kills * 8;
    let events = |from: usize| -> Vec<Value> { (from..from + per_destination).map(|n| event_to(&phone(n))).collect() };
    let (welcome, agent, task) = (events(0), events(per_destination), events(2 * per_destination));
    // Some of the channels fail, as may pass.
    world.sim.fail_interactions(&vec![45_352; kills / 5]);
    let patience = Duration::from_mins(10);
    let senders = ["welcome", "agent", "task"].map(|name| {
        let mut sender = world.segment(name, patience);
        // Fifty events at a time, and a second between two tries of one at most: Segment's four hours in a minute or two.
        sender.concurrency = 50;
        sender.retry.first = Duration::from_millis(100);
        sender.retry.longest = Duration::from_secs(1);
        sender.retry.time_scale = 1.0;
        sender.duplicates = 0.05;
        sender
    });
    let [welcome_sender, agent_sender, task_sender] = senders;
    let (welcome_events, agent_events, task_events) = (welcome.clone(), agent.clone(), task.clone());
    let welcome_task = tokio::spawn(async move { welcome_sender.send(&welcome_events).await.unwrap() });
    let agent_task = tokio::spawn(async move { agent_sender.send(&agent_events).await.unwrap() });
    let task_task = tokio::spawn(async move { task_sender.send(&task_events).await.unwrap() });

    let begin = Instant::now();
    let mut killed = 0;
    while killed < kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..700))).await;
        world.kill();
        world.start().await;
        killed += 1;
    }
    let deliveries = [welcome_task.await.unwrap(), agent_task.await.unwrap(), task_task.await.unwrap()].concat();
    // Late effects are over, and what the last run left behind is settled.
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut outcomes: HashMap<String, usize> = HashMap::new();
    let mut effects: HashMap<String, usize> = HashMap::new();
    let state = world.sim.state();
    for message in &state.messages {
        *effects.entry(message.to.clone()).or_default() += 1;
    }
    let active: Vec<_> = state.interactions.iter().filter(|one| one.channel_status == "active").collect();
    let failed = state.interactions.iter().filter(|one| one.channel_status == "failed").count();
    assert_eq!(failed, 0, "a task is left that no customer is behind");
    for conversation in &state.conversations {
        let tasks =
            active.iter().filter(|one| one.interaction.conversation_sid.as_ref() == Some(&conversation.sid)).count();
        let opening = conversation.messages.iter().filter(|message| message.origin == "rest").count();
        let webhooks = conversation.webhooks.len();
        let customer = conversation.participants.first().and_then(|participant| participant.address.clone());
        let Some(customer) = customer else { panic!("an orphan is left: {conversation:?}") };
        assert!(matches!((opening, webhooks, tasks), (1, 1, 0) | (0, 0, 1)), "{tasks} tasks of {conversation:?}");
        *effects.entry(customer).or_default() += 1;
    }
    let ids: HashMap<&str, &Value> =
        welcome.iter().chain(&agent).chain(&task).map(|event| (event["messageId"].as_str().unwrap(), event)).collect();
    let mut unknown = 0;
    for delivery in &deliveries {
        assert_ne!(delivery.outcome, Outcome::GaveUp, "{delivery:?}\n{}", world.log());
        let last = delivery.attempts.last().unwrap();
        let body: Value = serde_json::from_str(&last.body).unwrap();
        let result = &body["results"][0];
        *outcomes
            .entry(format!("{} {}", result["outcome"].as_str().unwrap(), result["reason"].as_str().unwrap_or("")))
            .or_default() += 1;
        let address =
            format!("whatsapp:{}", ids[delivery.message_id.as_str()]["properties"]["phone"].as_str().unwrap());
        let count = effects.get(&address).copied().unwrap_or(0);
        let is_unknown = last.status == Some(409);
        unknown += usize::from(is_unknown);
        assert!(count == 1 || is_unknown, "{count} effects for {delivery:?}");
    }
    assert_eq!(ids.len(), 3 * per_destination);
    let attempts: usize = deliveries.iter().map(|delivery| delivery.attempts.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    let share = unknown as f64 / deliveries.len() as f64 * 100.0;
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ = writeln!(
        std::io::stderr(),
        "{killed} kills in {:.0} s (seed {rng_seed}): {} events in {attempts} requests, unknown {share:.2} %, outcomes {outcomes:?}",
        begin.elapsed().as_secs_f64(),
        ids.len(),
    );
    assert!(share <= 2.0);
    world.assert_every_event_has_an_outcome().await;
}
