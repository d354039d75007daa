//! Segment: the Profile API and the Tracking API it offers, and the way it delivers events to a webhook.

pub mod events;
pub mod load;
pub mod profiles;
pub mod sender;
pub mod signature;
pub mod tracking;
