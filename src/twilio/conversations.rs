//! Conversations, <https://www.twilio.com/docs/conversations/api>: the few calls that open one with a WhatsApp customer.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::twilio::{
    E164, Product, Request, TwilioClient, TwilioError,
    sid::{ContentSid, ConversationMessageSid, ConversationSid, FlowSid},
};

/// Error codes of the Conversations API that decide something here.
pub mod code {
    /// A conversation with this UniqueName exists.
    pub const UNIQUE_NAME_TAKEN: i64 = 50_353;
    /// The customer's and our number already talk in another active conversation.
    pub const PAIR_IN_USE: i64 = 50_416;
    /// The participant is there already.
    pub const PARTICIPANT_EXISTS: i64 = 50_433;
    /// The conversation is closed for good.
    pub const CLOSED: i64 = 50_377;
}

/// A conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct Conversation {
    pub sid: ConversationSid,
    #[serde(default)]
    pub unique_name: Option<String>,
    /// `active`, `inactive`, `closed` or `initializing`.
    #[serde(default)]
    pub state: Option<String>,
}

impl Conversation {
    /// Whether it is closed, which is final.
    pub fn is_closed(&self) -> bool {
        self.state.as_deref() == Some("closed")
    }
}

/// A conversation that one address takes part in.
#[derive(Debug, Clone, Deserialize)]
pub struct ParticipantConversation {
    pub conversation_sid: ConversationSid,
    #[serde(default)]
    pub conversation_unique_name: Option<String>,
    #[serde(default)]
    pub conversation_state: Option<String>,
    #[serde(default)]
    pub participant_messaging_binding: Option<MessagingBinding>,
}

/// The customer's address and ours.
#[derive(Debug, Clone, Deserialize)]
pub struct MessagingBinding {
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    pub proxy_address: Option<String>,
}

/// A participant of a conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct Participant {
    pub sid: String,
    #[serde(default)]
    pub messaging_binding: Option<MessagingBinding>,
}

/// A webhook of one conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct ConversationWebhook {
    pub sid: String,
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub configuration: Option<WebhookConfiguration>,
}

/// What a webhook calls; for a flow only its SID.
#[derive(Debug, Clone, Deserialize)]
pub struct WebhookConfiguration {
    #[serde(default)]
    pub flow_sid: Option<String>,
}

impl ConversationWebhook {
    /// Whether it starts this flow.
    pub fn starts(&self, flow: &FlowSid) -> bool {
        self.target.as_deref() == Some("studio")
            && self.configuration.as_ref().and_then(|c| c.flow_sid.as_deref()) == Some(flow.as_str())
    }
}

/// A message inside a conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct ConversationMessage {
    pub sid: String,
    /// JSON as text.
    #[serde(default)]
    pub attributes: Option<String>,
}

/// How a message has come to one participant outside of chat,
/// <https://www.twilio.com/docs/conversations/api/receipt-resource>.
#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryReceipt {
    /// `sent`, `delivered`, `read`, `failed` or `undelivered`.
    #[serde(default)]
    pub status: Option<String>,
    /// Of a failure: the number in Twilio's error dictionary.
    #[serde(default, deserialize_with = "error_code")]
    pub error_code: Option<u32>,
    /// ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
}

impl DeliveryReceipt {
    /// When it came to this status, where Twilio says so in a form that is understood.
    pub fn updated_at(&self) -> Option<Timestamp> {
        self.date_updated.as_deref()?.parse().ok()
    }
}

/// A number, or its digits as text as the older API writes them; zero stands for none.
fn error_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let code = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().and_then(|code| u32::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Ok(code.filter(|code| *code != 0))
}

/// What a new conversation is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    pub unique_name: String,
    pub friendly_name: String,
    /// JSON as text.
    pub attributes: String,
    /// Seconds without activity until it closes; zero for never.
    pub close_after: i64,
}

impl NewConversation {
    /// The request that makes it. A timer needs `State` beside it (error 50382).
    pub fn request(&self) -> Request {
        let mut form = vec![
            ("UniqueName", self.unique_name.clone()),
            ("FriendlyName", self.friendly_name.clone()),
            ("Attributes", self.attributes.clone()),
        ];
        if self.close_after > 0 {
            form.push(("State", "active".into()));
            form.push(("Timers.Closed", format!("PT{}S", self.close_after)));
        }
        Request { product: Product::Conversations, path: "/v1/Conversations".to_owned(), form }
    }
}

/// A template sent inside a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversationMessage {
    pub content: ContentSid,
    /// JSON object of placeholder and value; absent when the template has none.
    pub content_variables: Option<String>,
    /// JSON as text, by which the message is found again.
    pub attributes: String,
}

impl NewConversationMessage {
    /// The request that sends it in that conversation.
    pub fn request(&self, conversation: &str) -> Request {
        let mut form = vec![("ContentSid", self.content.to_string())];
        if let Some(variables) = &self.content_variables {
            form.push(("ContentVariables", variables.clone()));
        }
        form.push(("Attributes", self.attributes.clone()));
        part_of(conversation, "Messages", form)
    }
}

/// The request that lets replies in a conversation start `flow`.
pub fn studio_webhook(conversation: &str, flow: &str) -> Request {
    let form = vec![("Target", "studio".to_owned()), ("Configuration.FlowSid", flow.to_owned())];
    part_of(conversation, "Webhooks", form)
}

/// The request that adds the customer, who talks to our number `proxy`.
pub fn participant(conversation: &str, customer: &E164, proxy: &E164) -> Request {
    let form =
        vec![("MessagingBinding.Address", customer.whatsapp()), ("MessagingBinding.ProxyAddress", proxy.whatsapp())];
    part_of(conversation, "Participants", form)
}

