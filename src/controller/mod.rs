//! Keeps the Twilio account as the resources say, in six steps for each kind:
//! `dereference → validate → observe → plan → apply → report`.

pub mod cluster;
