//! `EngageDestination`: events that arrive here become this WhatsApp message, this conversation or this task of an agent.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{
    ObjectKey, Period,
    references::{
        ContentName, FlowRef, OutcomesCredentialsRef, SegmentCredentialsRef, TaskChannelRef, TwilioAccount,
        WorkflowRef, WorkspaceRef,
    },
};

/// Events that Segment posts to this destination become an approved WhatsApp template, a conversation with an agent or a task of one.
/// `status.url` is the address to enter in a Webhooks (Actions) mapping; `Ready` says whether it is served, and if not why.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "engage-operator.dev",
    version = "v1alpha1",
    kind = "EngageDestination",
    plural = "engagedestinations",
    shortname = "ed",
    category = "engage",
    namespaced,
    status = "EngageDestinationStatus",
    derive = "PartialEq",
    doc = "Events that Segment posts here become an approved WhatsApp template, a conversation that reaches an agent, or a task of one. `status.url` is the address to enter in a Webhooks (Actions) mapping; the condition `Ready` says whether it is served, and if not why.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("[has(self.whatsapp), has(self.conversation), has(self.interaction)].exists_one(set, set)").message(
        "a destination does exactly one thing: set one of whatsapp, conversation and interaction"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct EngageDestinationSpec {
    /// `true` stops serving: Segment is answered 503 and keeps its events for about four hours. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// The Twilio account that sends.
    pub twilio: TwilioAccount,
    /// The Segment space that the events come from.
    pub segment: SegmentSpace,
    /// CEL expression that decides which track events count, over `event` (as Segment sent it) and `traits` (a trait that
    /// the profile lacks is null). Example: `event.event == "Lead Qualified" && traits.plan != "free"`. Default: every
    /// track event, except one that says that the user left the audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub when: Option<String>,
    /// How the recipient's phone number is found and read.
    #[serde(default)]
    pub phone: Phone,
    /// Whether the recipient has agreed. Absent: nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Send an approved WhatsApp template by the Messages API, without opening a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<Whatsapp>,
    /// Open a conversation whose replies start a Studio flow, and so reach an agent. With `openingMessage` this is the
    /// recommended action: each of its steps can be looked up in Twilio, so an event is never acted on twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// Give an agent a task at once, with a conversation in which the customer can be written to: by Flex's Interactions API,
    /// without a flow. Nothing is sent to the customer by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Interaction>,
    /// Pace, patience and memory of the delivery.
    #[serde(default)]
    pub delivery: Delivery,
    /// Tell Segment what becomes of messages. Absent: it is told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Outcomes>,
    /// `Enforce` serves only while the checks against Twilio pass; `Warn` serves whatever they say and shows it in `Verified`.
    #[serde(default)]
    pub verification: Verification,
    /// How often the account is checked again when nothing has changed; at least 5s. Default: 10m.
    #[serde(default = "EngageDestinationSpec::default_resync_interval")]
    pub resync_interval: Period,
}

impl EngageDestination {
    /// Whether a reply to its conversations starts that StudioFlow, which it names or whose SID, if it has one, it gives.
    pub fn refers_to(&self, flow: &ObjectKey, sid: Option<&str>) -> bool {
        self.spec.conversation.as_ref().is_some_and(|conversation| {
            let named = conversation.flow_ref.as_ref();
            named.is_some_and(|named| ObjectKey::of(self).sibling(&named.name) == *flow)
                || (sid.is_some() && conversation.flow_sid.as_deref() == sid)
        })
    }
}

/// The template of a destination, as its spec names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateRef<'a> {
    /// Where it is named, for example `spec.whatsapp.content`.
    pub field: &'a str,
    pub named: Named<'a>,
}

/// By what a template is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// SID, `HX…`.
    Sid(&'a str),
    Name(&'a ContentName),
}

impl EngageDestinationSpec {
    /// The template that it sends; `None` where it sends none, or does not name it exactly once.
    pub fn template(&self) -> Option<TemplateRef<'_>> {
        let opening = self.conversation.as_ref().and_then(|conversation| conversation.opening_message.as_ref());
        let (fields, sid, name) = match (&self.whatsapp, opening) {
            (Some(whatsapp), _) => {
                let fields = ["spec.whatsapp.contentSid", "spec.whatsapp.content"];
                (fields, &whatsapp.content_sid, &whatsapp.content)
            }
            (None, Some(message)) => {
                let fields =
                    ["spec.conversation.openingMessage.contentSid", "spec.conversation.openingMessage.content"];
                (fields, &message.content_sid, &message.content)
            }
            (None, None) => return None,
        };
        match (sid, name) {
            (Some(sid), None) => Some(TemplateRef { field: fields[0], named: Named::Sid(sid) }),
            (None, Some(name)) => Some(TemplateRef { field: fields[1], named: Named::Name(name) }),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The numbers that are talked from, where they are named, and the field that names them.
    pub fn twilio_numbers(&self) -> Option<(&'static str, &[String])> {
        match (&self.conversation, &self.interaction) {
            (Some(conversation), _) => Some(("spec.conversation.twilioNumber", &conversation.twilio_number)),
            (None, Some(interaction)) => Some(("spec.interaction.twilioNumber", &interaction.twilio_number)),
            (None, None) => None,
        }
    }

    const fn default_resync_interval() -> Period {
        Period::minutes(10)
    }
}

/// Where events come from, and where missing traits are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentSpace {
    /// Secret with the webhook's shared secret or token, and the Profile API token.
    pub credentials_ref: SegmentCredentialsRef,
    /// Id of the Segment space, `spa_…`. Default: the one that the event names in `context.personas.space_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub space_id: Option<String>,
    /// Region of the Segment workspace, `US` or `EU`; it decides which Profile API is asked. Default: US.
    #[serde(default)]
    pub region: SegmentRegion,
}

/// Region of a Segment workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SegmentRegion {
    #[default]
    #[serde(rename = "US")]
    Us,
    #[serde(rename = "EU")]
    Eu,
}

