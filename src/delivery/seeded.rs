//! Defects that are put in on purpose, to see that killing the program at random finds them, as the model checker does. They are in
//! programs that are built for tests only: a release build has neither the variable nor a way to them.

/// A defect, under the name that the model has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    SendBeforeStart,
    /// The first look that finds nothing is taken as proof.
    ResendWithoutSettling,
    /// An attempt that was cut off is taken over like a claim.
    TakeOverStarted,
}

/// Whether `ENGAGE_SEEDED_BUG` names this one.
#[cfg(debug_assertions)]
pub fn is_seeded(bug: Bug) -> bool {
    static SEEDED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let seeded = SEEDED.get_or_init(|| std::env::var("ENGAGE_SEEDED_BUG").ok());
    seeded.as_ref().is_some_and(|seeded| *seeded == format!("{bug:?}"))
}

#[cfg(not(debug_assertions))]
pub const fn is_seeded(_bug: Bug) -> bool {
    false
}
