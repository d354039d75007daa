//! What a rule found: which rule, how bad, where, and what to do.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It works, and not as its author thinks, or not always.
    Warning,
    /// Studio refuses it, or takes it and a customer is let down.
    Error,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The rule, such as `unknown-next`.
    pub code: &'static str,
    pub severity: Severity,
    /// The widget it is in, where it is in one.
    pub widget: Option<String>,
    /// JSON pointer from the top of the definition, such as `/states/3/transitions/0/next`; empty for the whole.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// An error of the document as a whole.
    pub(in crate::studio) fn of_the_document(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, widget: None, pointer: String::new(), message: message.into() }
    }
}

/// Without the severity, which whoever lists findings says for all of them.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity: _, widget, pointer, message } = self;
        if let Some(widget) = widget {
            write!(f, "widget `{widget}`: ")?;
        }
        f.write_str(message)?;
        if !pointer.is_empty() {
            write!(f, " (at {pointer})")?;
        }
        write!(f, " [{code}]")
    }
}
