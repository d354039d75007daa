//! A flow as the account has it.

use serde_json::Map;

use crate::{
    controller::studio_flow::marker::Marker,
    studio::{DefinitionHash, FlowDefinition},
    twilio::{sid::FlowSid, studio::Flow},
};

/// A flow with the two revisions that matter.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFlow {
    pub sid: FlowSid,
    pub friendly_name: String,
    pub webhook_url: Option<String>,
    /// The newest, draft or published.
    pub latest: LiveRevision,
    /// The one that serves customers, which is the newest too if that is published.
    pub published: Option<LiveRevision>,
}

/// One revision.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRevision {
    pub number: i64,
    pub definition: FlowDefinition,
    pub hash: DefinitionHash,
    /// Whether this resource wrote it.
    pub ours: bool,
    pub author: Option<String>,
    pub at: Option<String>,
}

impl LiveRevision {
    /// Reads one revision. One without number or definition is of no use for comparing: `None`.
    pub fn read(revision: &Flow, marker: &Marker) -> Option<Self> {
        let Flow {
            sid: _,
            friendly_name: _,
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
            hash: definition.hash(),
            definition,
            ours: marker.wrote(commit_message.as_deref()),
            author: author_sid.clone(),
            at: date_updated.clone().or_else(|| date_created.clone()),
        })
    }

    /// A revision of which only the number is known.
    pub fn unread(number: i64) -> Self {
        let definition = FlowDefinition::observed(Map::new());
        Self { number, hash: definition.hash(), definition, ours: false, author: None, at: None }
    }
}