fn part_of(conversation: &str, part: &str, form: Vec<(&'static str, String)>) -> Request {
    Request { product: Product::Conversations, path: format!("/v1/Conversations/{conversation}/{part}"), form }
}

/// The account's configuration of Conversations; only which service is meant where none is named.
#[derive(Debug, Clone, Deserialize)]
pub struct ConversationsConfiguration {
    #[serde(default)]
    pub default_chat_service_sid: Option<String>,
}

/// A service of conversations.
#[derive(Debug, Clone, Deserialize)]
pub struct ConversationService {
    /// `IS…`
    pub sid: String,
    #[serde(default)]
    pub friendly_name: Option<String>,
}

impl TwilioClient {
    pub async fn conversation_services(&self) -> Result<Vec<ConversationService>, TwilioError> {
        self.list(Product::Conversations, "/v1/Services", &[("PageSize", "100")]).await
    }

    pub async fn conversations_configuration(&self) -> Result<ConversationsConfiguration, TwilioError> {
        self.get(Product::Conversations, "/v1/Configuration").await
    }

    /// The conversation of that SID, if there is one.
    pub async fn conversation(&self, sid: &ConversationSid) -> Result<Option<Conversation>, TwilioError> {
        found(self.get(Product::Conversations, &format!("/v1/Conversations/{sid}")).await)
    }

    pub async fn create_conversation(&self, conversation: &NewConversation) -> Result<Conversation, TwilioError> {
        self.perform(&conversation.request()).await
    }

    /// The conversation of that unique name, if there is one.
    pub async fn conversation_by_unique_name(&self, unique_name: &str) -> Result<Option<Conversation>, TwilioError> {
        found(self.get(Product::Conversations, &format!("/v1/Conversations/{unique_name}")).await)
    }

    /// Removes a conversation; one that is gone already is fine.
    pub async fn delete_conversation(&self, sid: &ConversationSid) -> Result<(), TwilioError> {
        match self.delete(Product::Conversations, &format!("/v1/Conversations/{sid}")).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// The conversations in which this customer takes part by WhatsApp, closed ones included.
    pub async fn conversations_of(&self, customer: &E164) -> Result<Vec<ParticipantConversation>, TwilioError> {
        let address = customer.whatsapp();
        let query = [("Address", address.as_str()), ("PageSize", "50")];
        self.list(Product::Conversations, "/v1/ParticipantConversations", &query).await
    }

    pub async fn conversation_webhooks(&self, sid: &ConversationSid) -> Result<Vec<ConversationWebhook>, TwilioError> {
        self.list(Product::Conversations, &format!("/v1/Conversations/{sid}/Webhooks"), &[("PageSize", "5")]).await
    }

    /// Lets replies in the conversation start `flow`.
    pub async fn add_studio_webhook(
        &self,
        sid: &ConversationSid,
        flow: &FlowSid,
    ) -> Result<ConversationWebhook, TwilioError> {
        self.perform(&studio_webhook(sid.as_str(), flow.as_str())).await
    }

    pub async fn delete_conversation_webhook(&self, sid: &ConversationSid, webhook: &str) -> Result<(), TwilioError> {
        match self.delete(Product::Conversations, &format!("/v1/Conversations/{sid}/Webhooks/{webhook}")).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Adds the customer, who talks to our number `proxy`. Nothing is sent to the customer by it.
    pub async fn add_participant(
        &self,
        sid: &ConversationSid,
        customer: &E164,
        proxy: &E164,
    ) -> Result<Participant, TwilioError> {
        self.perform(&participant(sid.as_str(), customer, proxy)).await
    }

    pub async fn participants(&self, sid: &ConversationSid) -> Result<Vec<Participant>, TwilioError> {
        self.list(Product::Conversations, &format!("/v1/Conversations/{sid}/Participants"), &[("PageSize", "100")])
            .await
    }

    /// Sends a template inside the conversation. No webhook fires for it, since the request does not ask for one.
    pub async fn create_conversation_message(
        &self,
        sid: &ConversationSid,
        message: &NewConversationMessage,
    ) -> Result<ConversationMessage, TwilioError> {
        self.perform(&message.request(sid.as_str())).await
    }

    pub async fn conversation_messages(&self, sid: &ConversationSid) -> Result<Vec<ConversationMessage>, TwilioError> {
        self.list(Product::Conversations, &format!("/v1/Conversations/{sid}/Messages"), &[("PageSize", "100")]).await
    }

    /// How a message has come to each participant outside of chat.
    pub async fn delivery_receipts(
        &self,
        sid: &ConversationSid,
        message: &ConversationMessageSid,
    ) -> Result<Vec<DeliveryReceipt>, TwilioError> {
        let path = format!("/v1/Conversations/{sid}/Messages/{message}/Receipts");
        self.list(Product::Conversations, &path, &[("PageSize", "50")]).await
    }
}

/// Turns "not found" into `None`.
pub(super) fn found<T>(result: Result<T, TwilioError>) -> Result<Option<T>, TwilioError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipts_error_code_is_read_in_any_form() {
        let code = |code: &str| {
            let receipt = format!(r#"{{"status":"failed","error_code":{code},"date_updated":"2026-03-02T11:02:20Z"}}"#);
            let receipt: DeliveryReceipt = serde_json::from_str(&receipt).unwrap();
            assert_eq!(receipt.updated_at().map(Timestamp::as_second), Some(1_772_449_340));
            receipt.error_code
        };
        assert_eq!((code("63016"), code("\"63016\"")), (Some(63_016), Some(63_016)));
        assert_eq!((code("0"), code("null"), code("\"\"")), (None, None, None));
        let bare: DeliveryReceipt = serde_json::from_str("{}").unwrap();
        assert!(bare.status.is_none() && bare.error_code.is_none() && bare.updated_at().is_none());
    }
}
