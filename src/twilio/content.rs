//! Content templates and their approval for WhatsApp, <https://www.twilio.com/docs/content/content-api-resources>.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError, sid::ContentSid};

/// A content template.
#[derive(Debug, Clone, Deserialize)]
pub struct Content {
    pub sid: ContentSid,
    #[serde(default)]
    pub friendly_name: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
    /// Its bodies, by content type such as `twilio/text`.
    #[serde(default)]
    pub types: Option<Map<String, Value>>,
    /// Its approval for WhatsApp; only lists that say so have it.
    #[serde(default)]
    pub approval_requests: Option<WhatsAppApproval>,
}

/// The approval of a template for WhatsApp.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct WhatsAppApproval {
    /// `approved` may be sent; `unsubmitted`, `received`, `pending`, `rejected` and others may not.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub rejection_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ApprovalRequests {
    #[serde(default)]
    whatsapp: Option<WhatsAppApproval>,
}

/// A text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        if r"\.+*?()|[]{}^$".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

impl TwilioClient {
    pub async fn content(&self, sid: &ContentSid) -> Result<Option<Content>, TwilioError> {
        found(self.get(Product::Content, &format!("/v1/Content/{sid}")).await)
    }

    /// The templates of exactly this friendly name, in all languages, each with its approval.
    pub async fn contents_named(&self, friendly_name: &str) -> Result<Vec<Content>, TwilioError> {
        let pattern = format!("^{}$", escaped(friendly_name));
        let query = [("ContentName", pattern.as_str()), ("PageSize", "1000")];
        let mut contents: Vec<Content> = self.list(Product::Content, "/v2/ContentAndApprovals", &query).await?;
        // Whether case counts, and how much of the name has to match, is Twilio's to choose.
        contents.retain(|content| content.friendly_name.as_deref() == Some(friendly_name));
        Ok(contents)
    }

    /// Every template of the account with its approval; in pages of which one with long bodies can still be read.
    pub async fn contents(&self) -> Result<Vec<Content>, TwilioError> {
        self.list(Product::Content, "/v1/ContentAndApprovals", &[("PageSize", "200")]).await
    }

    /// The template's approval for WhatsApp; `None` when it was never submitted.
    pub async fn whatsapp_approval(&self, sid: &ContentSid) -> Result<Option<WhatsAppApproval>, TwilioError> {
        let path = format!("/v1/Content/{sid}/ApprovalRequests");
        Ok(found(self.get::<ApprovalRequests>(Product::Content, &path).await)?.and_then(|requests| requests.whatsapp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_as_it_is_written() {
        assert_eq!(escaped("lead_welcome"), "lead_welcome");
        assert_eq!(escaped(r"10% off (v1.2) ção [a|b] \ $5"), r"10% off \(v1\.2\) ção \[a\|b\] \\ \$5");
    }
}
