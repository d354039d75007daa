//! `EngageDestination`: events that arrive here become this WhatsApp message, this conversation or this task of an agent.

mod action;
mod delivery;
mod recipient;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    action::{Conversation, Interaction, OnActiveConversation, OpeningMessage, Whatsapp},
    delivery::{Delivery, OnSameEntry, OnUnknownOutcome, Outcomes},
    recipient::{Consent, Phone, SegmentRegion, SegmentSpace, SubscriptionConsent},
    status::{ContentStatus, DeliveriesStatus, EngageDestinationStatus, FlowStatus, InteractionStatus, LastFailure},
};
use crate::api::{
    ObjectKey, Period,
    references::{ContentName, TwilioAccount},
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

/// Whether failed checks stop the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verification {
    #[default]
    Enforce,
    Warn,
}
