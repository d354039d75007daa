//! Whether the spec can be worked with at all. No client: what depends on the account is for `observe` and `verify`.

use crate::{
    api::{EngageDestinationSpec, admission::Rejection},
    delivery::destination::Destination,
};

/// Reads the spec as the gateway will. All that is wrong with it is reported at once.
pub fn validate(spec: &EngageDestinationSpec) -> Result<Destination, Vec<Rejection>> {
    Destination::compile(spec)
}
