//! From an event and its recipient's traits to what is sent. Pure: the same input gives the same plan.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api::{annotations::EVENT_ATTRIBUTE, engage_destination::OnActiveConversation, reasons::event as reason},
    delivery::{
        condition::Answer,
        consent,
        destination::{Action, ConsentBy, Destination, NAME_TRAIT, Opening},
        outcome::{Final, Reason},
        phone, task,
        variables::VariableError,
    },
    segment::{Event, MessageId, event::User, tracking},
    twilio::{
        E164, Request,
        conversations::{NewConversation, NewConversationMessage, participant, studio_webhook},
        interactions::{NewInteraction, TaskPlace},
        messages::NewMessage,
        sid::{ContentSid, FlowSid},
    },
};

/// All that one delivery sends, before any of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Whatsapp(NewMessage),
    Conversation(ConversationDelivery),
    Interaction(InteractionDelivery),
}

/// A conversation to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationDelivery {
    pub customer: E164,
    /// Our numbers, in the order in which they are tried.
    pub numbers: Vec<E164>,
    pub flow: FlowSid,
    pub conversation: NewConversation,
    pub opening: Option<NewConversationMessage>,
    /// What follows when none of them is free.
    pub on_active: OnActiveConversation,
}

/// A task to be asked for, and the conversation to be opened for it where the customer is in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InteractionDelivery {
    pub customer: E164,
    /// Our numbers, in the order in which they are tried.
    pub numbers: Vec<E164>,
    pub conversation: NewConversation,
    pub interaction: NewInteraction,
}

/// What the controller has found in the account for a destination.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resolved<'a> {
    /// The flow of a conversation.
    pub flow: Option<&'a FlowSid>,
    /// The template that is sent.
    pub content: Option<&'a ContentSid>,
    /// Where tasks go.
    pub task_place: Option<&'a TaskPlace>,
}

impl Delivery {
    /// The requests that have its effects, in their order, when nothing stands in the way. What is not known before the account
    /// has answered is in braces.
    pub fn requests(&self, account: &str) -> Vec<Request> {
        match self {
            Self::Whatsapp(message) => vec![message.request(account)],
            Self::Conversation(delivery) => {
                let ConversationDelivery { customer, numbers, flow, conversation, opening, on_active: _ } = delivery;
                let sid = "{ConversationSid}";
                let mut requests = vec![conversation.request(), studio_webhook(sid, flow.as_str())];
                requests.extend(numbers.first().map(|number| participant(sid, customer, number)));
                requests.extend(opening.as_ref().map(|opening| opening.request(sid)));
                requests
            }
            Self::Interaction(delivery) => {
                let InteractionDelivery { customer, numbers, conversation, interaction } = delivery;
                let sid = "{ConversationSid}";
                let mut requests = vec![conversation.request()];
                requests.extend(numbers.first().map(|number| participant(sid, customer, number)));
                requests.push(interaction.request(sid));
                requests
            }
        }
    }

    /// What follows instead when every number of ours is talking to the customer, and the requests of that.
    pub fn when_active(&self) -> Option<(OnActiveConversation, Vec<Request>)> {
        match self {
            Self::Whatsapp(_) | Self::Interaction(_) => None,
            Self::Conversation(ConversationDelivery { on_active, opening, .. }) => {
                let reused = opening.iter().filter(|_| *on_active == OnActiveConversation::Reuse);
                Some((*on_active, reused.map(|opening| opening.request("{ReusedConversationSid}")).collect()))
            }
        }
    }

    /// Whom it reaches.
    pub const fn recipient(&self) -> &E164 {
        match self {
            Self::Whatsapp(message) => &message.to,
            Self::Conversation(conversation) => &conversation.customer,
            Self::Interaction(interaction) => &interaction.customer,
        }
    }
}

fn suppressed(word: &str, detail: impl Into<String>) -> Final {
    Final::Suppressed { reason: Reason::new(word, detail) }
}

fn rejected(word: &str, detail: impl Into<String>) -> Final {
    Final::Rejected { reason: Reason::new(word, detail) }
}

/// Whether an event is looked at any further, decided from the event alone. `None`: it is.
pub fn select(destination: &Destination, event: &Event, now: Timestamp) -> Option<Final> {
    if event.kind() != Some("track") {
        let kind = event.kind().unwrap_or("none");
        return Some(suppressed(
            reason::NOT_TRACK,
            format!("only track events are acted on; this one's type is {kind}"),
        ));
    }
    if tracking::is_own(event) {
        return Some(suppressed(reason::OWN_OUTCOME, "the event is one by which this operator told of a message"));
    }
    if is_too_old(destination, event, now) {
        return Some(suppressed(reason::TOO_OLD, "the event is older than spec.delivery.maxAge"));
    }
    match &destination.when {
        None if event.is_audience_exit() => {
            Some(suppressed(reason::AUDIENCE_EXITED, "the event says that the user left the audience"))
        }
        Some(when) if when.traits().is_empty() => condition(when.evaluate(&event.json, &Map::new())),
        None | Some(_) => None,
    }
}

fn is_too_old(destination: &Destination, event: &Event, now: Timestamp) -> bool {
    event.timestamp().is_some_and(|at| {
        now.duration_since(at).as_secs() > i64::try_from(destination.limits.max_age.as_secs()).unwrap_or(i64::MAX)
    })
}

fn condition(answer: Answer) -> Option<Final> {
    match answer {
        Answer::Yes => None,
        Answer::No => Some(suppressed(reason::CONDITION_FALSE, "spec.when is false for this event")),
        Answer::NotEvaluable(problem) => {
            Some(suppressed(reason::CONDITION_NOT_EVALUABLE, format!("spec.when cannot be evaluated: {problem}")))
        }
    }
}

