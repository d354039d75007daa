//! Flex's configuration, <https://www.twilio.com/docs/flex/developer/config/flex-configuration-rest-api>.

use serde::Deserialize;

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError};

/// The account's Flex configuration; only what names are looked up by.
#[derive(Debug, Clone, Deserialize)]
pub struct FlexConfiguration {
    #[serde(default)]
    pub taskrouter_workspace_sid: Option<String>,
}

impl TwilioClient {
    /// `None` when the account has no Flex.
    pub async fn flex_configuration(&self) -> Result<Option<FlexConfiguration>, TwilioError> {
        found(self.get(Product::FlexApi, "/v1/Configuration").await)
    }
}
