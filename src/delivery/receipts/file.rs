//! Receipts in the journal's file, written by its one thread: a receipt and the announcement that follows from it are in one
//! transaction, and receipts that come together share one sync to disk.

use std::time::Duration;

use async_trait::async_trait;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    progress::Receipt,
    record::{Expected, Record},
    store::{Announced, Announcement, DueLook, LookTaken, Looked, MAX_WAITING, ReceiptStore, Taken},
};
use crate::{
    delivery::journal::{
        JournalError, Key, UnixMillis,
        file::{FileJournal, encode, failed, take_due},
        machine::after,
        now,
    },
    segment::MessageId,
    twilio::sid::ConversationMessageSid,
};

/// Record by key, as JSON.
const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("receipts");
/// Records in the order in which they are forgotten.
const EXPIRY: TableDefinition<(i64, &[u8]), ()> = TableDefinition::new("receipt_expiry");
/// Looks to be taken: the uid of the destination, when it is due, and the event.
const LOOKS: TableDefinition<(&str, i64, &str), ()> = TableDefinition::new("looks");
/// Announcements by the uid of their destination and their place.
const WAITING: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("announcements");
/// The last place that was given.
const PLACES: TableDefinition<(), u64> = TableDefinition::new("announcement_places");
/// What was counted of a destination, by its uid.
const TALLIES: TableDefinition<&str, &[u8]> = TableDefinition::new("tallies");

#[derive(Serialize, Deserialize)]
struct Row {
    since: UnixMillis,
    event: Value,
}

/// Makes the tables, so that reading finds them.
pub fn make_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(RECORDS)?;
    transaction.open_table(EXPIRY)?;
    transaction.open_table(LOOKS)?;
    transaction.open_table(WAITING)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(TALLIES)?;
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Unreadable(error.to_string()))
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(value).map_err(|error| JournalError::Failed(error.to_string()))
}

fn expect(
    transaction: &WriteTransaction,
    key: &Key,
    expected: Expected,
    expires: UnixMillis,
) -> Result<(), JournalError> {
    let encoded = encode(key);
    let mut records = transaction.open_table(RECORDS).map_err(failed)?;
    let mut expiry = transaction.open_table(EXPIRY).map_err(failed)?;
    // One that cannot be read is made anew.
    let before: Option<Record> =
        records.get(encoded.as_slice()).map_err(failed)?.and_then(|stored| read(stored.value()).ok());
    if let Some(before) = &before {
        expiry.remove((before.expires, encoded.as_slice())).map_err(failed)?;
        if let Some(look) = &before.look {
            let mut looks = transaction.open_table(LOOKS).map_err(failed)?;
            looks.remove((key.destination.as_str(), look.due, key.message_id.as_str())).map_err(failed)?;
        }
    }
    let record = Record::expecting(before, expected, expires);
    records.insert(encoded.as_slice(), write(&record)?.as_slice()).map_err(failed)?;
    expiry.insert((expires, encoded.as_slice()), ()).map_err(failed)?;
    Ok(())
}

/// Changes the record of an event; `None` when nothing is known of it, or not any more.
fn change<T>(
    transaction: &WriteTransaction,
    key: &Key,
    at: UnixMillis,
    change: impl FnOnce(&mut Record) -> Result<T, JournalError>,
) -> Result<Option<T>, JournalError> {
    let encoded = encode(key);
    let mut records = transaction.open_table(RECORDS).map_err(failed)?;
    let stored =
        records.get(encoded.as_slice()).map_err(failed)?.and_then(|stored| read::<Record>(stored.value()).ok());
    let Some(mut record) = stored.filter(|record| record.expires > at) else { return Ok(None) };
    let before = record.clone();
    let changed = change(&mut record)?;
    if record != before {
        records.insert(encoded.as_slice(), write(&record)?.as_slice()).map_err(failed)?;
    }
    Ok(Some(changed))
}

fn take(
    transaction: &WriteTransaction,
    key: &Key,
    record: &mut Record,
    receipt: &Receipt,
    at: UnixMillis,
) -> Result<Taken, JournalError> {
    let Some(change) = record.take(key, receipt, at) else { return Ok(Taken::Repeated) };
    let announced = match change.announcement {
        None => Announced::No,
        Some(event) => announce(transaction, &key.destination, &Row { since: at, event })?,
    };
    Ok(Taken::Advanced { told: change.told, announced })
}

