//! Both engines keep the same promises.

use super::{file::FileJournal, memory::MemoryJournal, *};
use crate::{api::engage_destination::OnUnknownOutcome, segment::Event};

const HOUR: Duration = Duration::from_hours(1);

fn key(message_id: &str) -> Key {
    let event = Event::parse(&format!(r#"{{"messageId":"{message_id}"}}"#)).unwrap();
    Key { destination: "uid".into(), message_id: event.message_id }
}

fn attempt() -> Attempt {
    Attempt {
        at: now(),
        settle: HOUR,
        on_unknown: OnUnknownOutcome::Resend,
        trace: Trace::Conversation { unique_name: "u".into(), event: "m".into(), opening: false },
    }
}

fn engines(folder: &std::path::Path) -> [Arc<dyn Journal>; 2] {
    [Arc::new(MemoryJournal::new(100)), Arc::new(FileJournal::open(&folder.join("journal.redb")).unwrap())]
}

async fn claim(journal: &Arc<dyn Journal>, message_id: &str) -> Claimed {
    Ticket::claim(journal, key(message_id), HOUR, HOUR).await.unwrap()
}

fn granted(claimed: Claimed) -> Ticket {
    match claimed {
        Claimed::Granted(ticket) => ticket,
        other => panic!("not granted: {other:?}"),
    }
}

fn sent(sid: &str) -> Final {
    Final::Sent { sid: sid.into() }
}

#[tokio::test]
async fn an_event_is_claimed_once_and_answered_from_the_record_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let mut ticket = granted(claim(&journal, "m1").await);
        assert!(matches!(claim(&journal, "m1").await, Claimed::InFlight));
        assert_eq!(journal.unended().await.unwrap(), [key("m1")]);
        ticket.start(attempt()).await.unwrap();
        assert!(matches!(claim(&journal, "m1").await, Claimed::InFlight));
        ticket.finish(sent("SM1")).await.unwrap();
        assert!(matches!(claim(&journal, "m1").await, Claimed::Ended(Final::Sent { sid }) if sid == "SM1"));
        assert_eq!(journal.attributed_to("SM1").await.unwrap(), Some(key("m1")));
        assert!(journal.unended().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_released_event_is_granted_again_and_knows_its_attempts() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let mut ticket = granted(claim(&journal, "m1").await);
        ticket.start(attempt()).await.unwrap();
        ticket.release(Reason::new("Throttled", "")).await.unwrap();
        assert_eq!(granted(claim(&journal, "m1").await).attempts(), 1);
    }
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let claims = futures::future::join_all((0..50).map(|_| claim(&journal, "m1"))).await;
        assert_eq!(claims.iter().filter(|claim| matches!(claim, Claimed::Granted(_))).count(), 1);
    }
}

#[tokio::test]
async fn a_final_entry_is_forgotten_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let claimed = Ticket::claim(&journal, key("m1"), HOUR, Duration::ZERO).await.unwrap();
        granted(claimed).finish(sent("SM1")).await.unwrap();
        assert_eq!(journal.forget_expired().await.unwrap(), 1);
        assert_eq!(journal.find(&key("m1")).await.unwrap(), None);
        assert_eq!(journal.attributed_to("SM1").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_full_memory_journal_says_so_and_takes_events_again_when_old_ones_expire() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new(1));
    let ticket = granted(Ticket::claim(&journal, key("m1"), HOUR, Duration::ZERO).await.unwrap());
    let full = Ticket::claim(&journal, key("m2"), HOUR, HOUR).await;
    assert!(matches!(full, Err(JournalError::Full(1))));
    ticket.finish(sent("SM1")).await.unwrap();
    granted(claim(&journal, "m2").await);
}

#[tokio::test]
async fn a_file_is_open_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    let first = FileJournal::open(&path).unwrap();
    let error = FileJournal::open(&path).unwrap_err();
    assert!(matches!(&error, JournalError::Locked { .. }), "{error}");
    drop(first);
}

#[tokio::test]
async fn what_was_started_before_the_end_of_a_process_is_found_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    {
        let journal: Arc<dyn Journal> = Arc::new(FileJournal::open(&path).unwrap());
        let mut started = granted(claim(&journal, "started").await);
        started.start(attempt()).await.unwrap();
        granted(claim(&journal, "sent").await).finish(sent("SM1")).await.unwrap();
    }
    let journal: Arc<dyn Journal> = Arc::new(reopened(&path).await);
    assert!(matches!(claim(&journal, "sent").await, Claimed::Ended(_)));
    assert!(matches!(claim(&journal, "started").await, Claimed::InFlight));
    assert_eq!(journal.unended().await.unwrap(), [key("started")]);
    let (ticket, _) = Ticket::adopt(&journal, key("started"), HOUR).await.unwrap().unwrap();
    assert_eq!(ticket.attempts(), 1);
    ticket.finish(sent("SM2")).await.unwrap();
}

