//! Segment's side: what it posts, how it signs, and the Profile API.

pub mod body;
pub mod credentials;
pub mod event;
pub mod profile;
pub mod signature;
pub mod tracking;

pub use credentials::SegmentCredentials;
pub use event::{Event, MessageId};
