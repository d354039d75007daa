//! How a StudioFlow meets what others do to its flow: edits, flows that are there already, revisions of before.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What follows when somebody else has saved a revision that means something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// It is reported and put back.
    #[default]
    Correct,
    /// It is reported, and nothing is written until git has it or dismisses it.
    Report,
    /// It is reported and kept until git changes.
    Adopt,
}

/// A flow of the account that is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.sid) != has(self.friendlyName)").message(
        "a flow is adopted by one of the two: set either sid or friendlyName"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FlowAdoption {
    /// SID of the flow, `FW…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^FW[0-9a-fA-F]{32}$')").message(
        "the SID of a flow is FW and 32 hexadecimal digits"
    ))]
    pub sid: Option<String>,
    /// Name that the flow has in Studio now. Exactly one flow of the account has to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: Option<String>,
}

/// A write to the flow that was begun and of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingWrite {
    /// Latest revision before it. If nobody else writes, it makes the next one.
    pub after: i64,
    /// When it was begun, RFC 3339.
    pub since: String,
    /// The foreign revision that it saves again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<i64>,
}
