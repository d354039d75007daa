//! How a resource points at other objects of its namespace, and at the accounts it works in.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Twilio account that the resource works in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TwilioAccount {
    /// Secret with the account's credentials.
    pub credentials_ref: TwilioCredentialsRef,
}

/// Secret with `TWILIO_ACCOUNT_SID` and either `TWILIO_AUTH_TOKEN` or both `TWILIO_API_KEY` and `TWILIO_API_SECRET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TwilioCredentialsRef {
    /// Name of a Secret in the same namespace. It is read again when it changes; nothing needs a restart.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Other names for the keys, so that what a secret manager writes fits as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<TwilioCredentialKeys>,
}

/// The keys of the Secret; those left out keep their usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TwilioCredentialKeys {
    /// Key of the account SID, `AC…`. Default: `TWILIO_ACCOUNT_SID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub account_sid: Option<String>,
    /// Key of the auth token. Default: `TWILIO_AUTH_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub auth_token: Option<String>,
    /// Key of the API key SID, `SK…`. Default: `TWILIO_API_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub api_key: Option<String>,
    /// Key of the API key's secret. Default: `TWILIO_API_SECRET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub api_secret: Option<String>,
}

/// Secret with `SEGMENT_PROFILES_API_TOKEN` and at least one of `SEGMENT_WEBHOOK_SECRET` and `SEGMENT_WEBHOOK_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentCredentialsRef {
    /// Name of a Secret in the same namespace. It is read again when it changes; nothing needs a restart.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Other names for the keys, so that what a secret manager writes fits as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<SegmentCredentialKeys>,
}

/// The keys of the Secret; those left out keep their usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentCredentialKeys {
    /// Key of the Profile API token. Default: `SEGMENT_PROFILES_API_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub profiles_api_token: Option<String>,
    /// Key of the shared secret that Segment signs with; several, separated by commas, while it is being rotated.
    /// Default: `SEGMENT_WEBHOOK_SECRET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub webhook_secret: Option<String>,
    /// Key of the token that the mapping sends as its `Authorization` header, with or without `Bearer`; several, separated by
    /// commas, while it is being rotated. Default: `SEGMENT_WEBHOOK_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub webhook_token: Option<String>,
}

/// Secret with `SEGMENT_WRITE_KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomesCredentialsRef {
    /// Name of a Secret in the same namespace. It is read again when it changes; nothing needs a restart.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Other names for the keys, so that what a secret manager writes fits as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<OutcomesCredentialKeys>,
}

/// The keys of the Secret; those left out keep their usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomesCredentialKeys {
    /// Key of the source's write key. Default: `SEGMENT_WRITE_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub write_key: Option<String>,
}

/// A content template of the account by name. Its SID differs from account to account; the name need not, so that one
/// resource can go through staging and production as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentName {
    /// The template's friendly name, exactly as the account has it, for example `lead_welcome`.
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: String,
    /// Language of the template as Twilio writes it, for example `en` or `pt_BR`. It may be left out where the account has
    /// the name in one language only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub language: Option<String>,
}

/// Where the definition of a flow is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionSource {
    /// A key of a ConfigMap in the same namespace.
    pub config_map_key_ref: ConfigMapKeyRef,
}

/// One key of a ConfigMap of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap. It is looked at every half minute; under a new name, as kustomize gives it, it is taken in at
    /// once.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key whose value is the JSON of a Studio export.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A StudioFlow of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowRef {
    /// Name of a StudioFlow in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One property of one widget that holds an id of the account, and the name under which that id is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.workflow) != has(self.taskChannel)").message(
        "a reference names exactly one thing to look up: set either workflow or taskChannel"
    )
)]
pub struct FlowReference {
    /// Name of the widget in the definition, for example `send_to_flex`.
    #[schemars(length(min = 1, max = 256))]
    pub widget: String,
    /// Property of that widget which receives the id, for example `workflow` or `channel`.
    #[schemars(length(min = 1, max = 256))]
    pub property: String,
    /// A TaskRouter workflow of the account; the property receives its `WW…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowName>,
    /// A TaskRouter task channel of the account; the property receives its `TC…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_channel: Option<TaskChannelName>,
}

/// A TaskRouter workflow by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowName {
    /// The workflow's friendly name, exactly as TaskRouter shows it. Two workflows of that name are an error.
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: String,
    /// Friendly name of the workspace. Default: the workspace of the account's Flex configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub workspace: Option<String>,
}

/// A TaskRouter task channel by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskChannelName {
    /// The task channel's unique name, for example `chat`.
    #[schemars(length(min = 1, max = 256))]
    pub unique_name: String,
    /// Friendly name of the workspace. Default: the workspace of the account's Flex configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub workspace: Option<String>,
}

/// A TaskRouter workspace, by friendly name or SID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.friendlyName) != has(self.sid)").message(
        "name the workspace once: set either friendlyName or sid (WS…)"
    )
)]
pub struct WorkspaceRef {
    /// The workspace's friendly name, exactly as TaskRouter shows it. Two workspaces of that name are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: Option<String>,
    /// SID of the workspace, `WS…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^WS[0-9a-fA-F]{32}$')").message(
        "sid is WS followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub sid: Option<String>,
}

/// A TaskRouter workflow, by friendly name or SID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.friendlyName) != has(self.sid)").message(
        "name the workflow once: set either friendlyName or sid (WW…)"
    )
)]
pub struct WorkflowRef {
    /// The workflow's friendly name, exactly as TaskRouter shows it. Two workflows of that name are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: Option<String>,
    /// SID of the workflow, `WW…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^WW[0-9a-fA-F]{32}$')").message(
        "sid is WW followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub sid: Option<String>,
}

/// A TaskRouter task channel, by unique name or SID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.uniqueName) != has(self.sid)").message(
        "name the task channel once: set either uniqueName or sid (TC…)"
    )
)]
pub struct TaskChannelRef {
    /// The task channel's unique name, for example `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub unique_name: Option<String>,
    /// SID of the task channel, `TC…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^TC[0-9a-fA-F]{32}$')").message(
        "sid is TC followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub sid: Option<String>,
}
