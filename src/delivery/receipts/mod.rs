//! What became of a message after Twilio took it: sent on, delivered, read, or failed late. Twilio tells it by callbacks that
//! come in any order, several times, and sometimes before the answer to the request that made the message. Of a message that
//! opens a conversation it tells nothing, so its receipts are read a few times: [`look`] says when, [`lookups`] does it.
//!
//! [`progress`] holds the rules, [`record`] what is kept of one event; [`store`] keeps it beside the journal. What is told for
//! the first time is counted, and [`announcement`] makes of it an event for Segment, which leaves by the [`outbox`].

pub mod announcement;
pub(super) mod file;
mod follow;
pub mod look;
pub mod lookups;
mod memory;
pub mod metrics;
pub mod outbox;
pub mod progress;
pub mod reason;
pub mod record;
pub mod store;
#[cfg(test)]
mod store_tests;

pub use memory::MemoryReceipts;
pub use progress::{Receipt, Status};
pub use record::{Expected, Record, Subject};
pub use store::{ReceiptStore, Taken};
