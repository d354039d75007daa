//! The Studio flow definition as plain data: parse, lint, canonical form, comparison, references. No I/O, and nothing
//! of ours beneath it.
//!
//! A definition is kept as it was written: printing it gives back what was read. What two definitions mean is compared by
//! their [canonical form](canonical), never by their text.

pub mod canonical;
pub mod condition;
pub mod content;
pub mod definition;
pub mod diagram;
pub mod difference;
pub mod ids;
pub mod lint;
mod liquid;
pub mod mention;
pub mod patch;
pub mod place;
pub mod placeholder;
pub mod references;
pub mod subflow;
mod unwrap;
pub mod widget;

pub use canonical::DefinitionHash;
pub use definition::FlowDefinition;
pub use diagram::Picture;
pub use difference::Difference;
pub use lint::finding::Finding;
pub use references::{FUNCTION_PROPERTIES, FillError, FunctionAddress};
