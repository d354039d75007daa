//! The simulator as its users meet it: over HTTP, and through its Rust methods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod conversations;
mod faults;
mod messages;
mod profiles;
mod program;
mod sender;
mod studio;
mod wire;
