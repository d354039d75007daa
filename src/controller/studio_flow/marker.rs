//! The mark by which a flow in the account is known to be ours. Studio has no tags and its friendly names are not unique,
//! so the mark is the commit message of each revision that is written:
//! `engage-operator {cluster-id}/{namespace}/{name} hash={12 digits}`.

use crate::{
    api::{ObjectKey, StudioFlow, annotations::COMMIT_MESSAGE_PREFIX},
    studio::DefinitionHash,
};

/// The mark of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// The mark of `flow`. A cluster rebuilt from git under the same id finds its flows again.
    pub fn new(cluster_id: &str, flow: &StudioFlow) -> Self {
        Self(format!("{cluster_id}/{}", ObjectKey::of(flow)))
    }

    /// The commit message of a revision.
    pub fn commit_message(&self, hash: &DefinitionHash) -> String {
        format!("{COMMIT_MESSAGE_PREFIX} {} hash={}", self.0, hash.short())
    }

    /// Whether this resource wrote the revision with that commit message.
    pub fn wrote(&self, commit_message: Option<&str>) -> bool {
        let rest = commit_message.and_then(|message| message.strip_prefix(COMMIT_MESSAGE_PREFIX));
        let rest = rest.and_then(|rest| rest.strip_prefix(' ')).and_then(|rest| rest.strip_prefix(self.0.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_revisions_are_known_again() {
        let marker = Marker("prod/marketing/agent".into());
        for ours in ["engage-operator prod/marketing/agent hash=0123456789ab", "engage-operator prod/marketing/agent"] {
            assert!(marker.wrote(Some(ours)), "{ours}");
        }
        for foreign in [
            None,
            Some(""),
            Some("engage-operator prod/marketing/agent-two hash=0123456789ab"),
            Some("engage-operator test/marketing/agent hash=0123456789ab"),
            Some("fixed engage-operator prod/marketing/agent"),
        ] {
            assert!(!marker.wrote(foreign), "{foreign:?}");
        }
    }
}
