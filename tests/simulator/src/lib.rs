//! Twilio and Segment on loopback: stateful, strict, with faults on demand.
//!
//! [`Simulator::start`] listens on one address. Twilio's products are under `/twilio/{product}`, Segment's Profile and
//! Tracking APIs under `/segment/profiles` and `/segment/tracking`, the control API under `/_sim`. What it accepts is
//! written down in `tables/*.json`, each row with its source; what is not there is an error.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use engage_simulator::{FaultKind, FaultRule, Options, Simulator};
//!
//! let sim = Simulator::start(Options::default()).await?;
//! sim.set_faults(vec![FaultRule::on("messages.create", FaultKind::DropAfter).times(1)]);
//! // … call the product with sim.twilio_base_url() …
//! assert_eq!(sim.state().messages.len(), 1);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod account;
mod actions;
mod call;
mod clock;
mod control;
mod dispatch;
mod faults;
mod form;
mod limits;
mod lock;
mod log;
mod options;
mod request;
mod rng;
mod sids;
mod simulator;
mod snapshot;
mod tables;
mod twilio;
mod world;

pub mod seed;
pub mod segment;
mod server;

pub use faults::{FaultKind, FaultMatch, FaultRule};
pub use log::LogEntry;
pub use options::{Options, PageUrls};
pub use seed::{Profile, Seed};
pub use simulator::Simulator;
pub use snapshot::{InteractionState, MessageState, State};
pub use tables::Product;
pub use twilio::callbacks::CallbackRecord;
pub use twilio::conversations::inbound::Reply;
pub use twilio::conversations::store::{
    Conversation, ConversationMessage, Participant, Receipt, State as ConversationState, UnmatchedReply, Webhook,
};
pub use twilio::flex::{Interaction, Task};
pub use twilio::signature::sign as sign_callback;
pub use twilio::studio::store::{Execution, Flow, Revision, Step};
