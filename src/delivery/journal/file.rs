//! A journal in one file, for one process at a time (the file is locked). One thread writes; what waits while a write is
//! being made durable goes into the next one together.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Enrolled, Enrollment, Entry, Journal, JournalError, Key, Operation, Owner, Page, Query, Reply, State, UnixMillis,
    enrollment::{self, Place},
    machine::{self, Asker},
    now,
    page::Newest,
};
use crate::{
    delivery::receipts::{ReceiptStore, file as receipts},
    segment::MessageId,
};

/// Entry by key, as JSON.
const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// Keys of entries that have not ended.
const UNENDED: TableDefinition<&[u8], ()> = TableDefinition::new("unended");
/// Final entries in the order in which they are forgotten.
const EXPIRY: TableDefinition<(i64, &[u8]), ()> = TableDefinition::new("expiry");
/// What is enrolled: digest, time, and the key of the event. Each event of an entry keeps a row of its own.
const ENROLLED: TableDefinition<(&[u8], i64, &[u8]), ()> = TableDefinition::new("enrolled");
/// Key by the SID that its event ended with.
const SIDS: TableDefinition<&str, &[u8]> = TableDefinition::new("sids");

/// Most operations that share one write.
const MAX_GROUP: usize = 512;
/// Most that is forgotten in one write.
const MAX_FORGOTTEN: usize = 2_000;
/// Cache of the database, in bytes.
const CACHE: usize = 8 * 1024 * 1024;

/// A journal in a file.
pub struct FileJournal {
    database: Arc<Database>,
    path: PathBuf,
    owner: Owner,
    writer: mpsc::UnboundedSender<Request>,
}

impl std::fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One thing for the writing thread to do, and where to say how it went.
enum Request {
    Apply { key: Key, operation: Operation, reply: oneshot::Sender<Result<Reply, JournalError>> },
    ForgetExpired { reply: oneshot::Sender<Result<usize, JournalError>> },
    Work { durable: bool, work: Work },
}

/// Something else that is written with the entries. What it gives is called once it is known whether it was.
type Work = Box<dyn FnOnce(&WriteTransaction) -> Result<Answer, JournalError> + Send>;
type Answer = Box<dyn FnOnce(&Result<(), JournalError>) + Send>;

impl FileJournal {
    /// Opens the journal at `path`, or makes it. The lock on the file is held until the journal is dropped or the process
    /// ends, however it ends; so whoever has the journal open knows that every earlier owner is gone.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let text = path.display().to_string();
        let open =
            |problem: &dyn std::fmt::Display| JournalError::Open { path: text.clone(), problem: problem.to_string() };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| open(&error))?;
        }
        let database = Database::builder().set_cache_size(CACHE).create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => JournalError::Locked { path: text.clone() },
            error => open(&error),
        })?;
        make_tables(&database).map_err(|error| open(&error))?;
        let database = Arc::new(database);
        let (writer, requests) = mpsc::unbounded_channel();
        let owner = Owner(uuid::Uuid::new_v4().to_string());
        let store = Writer { database: Arc::clone(&database), owner: owner.clone() };
        thread::Builder::new()
            .name("journal".into())
            .spawn(move || store.run(requests))
            .map_err(|error| open(&error))?;
        Ok(Self { database, path: path.to_owned(), owner, writer })
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Request,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let gone = || JournalError::Failed("the writing thread has ended".into());
        self.writer.send(request(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    pub(in crate::delivery) fn database(&self) -> &Database {
        &self.database
    }

    /// Has `work` done within the next write, whatever else that writes. An error undoes all of that write.
    pub(in crate::delivery) async fn transact<T: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnOnce(&WriteTransaction) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |transaction| {
            let done = work(transaction)?;
            // A receiver that is gone belonged to a task that was cancelled; what was written stays written.
            Ok(Box::new(move |written| drop(reply.send(written.clone().map(|()| done)))))
        });
        let not_written = || JournalError::Failed("the write was given up".into());
        self.writer.send(Request::Work { durable, work }).map_err(|_| not_written())?;
        answer.await.map_err(|_| not_written())?
    }

    /// As [`FileJournal::transact`], without waiting: it is written no later than anything that is asked for after it.
    pub(in crate::delivery) fn transact_aside(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), JournalError> + Send + 'static,
    ) {
        let work: Work = Box::new(move |transaction| {
            work(transaction)?;
            Ok(Box::new(|_| ()))
        });
        // Without a writing thread nothing that comes after it is written either.
        let _ = self.writer.send(Request::Work { durable: false, work });
    }
}

fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    transaction.open_table(UNENDED)?;
    transaction.open_table(EXPIRY)?;
    transaction.open_table(ENROLLED)?;
    transaction.open_table(SIDS)?;
    receipts::make_tables(&transaction)?;
    transaction.commit()?;
    Ok(())
}

pub(in crate::delivery) fn failed(error: impl Into<redb::Error>) -> JournalError {
    JournalError::Failed(error.into().to_string())
}

/// The destination's uid has no NUL, so the first one ends it.
pub(in crate::delivery) fn encode(key: &Key) -> Vec<u8> {
    [key.destination.as_bytes(), &[0], key.message_id.as_str().as_bytes()].concat()
}

fn decode(bytes: &[u8]) -> Option<Key> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let destination = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
    let message_id: MessageId = serde_json::from_value(std::str::from_utf8(&bytes[end + 1..]).ok()?.into()).ok()?;
    Some(Key { destination, message_id })
}

#[async_trait]
impl Journal for FileJournal {
    async fn apply(&self, key: Key, operation: Operation) -> Result<Reply, JournalError> {
        self.ask(|reply| Request::Apply { key, operation, reply }).await
    }

    async fn enroll(&self, key: &Key, enrollment: Enrollment) -> Result<Enrolled, JournalError> {
        let (key, owner) = (key.clone(), self.owner.clone());
        // Lost with the process it costs nothing: whatever leaves does so after a start, which takes it to disk.
        self.transact(false, move |transaction| match enroll(transaction, &key, &enrollment, &owner) {
            Err(failed @ JournalError::Failed(_)) => Err(failed),
            // What cannot be read is refused alone.
            enrolled => Ok(enrolled),
        })
        .await?
    }

    async fn find(&self, key: &Key) -> Result<Option<Entry>, JournalError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(ENTRIES).map_err(failed)?;
        let stored = table.get(encode(key).as_slice()).map_err(failed)?;
        stored.map(|stored| read_entry(stored.value())).transpose()
    }

    async fn attributed_to(&self, sid: &str) -> Result<Option<Key>, JournalError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(SIDS).map_err(failed)?;
        Ok(table.get(sid).map_err(failed)?.and_then(|key| decode(key.value())))
    }

    async fn unended(&self) -> Result<Vec<Key>, JournalError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(UNENDED).map_err(failed)?;
        let mut keys = Vec::new();
        for row in table.iter().map_err(failed)? {
            keys.extend(decode(row.map_err(failed)?.0.value()));
        }
        Ok(keys)
    }

    async fn page(&self, query: Query) -> Result<Page, JournalError> {
        let database = Arc::clone(&self.database);
        // It may read millions of entries; the threads that serve events have other things to do.
        let read = tokio::task::spawn_blocking(move || page(&database, query));
        read.await.map_err(|error| JournalError::Failed(error.to_string()))?
    }

    async fn forget_expired(&self) -> Result<usize, JournalError> {
        self.ask(|reply| Request::ForgetExpired { reply }).await
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn receipts(&self) -> &dyn ReceiptStore {
        self
    }
}

