//! The mark by which a flow in the account is known to be ours. Studio has no tags and its friendly names are not unique,
//! so the mark is the commit message of each revision that is written:
//! `engage-operator {cluster-id}/{namespace}/{name} hash={12 digits} …`, followed by where it comes from.
//!
//! A revision that saves somebody else's again says `restores={number}`: the hand is ours, what it says is theirs.

use kube::ResourceExt;

use crate::api::{
    ObjectKey, StudioFlow,
    annotations::{COMMIT_MESSAGE_PREFIX, SOURCE_REVISION},
};

/// Longest commit message in bytes. Studio's own bound is not documented; what says where a revision comes from is left out
/// before what says whose it is.
const MAX_LENGTH: usize = 255;

/// The mark of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    name: String,
    /// Where a revision comes from, for people: ` source=… uid=…`.
    origin: Vec<String>,
}

/// Whose a revision is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WrittenBy {
    /// This resource: what it says is what the resource said then, by the first digits of its hash.
    Us {
        hash: Option<String>,
    },
    /// This resource, to save this revision of somebody else again.
    UsRestoring(i64),
    SomebodyElse,
}

impl WrittenBy {
    /// Whether this resource saved it, whatever it says.
    pub const fn is_our_hand(&self) -> bool {
        matches!(self, Self::Us { .. } | Self::UsRestoring(_))
    }
}

impl Marker {
    /// The mark of `flow`. A cluster rebuilt from git under the same id finds its flows again.
    pub fn new(cluster_id: &str, flow: &StudioFlow) -> Self {
        let source = flow.annotations().get(SOURCE_REVISION).map(|source| format!("source={}", one_word(source)));
        let generation = || flow.metadata.generation.map(|generation| format!("generation={generation}"));
        let uid = flow.metadata.uid.as_deref().map(|uid| format!("uid={}", one_word(uid)));
        Self {
            name: format!("{cluster_id}/{}", ObjectKey::of(flow)),
            origin: source.or_else(generation).into_iter().chain(uid).collect(),
        }
    }

    /// The commit message of a revision that says what the resource says.
    pub fn commit_message(&self, mark: &str) -> String {
        self.message(&format!("hash={mark}"))
    }

    /// The commit message of a revision that says what revision `number`, somebody else's, said.
    pub fn restores(&self, number: i64) -> String {
        self.message(&format!("restores={number}"))
    }

    fn message(&self, what: &str) -> String {
        let mut message = format!("{COMMIT_MESSAGE_PREFIX} {} {what}", self.name);
        for origin in &self.origin {
            if message.len() + 1 + origin.len() <= MAX_LENGTH {
                message.push(' ');
                message.push_str(origin);
            }
        }
        message
    }

    /// Whose the revision with that commit message is.
    pub fn written_by(&self, commit_message: Option<&str>) -> WrittenBy {
        let rest = commit_message.and_then(|message| message.strip_prefix(COMMIT_MESSAGE_PREFIX));
        let rest = rest.and_then(|rest| rest.strip_prefix(' ')).and_then(|rest| rest.strip_prefix(self.name.as_str()));
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(' ')) else {
            return WrittenBy::SomebodyElse;
        };
        let value = |key: &str| rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        match value("restores").and_then(|number| number.parse().ok()) {
            Some(number) => WrittenBy::UsRestoring(number),
            None => WrittenBy::Us { hash: value("hash").map(str::to_owned) },
        }
    }
}

fn one_word(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(origin: &[&str]) -> Marker {
        Marker { name: "prod/marketing/agent".into(), origin: origin.iter().map(|&word| word.to_owned()).collect() }
    }

    #[test]
    fn only_its_own_revisions_are_known_again() {
        let marker = marker(&[]);
        let by = |message| marker.written_by(Some(message));
        for (message, hash) in [
            ("engage-operator prod/marketing/agent hash=0123456789ab", Some("0123456789ab")),
            ("engage-operator prod/marketing/agent hash=0123456789ab source=v1.2 uid=u", Some("0123456789ab")),
            ("engage-operator prod/marketing/agent", None),
        ] {
            assert_eq!(by(message), WrittenBy::Us { hash: hash.map(str::to_owned) }, "{message}");
        }
        assert_eq!(by("engage-operator prod/marketing/agent restores=7 uid=u"), WrittenBy::UsRestoring(7));
        for foreign in [
            "",
            "engage-operator prod/marketing/agent-two hash=0123456789ab",
            "engage-operator test/marketing/agent hash=0123456789ab",
            "fixed engage-operator prod/marketing/agent",
        ] {
            assert_eq!(by(foreign), WrittenBy::SomebodyElse, "{foreign}");
        }
        assert_eq!(marker.written_by(None), WrittenBy::SomebodyElse);
    }

    #[test]
    fn where_it_comes_from_is_left_out_before_whose_it_is() {
        assert_eq!(
            marker(&["source=main@sha1:41f2a0", "uid=u1"]).restores(3),
            "engage-operator prod/marketing/agent restores=3 source=main@sha1:41f2a0 uid=u1"
        );
        let long =
            marker(&["source=".to_owned() + &"x".repeat(300), "uid=u1".to_owned()].each_ref().map(String::as_str));
        assert_eq!(long.restores(3), "engage-operator prod/marketing/agent restores=3 uid=u1");
    }
}