/// The writing thread lets go of the file a moment after the journal is dropped.
async fn reopened(path: &std::path::Path) -> FileJournal {
    for _ in 0..200 {
        match FileJournal::open(path) {
            Err(JournalError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other.unwrap(),
        }
    }
    panic!("the journal stayed locked");
}

fn enrollment(at: UnixMillis) -> Enrollment {
    let keys = [1, 2].map(|key| enrollment::EnrollmentKey([key; 20])).to_vec();
    Enrollment { keys, at, cool_down: Duration::from_mins(1) }
}

#[tokio::test]
async fn of_the_events_of_one_entry_one_holds_it_until_it_has_come_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let (first, second) = (granted(claim(&journal, "m1").await), granted(claim(&journal, "m2").await));
        let enroll = async |ticket: &Ticket, at| journal.enroll(ticket.key(), enrollment(at)).await.unwrap();
        assert_eq!(enroll(&first, 100_000).await, Enrolled::Held);
        assert_eq!(enroll(&first, 100_000).await, Enrolled::Held, "asked again");
        assert_eq!(enroll(&second, 159_999).await, Enrolled::Busy(key("m1").message_id));
        assert_eq!(enroll(&second, 160_000).await, Enrolled::Held, "an entry of its own");
        let third = granted(claim(&journal, "m3").await);
        // Known by one key is known.
        let by_one = Enrollment { keys: enrollment(0).keys[1..].to_vec(), ..enrollment(100_001) };
        first.finish(sent("SM1")).await.unwrap();
        let ended = Enrolled::Ended { by: key("m1").message_id, outcome: sent("SM1") };
        assert_eq!(journal.enroll(third.key(), by_one).await.unwrap(), ended);
        second.finish(Final::Rejected { reason: Reason::new("NoPhone", "") }).await.unwrap();
        assert_eq!(enroll(&third, 219_000).await, Enrolled::Held, "the second came to nothing");
    }
}

#[tokio::test]
async fn events_of_one_entry_that_are_put_off_in_turns_do_not_lose_sight_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let put_off = || Reason::new("Throttled", "");
        for id in ["m1", "m2", "m1", "m2"] {
            let ticket = granted(claim(&journal, id).await);
            assert_eq!(journal.enroll(ticket.key(), enrollment(0)).await.unwrap(), Enrolled::Held);
            ticket.release(put_off()).await.unwrap();
        }
        let mut first = granted(claim(&journal, "m1").await);
        assert_eq!(journal.enroll(first.key(), enrollment(0)).await.unwrap(), Enrolled::Held);
        first.start(attempt()).await.unwrap();
        let second = granted(claim(&journal, "m2").await);
        let busy = Enrolled::Busy(key("m1").message_id);
        assert_eq!(journal.enroll(second.key(), enrollment(0)).await.unwrap(), busy);
    }
}

#[tokio::test]
async fn many_events_of_one_entry_at_once_are_one() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        let ids: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
        let mut tickets = Vec::new();
        for id in &ids {
            tickets.push(granted(claim(&journal, id).await));
        }
        let asked = tickets.iter().map(|ticket| journal.enroll(ticket.key(), enrollment(0)));
        let answers = futures::future::join_all(asked).await;
        assert_eq!(answers.into_iter().filter(|answer| *answer.as_ref().unwrap() == Enrolled::Held).count(), 1);
    }
}

#[tokio::test]
async fn an_entry_is_known_until_its_event_is_forgotten_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    {
        let journal: Arc<dyn Journal> = Arc::new(FileJournal::open(&path).unwrap());
        let mut first = granted(Ticket::claim(&journal, key("m1"), HOUR, Duration::ZERO).await.unwrap());
        journal.enroll(first.key(), enrollment(0)).await.unwrap();
        first.start(attempt()).await.unwrap();
    }
    let journal: Arc<dyn Journal> = Arc::new(reopened(&path).await);
    let second = granted(claim(&journal, "m2").await);
    let busy = Enrolled::Busy(key("m1").message_id);
    assert_eq!(journal.enroll(second.key(), enrollment(1)).await.unwrap(), busy);
    let (first, _) = Ticket::adopt(&journal, key("m1"), Duration::ZERO).await.unwrap().unwrap();
    first.finish(sent("SM1")).await.unwrap();
    assert_eq!(journal.forget_expired().await.unwrap(), 1);
    assert_eq!(journal.enroll(second.key(), enrollment(1)).await.unwrap(), Enrolled::Held);
}

async fn ended(journal: &Arc<dyn Journal>, message_id: &str, outcome: Final) {
    granted(claim(journal, message_id).await).finish(outcome).await.unwrap();
}

fn rejected() -> Final {
    Final::Rejected { reason: Reason::new("NoPhone", "none") }
}

fn all(most: usize) -> Query {
    let standings = page::Standing::ALL.into();
    Query { destinations: None, standings, reasons: [].into(), since: None, before: None, most }
}