/// Reads what the query may ask for: the entries of its destinations, and of what has not ended only that.
fn page(database: &Database, query: Query) -> Result<Page, JournalError> {
    let transaction = database.begin_read().map_err(failed)?;
    let entries = transaction.open_table(ENTRIES).map_err(failed)?;
    let unended = transaction.open_table(UNENDED).map_err(failed)?;
    let ranges: Vec<(Vec<u8>, Vec<u8>)> = match &query.destinations {
        // No key begins with a byte above those of UTF-8.
        None => vec![(Vec::new(), vec![0xff])],
        Some(uids) => {
            uids.iter().map(|uid| ([uid.as_bytes(), &[0]].concat(), [uid.as_bytes(), &[1]].concat())).collect()
        }
    };
    let only_unended = query.only_unended();
    let mut newest = Newest::of(query, now());
    let mut take = |key: &[u8], entry: &[u8]| {
        // One entry that cannot be read is no reason not to show the others.
        if let (Some(key), Ok(entry)) = (decode(key), read_entry(entry)) {
            newest.take(&key, &entry);
        }
    };
    for (from, to) in &ranges {
        let range = from.as_slice()..to.as_slice();
        if only_unended {
            for row in unended.range(range).map_err(failed)? {
                let (key, _) = row.map_err(failed)?;
                if let Some(entry) = entries.get(key.value()).map_err(failed)? {
                    take(key.value(), entry.value());
                }
            }
        } else {
            for row in entries.range(range).map_err(failed)? {
                let (key, entry) = row.map_err(failed)?;
                take(key.value(), entry.value());
            }
        }
    }
    Ok(newest.page())
}

fn read_entry(bytes: &[u8]) -> Result<Entry, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Unreadable(error.to_string()))
}

fn write_entry(entry: &Entry) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(entry).map_err(|error| JournalError::Failed(error.to_string()))
}

/// The one thread that writes.
struct Writer {
    database: Arc<Database>,
    owner: Owner,
}

/// An answer that waits until what it says is on disk.
enum Pending {
    Applied(oneshot::Sender<Result<Reply, JournalError>>, Result<Reply, JournalError>),
    Forgotten(oneshot::Sender<Result<usize, JournalError>>, usize),
    Worked(Answer),
}

impl Pending {
    fn answer(self, written: &Result<(), JournalError>) {
        // A receiver that is gone belonged to a task that was cancelled; what was written stays written.
        match (self, written) {
            (Self::Applied(reply, result), Ok(())) => drop(reply.send(result)),
            (Self::Applied(reply, _), Err(error)) => drop(reply.send(Err(error.clone()))),
            (Self::Forgotten(reply, count), Ok(())) => drop(reply.send(Ok(count))),
            (Self::Forgotten(reply, _), Err(error)) => drop(reply.send(Err(error.clone()))),
            (Self::Worked(answer), written) => answer(written),
        }
    }
}

impl Writer {
    fn run(self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        while requests.blocking_recv_many(&mut group, MAX_GROUP) > 0 {
            let mut pending = Vec::with_capacity(group.len());
            let written = self.write(group.drain(..), &mut pending);
            if let Err(error) = &written {
                tracing::error!(%error, "journal write failed");
            }
            for pending in pending {
                pending.answer(&written);
            }
        }
    }

