//! Keeps the Twilio account as the resources say, in six steps for each kind:
//! `dereference → validate → observe → plan → apply → report`.
//!
//! Steps that hold decisions (`validate`, `plan`, `verify`) take no client, no clock and are not async. Whatever drives the
//! reconcilers calls `reconcile` of a kind and heeds the [`Requeue`] or the [`Disposition`] of the error.

pub mod account;
pub mod cluster;
pub mod condition_writer;
mod config_map_watch;
pub mod context;
pub mod credentials;
pub mod deliveries;
pub mod disposition;
pub mod driver;
pub mod engage_destination;
#[cfg(test)]
mod fake_cluster;
pub mod names;
#[cfg(test)]
mod samples;
mod shared_read;
pub mod studio_flow;
mod turns;
#[cfg(test)]
mod without_twilio;

pub use cluster::{Cluster, ClusterError, ConfigMapData, Programmed};
pub use context::Context;
pub use disposition::{Disposition, ReconcileError, Requeue};
