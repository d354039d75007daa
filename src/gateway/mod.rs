//! Serves the webhooks of all destinations: who asks, is it genuine, and what is the answer.

pub mod admin;
pub mod answer;
mod batch;
mod body;
mod callbacks;
pub mod desk;
pub mod destinations;
pub mod local;
mod prove;
pub mod serve;
pub mod service;
pub mod table;

pub use destinations::{Gateway, router};
pub use table::{RouteTable, Routes};
