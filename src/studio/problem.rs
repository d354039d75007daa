//! What is wrong with a definition, said by the name of the widget and the place in the JSON.

use std::fmt;

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The widget it is in, where it is in one.
    pub widget: Option<String>,
    /// JSON pointer from the top of the definition, such as `/states/3/transitions/0/next`.
    pub pointer: String,
    pub kind: ProblemKind,
}

/// The kinds of problem that Studio would refuse, or worse, would take.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ProblemKind {
    #[error("a flow definition is a JSON object, the JSON of a Studio export")]
    NotAnObject,
    #[error("this is an answer of Studio's API, not a definition: use what is under `definition`")]
    ApiAnswer,
    #[error(
        "this is an export in the format from before Studio's v2 API, which Studio no longer takes: open the flow in the Console, save it, and export it again"
    )]
    LegacyExport,
    #[error("`{0}` is missing: {1}")]
    Missing(&'static str, &'static str),
    #[error("{0}")]
    WrongType(&'static str),
    #[error("no widget is called `{0}`")]
    UnknownWidget(String),
    #[error("the initial state `{0}` is not a trigger")]
    InitialStateNotTrigger(String),
    #[error("another widget is called `{0}` too")]
    DuplicateName(String),
    #[error("the transition `{event}` has `name` where `next` is meant: Studio takes it and ends the branch")]
    NameForNext { event: String },
    #[error("the placeholder `{0}` is not filled: add an entry to `references` for it, or write the value")]
    UnresolvedPlaceholder(String),
    #[error("`{0}` only stands for a SID: add an entry to `references` for it, or write the SID")]
    PlaceholderSid(String),
    #[error("`{0}` is empty: add an entry to `references` for it, or write the value")]
    EmptyReference(&'static str),
}

impl Problem {
    /// A problem of the flow as a whole.
    pub fn of_the_flow(pointer: impl Into<String>, kind: ProblemKind) -> Self {
        Self { widget: None, pointer: pointer.into(), kind }
    }

    /// A problem of one widget.
    pub fn of(widget: Option<&str>, pointer: impl Into<String>, kind: ProblemKind) -> Self {
        Self { widget: widget.map(str::to_owned), pointer: pointer.into(), kind }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(widget) = &self.widget {
            write!(f, "widget `{widget}`: ")?;
        }
        write!(f, "{}", self.kind)?;
        if self.pointer.is_empty() { Ok(()) } else { write!(f, " (at {})", self.pointer) }
    }
}
