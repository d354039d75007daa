//! Content templates and their approval for WhatsApp, <https://www.twilio.com/docs/content/content-api-resources>.

use std::collections::BTreeSet;

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
}

impl Content {
    /// The names of the placeholders `{{name}}` in any text of the template.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for body in self.types.iter().flat_map(Map::values) {
            collect_placeholders(body, &mut names);
        }
        names
    }
}

fn collect_placeholders(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for part in text.split("{{").skip(1) {
                if let Some((name, _)) = part.split_once("}}") {
                    names.insert(name.trim().to_owned());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_placeholders(item, names)),
        Value::Object(fields) => fields.values().for_each(|field| collect_placeholders(field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
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

impl TwilioClient {
    pub async fn content(&self, sid: &ContentSid) -> Result<Option<Content>, TwilioError> {
        found(self.get(Product::Content, &format!("/v1/Content/{sid}")).await)
    }

    /// The template's approval for WhatsApp; `None` when it was never submitted.
    pub async fn whatsapp_approval(&self, sid: &ContentSid) -> Result<Option<WhatsAppApproval>, TwilioError> {
        let path = format!("/v1/Content/{sid}/ApprovalRequests");
        Ok(found(self.get::<ApprovalRequests>(Product::Content, &path).await)?.and_then(|requests| requests.whatsapp))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_are_found_in_every_text_of_a_template() {
        let content: Content = serde_json::from_value(json!({
            "sid": format!("HX{}", "0".repeat(32)),
            "types": {
                "twilio/quick-reply": {"body": "Hi {{1}}, about {{ 2 }}", "actions": [{"title": "Yes {{3}}", "id": "y"}]},
                "twilio/text": {"body": "Hi {{1}} {{unclosed"}
            }
        }))
        .unwrap();
        assert_eq!(content.placeholders().into_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
    }
}
