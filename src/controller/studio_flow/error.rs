//! What can keep a flow from being in step, and whether anybody has to act on it.

use std::sync::Arc;

use crate::{
    api::{conditions, reasons::condition as reasons},
    controller::{
        cluster::ClusterError,
        condition_writer::{Outlook, joined},
        credentials::SecretProblem,
        disposition::reason_of,
    },
    studio::{FillError, Finding, lint::severities::SeverityError},
    twilio::{TwilioError, sid::SidError},
};

/// A reconcile of a flow that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// `field` is where the definition is written.
    #[error("{field}: {}", joined(.problems.iter().map(ToString::to_string)))]
    Definition { field: &'static str, problems: Vec<Finding> },
    #[error("spec: set either definition or definitionFrom")]
    NoDefinition,
    #[error("spec.lint.severities: {0}")]
    Severity(#[from] SeverityError),
    #[error("spec.adopt.sid: {0}")]
    AdoptedSid(#[source] SidError),
    #[error("spec.adopt: set either sid or friendlyName")]
    NothingAdopted,
    #[error("spec.definitionFrom: {0}")]
    ConfigMap(#[from] ConfigMapProblem),
    #[error("{}", joined(.0.iter().map(|(index, error)| format!("spec.references[{index}]: {error}"))))]
    Fill(Vec<(usize, FillError)>),
    #[error("spec.twilio.credentialsRef: {0}")]
    Secret(#[from] SecretProblem),
    #[error("{}", joined(.0.iter().map(|problem| problem.message.clone())))]
    Names(Vec<NameProblem>),
    /// A name could not be looked up.
    #[error("failed to {doing}: {source}")]
    LookUp {
        doing: &'static str,
        #[source]
        source: Arc<TwilioError>,
    },
    #[error("failed to {doing}: {source}")]
    Twilio {
        doing: &'static str,
        #[source]
        source: Arc<TwilioError>,
    },
    /// The flow may have been made, or may be yet: it is looked for before anything else.
    #[error("the answer to the create of the flow was lost: {0}")]
    CreateInterrupted(#[source] TwilioError),
    /// Somebody else saves as often as we look.
    #[error("somebody else is writing to the flow at the same time: it is looked at again")]
    NoRest,
    /// Studio itself says what is wrong; the places are told by the names of widgets.
    #[error("Studio refuses the definition: {}", joined(.0.iter().cloned()))]
    RefusedByStudio(Vec<String>),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A ConfigMap that gives no definition.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfigMapProblem {
    #[error("there is no ConfigMap `{name}` in namespace `{namespace}`: create it, or correct the name")]
    NotFound { namespace: String, name: String },
    #[error("ConfigMap `{name}` has no key `{key}` with text")]
    KeyMissing { name: String, key: String },
    #[error("ConfigMap `{name}`, key `{key}`: not the JSON of a Studio export: {problem}")]
    NotJson { name: String, key: String, problem: String },
    #[error(transparent)]
    Unreadable(ClusterError),
}

impl ConfigMapProblem {
    /// The reason that a condition gives.
    const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => reasons::CONFIG_MAP_NOT_FOUND,
            Self::KeyMissing { .. } => reasons::CONFIG_MAP_KEY_MISSING,
            Self::NotJson { .. } => reasons::DEFINITION_INVALID,
            Self::Unreadable(_) => reasons::CONFIG_MAP_UNREADABLE,
        }
    }
}

/// A name that is not that of exactly one thing in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameProblem {
    pub reason: &'static str,
    pub message: String,
    /// Whether it may pass without anybody doing anything.
    pub may_pass: bool,
}

impl FlowError {
    /// A failed call, and what it was for.
    pub fn twilio(doing: &'static str) -> impl FnOnce(TwilioError) -> Self {
        move |error| Self::Twilio { doing, source: Arc::new(error) }
    }

    /// The condition that is not true because of it.
    pub const fn condition(&self) -> &'static str {
        match self {
            Self::Definition { .. }
            | Self::NoDefinition
            | Self::Severity(_)
            | Self::AdoptedSid(_)
            | Self::NothingAdopted
            | Self::ConfigMap(ConfigMapProblem::NotJson { .. })
            | Self::Fill(_) => conditions::ACCEPTED,
            Self::ConfigMap(_) | Self::Secret(_) | Self::Names(_) | Self::LookUp { doing: _, source: _ } => {
                conditions::RESOLVED_REFS
            }
            Self::Twilio { doing: _, source: _ }
            | Self::CreateInterrupted(_)
            | Self::NoRest
            | Self::RefusedByStudio(_)
            | Self::Cluster(_) => conditions::SYNCED,
        }
    }

    /// The reason that the condition gives.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Definition { .. } | Self::RefusedByStudio(_) => reasons::DEFINITION_INVALID,
            Self::ConfigMap(problem) => problem.reason(),
            Self::NoDefinition | Self::Severity(_) | Self::Fill(_) | Self::AdoptedSid(_) | Self::NothingAdopted => {
                reasons::INVALID_SPEC
            }
            Self::Secret(problem) => problem.reason(),
            Self::Names(problems) => problems.first().map_or(reasons::REFERENCE_NOT_FOUND, |problem| problem.reason),
            Self::Twilio { doing: _, source } | Self::LookUp { doing: _, source } => reason_of(source),
            Self::CreateInterrupted(_) => reasons::CREATE_INTERRUPTED,
            Self::NoRest => reasons::FLOW_NOT_READY,
            Self::Cluster(_) => reasons::API_UNAVAILABLE,
        }
    }

    /// Whether it says nothing about the flow, only that this was not the time to look.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Twilio { doing: _, source } | Self::LookUp { doing: _, source } => source.is_transient(),
            Self::Secret(SecretProblem::Unreadable(_))
            | Self::ConfigMap(ConfigMapProblem::Unreadable(_))
            | Self::Cluster(_) => true,
            Self::Secret(SecretProblem::NotFound { .. } | SecretProblem::Key(_))
            | Self::ConfigMap(_)
            | Self::Definition { .. }
            | Self::NoDefinition
            | Self::Severity(_)
            | Self::AdoptedSid(_)
            | Self::NothingAdopted
            | Self::Fill(_)
            | Self::Names(_)
            | Self::CreateInterrupted(_)
            | Self::NoRest
            | Self::RefusedByStudio(_) => false,
        }
    }

    /// Whether all that is missing may come without anybody doing anything, as when everything is applied at once.
    pub fn may_be_found_yet(&self) -> bool {
        matches!(self, Self::Names(problems) if problems.iter().all(|problem| problem.may_pass))
    }

    /// Whether it is known by then that the spec describes a flow.
    pub const fn is_accepted(&self) -> bool {
        !matches!(
            self,
            Self::Definition { .. }
                | Self::NoDefinition
                | Self::Severity(_)
                | Self::AdoptedSid(_)
                | Self::NothingAdopted
                | Self::ConfigMap(_)
                | Self::Fill(_)
        )
    }

    /// Whether waiting or acting helps.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Secret(SecretProblem::NotFound { .. })
            | Self::ConfigMap(ConfigMapProblem::NotFound { .. })
            | Self::CreateInterrupted(_)
            | Self::NoRest => Outlook::Waiting,
            error if error.may_be_found_yet() => Outlook::Waiting,
            error if error.is_transient() => Outlook::Waiting,
            _ => Outlook::Stuck,
        }
    }
}
