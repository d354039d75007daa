//! How one event becomes at most one effect at Twilio: what is decided, what is sent, and what is remembered of it.

pub mod condition;
pub mod destination;
mod lenient;
pub mod phone;
pub mod template;
