//! Messages of the 2010 API, <https://www.twilio.com/docs/messaging/api/message-resource>. They have no idempotency key: a
//! lost answer is settled by looking in the list.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde::Deserialize;

use crate::twilio::{
    E164, Product, Request, TwilioClient, TwilioError,
    sid::{ContentSid, MessagingServiceSid},
};

/// A message as the API shows it; only what is needed to know it again.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    pub sid: String,
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub direction: Option<String>,
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// RFC 2822.
    #[serde(default)]
    pub date_created: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}

impl Message {
    /// When Twilio took the message, where it says so in a form that is understood.
    pub fn created_at(&self) -> Option<Timestamp> {
        rfc2822::parse(self.date_created.as_deref()?).ok().map(|zoned| zoned.timestamp())
    }
}

#[derive(Debug, Deserialize)]
struct MessagePage {
    messages: Vec<Message>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

/// Most pages of one recipient's messages that are looked through.
const MAX_PAGES: usize = 20;

/// A template to one WhatsApp recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub to: E164,
    pub messaging_service: MessagingServiceSid,
    pub content: ContentSid,
    /// JSON object of placeholder and value; absent when the template has none.
    pub content_variables: Option<String>,
    /// How long Twilio may try to deliver it, in whole seconds; absent: its own default.
    pub validity: Option<Duration>,
    /// Where Twilio says what becomes of it.
    pub status_callback: Option<String>,
}

impl NewMessage {
    /// The request that sends it from `account`.
    pub fn request(&self, account: &str) -> Request {
        let Self { to, messaging_service, content, content_variables, validity, status_callback } = self;
        let mut form = vec![
            ("To", to.whatsapp()),
            ("MessagingServiceSid", messaging_service.to_string()),
            ("ContentSid", content.to_string()),
        ];
        form.extend(content_variables.clone().map(|variables| ("ContentVariables", variables)));
        form.extend(validity.map(|validity| ("ValidityPeriod", validity.as_secs().to_string())));
        form.extend(status_callback.clone().map(|url| ("StatusCallback", url)));
        Request { product: Product::Api, path: messages_path(account), form }
    }
}

fn messages_path(account: &str) -> String {
    format!("/2010-04-01/Accounts/{account}/Messages.json")
}

impl TwilioClient {
    /// Sends a template.
    pub async fn create_message(&self, message: &NewMessage) -> Result<Message, TwilioError> {
        self.perform(&message.request(self.account().as_str())).await
    }

    /// The messages to one WhatsApp recipient that were made in the last `age`, by Twilio's own clock. No date is asked for:
    /// `date_sent`, the only one that can be, is null for a while. Stops at the first page whose rows are all older.
    pub async fn messages_to(&self, to: &E164, age: Duration) -> Result<Vec<Message>, TwilioError> {
        let path = messages_path(self.account().as_str());
        let to = to.whatsapp();
        let query = [("To", to.as_str()), ("PageSize", "100")];
        let (mut page, date): (MessagePage, _) = self.get_timed(Product::Api, &path, &query).await?;
        let answered = date.unwrap_or_else(Timestamp::now);
        let since = answered.checked_sub(SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX));
        let since = since.unwrap_or(Timestamp::MIN);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let older = |message: &Message| message.created_at().is_some_and(|at| at < since);
            let only_older = !page.messages.is_empty() && page.messages.iter().all(older);
            found.extend(page.messages.into_iter().filter(|message| !older(message)));
            match page.next_page_uri {
                Some(next) if !only_older => page = self.get(Product::Api, &next).await?,
                _ => return Ok(found),
            }
        }
        let problem = "more messages to one recipient than are looked through".to_owned();
        Err(TwilioError::NotUnderstood { status: 200, problem })
    }
}