/// How the recipient's phone number is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// Trait that holds the number. It is looked for in the event first, then in the profile. Default: `phone`.
    #[serde(default = "Phone::default_trait", rename = "trait")]
    #[schemars(length(min = 1, max = 256))]
    pub trait_name: String,
    /// Region by which a number without a country code is read, as two letters: `BR` reads `(11) 98765-4321` as
    /// `+5511987654321`. Absent: only numbers with a country code are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]{2}$')").message(
        "defaultRegion is two capital letters of ISO 3166-1, such as BR or US"
    ))]
    #[schemars(length(max = 2))]
    pub default_region: Option<String>,
}

impl Phone {
    fn default_trait() -> String {
        "phone".into()
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self { trait_name: Self::default_trait(), default_region: None }
    }
}

/// Who may be messaged: by a trait, or by the subscription that the event tells of. Whoever may not is suppressed as `NoConsent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.trait) != has(self.subscription)").message(
        "consent is known by one thing: set either trait or subscription"
    )
)]
pub struct Consent {
    /// Trait that must be `true` (or the text `true`); when it is absent or anything else the event is suppressed.
    #[serde(default, rename = "trait", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub trait_name: Option<String>,
    /// The WhatsApp subscription of the number that is messaged, as the event itself tells it: in `external_ids` or
    /// `context.externalIds` (`channelType` and `isSubscribed`), or in `context.messaging_subscriptions`. `OptIn` messages
    /// who is subscribed and nobody else; `OptOut` also those of whom the event says nothing. Segment puts no
    /// subscription into an event by itself, and none can be asked for: what makes the events has to bring it. An event that
    /// nothing proves, as in a batch without the token of `SEGMENT_WEBHOOK_TOKEN`, is answered 503 with `NotProven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SubscriptionConsent")]
    pub subscription: Option<SubscriptionConsent>,
}

/// Whom a subscription status lets be messaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubscriptionConsent {
    OptIn,
    OptOut,
}

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

/// Pace, patience and memory of the delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Most sends in any second from the sender: the number that the Messaging Service sends from, or the one of `twilioNumber`
    /// that is used. Destinations of one sender and one rate share it; of several rates each holds for its own destinations,
    /// and the highest for all of them together. A conversation is one send, and an account makes at most 30 of them a second,
    /// which is Twilio's limit. WhatsApp allows a sender 80 messages a second. Default: 80.
    #[serde(default = "Delivery::default_rate")]
    #[schemars(range(min = 1, max = 10_000))]
    pub rate: i32,
    /// Age, by the event's `timestamp`, from which an event is suppressed as `TooOld`. Default: 6h.
    #[serde(default = "Delivery::default_max_age")]
    pub max_age: Period,
    /// How long the outcome of an event is remembered; the same messageId within it is answered `duplicate`. Default: 7d.
    #[serde(default = "Delivery::default_dedupe_window")]
    pub dedupe_window: Period,
    /// How long an attempt whose answer was lost may still turn up in Twilio: only after it is absence believed. Longer than a
    /// request's time-out of 8s and the lag of Twilio's lists. Default: 60s.
    #[serde(default = "Delivery::default_settle")]
    pub settle: Period,
    /// What follows an attempt that Twilio does not show after `settle`: `Resend` makes a new one, `Park` ends the event as
    /// `unknown` for a person to decide. Default: Resend.
    #[serde(default)]
    pub on_unknown_outcome: OnUnknownOutcome,
    /// What becomes of further events of one entry into an audience or a journey step: Segment sends one for each identifier
    /// of a profile that has several of a type. `Skip` acts on one of them and answers the others `duplicate`; `Send` acts on
    /// each. Default: Skip.
    #[serde(default)]
    pub on_same_entry: OnSameEntry,
    /// Events about the same user or recipient and the same audience, computed trait or journey step that are less than this
    /// apart, by their `timestamp`, tell of one entry. Only where the event does not name the passage through a journey
    /// (`epoch_id`), by which entries are told apart exactly. Default: 60s.
    #[serde(default = "Delivery::default_entry_cool_down")]
    pub entry_cool_down: Period,
}

impl Delivery {
    const fn default_rate() -> i32 {
        80
    }

    const fn default_max_age() -> Period {
        Period::hours(6)
    }

    const fn default_dedupe_window() -> Period {
        Period::days(7)
    }

    const fn default_settle() -> Period {
        Period::seconds(60)
    }

    const fn default_entry_cool_down() -> Period {
        Period::seconds(60)
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            rate: Self::default_rate(),
            max_age: Self::default_max_age(),
            dedupe_window: Self::default_dedupe_window(),
            settle: Self::default_settle(),
            on_unknown_outcome: OnUnknownOutcome::default(),
            on_same_entry: OnSameEntry::default(),
            entry_cool_down: Self::default_entry_cool_down(),
        }
    }
}

/// What Segment is told of the messages of `whatsapp` and of the opening messages of `conversation`: `WhatsApp Sent`,
/// `WhatsApp Delivered`, `WhatsApp Read` and `WhatsApp Failed`, as track events of the user whose event made the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcomes {
    /// Secret with the write key of the Segment source that takes these events.
    pub credentials_ref: OutcomesCredentialsRef,
}

/// What follows an attempt of unknown outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnUnknownOutcome {
    #[default]
    Resend,
    Park,
}

/// What becomes of further events of one entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnSameEntry {
    #[default]
    Skip,
    Send,
}

/// Whether failed checks stop the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verification {
    #[default]
    Enforce,
    Warn,
}

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
