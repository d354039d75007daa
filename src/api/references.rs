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

/// Something of a widget that differs from account to account, and the name under which it is looked up in this one.
///
/// No Secret can stand here: whoever can open Studio reads a definition. Give a Function its secrets as environment variables,
/// and call the Function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "[has(self.workflow), has(self.taskChannel), has(self.taskQueue), has(self.subflow), has(self.content), has(self.messagingService), has(self.conversationService), has(self.twilioFunction), has(self.value)].exists_one(set, set)"
    ).message(
        "a reference names exactly one thing: set one of workflow, taskChannel, taskQueue, subflow, content, messagingService, conversationService, twilioFunction and value"
    ),
    validation = Rule::new("has(self.property) || has(self.twilioFunction)").message(
        "say which property of the widget is filled: set property; only twilioFunction may do without it"
    )
)]
pub struct FlowReference {
    /// Name of the widget in the definition, for example `send_to_flex`.
    #[schemars(length(min = 1, max = 256))]
    pub widget: String,
    /// Property of that widget which is filled, for example `workflow` or `channel`; a path such as `parameters.0.value` leads
    /// further in. It has to be in the definition, as a text: an empty one will do. Left out only with `twilioFunction`, which then
    /// fills `url`, `service_sid`, `environment_sid` and `function_sid` of a Run Function widget together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub property: Option<String>,
    /// A TaskRouter workflow of the account; the property receives its `WW…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowName>,
    /// A TaskRouter task channel of the account; the property receives its `TC…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_channel: Option<TaskChannelName>,
    /// A TaskRouter task queue of the account; the property receives its `WQ…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<TaskQueueName>,
    /// A StudioFlow of the same namespace and account, to be run as a subflow; the property receives its `FW…` SID. It is made
    /// before this one, which waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subflow: Option<FlowRef>,
    /// A content template of the account; the property receives its `HX…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentName>,
    /// A Messaging Service of the account; the property receives its `MG…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messaging_service: Option<ServiceName>,
    /// A conversation service of the account; the property receives its `IS…` SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_service: Option<ServiceName>,
    /// A Function as it is deployed in the account; the property receives its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twilio_function: Option<FunctionName>,
    /// A text as it is, for what differs from account to account and has no name to be looked up by, such as a host. No Secret:
    /// whoever can open Studio reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub value: Option<String>,
}

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referenced<'a> {
    Workflow(&'a WorkflowName),
    TaskChannel(&'a TaskChannelName),
    TaskQueue(&'a TaskQueueName),
    Subflow(&'a FlowRef),
    Content(&'a ContentName),
    MessagingService(&'a ServiceName),
    ConversationService(&'a ServiceName),
    Function(&'a FunctionName),
    Value(&'a str),
}

impl FlowReference {
    /// The one thing that it names; `None` where the schema would not have let it through.
    pub fn names(&self) -> Option<Referenced<'_>> {
        let Self {
            widget: _,
            property: _,
            workflow,
            task_channel,
            task_queue,
            subflow,
            content,
            messaging_service,
            conversation_service,
            twilio_function,
            value,
        } = self;
        let mut named = [
            workflow.as_ref().map(Referenced::Workflow),
            task_channel.as_ref().map(Referenced::TaskChannel),
            task_queue.as_ref().map(Referenced::TaskQueue),
            subflow.as_ref().map(Referenced::Subflow),
            content.as_ref().map(Referenced::Content),
            messaging_service.as_ref().map(Referenced::MessagingService),
            conversation_service.as_ref().map(Referenced::ConversationService),
            twilio_function.as_ref().map(Referenced::Function),
            value.as_deref().map(Referenced::Value),
        ]
        .into_iter()
        .flatten();
        named.next().filter(|_| named.next().is_none())
    }
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

/// A TaskRouter task queue by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskQueueName {
    /// The task queue's friendly name, exactly as TaskRouter shows it. Two task queues of that name are an error.
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: String,
    /// Friendly name of the workspace. Default: the workspace of the account's Flex configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub workspace: Option<String>,
}

/// A service of the account by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceName {
    /// The service's friendly name, exactly as the account has it. Two services of that name are an error.
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: String,
}

/// A Function by the names that it is deployed under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionName {
    /// Unique name of the Functions service, for example `engage-functions`.
    #[schemars(length(min = 1, max = 256))]
    pub service: String,
    /// Unique name of the environment, for example `production`. It may be left out where the service has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub environment: Option<String>,
    /// Path of the Function, for example `/lookup-order`. It has to be in the build that is deployed in the environment.
    #[schemars(length(min = 1, max = 256))]
    pub path: String,
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
