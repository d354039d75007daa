//! `Timers.Inactive` and `Timers.Closed`: ISO 8601 durations with a minimum, and on create only together with `State`
//! (twilio.md 6.2).

use crate::call::{Call, Failure};
use crate::clock::{Millis, duration_ms};

/// The timers of one request; `None` means not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Idle time until inactive.
    pub inactive: Option<Millis>,
    /// Idle time until closed.
    pub closed: Option<Millis>,
}

impl Timers {
    /// Reads and checks both.
    pub fn of(call: &Call) -> Result<Self, Failure> {
        Ok(Self {
            inactive: timer(call.param("Timers.Inactive"), "Inactive", 60_000, 50379, 50375)?,
            closed: timer(call.param("Timers.Closed"), "Closed", 600_000, 50380, 50376)?,
        })
    }

    /// Whether one is given.
    pub const fn any(self) -> bool {
        self.inactive.is_some() || self.closed.is_some()
    }
}

fn timer(text: Option<&str>, name: &str, min: Millis, format: u32, minimum: u32) -> Result<Option<Millis>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match duration_ms(text) {
        None => Err(Failure::bad(format, format!("{name} timer '{text}' is not an ISO 8601 duration"))),
        Some(length) if length < min => {
            Err(Failure::bad(minimum, format!("{name} timer '{text}' is below the minimum of {} s", min / 1000)))
        }
        Some(length) => Ok(Some(length)),
    }
}
