//! The Studio flow definition as plain data: parse, check, canonical form, comparison, references. No I/O, and nothing
//! of ours beneath it.
//!
//! A definition is kept as it was written: printing it gives back what was read. What two definitions mean is compared by
//! their [canonical form](canonical), never by their text.

pub mod canonical;
pub mod check;
pub mod definition;
pub mod difference;
pub mod place;
pub mod placeholder;
pub mod problem;
pub mod references;
pub mod subflow;

pub use canonical::DefinitionHash;
pub use definition::FlowDefinition;
pub use problem::{Problem, ProblemKind};
pub use references::{FillError, FunctionAddress};