/// An event has ended as sent: with its entry the first look at its message is put in its place.
pub fn sent(transaction: &WriteTransaction, key: &Key, sid: &str) -> Result<(), JournalError> {
    let Ok(conversation) = sid.parse() else { return Ok(()) };
    let at = now();
    if let Some(due) = change(transaction, key, at, |record| Ok(record.sent(conversation, at)))?.flatten() {
        let mut looks = transaction.open_table(LOOKS).map_err(failed)?;
        looks.insert((key.destination.as_str(), due, key.message_id.as_str()), ()).map_err(failed)?;
    }
    Ok(())
}

fn looked(
    transaction: &WriteTransaction,
    key: &Key,
    due: UnixMillis,
    looked: Looked,
) -> Result<LookTaken, JournalError> {
    let at = now();
    let (destination, event) = (key.destination.as_str(), key.message_id.as_str());
    let taken = change(transaction, key, at, |record| {
        let taken: Result<Vec<Taken>, JournalError> =
            looked.receipts.iter().map(|receipt| take(transaction, key, record, receipt, at)).collect();
        Ok((taken?, record.looked(due, looked.message, looked.then, at)))
    })?;
    let mut looks = transaction.open_table(LOOKS).map_err(failed)?;
    looks.remove((destination, due, event)).map_err(failed)?;
    let (receipts, next) = taken.unwrap_or_default();
    if let Some(next) = next {
        looks.insert((destination, next, event), ()).map_err(failed)?;
    }
    Ok(LookTaken { receipts, goes_on: next.is_some() })
}

fn announce(transaction: &WriteTransaction, destination: &str, row: &Row) -> Result<Announced, JournalError> {
    let mut waiting = transaction.open_table(WAITING).map_err(failed)?;
    if waiting.len().map_err(failed)? >= MAX_WAITING {
        return Ok(Announced::NoRoom);
    }
    let mut places = transaction.open_table(PLACES).map_err(failed)?;
    let place = places.get(()).map_err(failed)?.map_or(0, |place| place.value()) + 1;
    places.insert((), place).map_err(failed)?;
    waiting.insert((destination, place), write(row)?.as_slice()).map_err(failed)?;
    Ok(Announced::Yes)
}

fn forget(transaction: &WriteTransaction, at: UnixMillis) -> Result<usize, JournalError> {
    let mut records = transaction.open_table(RECORDS).map_err(failed)?;
    let mut expiry = transaction.open_table(EXPIRY).map_err(failed)?;
    let mut forgotten = 0;
    for key in take_due(&mut expiry, at)? {
        records.remove(key.as_slice()).map_err(failed)?;
        forgotten += 1;
    }
    Ok(forgotten)
}

#[async_trait]
impl ReceiptStore for FileJournal {
    fn expect(&self, key: Key, expected: Expected, remember: Duration) {
        let expires = after(now(), remember);
        self.transact_aside(move |transaction| expect(transaction, &key, expected, expires));
    }

    async fn take(&self, key: Key, receipt: Receipt) -> Result<Taken, JournalError> {
        self.transact(true, move |transaction| {
            let at = now();
            let taken = change(transaction, &key, at, |record| take(transaction, &key, record, &receipt, at))?;
            Ok(taken.unwrap_or(Taken::Unknown))
        })
        .await
    }

    fn opened(&self, key: Key, message: ConversationMessageSid) {
        self.transact_aside(move |transaction| {
            change(transaction, &key, now(), |record| {
                record.opening = Some(message);
                Ok(())
            })
            .map(drop)
        });
    }