/// What an event becomes, its traits and what the account has being known. Where consent is a subscription, the event is one
/// that may be believed.
pub fn plan(
    destination: &Destination,
    destination_uid: &str,
    event: &Event,
    traits: &Map<String, Value>,
    found: Resolved<'_>,
) -> Result<Delivery, Final> {
    if let Some(when) = &destination.when
        && !when.traits().is_empty()
        && let Some(suppressed) = condition(when.evaluate(&event.json, traits))
    {
        return Err(suppressed);
    }
    if let Some(ConsentBy::Trait(name)) = &destination.consent
        && !consent::is_given(traits.get(name))
    {
        return Err(suppressed(reason::NO_CONSENT, format!("the trait `{name}` is not true")));
    }
    let name = &destination.phone_trait;
    let phone = traits.get(name).filter(|value| !value.is_null() && value.as_str() != Some("")).ok_or_else(|| {
        let detail = format!("neither the event nor the profile has the trait `{name}`, and no external id stands in");
        rejected(reason::NO_PHONE, detail)
    })?;
    let recipient = phone::normalise(phone, destination.phone_region)
        .map_err(|error| rejected(reason::INVALID_PHONE, format!("the trait `{name}`: {error}")))?;
    if let Some(ConsentBy::Subscription(asked)) = destination.consent
        && let Some(detail) = consent::withheld(asked, event, &recipient, destination.phone_region)
    {
        return Err(suppressed(reason::NO_CONSENT, detail));
    }
    let variables = |error: VariableError| rejected(error.reason(), error.to_string());
    let content = || found.content.cloned().ok_or_else(|| rejected(reason::INTERNAL, "the template is not known"));
    match &destination.action {
        Action::Whatsapp(action) => Ok(Delivery::Whatsapp(NewMessage {
            to: recipient,
            messaging_service: action.messaging_service.clone(),
            content: content()?,
            content_variables: action.variables.fill(traits).map_err(variables)?,
            validity: action.validity,
            status_callback: None,
        })),
        Action::Conversation(action) => {
            let flow =
                found.flow.ok_or_else(|| rejected(reason::INTERNAL, "the flow of the conversation is not known"))?;
            let opening = action.opening.as_ref().map(|Opening { content: _, variables: values }| {
                Ok::<_, Final>(NewConversationMessage {
                    content: content()?,
                    content_variables: values.fill(traits).map_err(variables)?,
                    attributes: json!({ EVENT_ATTRIBUTE: event.message_id.as_str() }).to_string(),
                })
            });
            Ok(Delivery::Conversation(ConversationDelivery {
                conversation: NewConversation {
                    unique_name: unique_name(destination_uid, &event.message_id),
                    friendly_name: friendly_name(event),
                    attributes: attributes(&recipient, traits),
                    close_after: action.close_after,
                },
                customer: recipient,
                numbers: action.numbers.clone(),
                flow: flow.clone(),
                opening: opening.transpose()?,
                on_active: action.on_active,
            }))
        }
        Action::Interaction(action) => {
            let place =
                found.task_place.ok_or_else(|| rejected(reason::INTERNAL, "where the task goes is not known"))?;
            let mark = unique_name(destination_uid, &event.message_id);
            let said = task::attributes(&mark, &recipient, traits, &action.attributes);
            Ok(Delivery::Interaction(InteractionDelivery {
                conversation: NewConversation {
                    unique_name: mark,
                    friendly_name: friendly_name(event),
                    attributes: attributes(&recipient, traits),
                    close_after: action.close_after,
                },
                customer: recipient,
                numbers: action.numbers.clone(),
                interaction: NewInteraction {
                    place: place.clone(),
                    attributes: said.map_err(|reason| Final::Rejected { reason })?,
                    priority: action.priority,
                    timeout: action.task_timeout,
                },
            }))
        }
    }
}

/// The same for every repetition of an event, and without personal data: Twilio refuses a second conversation of the name.
pub fn unique_name(destination_uid: &str, message_id: &MessageId) -> String {
    let digest =
        Sha256::new().chain_update(destination_uid).chain_update([0]).chain_update(message_id.as_str()).finalize();
    format!("{UNIQUE_NAME}{}", hex::encode(&digest[..20]))
}

/// How the unique names of this operator's conversations begin.
const UNIQUE_NAME: &str = "engage-";

/// Whether a unique name has the form of those of [`unique_name`].
pub fn is_unique_name(name: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_prefix(UNIQUE_NAME).is_some_and(|digest| digest.len() == 40 && digest.bytes().all(is_hex))
}

/// Longest friendly name that Conversations takes, in characters.
const MAX_FRIENDLY_NAME: usize = 256;

fn friendly_name(event: &Event) -> String {
    let user = match event.user() {
        Some(User::Id(id) | User::Anonymous(id)) => id,
        None => "a customer".to_owned(),
    };
    format!("Conversation with {user}").chars().take(MAX_FRIENDLY_NAME).collect()
}

/// What the agent's screen shows of the customer.
fn attributes(recipient: &E164, traits: &Map<String, Value>) -> String {
    let name = traits.get(NAME_TRAIT).filter(|name| name.is_string()).cloned().unwrap_or(Value::Null);
    json!({
        "name": name,
        "customerAddress": recipient.whatsapp(),
        "customers": {"phone": recipient.as_str(), "name": name},
    })
    .to_string()
}
