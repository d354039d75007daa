//! Flows, their revisions and executions.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::clock::Millis;

/// A flow: an append-only list of revisions.
#[derive(Debug, Clone, Serialize)]
pub struct Flow {
    /// `FW…`.
    pub sid: String,
    /// Revisions, the first one being number 1.
    pub revisions: Vec<Revision>,
    /// Test users.
    pub test_users: Vec<String>,
}

/// One saved state of a flow.
#[derive(Debug, Clone, Serialize)]
pub struct Revision {
    /// From 1.
    pub revision: usize,
    /// Name at that time.
    pub friendly_name: String,
    /// `draft` or `published`.
    pub status: String,
    /// The definition as sent.
    #[serde(serialize_with = "shared")]
    pub definition: Arc<Value>,
    /// Why it was saved.
    pub commit_message: Option<String>,
    /// `US…` of a person; null for the API.
    pub author_sid: Option<String>,
    /// When it was saved.
    pub created_ms: Millis,
}

fn shared<S: serde::Serializer>(value: &Arc<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

impl Flow {
    /// The newest revision, draft or not.
    pub fn latest(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    /// The newest published revision: what is live.
    pub fn latest_published(&self) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.status == "published")
    }
}

/// A run of a flow.
#[derive(Debug, Clone, Serialize)]
pub struct Execution {
    /// `FN…`.
    pub sid: String,
    /// Its flow.
    pub flow_sid: String,
    /// The revision that runs.
    pub flow_version: usize,
    /// `active` or `ended`.
    pub status: &'static str,
    /// The customer's address.
    pub contact_channel_address: String,
    /// The conversation that started it.
    pub conversation_sid: Option<String>,
    /// The webhook that started it.
    pub webhook_sid: Option<String>,
    /// Widget where it waits.
    pub waiting_at: Option<String>,
    /// What Liquid sees.
    pub context: Value,
    /// What happened.
    pub steps: Vec<Step>,
    /// When it started.
    pub created_ms: Millis,
}

/// A transition out of one widget.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// `FT…`.
    pub sid: String,
    /// The event that ended the widget, e.g. `sent`, `failedToEnqueue`.
    pub event: String,
    /// The widget that ended.
    pub transitioned_from: String,
    /// The next widget; `Ended` when there is none.
    pub transitioned_to: String,
    /// Why, when it failed or was not performed.
    pub note: Option<String>,
    /// When.
    pub created_ms: Millis,
}

/// Everything of Studio.
#[derive(Debug, Default)]
pub struct Studio {
    /// Flows, oldest first.
    pub flows: Vec<Flow>,
    /// Executions, oldest first.
    pub executions: Vec<Execution>,
}

impl Studio {
    /// A flow by its SID.
    pub fn flow(&self, sid: &str) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.sid == sid)
    }

    /// A flow by its SID.
    pub fn flow_mut(&mut self, sid: &str) -> Option<&mut Flow> {
        self.flows.iter_mut().find(|flow| flow.sid == sid)
    }

    /// An execution of a flow.
    pub fn execution(&self, flow_sid: &str, sid: &str) -> Option<&Execution> {
        self.executions.iter().find(|execution| execution.sid == sid && execution.flow_sid == flow_sid)
    }

    /// The execution that a webhook started for a conversation and that has not ended.
    pub fn active_for(&self, conversation_sid: &str, webhook_sid: &str) -> Option<&Execution> {
        self.executions.iter().find(|execution| {
            execution.status == "active"
                && execution.conversation_sid.as_deref() == Some(conversation_sid)
                && execution.webhook_sid.as_deref() == Some(webhook_sid)
        })
    }

    /// Replaces an execution.
    pub fn put(&mut self, execution: Execution) {
        match self.executions.iter_mut().find(|one| one.sid == execution.sid) {
            Some(slot) => *slot = execution,
            None => self.executions.push(execution),
        }
    }
}
