//! Flex's configuration, <https://www.twilio.com/docs/flex/developer/config/flex-configuration-rest-api>.

use serde::Deserialize;

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError};

/// The account's Flex configuration; only what names are looked up by, and which service its conversations are in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct FlexConfiguration {
    /// `ok`, `inprogress` or `notstarted`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub taskrouter_workspace_sid: Option<String>,
    /// Twilio does not say which of these two is the service of Flex's conversations; where both are set they are the same.
    #[serde(default)]
    pub chat_service_instance_sid: Option<String>,
    #[serde(default)]
    pub flex_service_instance_sid: Option<String>,
}

impl TwilioClient {
    /// `None` when the account has no Flex.
    pub async fn flex_configuration(&self) -> Result<Option<FlexConfiguration>, TwilioError> {
        found(self.get(Product::FlexApi, "/v1/Configuration").await)
    }
}
