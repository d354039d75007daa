//! Flex Interactions, <https://www.twilio.com/docs/flex/developer/conversations/interactions-api>: a task for an agent, with the
//! conversation that it is about.

use serde::Deserialize;
use serde_json::{Value, json};

use super::conversations::found;
use crate::twilio::{
    Product, Request, TwilioClient, TwilioError,
    sid::{InteractionChannelSid, InteractionSid, TaskChannelSid, WorkflowSid, WorkspaceSid},
};

/// Error codes of Flex that decide something here.
pub mod code {
    /// The conversation has an interaction already.
    pub const DUPLICATE: i64 = 45_353;
    /// The conversation is closed.
    pub const CONVERSATION_CLOSED: i64 = 45_354;
    /// Nobody is in the conversation.
    pub const NO_PARTICIPANTS: i64 = 45_355;
    /// The participant could not be added.
    pub const PARTICIPANT_NOT_ADDED: i64 = 45_361;
}

/// Where a task goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlace {
    pub workspace: WorkspaceSid,
    pub workflow: WorkflowSid,
    pub task_channel: TaskChannelSid,
}

/// What a new interaction is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInteraction {
    pub place: TaskPlace,
    /// A JSON object, which is copied onto the task as it is.
    pub attributes: Value,
    pub priority: Option<i32>,
    /// Seconds until the task is given up by TaskRouter.
    pub timeout: Option<i64>,
}

impl NewInteraction {
    /// The request that makes it in that conversation, in which the customer already is: hence `customer` as who initiates.
    pub fn request(&self, conversation: &str) -> Request {
        let channel = json!({
            "type": "whatsapp",
            "initiated_by": "customer",
            "properties": {"media_channel_sid": conversation},
        });
        let mut properties = json!({
            "workspace_sid": self.place.workspace,
            "workflow_sid": self.place.workflow,
            "task_channel_sid": self.place.task_channel,
            "attributes": self.attributes,
        });
        if let Some(priority) = self.priority {
            properties["priority"] = priority.into();
        }
        if let Some(timeout) = self.timeout {
            properties["timeout"] = timeout.into();
        }
        let routing = json!({ "properties": properties });
        let form = vec![("Channel", channel.to_string()), ("Routing", routing.to_string())];
        Request { product: Product::FlexApi, path: "/v1/Interactions".to_owned(), form }
    }
}

/// An interaction that was accepted, which says nothing yet of how its channel is set up.
#[derive(Debug, Clone, Deserialize)]
pub struct Interaction {
    pub sid: InteractionSid,
    #[serde(default)]
    pub channel: Option<InteractionChannelName>,
}

/// Names the channel of an interaction.
#[derive(Debug, Clone, Deserialize)]
pub struct InteractionChannelName {
    #[serde(default)]
    pub sid: Option<InteractionChannelSid>,
}

/// The channel of an interaction.
#[derive(Debug, Clone, Deserialize)]
pub struct InteractionChannel {
    pub sid: InteractionChannelSid,
    /// `setup`, `active`, `failed`, `closed`, `inactive`, `pause`, `transfer`.
    #[serde(default)]
    pub status: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error_code: Option<i64>,
    #[serde(default)]
    pub error_message: Option<String>,
}

impl TwilioClient {
    /// Asks for a task in a conversation.
    pub async fn create_interaction(
        &self,
        interaction: &NewInteraction,
        conversation: &str,
    ) -> Result<Interaction, TwilioError> {
        self.perform(&interaction.request(conversation)).await
    }

    /// The channels of an interaction, of which there is one; `None` when there is no such interaction.
    pub async fn interaction_channels(
        &self,
        interaction: &InteractionSid,
    ) -> Result<Option<Vec<InteractionChannel>>, TwilioError> {
        let path = format!("/v1/Interactions/{interaction}/Channels");
        found(self.list(Product::FlexApi, &path, &[("PageSize", "50")]).await)
    }

    /// Ends the task of an interaction by its channel, and leaves the conversation as it is. One that is gone is fine.
    pub async fn withdraw_interaction(
        &self,
        interaction: &InteractionSid,
        channel: &InteractionChannelSid,
    ) -> Result<(), TwilioError> {
        let routing = json!({"status": "closed"}).to_string();
        let form = [("Status", "inactive"), ("Routing", routing.as_str())];
        let path = format!("/v1/Interactions/{interaction}/Channels/{channel}");
        let updated: Result<Value, TwilioError> = self.post(Product::FlexApi, &path, &form).await;
        found(updated).map(drop)
    }
}
