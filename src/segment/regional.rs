//! Segment keeps each workspace in one region, and its APIs are found there alone: what is sent to the other is lost.

use std::sync::Arc;

use crate::api::engage_destination::SegmentRegion;

/// Where one of Segment's APIs is found, by region.
#[derive(Debug, Clone)]
pub struct RegionalUrls {
    us: Arc<str>,
    eu: Arc<str>,
}

impl RegionalUrls {
    pub(super) fn new(us: &str, eu: &str) -> Self {
        Self { us: us.into(), eu: eu.into() }
    }

    /// One address for every region. A trailing slash is ignored.
    pub fn fixed(base: &str) -> Self {
        let base: Arc<str> = base.trim_end_matches('/').into();
        Self { us: Arc::clone(&base), eu: base }
    }

    pub(super) fn of(&self, region: SegmentRegion) -> &str {
        match region {
            SegmentRegion::Us => &self.us,
            SegmentRegion::Eu => &self.eu,
        }
    }
}
