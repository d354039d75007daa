//! What the operator last saw of a destination.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator last saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngageDestinationStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Address to enter as the URL of a Webhooks (Actions) mapping in Segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// WhatsApp senders that messages leave from, in E.164.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<String>,
    /// The template, as the account has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentStatus>,
    /// The flow that a reply starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowStatus>,
    /// Where tasks go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<InteractionStatus>,
    /// Since when the account could not be asked, RFC 3339; absent while it can. What was verified before holds meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked_since: Option<String>,
    /// What became of events and messages, written at most once a minute. The metrics have it in full and at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<DeliveriesStatus>,
    /// `Ready` sums up; `Accepted`, `ResolvedRefs`, `Verified` and `Programmed` say at which step it stands, `Reconciling`
    /// and `Stalled` whether waiting or acting helps.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What became of events and messages. It names no person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveriesStatus {
    /// Since when is counted, RFC 3339.
    pub since: String,
    /// Events by the outcome they were answered with, and those that came to one afterwards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, i64>,
    /// Messages for which Twilio has told each status: `queued`, `sent`, `delivered`, `read`, `failed`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<String, i64>,
    /// The last event that was rejected or ended unknown, or message that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Since when every event was answered 503, so that Segment repeats it; absent while events are taken, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<String>,
}

/// The last failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// One word, as in the metrics.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
    /// What is known of it, without numbers of people.
    pub detail: String,
}

/// A content template of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentStatus {
    /// SID of the template, `HX…`.
    pub sid: String,
    /// Friendly name in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Language, as Twilio writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Approval for WhatsApp as Twilio words it; only `approved` may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_status: Option<String>,
    /// Placeholders of the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
}

/// Where tasks go: what the names of the spec were found to be in the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractionStatus {
    /// SID of the workspace, `WS…`.
    pub workspace_sid: String,
    /// SID of the workflow, `WW…`.
    pub workflow_sid: String,
    /// SID of the task channel, `TC…`.
    pub task_channel_sid: String,
}

/// A Studio flow of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowStatus {
    /// SID of the flow, `FW…`.
    pub sid: String,
    /// Revision that is published and serves replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}
