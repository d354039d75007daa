//! Studio v2 (twilio.md 3): flows with revisions, validation, and a runtime small enough to read and good enough to
//! see a customer's reply arrive at an agent.

pub mod executions;
pub mod flows;
pub mod liquid;
pub mod revisions;
pub mod runtime;
pub mod store;
pub mod validate;
pub mod widgets;
