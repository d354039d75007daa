//! The promise under fire: the process is killed at random moments under load, with Twilio failing in every way, and Segment
//! goes on repeating. Every event has an outcome, and none has two effects. That this would show is shown by defects that are
//! put in on purpose (`src/delivery/seeded.rs`): the same run finds each.

use std::{
    collections::HashMap,
    io::Write,
    time::{Duration, Instant},
};

use engage_simulator::{
    FaultKind, FaultRule, Options, Simulator,
    segment::sender::{Delivery, Outcome},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{World, conversation, destination, event_to, flow, interaction, phone, whatsapp};

/// Faults on every call that has an effect, each this probable.
fn faults(probability: f64) -> Vec<FaultRule> {
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
            // Each of these stops the whole account for a while.
            let rarely = matches!(kind, FaultKind::Throttle { .. });
            rules.push(FaultRule::on(operation, kind).probability(if rarely { 0.01 } else { probability }));
        }
    }
    rules.push(FaultRule::on("messages.list", FaultKind::ListLag { ms: 1_000 }).probability(0.5));
    rules.push(FaultRule::on("messages.list", FaultKind::NullDateSent).probability(0.5));
    rules
}

/// One of the events of a customer's entry into a step of a journey.
fn event_of_entry(customer: usize) -> Value {
    let mut event = event_to(&phone(customer));
    event["context"]["personas"]["computation_id"] = "cart__reminder".into();
    event["properties"]["journey_metadata"] = json!({"journey_id": "cart", "epoch_id": customer.to_string()});
    event["userId"] = format!("u-{customer}").into();
    event
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}

/// A world under load.
struct Storm {
    world: World,
    rng: StdRng,
    events: Vec<Value>,
    senders: Vec<JoinHandle<Vec<Delivery>>>,
    kills: usize,
    begin: Instant,
}

impl Storm {
    /// Sends so many events to each of three destinations: messages, conversations and tasks. `of_entry` events each are of one
    /// entry.
    async fn begin(
        events: usize,
        of_entry: usize,
        faults: Vec<FaultRule>,
        seed: u64,
        bug: Option<&'static str>,
    ) -> Self {
        let resources = [
            flow(),
            destination("welcome", &whatsapp()),
            destination("agent", &conversation()),
            destination("task", &interaction()),
        ];
        let options = Options { log_capacity: 1_000, ..Options::default() };
        let world = World::seeded(&resources, options, &[], bug).await;
        world.all_ready(&resources).await;
        world.sim.set_faults(faults);
        // Some of the channels fail, as may pass.
        world.sim.fail_interactions(&vec![45_352; events / 40]);
        let all: Vec<Value> = (0..3 * events).map(|n| event_of_entry(n / of_entry)).collect();
        let senders = ["welcome", "agent", "task"].into_iter().zip(all.chunks(events)).map(|(name, events)| {
            let mut sender = world.segment(name, Duration::from_mins(10));
            // Fifty events at a time, and a second between two tries of one at most: Segment's four hours in a minute or two.
            sender.concurrency = 50;
            sender.retry.first = Duration::from_millis(100);
            sender.retry.longest = Duration::from_secs(1);
            sender.retry.time_scale = 1.0;
            sender.duplicates = 0.05;
            let events = events.to_vec();
            tokio::spawn(async move { sender.send(&events).await.unwrap() })
        });
        let senders = senders.collect();
        Self { world, rng: StdRng::seed_from_u64(seed), events: all, senders, kills: 0, begin: Instant::now() }
    }

    /// Kills the operator a while from now, and starts it again.
    async fn kill(&mut self, longest: u64) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(20..longest))).await;
        self.world.kill();
        self.world.start().await;
        self.kills += 1;
    }

    /// Lets everything come to its end, and gives what is wrong with it, how many events are unknown, and a line for people.
    async fn end(&mut self) -> (Vec<String>, usize, String) {
        let mut deliveries = Vec::new();
        for sender in self.senders.drain(..) {
            deliveries.extend(sender.await.unwrap());
        }
        // Late effects are over, and what the last run left behind is settled.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (effects, mut wrong) = effects(&self.world.sim);
        let address = |event: &Value| format!("whatsapp:{}", event["properties"]["phone"].as_str().unwrap());
        let addresses: HashMap<&str, String> =
            self.events.iter().map(|event| (event["messageId"].as_str().unwrap(), address(event))).collect();
        let (mut unknown, mut outcomes) = (0, HashMap::<String, usize>::new());
        for delivery in &deliveries {
            if delivery.outcome == Outcome::GaveUp {
                wrong.push(format!("without an outcome: {delivery:?}"));
                continue;
            }
            let last = delivery.attempts.last().unwrap();
            let body: Value = serde_json::from_str(&last.body).unwrap();
            let result = &body["results"][0];
            let word = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
            *outcomes.entry(format!("{} {}", word("outcome"), word("reason"))).or_default() += 1;
            let count = effects.get(&addresses[delivery.message_id.as_str()]).copied().unwrap_or(0);
            let is_unknown = last.status == Some(409);
            unknown += usize::from(is_unknown);
            if count != 1 && !is_unknown {
                wrong.push(format!("{count} effects for {delivery:?}"));
            }
        }
        let attempts: usize = deliveries.iter().map(|delivery| delivery.attempts.len()).sum();
        let line = format!(
            "{} kills in {:.0} s: {} events in {attempts} requests, {unknown} unknown, outcomes {outcomes:?}",
            self.kills,
            self.begin.elapsed().as_secs_f64(),
            self.events.len(),
        );
        (wrong, unknown, line)
    }
}

