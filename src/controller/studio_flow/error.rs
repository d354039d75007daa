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
    studio::{FillError, Problem},
    twilio::TwilioError,
};

/// A reconcile of a flow that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error("spec.definition: {}", joined(.0.iter().map(ToString::to_string)))]
    Definition(Vec<Problem>),
    #[error("{}", joined(.0.iter().map(|(index, error)| format!("spec.references[{index}]: {error}"))))]
    Fill(Vec<(usize, FillError)>),
    #[error("spec.twilio.credentialsRef: {0}")]
    Secret(#[from] SecretProblem),
    #[error("{}", joined(.0.iter().map(|problem| problem.message.clone())))]
    Names(Vec<NameProblem>),
    #[error("failed to {doing}: {source}")]
    Twilio {
        doing: &'static str,
        #[source]
        source: Arc<TwilioError>,
    },
    /// Studio itself says what is wrong; the places are told by the names of widgets.
    #[error("Studio refuses the definition: {}", joined(.0.iter().cloned()))]
    RefusedByStudio(Vec<String>),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A name that is not that of exactly one thing in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameProblem {
    pub reason: &'static str,
    pub message: String,
}

impl FlowError {
    /// A failed call, and what it was for.
    pub fn twilio(doing: &'static str) -> impl FnOnce(TwilioError) -> Self {
        move |error| Self::Twilio { doing, source: Arc::new(error) }
    }

    /// The condition that is not true because of it.
    pub const fn condition(&self) -> &'static str {
        match self {
            Self::Definition(_) | Self::Fill(_) | Self::RefusedByStudio(_) => conditions::ACCEPTED,
            Self::Secret(_) | Self::Names(_) => conditions::RESOLVED_REFS,
            Self::Twilio { doing: _, source: _ } | Self::Cluster(_) => conditions::SYNCED,
        }
    }

    /// The reason that the condition gives.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Definition(_) | Self::RefusedByStudio(_) => reasons::DEFINITION_INVALID,
            Self::Fill(_) => reasons::INVALID_SPEC,
            Self::Secret(problem) => problem.reason(),
            Self::Names(problems) => problems.first().map_or(reasons::REFERENCE_NOT_FOUND, |problem| problem.reason),
            Self::Twilio { doing: _, source } => reason_of(source),
            Self::Cluster(_) => reasons::API_UNAVAILABLE,
        }
    }

    /// Whether waiting or acting helps.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Definition(_) | Self::Fill(_) | Self::RefusedByStudio(_) | Self::Names(_) => Outlook::Stuck,
            Self::Secret(SecretProblem::Key(_)) => Outlook::Stuck,
            Self::Secret(SecretProblem::NotFound { .. } | SecretProblem::Unreadable(_)) | Self::Cluster(_) => {
                Outlook::Waiting
            }
            Self::Twilio { doing: _, source } if source.is_transient() => Outlook::Waiting,
            Self::Twilio { doing: _, source: _ } => Outlook::Stuck,
        }
    }
}
