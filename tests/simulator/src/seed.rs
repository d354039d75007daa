//! The account a simulator starts with, as a JSON file or a struct: credentials, senders, templates, workspaces and
//! Segment profiles. `reset` returns to it. The values are facts of the simulated world, not behaviour.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The whole world at the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The one account, `AC…`.
    pub account_sid: String,
    /// Valid auth tokens; the first is the primary one, which signs callbacks.
    pub auth_tokens: Vec<String>,
    /// API keys.
    #[serde(default)]
    pub api_keys: Vec<ApiKey>,
    /// Phone numbers of the account that may send SMS.
    #[serde(default)]
    pub phone_numbers: Vec<String>,
    /// Messaging services.
    #[serde(default)]
    pub messaging_services: Vec<MessagingService>,
    /// Senders of the v2 Senders API; a WhatsApp sender that is not `ONLINE` cannot send.
    #[serde(default)]
    pub whatsapp_senders: Vec<WhatsappSender>,
    /// Content templates.
    #[serde(default)]
    pub content: Vec<Template>,
    /// `TaskRouter` workspaces.
    #[serde(default)]
    pub workspaces: Vec<Workspace>,
    /// Services of Functions.
    #[serde(default)]
    pub function_services: Vec<FunctionService>,
    /// Flex; absent means the account has none and its configuration answers 404.
    #[serde(default)]
    pub flex: Option<FlexConfiguration>,
    /// The default conversation service.
    pub conversations: ConversationService,
    /// How recipients behave: number (E.164) to `sync_CODE`, `async_CODE`, `blocked` (stays `sent`), `delivered`
    /// (the default) or `read`.
    #[serde(default)]
    pub recipients: BTreeMap<String, String>,
    /// Segment.
    #[serde(default)]
    pub segment: SegmentWorkspace,
}

/// An API key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// `SK…`.
    pub sid: String,
    /// Its secret.
    pub secret: String,
    /// What it may do.
    pub kind: KeyKind,
    /// For a restricted key: parts of paths (`/Services`, `studio:` for a product) that answer 403.
    #[serde(default)]
    pub denied: Vec<String>,
}

/// Kinds of API keys (twilio.md 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Everything.
    Main,
    /// Everything except accounts and keys.
    Standard,
    /// Everything except what is denied.
    Restricted,
}

/// A messaging service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagingService {
    /// `MG…`.
    pub sid: String,
    /// Its name.
    pub friendly_name: String,
    /// Rows of `ChannelSenders`, WhatsApp or not.
    #[serde(default)]
    pub senders: Vec<ChannelSender>,
    /// Rows of `PhoneNumbers`.
    #[serde(default)]
    pub phone_numbers: Vec<String>,
    /// Where callbacks go when a message has no `StatusCallback` of its own.
    #[serde(default)]
    pub status_callback: Option<String>,
}

/// A row of `ChannelSenders`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSender {
    /// `XE…`.
    pub sid: String,
    /// Address with its channel, e.g. `whatsapp:+5511900000001`.
    pub sender: String,
    /// `WhatsApp`, `Messenger`, `RCS`.
    pub sender_type: String,
}

/// A row of the v2 Senders API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatsappSender {
    /// `XE…`.
    pub sid: String,
    /// E.164 number.
    pub number: String,
    /// `ONLINE`, `OFFLINE`, …
    pub status: String,
}

/// A content template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `HX…`.
    pub sid: String,
    /// Its name.
    pub friendly_name: String,
    /// Language, e.g. `en`.
    pub language: String,
    /// Object keyed by type, e.g. `twilio/text`.
    pub types: Map<String, Value>,
    /// Placeholder to sample value, which is also its default.
    #[serde(default)]
    pub variables: Map<String, Value>,
    /// The WhatsApp approval; absent means never submitted, and `whatsapp` is null.
    #[serde(default)]
    pub approval: Option<Approval>,
}

/// A WhatsApp approval.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Template name at WhatsApp.
    pub name: String,
    /// `UTILITY`, `MARKETING`, `AUTHENTICATION`.
    pub category: String,
    /// `unsubmitted`, `received`, `pending`, `approved`, `rejected`, `paused`, `disabled`.
    pub status: String,
    /// Why it was rejected.
    #[serde(default)]
    pub rejection_reason: String,
}

/// A `TaskRouter` workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// `WS…`.
    pub sid: String,
    /// Its name.
    pub friendly_name: String,
    /// Workflows.
    #[serde(default)]
    pub workflows: Vec<Named>,
    /// Task queues (`WQ…`).
    #[serde(default)]
    pub task_queues: Vec<Named>,
    /// Task channels.
    #[serde(default)]
    pub task_channels: Vec<TaskChannel>,
}