/// How often each customer was reached, and what is wrong with the conversations.
fn effects(sim: &Simulator) -> (HashMap<String, usize>, Vec<String>) {
    let (mut effects, mut wrong) = (HashMap::<String, usize>::new(), Vec::new());
    let state = sim.state();
    for message in &state.messages {
        *effects.entry(message.to.clone()).or_default() += 1;
    }
    let active: Vec<_> = state.interactions.iter().filter(|one| one.channel_status == "active").collect();
    let failed = state.interactions.iter().filter(|one| one.channel_status == "failed").count();
    if failed > 0 {
        wrong.push(format!("{failed} tasks that no customer is behind"));
    }
    for conversation in &state.conversations {
        let tasks =
            active.iter().filter(|one| one.interaction.conversation_sid.as_ref() == Some(&conversation.sid)).count();
        let opening = conversation.messages.iter().filter(|message| message.origin == "rest").count();
        let customer = conversation.participants.first().and_then(|participant| participant.address.clone());
        let parts = (opening, conversation.webhooks.len(), tasks);
        if !matches!(parts, (1, 1, 0) | (0, 0, 1)) || customer.is_none() {
            wrong.push(format!("half-made or more than that, {tasks} tasks: {conversation:?}"));
        }
        // One without a customer may still be under way.
        if let Some(customer) = customer {
            *effects.entry(customer).or_default() += (opening + tasks).max(1);
        }
    }
    (effects, wrong)
}

/// Past the test runner, which keeps what a passing test prints to itself.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `ENGAGE_KILLS` says how often the process is killed, `ENGAGE_SEED` how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_every_event_has_an_outcome_and_none_has_two_effects() {
    let kills = number_of("ENGAGE_KILLS").and_then(|kills| kills.try_into().ok()).unwrap_or(50_usize);
    let seed = number_of("ENGAGE_SEED").unwrap_or(20_261_122);
    // Together about a fifth of the calls fail.
    let mut storm = Storm::begin(kills * 10, 2, faults(0.03), seed, None).await;
    while storm.kills < kills {
        storm.kill(700).await;
    }
    let (wrong, unknown, line) = storm.end().await;
    tell(&format!("{line} (seed {seed})"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unknown * 100 <= 2 * storm.events.len(), "{unknown} unknown");
    storm.world.assert_every_event_has_an_outcome().await;
}

/// Kills for each seeded defect. Each shows after a few; a run in which none does fails.
const SEEDED_KILLS: usize = 12;
/// How long the operator lives at most between two of them, in milliseconds: long enough to look for what it has lost.
const SEEDED_LIFE: u64 = 1_500;

/// More faults than above, so that a defect does not have to wait for its occasion.
fn many_faults() -> Vec<FaultRule> {
    faults(0.08)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_defect_the_run_that_finds_the_seeded_ones_finds_nothing() {
    let mut storm = Storm::begin(SEEDED_KILLS * 8, 1, many_faults(), 1, None).await;
    while storm.kills < SEEDED_KILLS {
        storm.kill(SEEDED_LIFE).await;
    }
    let (wrong, _, line) = storm.end().await;
    tell(&format!("no defect, {line}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Storms in which a seeded defect may show. Each lets the operator live longer than the one before: a busy machine is slow to
/// look for what was lost, and a defect of looking shows only in an operator that looks.
#[cfg(debug_assertions)]
const SEEDED_STORMS: u64 = 5;

// A release build has no seeded defects.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_seeded_defect_is_found_by_killing() {
    for bug in ["SendBeforeStart", "ResendWithoutSettling", "TakeOverStarted"] {
        let mut runs = Vec::new();
        for storm in 1..=SEEDED_STORMS {
            let (found, line) = look_for(bug, storm).await;
            tell(&format!("{bug}: {line}"));
            runs.push(line);
            if found {
                break;
            }
            assert!(storm < SEEDED_STORMS, "{bug} is not found: {runs:#?}");
        }
    }
}

/// Whether one storm shows the defect, and a line for people.
#[cfg(debug_assertions)]
async fn look_for(bug: &'static str, number: u64) -> (bool, String) {
    let mut storm = Storm::begin(SEEDED_KILLS * 8, 1, many_faults(), number, Some(bug)).await;
    while storm.kills < SEEDED_KILLS {
        storm.kill(SEEDED_LIFE * number).await;
        let twice = effects(&storm.world.sim).0.into_iter().find(|(_, times)| *times > 1);
        if let Some((customer, times)) = twice {
            for sender in &storm.senders {
                sender.abort();
            }
            let seconds = storm.begin.elapsed().as_secs_f64();
            let line = format!("found after {} kills, {seconds:.1} s: {customer} reached {times} times", storm.kills);
            return (true, line);
        }
    }
    let (wrong, _, line) = storm.end().await;
    match wrong.first() {
        Some(first) => (true, format!("found at the end of {line}: {first}")),
        None => (false, line),
    }
}
