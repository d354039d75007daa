//! Both stores keep the same promises.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Map;

use super::{
    look::Then,
    progress::Seen,
    store::{DueLook, Looked},
    *,
};
use crate::{
    delivery::{
        journal::{Journal, Key, Operation, file::FileJournal, memory::MemoryJournal, now},
        outcome::{Final, Reason},
        receipts::store::Announced,
    },
    segment::MessageId,
    twilio::sid::{ConversationMessageSid, ConversationSid},
};

const DAY: Duration = Duration::from_hours(24);

fn stores(folder: &Path) -> [Arc<dyn Journal>; 2] {
    [Arc::new(MemoryJournal::new(9)), Arc::new(FileJournal::open(&folder.join("journal.redb")).unwrap())]
}

fn key(uid: &str, event: &str) -> Key {
    Key { destination: uid.into(), message_id: MessageId::parse(event).unwrap() }
}

fn expected(user: Option<&str>) -> Expected {
    let subject = user.map(|user| Subject { user_id: Some(user.into()), anonymous_id: None, journey: Map::new() });
    Expected { destination: "ns/welcome".into(), content: "HX1".into(), subject, is_opening: false }
}

fn receipt(message: &str, status: Status) -> Receipt {
    Receipt { message: message.into(), status, error_code: None, seen: None }
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

fn conversation() -> ConversationSid {
    format!("CH{:032}", 1).parse().unwrap()
}

fn message() -> ConversationMessageSid {
    format!("IM{:032}", 1).parse().unwrap()
}

/// Brings an event that is to open a conversation to its end.
async fn end(journal: &dyn Journal, key: &Key, outcome: Final) {
    let opening = Expected { is_opening: true, ..expected(Some("u-42")) };
    journal.receipts().expect(key.clone(), opening, DAY);
    journal.apply(key.clone(), Operation::Claim { give_up: DAY }).await.unwrap();
    journal.apply(key.clone(), Operation::Finish { outcome, remember: DAY }).await.unwrap();
}

fn sent() -> Final {
    Final::Sent { sid: conversation().to_string() }
}

async fn due(journal: &dyn Journal, uid: &str) -> Vec<DueLook> {
    journal.receipts().looks(uid, now() + 3_600_000, 10).await.unwrap()
}

fn looked(status: Status) -> Looked {
    let seen = Some(Seen { conversation: conversation(), at: None });
    let receipts = vec![Receipt { seen, ..receipt(message().as_str(), status) }];
    Looked { message: Some(message()), receipts, then: Then::Next }
}

#[tokio::test]
async fn an_opening_message_is_looked_at_from_the_moment_at_which_its_event_ends_as_sent() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        let rejected = Final::Rejected { reason: Reason::new("NotOnWhatsApp", "") };
        end(&*journal, &key("u", "rejected"), rejected).await;
        assert_eq!(store.looks_count().await.unwrap(), 0);
        // A message of its own is called back about.
        store.expect(key("u", "message"), expected(None), DAY);
        journal.apply(key("u", "message"), Operation::Claim { give_up: DAY }).await.unwrap();
        let outcome = Final::Sent { sid: "SM1".into() };
        journal.apply(key("u", "message"), Operation::Finish { outcome, remember: DAY }).await.unwrap();
        assert_eq!(store.looks_count().await.unwrap(), 0);

        for uid in ["u", "uu"] {
            end(&*journal, &key(uid, "sent"), sent()).await;
        }
        assert_eq!((store.looks_count().await.unwrap(), store.looking_destinations().await.unwrap().len()), (2, 2));
        assert_eq!(store.looks("u", now(), 10).await.unwrap(), []);
        let found = due(&*journal, "u").await;
        let [DueLook { key: found, look: Some(look), .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found, &look.conversation, &look.message), (&key("u", "sent"), &conversation(), &None));
    }
}

#[tokio::test]
async fn the_sid_of_an_opening_message_is_kept_for_the_looks_at_it() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let event = key("u", "m");
        let opening = Expected { is_opening: true, ..expected(None) };
        journal.receipts().expect(event.clone(), opening, DAY);
        journal.apply(event.clone(), Operation::Claim { give_up: DAY }).await.unwrap();
        journal.receipts().opened(event.clone(), message());
        journal.apply(event.clone(), Operation::Finish { outcome: sent(), remember: DAY }).await.unwrap();
        assert_eq!(due(&*journal, "u").await[0].look.as_ref().unwrap().message, Some(message()));
    }
}

#[tokio::test]
async fn what_a_look_sees_is_told_once_and_the_last_look_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        let event = key("u", "m");
        end(&*journal, &event, sent()).await;
        for (status, taken, goes_on) in [
            (Status::Sent, told(Status::Sent, Announced::Yes), true),
            (Status::Sent, Taken::Repeated, true),
            (Status::Read, told(Status::Read, Announced::Yes), false),
        ] {
            let [DueLook { due: at, .. }] = due(&*journal, "u").await[..] else { panic!("{status:?}") };
            let came = store.looked(event.clone(), at, looked(status)).await.unwrap();
            assert_eq!((came.receipts, came.goes_on), (vec![taken], goes_on));
            // One that was cut off before it was answered and is taken once more tells nothing twice.
            let again = store.looked(event.clone(), at, looked(status)).await.unwrap();
            assert_eq!(again.receipts, [Taken::Repeated]);
            assert_eq!(store.looks_count().await.unwrap(), u64::from(goes_on));
        }
        assert_eq!(store.waiting_count().await.unwrap(), 2);
        let events = store.waiting("u", 0, 10).await.unwrap();
        assert_eq!(events[1].event["properties"]["conversation_sid"], conversation().as_str());
        assert_eq!(events[1].event["messageId"], format!("wa-{}-read", message()));
    }
}

#[tokio::test]
async fn a_look_whose_record_is_forgotten_is_seen_to_be_so_and_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    for journal in stores(folder.path()) {
        let store = journal.receipts();
        let event = key("u", "m");
        let opening = Expected { is_opening: true, ..expected(None) };
        store.expect(event.clone(), opening.clone(), Duration::from_millis(50));
        journal.apply(event.clone(), Operation::Claim { give_up: DAY }).await.unwrap();
        journal.apply(event.clone(), Operation::Finish { outcome: sent(), remember: DAY }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(store.forget_receipts().await.unwrap(), 1);
        let [DueLook { due: at, look: None, .. }] = due(&*journal, "u").await[..] else { panic!() };
        let came = store.looked(event.clone(), at, looked(Status::Read)).await.unwrap();
        assert!(came.receipts.iter().all(|taken| *taken == Taken::Unknown) && !came.goes_on);
        assert_eq!(store.looks_count().await.unwrap(), 0);
        // An event that comes again after its time is a new one: the look at its first message goes.
        end(&*journal, &key("u", "again"), sent()).await;
        store.expect(key("u", "again"), opening, DAY);
        assert_eq!(
            store.take(key("u", "again"), receipt("SM1", Status::Queued)).await.unwrap(),
            told(Status::Queued, Announced::No)
        );
        assert_eq!(store.looks_count().await.unwrap(), 0);
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
    end(&journal, &key("u", "d"), sent()).await;
    assert_eq!(store.looks_count().await.unwrap(), 0);
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
        end(&journal, &key("u", "opened"), sent()).await;
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
    assert_eq!(due(&journal, "u").await.len(), 1);
    assert_eq!(journal.tallies().await.unwrap(), [("ns/welcome".to_owned(), 1.into())]);
}
