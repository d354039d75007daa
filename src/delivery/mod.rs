//! How one event becomes at most one effect at Twilio: what is decided, what is sent, and what is remembered of it.
//!
//! [`engine`] is the road; [`plan`] holds what is sent; [`journal`] the memory; `steps` decides what is done next by an action,
//! and `whatsapp`, `conversation` and `interaction` do it.

pub mod batch;
pub mod condition;
mod consent;
mod conversation;
pub mod credentials;
pub mod desk;
pub mod destination;
pub mod engine;
mod enrich;
mod enrollment;
pub mod fault;
mod interaction;
pub mod journal;
mod lenient;
pub mod metrics;
#[cfg(test)]
mod model;
mod observe;
pub mod outcome;
pub mod pace;
pub mod phone;
pub mod plan;
pub mod receipts;
pub mod recipients;
pub mod recovery;
mod seeded;
mod send;
mod steps;
pub mod tally;
mod task;
pub mod template;
pub mod variables;
mod whatsapp;
