//! Both stores keep the same promises.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Map;

use super::*;
use crate::{
    delivery::{
        journal::{Journal, Key, file::FileJournal, memory::MemoryJournal},
        receipts::store::Announced,
    },
    segment::MessageId,
};

const DAY: Duration = Duration::from_hours(24);

fn stores(folder: &Path) -> [Arc<dyn Journal>; 2] {
    [Arc::new(MemoryJournal::new(3)), Arc::new(FileJournal::open(&folder.join("journal.redb")).unwrap())]
}

fn key(uid: &str, event: &str) -> Key {
    Key { destination: uid.into(), message_id: MessageId::parse(event).unwrap() }
}

fn expected(user: Option<&str>) -> Expected {
    let subject = user.map(|user| Subject { user_id: Some(user.into()), anonymous_id: None, journey: Map::new() });
    Expected { destination: "ns/welcome".into(), content: "HX1".into(), subject }
}

fn receipt(message: &str, status: Status) -> Receipt {
    Receipt { message: message.into(), status, error_code: None }
}

fn told(status: Status, announced: Announced) -> Taken {
    Taken::Advanced { told: Some(status), announced }
}

#[tokio::test]
async fn a_receipt_is_told_once_and_only_of_an_event_that_expects_it() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        let event = key("u", "m");
        assert_eq!(store.take(event.clone(), receipt("SM1", Status::Sent)).await.unwrap(), Taken::Unknown);
        store.expect(event.clone(), expected(None), DAY);
        let take = async |message: &str, status| store.take(event.clone(), receipt(message, status)).await.unwrap();
        assert_eq!(take("SM1", Status::Delivered).await, told(Status::Delivered, Announced::No));
        assert_eq!(take("SM1", Status::Delivered).await, Taken::Repeated);
        // A repetition of the event expects again, and forgets nothing.
        store.expect(event.clone(), expected(None), DAY);
        assert_eq!(take("SM1", Status::Delivered).await, Taken::Repeated);
        assert_eq!(take("SM2", Status::Delivered).await, told(Status::Delivered, Announced::No));
        assert_eq!(store.message_of(&event).await.unwrap().as_deref(), Some("SM1"));
        assert_eq!(store.message_of(&key("other", "m")).await.unwrap(), None);
        assert_eq!(store.waiting_count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn what_waits_for_a_destination_is_read_in_its_order_and_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        for uid in ["a", "ab", "b"] {
            store.expect(key(uid, "m"), expected(Some("u-42")), DAY);
            for status in [Status::Queued, Status::Sent, Status::Read] {
                store.take(key(uid, "m"), receipt("SM1", status)).await.unwrap();
            }
        }
        assert_eq!(store.waiting_destinations().await.unwrap(), ["a", "ab", "b"]);
        let rows = store.waiting("ab", 0, 10).await.unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["WhatsApp Sent", "WhatsApp Read"]);
        assert_eq!(store.waiting("ab", 0, 1).await.unwrap(), rows[..1]);
        assert_eq!(store.waiting("ab", rows[1].place, 10).await.unwrap(), rows[1..]);
        store.told("ab", rows.iter().map(|row| row.place).collect()).await.unwrap();
        assert_eq!(store.waiting_destinations().await.unwrap(), ["a", "b"]);
        assert_eq!(store.waiting_count().await.unwrap(), 4);
    }
}

#[tokio::test]
async fn records_are_forgotten_when_their_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        store.expect(key("u", "short"), expected(None), Duration::ZERO);
        store.expect(key("u", "again"), expected(None), Duration::ZERO);
        store.expect(key("u", "again"), expected(None), DAY);
        assert_eq!(store.take(key("u", "short"), receipt("SM1", Status::Sent)).await.unwrap(), Taken::Unknown);
        assert_eq!(store.forget_receipts().await.unwrap(), 1);
        assert_eq!(store.forget_receipts().await.unwrap(), 0);
        assert!(matches!(
            store.take(key("u", "again"), receipt("SM1", Status::Sent)).await.unwrap(),
            Taken::Advanced { .. }
        ));
    }
}

#[tokio::test]
async fn memory_holds_no_more_than_it_may() {
    let journal = MemoryJournal::new(3);
    let store = journal.receipts();
    for event in ["a", "b", "c", "d"] {
        store.expect(key("u", event), expected(None), DAY);
    }
    assert_eq!(store.take(key("u", "d"), receipt("SM1", Status::Sent)).await.unwrap(), Taken::Unknown);
    assert!(matches!(store.take(key("u", "c"), receipt("SM1", Status::Sent)).await.unwrap(), Taken::Advanced { .. }));
}

#[tokio::test]
async fn a_file_that_is_opened_again_has_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    {
        let journal = FileJournal::open(&path).unwrap();
        journal.expect(key("u", "m"), expected(Some("u-42")), DAY);
        journal.take(key("u", "m"), receipt("SM1", Status::Sent)).await.unwrap();
        journal.keep_tallies(vec![("ns/welcome".into(), Some(1.into()))]).await.unwrap();
    }
    let begin = std::time::Instant::now();
    let journal = loop {
        // The writing thread of the first lets go of the file a moment later.
        match FileJournal::open(&path) {
            Ok(journal) => break journal,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(5), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(journal.take(key("u", "m"), receipt("SM1", Status::Sent)).await.unwrap(), Taken::Repeated);
    assert_eq!(journal.waiting("u", 0, 9).await.unwrap().len(), 1);
    assert_eq!(journal.tallies().await.unwrap(), [("ns/welcome".to_owned(), 1.into())]);
}
