//! What is known beside a definition. Each part of it may be unknown: then what hangs on it is not judged, and is
//! [listed](super::not_run) as not judged.

use std::collections::BTreeSet;

use crate::studio::{content::Templates, subflow::Subflows};

/// What is known. By default nothing is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Properties that are filled in later, by widget and property as in
    /// [`FlowDefinition::fill`](crate::studio::FlowDefinition::fill). Without them it is not known what becomes of a placeholder.
    pub references: Option<&'a [(&'a str, &'a str)]>,
    /// The content templates that were looked up in the account.
    pub templates: Option<&'a Templates>,
    /// The names of what whoever starts the flow gives it, `{{flow.data.NAME}}`.
    pub parameters: Option<&'a BTreeSet<String>>,
    /// The flows that it runs, as far as they are at hand.
    pub subflows: Option<&'a Subflows>,
}

impl<'a> Known<'a> {
    /// No more than the properties that are filled in.
    pub const fn references(references: &'a [(&'a str, &'a str)]) -> Self {
        Self { references: Some(references), templates: None, parameters: None, subflows: None }
    }
}
