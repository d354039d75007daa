//! What becomes of an event: a message, a conversation or a task.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{
    Period,
    references::{ContentName, FlowRef, TaskChannelRef, WorkflowRef, WorkspaceRef},
};

/// A WhatsApp template sent by the Messages API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.includeTraits) && has(self.contentVariables))").message(
        "set includeTraits (by position) or contentVariables (by name), not both"
    )
)]
#[x_kube(
    validation = Rule::new("has(self.contentSid) != has(self.content)").message(
        "name the template once: set either contentSid (HX…) or content (its friendlyName)"
    )
)]
pub struct Whatsapp {
    /// Messaging Service that sends, `MG…`. It has exactly one WhatsApp sender.
    #[x_kube(validation = Rule::new("self.matches('^MG[0-9a-fA-F]{32}$')").message(
        "messagingServiceSid is MG followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub messaging_service_sid: String,
    /// Content template to send, `HX…`, approved for WhatsApp. Either this or `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^HX[0-9a-fA-F]{32}$')").message(
        "contentSid is HX followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub content_sid: Option<String>,
    /// The content template by name, looked up in the account at every check: `{friendlyName: lead_welcome, language: en}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentName>,
    /// Traits that fill the template's placeholders in order: the first fills `{{1}}`, the second `{{2}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 256)))]
    pub include_traits: Option<Vec<String>>,
    /// Value of each placeholder, as Liquid over `profile.traits`, for example
    /// `{"1": "{{ profile.traits.first_name | default: 'there' }}"}`. A value that comes out empty rejects the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("size(self) <= 100").message("a template has at most 100 placeholders"))]
    pub content_variables: Option<BTreeMap<String, String>>,
    /// How long Twilio may keep trying to deliver the message, such as `4h`: what has not reached WhatsApp by then fails
    /// instead of coming late. 1s to 10h. Default: as long as Twilio tries by itself, at most 10h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(
        "self.matches('^[0-9]{1,5}[smh]$') && duration(self) >= duration('1s') && duration(self) <= duration('10h')"
    ).message("validity is 1s to 10h, the range that Twilio takes"))]
    pub validity: Option<Period>,
}

/// A conversation whose replies start a Studio flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.flowRef) != has(self.flowSid)").message(
        "name the flow once: set either flowRef (a StudioFlow) or flowSid (FW…)"
    ),
    validation = Rule::new(
        "!has(self.onActiveConversation) || self.onActiveConversation != 'Reuse' || has(self.openingMessage)"
    ).message("onActiveConversation: Reuse sends the opening message into the conversation: set openingMessage")
)]
pub struct Conversation {
    /// The StudioFlow that a reply starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_ref: Option<FlowRef>,
    /// The Studio flow that a reply starts, by SID, when it is not managed as a StudioFlow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^FW[0-9a-fA-F]{32}$')").message(
        "flowSid is FW followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub flow_sid: Option<String>,
    /// Seconds without activity after which Twilio closes the conversation: 0 for never, otherwise at least 600, which is
    /// Twilio's minimum. Default: 0.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == 0 || self >= 600").message(
        "timeout is in seconds: 0 for none, otherwise at least 600 (Twilio closes no conversation sooner)"
    ))]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub timeout: i64,
    /// WhatsApp senders of the account to talk from, in E.164. The first one that is not already talking to the customer
    /// is used; when all are, `onActiveConversation` says what follows.
    #[x_kube(validation = Rule::new("self.all(n, n.matches('^(whatsapp:)?[+][1-9][0-9]{6,14}$'))").message(
        "each twilioNumber is in E.164: a plus sign, the country code and the number, such as +5511900000001"
    ))]
    #[schemars(length(min = 1, max = 100), inner(length(max = 40)))]
    pub twilio_number: Vec<String>,
    /// Template sent inside the conversation as soon as it stands. Absent: the conversation waits for the customer to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening_message: Option<OpeningMessage>,
    /// What follows when every `twilioNumber` is talking to the customer in another open conversation. `Skip` suppresses the
    /// event with the reason `ConversationActive`. `Retry` answers 503 with the same reason, so that Segment sends it again
    /// for about four hours. `Reuse` sends the opening message into such a conversation, if this operator made it, and
    /// changes nothing else of it: whoever answers there goes on. If others made them all, the event is suppressed. Default:
    /// Skip.
    #[serde(default)]
    pub on_active_conversation: OnActiveConversation,
}

/// What follows when every number is talking to the customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnActiveConversation {
    #[default]
    Skip,
    Reuse,
    Retry,
}

/// A template sent inside a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.contentSid) != has(self.content)").message(
        "name the template once: set either contentSid (HX…) or content (its friendlyName)"
    )
)]
pub struct OpeningMessage {
    /// Content template to send, `HX…`, approved for WhatsApp. Either this or `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^HX[0-9a-fA-F]{32}$')").message(
        "contentSid is HX followed by 32 hexadecimal digits"
    ))]
    #[schemars(length(max = 34))]
    pub content_sid: Option<String>,
    /// The content template by name, looked up in the account at every check: `{friendlyName: lead_welcome, language: en}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentName>,
    /// Value of each placeholder, as Liquid over `profile.traits`. A value that comes out empty rejects the event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("size(self) <= 100").message("a template has at most 100 placeholders"))]
    pub content_variables: BTreeMap<String, String>,
}

/// A task of an agent in Flex, and the conversation with the customer that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// Workspace that the task goes to. Default: that of the account's Flex configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceRef>,
    /// Workflow of that workspace, which finds the agent.
    pub workflow: WorkflowRef,
    /// Task channel of that workspace, which says how many such tasks an agent has at once.
    pub task_channel: TaskChannelRef,
    /// WhatsApp senders of the account to talk from, in E.164. Where the customer is in an open conversation by one of them the task
    /// is about that one, else about a new one by the first. When each is in a conversation that has a task already, the event is
    /// suppressed with the reason `ConversationActive`.
    #[x_kube(validation = Rule::new("self.all(n, n.matches('^(whatsapp:)?[+][1-9][0-9]{6,14}$'))").message(
        "each twilioNumber is in E.164: a plus sign, the country code and the number, such as +5511900000001"
    ))]
    #[schemars(length(min = 1, max = 100), inner(length(max = 40)))]
    pub twilio_number: Vec<String>,
    /// Seconds without activity after which Twilio closes the conversation: 0 for never, otherwise at least 600, which is
    /// Twilio's minimum. Default: 0.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == 0 || self >= 600").message(
        "timeout is in seconds: 0 for none, otherwise at least 600 (Twilio closes no conversation sooner)"
    ))]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub timeout: i64,
    /// What the task says beside `customerName`, `customerAddress` and `from`: attributes by name, each as Liquid over
    /// `profile.traits`, for example `{"plan": "{{ profile.traits.plan | default: 'none' }}"}`. The workflow can route by them and the
    /// agent sees them, so nothing secret. A value that comes out empty rejects the event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("size(self) <= 100").message("a task has at most 100 attributes"))]
    pub attributes: BTreeMap<String, String>,
    /// Priority of the task; one of a higher is given out first. Default: the workflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub priority: Option<i32>,
    /// Seconds that the task waits for an agent before TaskRouter cancels it, at most 1,209,600. Default: TaskRouter's, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_209_600))]
    pub task_timeout: Option<i64>,
}
