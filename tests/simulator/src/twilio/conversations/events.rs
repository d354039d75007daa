//! What a conversation's webhooks hear (twilio.md 6.4): studio webhooks start the flow's published revision, the
//! others get a signed form if their filters name the event.

use std::sync::Arc;

use crate::clock::iso8601;
use crate::twilio::callbacks;
use crate::twilio::studio::runtime;
use crate::world::World;

use super::store::{Conversation, ConversationMessage, Participant, State};

/// A message was added. Returns the Studio executions that were started or continued.
pub fn message_added(
    world: &Arc<World>,
    conversation: &Conversation,
    message: &ConversationMessage,
    source: &str,
) -> Vec<String> {
    let mut fields = vec![
        ("Source", source.to_owned()),
        ("ConversationSid", conversation.sid.clone()),
        ("MessageSid", message.sid.clone()),
        ("Index", message.index.to_string()),
        ("DateCreated", iso8601(message.created_ms)),
        ("Body", message.body.clone().unwrap_or_default()),
        ("Author", message.author.clone()),
        ("Attributes", message.attributes.clone()),
    ];
    if let Some(sid) = &conversation.messaging_service_sid {
        fields.push(("MessagingServiceSid", sid.clone()));
    }
    if let Some(sid) = &message.participant_sid {
        fields.push(("ParticipantSid", sid.clone()));
    }
    notify(world, conversation, "onMessageAdded", fields);
    let studio = conversation.webhooks.iter().filter(|webhook| webhook.target == "studio");
    studio.filter_map(|webhook| runtime::on_conversation_message(world, conversation, webhook, message)).collect()
}

/// A participant was added.
pub fn participant_added(world: &Arc<World>, conversation: &Conversation, participant: &Participant) {
    let mut fields = vec![
        ("Source", "API".to_owned()),
        ("ConversationSid", conversation.sid.clone()),
        ("ParticipantSid", participant.sid.clone()),
        ("Attributes", participant.attributes.clone()),
    ];
    if let Some(address) = &participant.address {
        fields.push(("MessagingBinding.Address", address.clone()));
    }
    notify(world, conversation, "onParticipantAdded", fields);
}

/// The state was changed through the API.
pub fn state_updated(world: &Arc<World>, conversation: &Conversation, before: State) {
    let fields = vec![
        ("Source", "API".to_owned()),
        ("ConversationSid", conversation.sid.clone()),
        ("StateFrom", before.name().to_owned()),
        ("StateTo", conversation.state.name().to_owned()),
        ("Reason", "API".to_owned()),
        ("StateUpdated", iso8601(conversation.updated_ms)),
    ];
    notify(world, conversation, "onConversationStateUpdated", fields);
}

fn notify(world: &Arc<World>, conversation: &Conversation, event: &'static str, fields: Vec<(&str, String)>) {
    let mut parameters =
        vec![("AccountSid".to_owned(), world.account().sid().to_owned()), ("EventType".to_owned(), event.to_owned())];
    parameters.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    for webhook in conversation.webhooks.iter().filter(|webhook| webhook.target == "webhook") {
        let Some(url) = webhook.url.clone() else { continue };
        if webhook.filters.iter().any(|filter| filter == event) {
            let (world, sid, parameters) = (Arc::clone(world), conversation.sid.clone(), parameters.clone());
            tokio::spawn(async move { callbacks::send(&world, &sid, event, &url, parameters).await });
        }
    }
}
