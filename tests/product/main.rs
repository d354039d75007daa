//! The product as its users meet it: the real binary, with the simulator as Twilio and Segment. One file an intent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines)]

mod active;
mod architecture;
mod bad_input;
mod batches;
mod burst;
mod cluster;
mod consent;
mod conversation;
mod deliveries;
mod documentation;
mod entries;
mod event_forms;
mod flow_account;
mod flow_guards;
mod flow_lifecycle;
mod flow_pictures;
mod flow_references;
mod harness;
mod interaction;
mod kill;
mod lint;
mod misconfigured;
mod openings;
mod original_failures;
mod pace;
mod preview;
mod provisioning;
mod reconcilers;
mod reports;
mod segment;
mod templates;
mod verification;
mod whatsapp;
