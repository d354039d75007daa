//! Messages inside a conversation (twilio.md 6.5). Posted over REST they start nothing, unless the request asks for it
//! with `X-Twilio-Webhook-Enabled: true`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::clock::{Millis, iso8601};
use crate::lock::lock;
use crate::seed::Template;
use crate::twilio::messages::accept::whatsapp_error;
use crate::twilio::messages::store::Fate;
use crate::twilio::templates::{self, Variables};
use crate::twilio::{addresses, paging};
use crate::world::World;

use super::lifecycle::url;
use super::store::{Conversation, ConversationMessage, Participant, Receipt, State};
use super::{admit, events, named, open};

/// What is added to a conversation.
#[derive(Debug)]
pub struct Draft {
    /// Author; `system` when nobody says otherwise.
    pub author: String,
    /// Text.
    pub body: Option<String>,
    /// JSON text.
    pub attributes: String,
    /// Template.
    pub content: Option<Content>,
    /// `rest`, `customer`, `studio`.
    pub origin: &'static str,
}

/// A template with its variables, checked.
#[derive(Debug)]
pub struct Content {
    /// The template.
    pub template: Template,
    /// As written.
    pub written: Option<String>,
    /// Parsed.
    pub variables: Variables,
}

impl Content {
    /// Checks a template and its variables by the rules of conversations (50526–50541).
    pub fn of(account: &Account, sid: &str, written: Option<&str>) -> Result<Self, Failure> {
        let template = account.template(sid).cloned();
        let template = template.ok_or_else(|| Failure::bad(50526, format!("ContentSid {sid} is invalid")))?;
        let variables = match written {
            None => Variables::new(),
            Some(text) => templates::parse_variables(text).map_err(|failure| Failure::bad(50527, failure.message))?,
        };
        if let Some(key) = variables.keys().find(|key| key.chars().count() > 16) {
            return Err(Failure::bad(50540, format!("The content variable key '{key}' is longer than 16 characters")));
        }
        let too_long = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() > 256);
        if let Some((key, _)) = variables.iter().find(|(_, value)| too_long(value)) {
            return Err(Failure::bad(50541, format!("The content variable '{key}' is longer than 256 characters")));
        }
        if let Some(name) = templates::surplus(&template, &variables) {
            return Err(Failure::bad(50527, format!("The template has no placeholder '{name}'")));
        }
        Ok(Self { template, written: written.map(str::to_owned), variables })
    }
}

/// `POST …/Messages`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let content = match call.param("ContentSid") {
        Some(sid) => Some(Content::of(&account, sid, call.param("ContentVariables"))?),
        None => None,
    };
    let draft = Draft {
        author: call.param("Author").unwrap_or("system").to_owned(),
        body: call.param("Body").map(str::to_owned),
        attributes: call.param("Attributes").unwrap_or("{}").to_owned(),
        content,
        origin: "rest",
    };
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, world.now())?;
    admit(world, &conversation.sid)?;
    let message = append(world, &account, conversation, draft);
    let changed = conversation.clone();
    drop(store);
    if call.webhook_enabled {
        events::message_added(world, &changed, &message, "API");
    }
    Ok(call.created(&message.sid, &resource(world, &account, &changed.sid, &message)))
}

/// Adds a message; the conversation wakes up, and each participant outside of chat gets it.
pub fn append(world: &World, account: &Account, conversation: &mut Conversation, draft: Draft) -> ConversationMessage {
    let Draft { author, body, attributes, content, origin } = draft;
    let author_is = |one: &&Participant| {
        one.address.as_deref() == Some(author.as_str()) || one.identity.as_deref() == Some(author.as_str())
    };
    let participant_sid = conversation.participants.iter().find(author_is).map(|one| one.sid.clone());
    let (text, has_hole) = match &content {
        Some(content) => {
            let (text, unfilled) = templates::render(&content.template, &content.variables);
            (Some(text), unfilled.is_some())
        }
        None => (body, false),
    };
    let template = content.as_ref().map(|content| &content.template);
    let receipts = conversation
        .participants
        .iter()
        .filter(|one| one.address.is_some() && participant_sid.as_ref() != Some(&one.sid))
        .map(|one| receipt(world, account, one, template, has_hole))
        .collect();
    let message = ConversationMessage {
        sid: world.sids.make("IM"),
        index: conversation.messages.len(),
        author,
        body: text,
        attributes,
        content_sid: template.map(|template| template.sid.clone()),
        content_variables: content.and_then(|content| content.written),
        participant_sid,
        receipts,
        origin,
        created_ms: world.now(),
    };
    conversation.state = State::Active;
    conversation.updated_ms = message.created_ms;
    conversation.messages.push(message.clone());
    message
}

