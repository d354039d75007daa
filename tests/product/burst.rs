//! Ten times more than may leave, for as long as it pleases: what there is no time for is refused, quickly, and kept by Segment.
//! Nothing is piled up for it in memory, and nothing is lost.

use std::{
    collections::HashMap,
    io::Write,
    time::{Duration, Instant},
};

use engage_simulator::{
    Options,
    segment::sender::{Attempt, Delivery, Mode, Sender, Sign},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    harness::{World, destination, event_to, merge, phone, whatsapp},
    pace::{most, most_within},
};

const BATCH: usize = 50;
/// Most memory that the operator may have, in bytes: half of it would do for the optimised program.
const MOST_MEMORY: usize = 120 * 1024 * 1024;

/// How much comes.
#[derive(Clone, Copy)]
struct Burst {
    length: Duration,
    /// Sends a second that the one sender of both destinations may make.
    rate: usize,
    /// New events a second, half of them one by one, half in batches. Segment repeats what is refused beside that.
    offered: usize,
    /// Milliseconds within which all but one in a hundred refusals of a single event are answered.
    refused_within: u64,
}

/// `ENGAGE_BURST` says how many seconds, of what the optimised program is meant to bear; without it, a short one.
fn burst() -> Burst {
    match std::env::var("ENGAGE_BURST").ok().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => Burst { length: Duration::from_secs(seconds), rate: 20, offered: 200, refused_within: 1_000 },
        None => Burst { length: Duration::from_secs(15), rate: 10, offered: 100, refused_within: 4_000 },
    }
}

fn at(name: &str, rate: usize) -> Value {
    let mut action = whatsapp();
    merge(&mut action, &json!({"delivery": {"rate": rate}}));
    destination(name, &action)
}

/// Segment, whose pauses grow as the length of the burst allows.
fn segment(world: &World, name: &str, mode: Mode, burst: Burst, second: u64) -> Sender {
    let mut sender = world.segment(name, Duration::from_hours(1)).mode(mode);
    // Each event of a batch brings its own phone, which is believed of what is signed.
    sender.sign = Sign::WholeBody;
    sender.concurrency = burst.offered;
    sender.retry.first = Duration::from_secs(3);
    sender.retry.longest = burst.length / 2;
    sender.retry.time_scale = 1.0;
    sender.rng_seed = second;
    sender
}

fn share(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// What the operator had in memory, once in half a second.
async fn watch(world: &World, until: Instant) -> Vec<usize> {
    let mut samples = Vec::new();
    while Instant::now() < until {
        samples.push(world.memory_now());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    samples
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_more_than_may_leave_is_refused_quickly_and_neither_piled_up_nor_lost() {
    let Burst { length, rate, offered, refused_within } = burst();
    let seconds = usize::try_from(length.as_secs()).unwrap();
    let names = ["single", "batched"];
    let options = Options { log_capacity: 400_000, ..Options::default() };
    let resources = names.map(|name| at(name, rate));
    let world = World::with_options(&resources, options, &[]).await;
    world.all_ready(&resources).await;

    let begin = Instant::now();
    let offer = async {
        let mut sent: Vec<JoinHandle<Vec<Delivery>>> = Vec::new();
        for second in 0..seconds {
            for (index, name) in names.into_iter().enumerate() {
                let mode = if name == "single" { Mode::Single } else { Mode::Batched { size: BATCH } };
                let sender = segment(&world, name, mode, burst(), second as u64);
                let first = (2 * second + index) * offered / 2;
                let events: Vec<Value> = (first..first + offered / 2).map(|n| event_to(&phone(n))).collect();
                sent.push(tokio::spawn(async move { sender.send(&events).await.unwrap() }));
            }
            tokio::time::sleep_until((begin + Duration::from_secs(second as u64 + 1)).into()).await;
        }
        sent
    };
    let (sent, memory) = tokio::join!(offer, watch(&world, begin + length));
    let arrived: Vec<i64> = world.sim.requests_of("messages.create").iter().map(|entry| entry.time_ms).collect();

    // What was refused comes again; now there is room for all of it.
    for name in names {
        world.apply(&at(name, 5_000));
    }
    let mut deliveries = Vec::new();
    for sent in sent {
        deliveries.extend(sent.await.unwrap());
    }

    let events = seconds * offered;
    let mut messages: HashMap<String, usize> = HashMap::new();
    for message in world.sim.state().messages {
        *messages.entry(message.to).or_default() += 1;
    }
    let refused = |attempt: &&Attempt| attempt.status == Some(503) && attempt.body.contains("Throttled");
    // A batch is answered when the last of its events is.
    let alone = |attempt: &&Attempt| attempt.body.matches("messageId").count() == 1;
    let mut refusals: Vec<u64> = deliveries
        .iter()
        .flat_map(|delivery| delivery.attempts.iter().filter(refused).filter(alone))
        .map(|attempt| attempt.elapsed_ms)
        .collect();
    refusals.sort_unstable();
    let attempts: usize = deliveries.iter().map(|delivery| delivery.attempts.len()).sum();
    let third = memory.len() / 3;
    let peak = |samples: &[usize]| samples.iter().copied().max().unwrap_or_default();
    let (middle, last) = (peak(&memory[third..2 * third]), peak(&memory[2 * third..]));
    let _ = writeln!(
        std::io::stderr(),
        "burst of {seconds} s: {events} events ({offered}/s) in {attempts} requests at a rate of {rate}/s; {} left in the burst, at \
         most {} in a second; a refusal took {} ms (median), {} ms (99 %); memory {:.1} MB at the start, at most {:.1}, in the last \
         third {:.1}; all delivered after {:.0} s",
        arrived.len(),
        most_within(1_000, &arrived),
        share(&refusals, 50),
        share(&refusals, 99),
        megabytes(memory[0]),
        megabytes(peak(&memory)),
        megabytes(last),
        begin.elapsed().as_secs_f64(),
    );
    assert!(most_within(1_000, &arrived) <= most(rate), "{arrived:?}");
    assert!(arrived.len() >= seconds * rate / 2, "{} left", arrived.len());
    assert!(share(&refusals, 99) <= refused_within, "{} ms", share(&refusals, 99));
    assert!(peak(&memory) <= MOST_MEMORY, "{memory:?}");
    assert!(last <= middle + middle / 10 + 4 * 1024 * 1024, "memory grows: {memory:?}");
    let missing: Vec<&Delivery> =
        deliveries.iter().filter(|delivery| delivery.attempts.last().unwrap().status != Some(200)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(deliveries.len(), events);
    assert_eq!((messages.len(), messages.values().max()), (events, Some(&1)));
    world.assert_every_event_has_an_outcome().await;
}
