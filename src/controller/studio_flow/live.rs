//! A flow as the account has it.

use serde_json::Map;

use crate::{
    controller::studio_flow::marker::{Marker, WrittenBy},
    studio::{DefinitionHash, FlowDefinition},
    twilio::{sid::FlowSid, studio::Flow},
};

/// A flow with the revisions that matter.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFlow {
    pub sid: FlowSid,
    pub friendly_name: String,
    pub webhook_url: Option<String>,
    /// The newest, draft or published.
    pub latest: LiveRevision,
    /// The one that serves customers, which is the newest too if that is published.
    pub published: Option<LiveRevision>,
    /// Those that tell what became of a write that was begun, where they are others.
    pub in_question: Vec<LiveRevision>,
    /// Its test users; only where the spec names some.
    pub test_users: Option<Vec<String>>,
}

/// One revision.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRevision {
    pub number: i64,
    pub friendly_name: String,
    pub published: bool,
    pub definition: FlowDefinition,
    pub hash: DefinitionHash,
    pub by: WrittenBy,
    pub author: Option<String>,
    pub at: Option<String>,
    pub commit_message: Option<String>,
}

impl LiveRevision {
    /// Reads one revision. One without number or definition is of no use for comparing: `None`.
    pub fn read(revision: &Flow, marker: &Marker) -> Option<Self> {
        let Flow {
            sid: _,
            friendly_name,
            definition,
            status: _,
            revision: number,
            commit_message,
            author_sid,
            valid: _,
            date_created,
            date_updated,
            webhook_url: _,
        } = revision;
        let definition = definition.as_ref()?.as_object().cloned().map(FlowDefinition::observed)?;
        Some(Self {
            number: (*number)?,
            friendly_name: friendly_name.clone().unwrap_or_default(),
            published: revision.is_published(),
            hash: definition.hash(),
            definition,
            by: marker.written_by(commit_message.as_deref()),
            author: author_sid.clone(),
            at: date_updated.clone().or_else(|| date_created.clone()),
            commit_message: commit_message.clone(),
        })
    }

    /// Whether more than its number is known.
    pub fn is_read(&self) -> bool {
        !self.definition.fields().is_empty()
    }

    /// A revision of which only the number is known.
    pub fn unread(number: i64) -> Self {
        let definition = FlowDefinition::observed(Map::new());
        Self {
            number,
            friendly_name: String::new(),
            published: false,
            hash: definition.hash(),
            definition,
            by: WrittenBy::SomebodyElse,
            author: None,
            at: None,
            commit_message: None,
        }
    }
}