    async fn looking_destinations(&self) -> Result<Vec<String>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let looks = transaction.open_table(LOOKS).map_err(failed)?;
        let mut destinations: Vec<String> = Vec::new();
        loop {
            // From one destination to the next, however many looks it has.
            let from = destinations.last().map_or_else(String::new, |last| format!("{last}\0"));
            let Some(row) = looks.range((from.as_str(), UnixMillis::MIN, "")..).map_err(failed)?.next() else {
                return Ok(destinations);
            };
            destinations.push(row.map_err(failed)?.0.value().0.to_owned());
        }
    }

    async fn looks(&self, destination: &str, now: UnixMillis, most: usize) -> Result<Vec<DueLook>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let looks = transaction.open_table(LOOKS).map_err(failed)?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let range = (destination, UnixMillis::MIN, "")..(destination, now.saturating_add(1), "");
        let mut found = Vec::new();
        for row in looks.range(range).map_err(failed)?.take(most) {
            let (row, ()) = row.map(|(row, none)| (row, none.value())).map_err(failed)?;
            let (_, due, event) = row.value();
            let message_id = MessageId::parse(event).map_err(|error| JournalError::Unreadable(error.to_string()))?;
            let key = Key { destination: destination.to_owned(), message_id };
            let record = records.get(encode(&key).as_slice()).map_err(failed)?;
            let record = record.and_then(|stored| read::<Record>(stored.value()).ok());
            let look = record.filter(|record| record.expires > now).and_then(|record| record.look);
            found.push(DueLook { key, due, look: look.filter(|look| look.due == due) });
        }
        Ok(found)
    }

    async fn looked(&self, key: Key, due: UnixMillis, outcome: Looked) -> Result<LookTaken, JournalError> {
        self.transact(true, move |transaction| looked(transaction, &key, due, outcome)).await
    }

    async fn looks_count(&self) -> Result<u64, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        transaction.open_table(LOOKS).map_err(failed)?.len().map_err(failed)
    }

    async fn message_of(&self, key: &Key) -> Result<Option<String>, JournalError> {
        Ok(self.record(key).await?.and_then(|record| record.messages.into_keys().next()))
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let stored = records.get(encode(key).as_slice()).map_err(failed)?;
        stored.map(|stored| read(stored.value())).transpose()
    }

    async fn forget_receipts(&self) -> Result<usize, JournalError> {
        self.transact(false, |transaction| forget(transaction, now())).await
    }

    async fn waiting_destinations(&self) -> Result<Vec<String>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let waiting = transaction.open_table(WAITING).map_err(failed)?;
        let mut destinations: Vec<String> = Vec::new();
        loop {
            // From one destination to the next, whatever waits for it in between.
            let from = destinations.last().map_or(("", 0), |last| (last.as_str(), u64::MAX));
            let Some(row) = waiting.range(from..).map_err(failed)?.next() else { return Ok(destinations) };
            destinations.push(row.map_err(failed)?.0.value().0.to_owned());
        }
    }

    async fn waiting(&self, destination: &str, place: u64, most: usize) -> Result<Vec<Announcement>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let waiting = transaction.open_table(WAITING).map_err(failed)?;
        let mut found = Vec::new();
        for row in waiting.range((destination, place)..(destination, u64::MAX)).map_err(failed)?.take(most) {
            let (key, value) = row.map_err(failed)?;
            let Row { since, event } = read(value.value())?;
            found.push(Announcement { place: key.value().1, since, event });
        }
        Ok(found)
    }

    async fn told(&self, destination: &str, places: Vec<u64>) -> Result<(), JournalError> {
        let destination = destination.to_owned();
        // Lost with the process it is told once more, and Segment drops the repetition.
        self.transact(false, move |transaction| {
            let mut waiting = transaction.open_table(WAITING).map_err(failed)?;
            for place in places {
                waiting.remove((destination.as_str(), place)).map_err(failed)?;
            }
            Ok(())
        })
        .await
    }

    async fn waiting_count(&self) -> Result<u64, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        transaction.open_table(WAITING).map_err(failed)?.len().map_err(failed)
    }

    async fn tallies(&self) -> Result<Vec<(String, Value)>, JournalError> {
        let transaction = self.database().begin_read().map_err(failed)?;
        let tallies = transaction.open_table(TALLIES).map_err(failed)?;
        let mut found = Vec::new();
        for row in tallies.iter().map_err(failed)? {
            let (uid, tally) = row.map_err(failed)?;
            found.push((uid.value().to_owned(), read(tally.value())?));
        }
        Ok(found)
    }

    async fn keep_tallies(&self, tallies: Vec<(String, Option<Value>)>) -> Result<(), JournalError> {
        self.transact(true, move |transaction| {
            let mut table = transaction.open_table(TALLIES).map_err(failed)?;
            for (uid, tally) in tallies {
                match tally {
                    Some(tally) => drop(table.insert(uid.as_str(), write(&tally)?.as_slice()).map_err(failed)?),
                    None => drop(table.remove(uid.as_str()).map_err(failed)?),
                }
            }
            Ok(())
        })
        .await
    }
}
