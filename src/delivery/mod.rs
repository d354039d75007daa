//! How one event becomes at most one effect at Twilio: what is decided, what is sent, and what is remembered of it.

pub mod condition;
pub mod destination;
pub mod fault;
pub mod journal;
mod lenient;
pub mod outcome;
pub mod phone;
pub mod plan;
pub mod template;
pub mod variables;
