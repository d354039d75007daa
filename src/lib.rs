//! Segment events become WhatsApp conversations with agents in Twilio Flex.
//!
//! Read in the order in which an event travels: [`gateway`] takes the request, [`segment`] says whether it is genuine and
//! what it contains, [`delivery`] decides and sends through [`twilio`]. [`controller`] keeps the account as the resources
//! of [`api`] say, and [`standalone`] runs both from a folder.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod cli;
pub mod controller;
pub mod delivery;
pub mod gateway;
pub mod kubernetes;
pub mod metrics;
pub mod segment;
pub mod standalone;
pub mod studio;
pub mod twilio;
