//! Segment's side: what it posts, how it signs, and the Profile API.

pub mod body;
pub mod credentials;
pub mod engage;
pub mod event;
pub mod identifiers;
pub mod profile;
pub mod proof;
pub mod regional;
pub mod signature;
pub mod subscriptions;
pub mod token;
pub mod tracking;

pub use credentials::SegmentCredentials;
pub use event::{Event, MessageId};
pub use regional::RegionalUrls;