fn receipt(
    world: &World,
    account: &Account,
    participant: &Participant,
    template: Option<&Template>,
    has_hole: bool,
) -> Receipt {
    let address = participant.address.as_deref().unwrap_or_default();
    let proxy = participant.proxy_address.as_deref().unwrap_or_default();
    let behaviour = account.seed.recipients.get(addresses::number(address)).map_or("delivered", String::as_str);
    let refused = behaviour.strip_prefix("async_").or_else(|| behaviour.strip_prefix("sync_"));
    let error_code = refused.and_then(|code| code.parse().ok()).or_else(|| {
        let on_whatsapp = addresses::channel(address) == "whatsapp";
        on_whatsapp.then(|| whatsapp_error(world, template, has_hole, address, proxy)).flatten()
    });
    let fate = match (error_code, behaviour) {
        (Some(code), _) => Fate::Fails(code),
        (None, "blocked") => Fate::Blocked,
        (None, "read") => Fate::Read,
        (None, _) => Fate::Delivered,
    };
    Receipt {
        sid: world.sids.make("DY"),
        participant_sid: participant.sid.clone(),
        fate,
        created_ms: world.now(),
        step_ms: Millis::try_from(world.options.message_step_ms).unwrap_or(Millis::MAX),
    }
}

/// `GET …/Messages`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let account = world.account();
    let conversation = named(&mut lock(&world.conversations), call, now)?.clone();
    let is_listed = |one: &&ConversationMessage| now - one.created_ms >= call.reads.list_lag_ms;
    let mut rows: Vec<&ConversationMessage> = conversation.messages.iter().filter(is_listed).collect();
    if call.query("Order") == Some("desc") {
        rows.reverse();
    }
    paging::list(world, call, rows.len(), |index| resource(world, &account, &conversation.sid, rows[index]))
}

/// `GET …/Messages/{IM}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let conversation = named(&mut lock(&world.conversations), call, world.now())?.clone();
    let message = find(&conversation, call)?;
    Ok(call.ok(&resource(world, &world.account(), &conversation.sid, message)))
}

/// `GET …/Messages/{IM}/Receipts`.
pub fn receipts(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let account = world.account();
    let conversation = named(&mut lock(&world.conversations), call, now)?.clone();
    let message = find(&conversation, call)?;
    let known = message.receipts.iter().filter_map(|receipt| Some((receipt, receipt.status(now)?)));
    let rows: Vec<_> = known.collect();
    paging::list(world, call, rows.len(), |index| {
        let (receipt, (status, since)) = rows[index];
        let error_code = receipt.failure().filter(|_| is_failure(status)).unwrap_or(0);
        json!({
            "sid": receipt.sid, "account_sid": account.sid(), "conversation_sid": conversation.sid,
            "message_sid": message.sid, "participant_sid": receipt.participant_sid, "status": status,
            "error_code": error_code, "date_created": iso8601(message.created_ms), "date_updated": iso8601(since),
        })
    })
}

fn is_failure(status: &str) -> bool {
    matches!(status, "failed" | "undelivered")
}

fn find<'c>(conversation: &'c Conversation, call: &Call) -> Result<&'c ConversationMessage, Failure> {
    let sid = call.path_param("Sid");
    conversation.messages.iter().find(|one| one.sid == sid).ok_or_else(|| call.not_found())
}

/// A conversation message as the API shows it.
pub fn resource(world: &World, account: &Account, conversation_sid: &str, message: &ConversationMessage) -> Value {
    let url = format!("{}/Messages/{}", url(world, conversation_sid), message.sid);
    json!({
        "sid": message.sid,
        "account_sid": account.sid(),
        "conversation_sid": conversation_sid,
        "index": message.index,
        "author": message.author,
        "body": message.body,
        "media": null,
        "attributes": message.attributes,
        "participant_sid": message.participant_sid,
        "delivery": delivery(message, world.now()),
        "content_sid": message.content_sid,
        "date_created": iso8601(message.created_ms),
        "date_updated": iso8601(message.created_ms),
        "links": {"delivery_receipts": format!("{url}/Receipts")},
        "url": url,
    })
}

fn delivery(message: &ConversationMessage, now: Millis) -> Value {
    if message.receipts.is_empty() {
        return Value::Null;
    }
    let share = |statuses: &[&str]| {
        let is_at = |receipt: &&Receipt| receipt.status(now).is_some_and(|(status, _)| statuses.contains(&status));
        let count = message.receipts.iter().filter(is_at).count();
        match count {
            0 => "none",
            all if all == message.receipts.len() => "all",
            _ => "some",
        }
    };
    json!({
        "total": message.receipts.len(),
        "sent": share(&["sent", "delivered", "read"]),
        "delivered": share(&["delivered", "read"]),
        "read": share(&["read"]),
        "failed": share(&["failed"]),
        "undelivered": share(&["undelivered"]),
    })
}