/// Something with a SID and a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The SID.
    pub sid: String,
    /// The name.
    pub friendly_name: String,
}

/// A service of Functions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionService {
    /// `ZS…`.
    pub sid: String,
    /// Its unique name.
    pub unique_name: String,
    /// Its environments.
    #[serde(default)]
    pub environments: Vec<FunctionEnvironment>,
}

/// An environment of a service of Functions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionEnvironment {
    /// `ZE…`.
    pub sid: String,
    /// Its unique name.
    pub unique_name: String,
    /// The host of its functions.
    pub domain_name: String,
    /// `ZB…` of what is deployed; absent when nothing is.
    #[serde(default)]
    pub build_sid: Option<String>,
    /// The functions of that build.
    #[serde(default)]
    pub functions: Vec<Function>,
}

/// A function of a build.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// `ZH…`.
    pub sid: String,
    /// Path below the host.
    pub path: String,
    /// `public`, `protected` or `private`.
    pub visibility: String,
}

/// A task channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskChannel {
    /// `TC…`.
    pub sid: String,
    /// E.g. `chat`.
    pub unique_name: String,
    /// Its name.
    pub friendly_name: String,
}

/// Flex's configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlexConfiguration {
    /// `ok`, `inprogress`, `notstarted`.
    pub status: String,
    /// The workspace Flex uses.
    pub taskrouter_workspace_sid: String,
    /// Its default workflow.
    pub taskrouter_target_workflow_sid: String,
    /// Its default queue.
    pub taskrouter_target_taskqueue_sid: String,
    /// The conversation service of Flex, `IS…`.
    pub chat_service_instance_sid: String,
    /// `GO…`.
    pub flex_instance_sid: String,
}

/// The default conversation service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationService {
    /// `IS…`.
    pub service_sid: String,
    /// Its name.
    #[serde(default)]
    pub friendly_name: String,
    /// Other services of the account.
    #[serde(default)]
    pub others: Vec<Named>,
    /// Messaging service of a conversation that names none.
    #[serde(default)]
    pub default_messaging_service_sid: Option<String>,
    /// ISO 8601 duration.
    #[serde(default)]
    pub default_inactive_timer: Option<String>,
    /// ISO 8601 duration.
    #[serde(default)]
    pub default_closed_timer: Option<String>,
}

/// Segment's side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentWorkspace {
    /// Spaces with profiles.
    #[serde(default)]
    pub spaces: Vec<Space>,
    /// Valid write keys of the Tracking API; empty accepts any.
    #[serde(default)]
    pub write_keys: Vec<String>,
}

/// A space.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// `spa_…`.
    pub id: String,
    /// Valid Profile API tokens.
    pub tokens: Vec<String>,
    /// Profiles by `id_type:value`, the value in lower case.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A profile.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Traits in the order they are returned.
    #[serde(default)]
    pub traits: Map<String, Value>,
    /// Names of the traits that are audiences.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Names of the traits that are computed.
    #[serde(default)]
    pub computed_traits: Vec<String>,
    /// Other identifiers; the profile is found by them too.
    #[serde(default)]
    pub external_ids: Vec<ExternalId>,
}

/// An identifier of a profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// `email`, `phone`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value.
    pub id: String,
    /// ISO 8601.
    #[serde(default = "long_ago")]
    pub created_at: String,
}

fn long_ago() -> String {
    "2026-01-01T00:00:00.000Z".to_owned()
}

impl Seed {
    /// The demo account, `seed/demo.json`.
    pub fn demo() -> Self {
        #[expect(clippy::expect_used, reason = "compiled in, and checked by `the_demo_seed_loads`")]
        let seed = Self::from_json(include_str!("../seed/demo.json")).expect("the demo seed is well formed");
        seed
    }

    /// Reads a seed; unknown fields are errors.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::demo()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sids::is_sid;

    #[test]
    fn the_demo_seed_loads() {
        let seed = Seed::demo();
        assert!(is_sid(&seed.account_sid, "AC"));
        assert!(seed.content.iter().all(|template| is_sid(&template.sid, "HX")));
        assert!(seed.messaging_services.iter().all(|service| is_sid(&service.sid, "MG")));
        assert_eq!(seed.segment.spaces[0].profiles.len(), 5);
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let text = include_str!("../seed/demo.json").replacen("\"auth_tokens\"", "\"auth_token\"", 1);
        assert!(Seed::from_json(&text).is_err());
    }
}