fn ids(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|(key, _)| key.message_id.as_str()).collect()
}

#[tokio::test]
async fn pages_are_the_newest_first_and_go_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        for id in ["m1", "m2", "m3", "m4", "m5"] {
            ended(&journal, id, rejected()).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let first = journal.page(all(2)).await.unwrap();
        assert_eq!((ids(&first), first.more), (vec!["m5", "m4"], true));
        // What comes meanwhile is on none of the later pages.
        ended(&journal, "m6", rejected()).await;
        let before = first.entries.last().map(|(key, entry)| (entry.first_seen, key.clone()));
        let rest = journal.page(Query { before, ..all(9) }).await.unwrap();
        assert_eq!((ids(&rest), rest.more), (vec!["m3", "m2", "m1"], false));
    }
}

#[tokio::test]
async fn a_page_has_what_is_asked_for_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        ended(&journal, "rejected", rejected()).await;
        ended(&journal, "sent", sent("SM1")).await;
        granted(claim(&journal, "open").await).release(Reason::new("Throttled", "")).await.unwrap();
        let mut started = granted(claim(&journal, "started").await);
        started.start(attempt()).await.unwrap();
        let forgotten = Ticket::claim(&journal, key("forgotten"), HOUR, Duration::ZERO).await.unwrap();
        granted(forgotten).finish(rejected()).await.unwrap();
        let other = Key { destination: "uid2".into(), ..key("other") };
        granted(Ticket::claim(&journal, other, HOUR, HOUR).await.unwrap()).finish(rejected()).await.unwrap();
        let found = async |query: Query| {
            let page = journal.page(query).await.unwrap();
            let mut found = ids(&page);
            found.sort_unstable();
            found.join(" ")
        };
        let of = |standings: &[page::Standing]| Query { standings: standings.iter().copied().collect(), ..all(9) };
        assert_eq!(found(all(9)).await, "open other rejected sent started");
        assert_eq!(found(of(&[page::Standing::Open, page::Standing::Started])).await, "open started");
        assert_eq!(found(of(&[page::Standing::Rejected])).await, "other rejected");
        assert_eq!(
            found(Query { destinations: Some(["uid".into()].into()), ..of(&[page::Standing::Rejected]) }).await,
            "rejected"
        );
        assert_eq!(found(Query { reasons: ["Throttled".into()].into(), ..all(9) }).await, "open");
        assert_eq!(found(Query { since: Some(now() + 60_000), ..all(9) }).await, "");
    }
}

#[tokio::test]
async fn what_a_person_reopens_waits_like_any_other_and_what_they_resolve_has_its_sid() {
    let folder = tempfile::tempdir().unwrap();
    for journal in engines(folder.path()) {
        ended(&journal, "m1", rejected()).await;
        let reopen = Operation::Reopen { may_double: false, give_up: HOUR, by: By::default() };
        assert_eq!(journal.apply(key("m1"), reopen).await.unwrap(), Reply::Done { attempts: 0 });
        assert_eq!(journal.unended().await.unwrap(), [key("m1")]);
        ended(&journal, "m1", Final::Unknown { reason: Reason::new("OutcomeUnknown", "") }).await;
        let resolve = Operation::Resolve { outcome: sent("SM9"), remember: Duration::ZERO, by: By::default() };
        journal.apply(key("m1"), resolve).await.unwrap();
        assert_eq!(journal.attributed_to("SM9").await.unwrap(), Some(key("m1")));
        assert!(journal.unended().await.unwrap().is_empty());
        // It was recorded three times, and is forgotten by the last.
        assert_eq!(journal.forget_expired().await.unwrap(), 1);
        assert_eq!(journal.find(&key("m1")).await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "a measurement: how long a page of a large journal takes, and in how much memory; ENGAGE_ENTRIES says how large"]
async fn a_page_of_a_large_journal() {
    let entries = std::env::var("ENGAGE_ENTRIES").map_or(1_000_000, |entries| entries.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let journal: Arc<dyn Journal> = Arc::new(FileJournal::open(&folder.path().join("journal.redb")).unwrap());
    let events: Vec<u32> = (0..entries).collect();
    for group in events.chunks(2_000) {
        let ends = group.iter().map(|n| {
            let (journal, id) = (&journal, format!("personas_{n:032}"));
            async move {
                let outcome = if n % 1_000 == 0 { rejected() } else { sent(&format!("SM{n:032}")) };
                ended(journal, &id, outcome).await;
            }
        });
        futures::future::join_all(ends).await;
    }
    let resident = || {
        std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap()
            .to_owned()
    };
    let before = resident();
    let begin = std::time::Instant::now();
    let found = journal.page(Query { standings: [page::Standing::Rejected].into(), ..all(100) }).await.unwrap();
    println!("{} of {entries} in {:?}; {before} before, {} after", found.entries.len(), begin.elapsed(), resident());
}