    fn write(&self, group: impl Iterator<Item = Request>, pending: &mut Vec<Pending>) -> Result<(), JournalError> {
        // Every request gets an answer, also when the transaction cannot even begin.
        let group: Vec<Request> = group.collect();
        let mut transaction = match self.database.begin_write().map_err(failed) {
            Ok(transaction) => transaction,
            Err(error) => {
                pending.extend(group.into_iter().filter_map(|request| refused(request, &error)));
                return Err(error);
            }
        };
        let durable = group.iter().any(is_durable);
        let durability = if durable { Durability::Immediate } else { Durability::None };
        let mut outcome = transaction.set_durability(durability).map_err(failed);
        for request in group {
            match request {
                Request::Apply { key, operation, reply } => {
                    let result = outcome.clone().and_then(|()| self.apply(&transaction, &key, &operation));
                    // One entry that cannot be read is refused alone; a failed write ends the whole group.
                    if let Err(error @ JournalError::Failed(_)) = &result {
                        outcome = Err(error.clone());
                    }
                    pending.push(Pending::Applied(reply, result));
                }
                Request::ForgetExpired { reply } => {
                    let result = outcome.clone().and_then(|()| forget_expired(&transaction, now()));
                    let count = result.unwrap_or_else(|error| {
                        outcome = Err(error);
                        0
                    });
                    pending.push(Pending::Forgotten(reply, count));
                }
                Request::Work { durable: _, work } => match outcome.clone().and_then(|()| work(&transaction)) {
                    Ok(answer) => pending.push(Pending::Worked(answer)),
                    Err(error) => outcome = Err(error),
                },
            }
        }
        outcome?;
        transaction.commit().map_err(failed)
    }

    fn apply(&self, transaction: &WriteTransaction, key: &Key, operation: &Operation) -> Result<Reply, JournalError> {
        let encoded = encode(key);
        let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
        let entry =
            entries.get(encoded.as_slice()).map_err(failed)?.map(|stored| read_entry(stored.value())).transpose()?;
        let asker = Asker { owner: &self.owner, now: now(), alone: true };
        let (changed, reply) = machine::apply(entry.as_ref(), operation, asker);
        let Some(changed) = changed else { return Ok(reply) };
        entries.insert(encoded.as_slice(), write_entry(&changed)?.as_slice()).map_err(failed)?;
        let mut unended = transaction.open_table(UNENDED).map_err(failed)?;
        match &changed.state {
            State::Final { outcome } => {
                unended.remove(encoded.as_slice()).map_err(failed)?;
                let mut expiry = transaction.open_table(EXPIRY).map_err(failed)?;
                expiry.insert((changed.expires, encoded.as_slice()), ()).map_err(failed)?;
                if let Some(sid) = outcome.sid() {
                    let mut sids = transaction.open_table(SIDS).map_err(failed)?;
                    sids.insert(sid, encoded.as_slice()).map_err(failed)?;
                    receipts::sent(transaction, key, sid)?;
                }
            }
            State::Claimed { .. } => drop(unended.insert(encoded.as_slice(), ()).map_err(failed)?),
            State::Open { .. } if matches!(operation, Operation::Reopen { .. }) => {
                unended.insert(encoded.as_slice(), ()).map_err(failed)?;
            }
            State::Open { .. } | State::Started { .. } => {}
        }
        Ok(reply)
    }
}

fn enroll(
    transaction: &WriteTransaction,
    key: &Key,
    enrollment: &Enrollment,
    owner: &Owner,
) -> Result<Enrolled, JournalError> {
    let encoded = encode(key);
    let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
    let mut enrolled = transaction.open_table(ENROLLED).map_err(failed)?;
    let entry_of = |entries: &Table<'_, &[u8], &[u8]>, key: &[u8]| -> Result<Option<Entry>, JournalError> {
        entries.get(key).map_err(failed)?.map(|stored| read_entry(stored.value())).transpose()
    };
    let mut others = Vec::new();
    let moments = enrollment.moments();
    for place in &enrollment.keys {
        let at = |moment| (place.0.as_slice(), moment, [].as_slice());
        for row in enrolled.range(at(*moments.start())..at(moments.end().saturating_add(1))).map_err(failed)? {
            let (row, _) = row.map_err(failed)?;
            let (_, _, holder) = row.value();
            if holder == encoded {
                continue;
            }
            if let (Some(known), Some(entry)) = (decode(holder), entry_of(&entries, holder)?) {
                others.push((known.message_id, entry));
            }
        }
    }
    let asker = Asker { owner, now: now(), alone: true };
    let reply = enrollment::enroll(others.iter().map(|(id, entry)| (id.clone(), entry)), asker);
    if reply == Enrolled::Held
        && let Some(mut entry) = entry_of(&entries, &encoded)?
    {
        for place in enrollment.places().filter(|place| !entry.enrolled.contains(place)).collect::<Vec<_>>() {
            enrolled.insert((place.key.0.as_slice(), place.at, encoded.as_slice()), ()).map_err(failed)?;
            entry.enrolled.push(place);
        }
        entries.insert(encoded.as_slice(), write_entry(&entry)?.as_slice()).map_err(failed)?;
    }
    Ok(reply)
}

