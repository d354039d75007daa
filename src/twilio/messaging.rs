//! Messaging Services and WhatsApp senders, <https://www.twilio.com/docs/messaging/api/service-resource> and
//! <https://www.twilio.com/docs/whatsapp/api/senders>.

use serde::Deserialize;

use super::conversations::found;
use crate::twilio::{E164, Product, TwilioClient, TwilioError, sid::MessagingServiceSid};

/// A Messaging Service.
#[derive(Debug, Clone, Deserialize)]
pub struct MessagingService {
    pub sid: MessagingServiceSid,
    #[serde(default)]
    pub friendly_name: Option<String>,
}

/// A sender in the pool of a Messaging Service.
#[derive(Debug, Clone, Deserialize)]
struct ChannelSender {
    #[serde(default)]
    sender: Option<String>,
}

/// A WhatsApp sender of the account.
#[derive(Debug, Clone, Deserialize)]
pub struct WhatsAppSender {
    /// `whatsapp:+…`
    #[serde(default)]
    pub sender_id: Option<String>,
    /// `ONLINE`, `OFFLINE`, `PENDING_VERIFICATION` …
    #[serde(default)]
    pub status: Option<String>,
}

impl WhatsAppSender {
    pub fn number(&self) -> Option<E164> {
        self.sender_id.as_deref()?.parse().ok()
    }

    /// Whether it can send now.
    pub fn is_online(&self) -> bool {
        matches!(self.status.as_deref(), Some("ONLINE" | "ONLINE:UPDATING"))
    }
}

impl TwilioClient {
    pub async fn messaging_service(&self, sid: &MessagingServiceSid) -> Result<Option<MessagingService>, TwilioError> {
        found(self.get(Product::Messaging, &format!("/v1/Services/{sid}")).await)
    }

    pub async fn messaging_services(&self) -> Result<Vec<MessagingService>, TwilioError> {
        self.list(Product::Messaging, "/v1/Services", &[("PageSize", "1000")]).await
    }

    /// The WhatsApp numbers in the pool of a Messaging Service. They are known by their address: the API's own example
    /// misspells a `sender_type`.
    pub async fn whatsapp_senders_of(&self, sid: &MessagingServiceSid) -> Result<Vec<E164>, TwilioError> {
        let path = format!("/v1/Services/{sid}/ChannelSenders");
        let rows: Vec<ChannelSender> = self.list(Product::Messaging, &path, &[("PageSize", "1000")]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.sender)
            .filter(|sender| sender.starts_with("whatsapp:"))
            .filter_map(|sender| sender.parse().ok())
            .collect())
    }

    /// Every WhatsApp sender of the account.
    pub async fn whatsapp_senders(&self) -> Result<Vec<WhatsAppSender>, TwilioError> {
        self.list(Product::Messaging, "/v2/Channels/Senders", &[("Channel", "whatsapp"), ("PageSize", "1000")]).await
    }
}
