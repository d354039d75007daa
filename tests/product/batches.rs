//! The largest batches that Segment sends: every event ends, once, within the hours in which Segment repeats.

use std::time::{Duration, Instant};

use engage_operator::{delivery::batch, segment::body::MAX_BATCH};
use engage_simulator::segment::sender::{Mode, Sign};
use serde_json::{Value, json};

use crate::harness::{World, delivered, destination, event_to, phone, whatsapp};

/// Sends a second. WhatsApp's own rate is 80, with which this would take a minute; the arithmetic is the same, and is tested
/// for 80 beside it.
const RATE: u32 = 250;
/// So many bytes an event that the batch has four megabytes.
const EVENT_BYTES: usize = 1_048;

fn event_of_a_kilobyte(n: usize) -> Value {
    let mut event = event_to(&phone(n));
    let missing = EVENT_BYTES - event.to_string().len() - r#","blob":"""#.len();
    event["properties"]["blob"] = json!("x".repeat(missing));
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_four_thousand_events_and_four_megabytes_completes_over_segments_retries() {
    let mut action = whatsapp();
    action["delivery"] = json!({"rate": RATE});
    action["phone"] = json!({"trait": "phone"});
    let world = World::ready(&[destination("welcome", &action)]).await;
    let events: Vec<Value> = (0..MAX_BATCH).map(event_of_a_kilobyte).collect();
    // The whole batch is proven, so that each event's own phone counts.
    let mut sender = world.segment("welcome", Duration::from_mins(4)).mode(Mode::Batched { size: MAX_BATCH });
    sender.sign = Sign::WholeBody;
    let began = Instant::now();
    let deliveries = sender.send(&events).await.unwrap();

    assert_eq!(delivered(&deliveries), MAX_BATCH);
    let messages = world.sim.state().messages;
    let recipients: std::collections::BTreeSet<&str> = messages.iter().map(|message| message.to.as_str()).collect();
    assert_eq!((messages.len(), recipients.len()), (MAX_BATCH, MAX_BATCH), "each exactly once");
    // Neither faster than the rate, nor in fewer requests than the recommended size says.
    assert!(began.elapsed() >= Duration::from_secs_f64(3_900.0 / f64::from(RATE)), "{:?}", began.elapsed());
    let attempts = &deliveries[0].attempts;
    assert!(attempts.len() >= MAX_BATCH.div_ceil(batch::largest_at(RATE)), "{}", attempts.len());

    // What was not done by then is said, in a small answer that came before Segment gives up.
    let first = &attempts[0];
    assert_eq!(first.status, Some(503));
    assert!(first.elapsed_ms < 10_000, "{}", first.elapsed_ms);
    assert!(first.body.len() <= 16 * 1024, "{}", first.body.len());
    let answer: Value = serde_json::from_str(&first.body).unwrap();
    let count = |outcome: &str| usize::try_from(answer["counts"][outcome].as_u64().unwrap()).unwrap();
    assert_eq!(count("sent") + count("retry"), MAX_BATCH, "{}", answer["counts"]);
    assert!(count("sent") <= batch::largest_at(RATE), "{}", answer["counts"]);
    let listed = answer["results"].as_array().unwrap();
    assert_eq!(listed.len() + usize::try_from(answer["more"].as_u64().unwrap()).unwrap(), count("retry"));
    let detail = listed.last().unwrap()["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("batches of {} have time", batch::largest_at(RATE))), "{detail}");
    assert!(world.log().contains("a batch was too large for its request"));

    world.assert_every_event_has_an_outcome().await;
    let peak = world.peak_memory();
    assert!(peak < 200 * 1024 * 1024, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_condition_says_what_to_enter_in_segment_and_does_not_change_by_itself() {
    let mut action = whatsapp();
    action["delivery"] = json!({"rate": 80});
    action["resyncInterval"] = json!("5s");
    let world = World::ready(&[destination("welcome", &action)]).await;
    let message = world.reason("EngageDestination", "welcome", "Ready", "Ready").await;
    assert!(message.starts_with("serves at http://") && message.ends_with("; Segment: batch size ≤ 640"), "{message}");
    let (table, _) = world.get_text(&["ed", "welcome", "-o", "wide"]);
    assert!(table.contains("batch size ≤ 640"), "{table}");
    let before = world.get("EngageDestination", "welcome").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.get("EngageDestination", "welcome").unwrap(), before);
}