/// Forgets what an event that is forgotten has enrolled.
fn strike(transaction: &WriteTransaction, key: &[u8], places: &[Place]) -> Result<(), JournalError> {
    let mut enrolled = transaction.open_table(ENROLLED).map_err(failed)?;
    for place in places {
        enrolled.remove((place.key.0.as_slice(), place.at, key)).map_err(failed)?;
    }
    Ok(())
}

fn refused(request: Request, error: &JournalError) -> Option<Pending> {
    match request {
        Request::Apply { reply, .. } => Some(Pending::Applied(reply, Err(error.clone()))),
        Request::ForgetExpired { reply } => Some(Pending::Forgotten(reply, 0)),
        // Whoever waits for it sees that it was dropped.
        Request::Work { .. } => None,
    }
}

/// A start must be on disk before a byte leaves, an end before it is answered. A claim or a release that is lost with the
/// process costs nothing: before a start nothing has left, and after one Twilio is looked at again.
fn is_durable(request: &Request) -> bool {
    match request {
        Request::Apply { operation, .. } => match operation {
            Operation::Start { .. }
            | Operation::Finish { .. }
            | Operation::GiveUp { .. }
            | Operation::Resolve { .. }
            | Operation::Reopen { .. } => true,
            Operation::Claim { .. } | Operation::Release { .. } | Operation::Adopt => false,
        },
        Request::ForgetExpired { .. } => false,
        Request::Work { durable, .. } => *durable,
    }
}

/// Takes the keys that are due out of the order in which things are forgotten, a bounded number at a time.
pub(in crate::delivery) fn take_due(
    expiry: &mut Table<'_, (i64, &[u8]), ()>,
    now: UnixMillis,
) -> Result<Vec<Vec<u8>>, JournalError> {
    let mut due = Vec::new();
    for row in expiry.iter().map_err(failed)?.take(MAX_FORGOTTEN) {
        let (row, _) = row.map_err(failed)?;
        let (expires, key) = row.value();
        if expires > now {
            break;
        }
        due.push((expires, key.to_vec()));
    }
    for (expires, key) in &due {
        expiry.remove((*expires, key.as_slice())).map_err(failed)?;
    }
    Ok(due.into_iter().map(|(_, key)| key).collect())
}

fn forget_expired(transaction: &WriteTransaction, now: UnixMillis) -> Result<usize, JournalError> {
    let mut expiry = transaction.open_table(EXPIRY).map_err(failed)?;
    let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
    let mut sids = transaction.open_table(SIDS).map_err(failed)?;
    let mut forgotten = 0;
    for key in take_due(&mut expiry, now)? {
        let stored =
            entries.get(key.as_slice()).map_err(failed)?.map(|stored| read_entry(stored.value())).transpose()?;
        // An event that came again after it was forgotten has an entry of its own by now.
        let Some(Entry { state: State::Final { outcome }, expires: current, enrolled, .. }) = stored else { continue };
        if current > now {
            continue;
        }
        entries.remove(key.as_slice()).map_err(failed)?;
        strike(transaction, &key, &enrolled)?;
        if let Some(sid) = outcome.sid() {
            sids.remove(sid).map_err(failed)?;
        }
        forgotten += 1;
    }
    Ok(forgotten)
}
