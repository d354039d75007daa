//! Looking in Twilio for the effect of one attempt.

use std::time::Duration;

use serde_json::Value;

use crate::{
    api::annotations::EVENT_ATTRIBUTE,
    delivery::{
        interaction::task_of,
        journal::{Attempt, JournalError, Ticket, Trace, now},
        steps::interaction::{Channel, Task},
    },
    twilio::{
        E164, TwilioClient, TwilioError,
        conversations::ConversationMessage,
        sid::{ConversationSid, MessagingServiceSid},
    },
};

/// How far back before the attempt is looked, for clocks that were set in between.
const MARGIN: Duration = Duration::from_secs(30);

/// What Twilio shows of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observed {
    Present {
        sid: String,
    },
    Absent,
    /// Absent, and what comes before it is not done either: nothing can have reached the customer.
    Unreached,
}

impl Observed {
    /// The SID, if the effect is there.
    pub fn present(self) -> Option<String> {
        match self {
            Self::Present { sid } => Some(sid),
            Self::Absent | Self::Unreached => None,
        }
    }
}

/// The look itself failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObserveError {
    #[error(transparent)]
    Twilio(#[from] TwilioError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Looks for the effect of `attempt`.
pub(super) async fn observe(
    twilio: &TwilioClient,
    ticket: &Ticket,
    attempt: &Attempt,
) -> Result<Observed, ObserveError> {
    match &attempt.trace {
        Trace::Message { to, messaging_service } => message(twilio, ticket, attempt, to, messaging_service).await,
        Trace::Conversation { unique_name, event, opening } => {
            conversation(twilio, ticket, unique_name, event, *opening).await
        }
        Trace::Reused { conversation, event } => reused(twilio, ticket, conversation, event).await,
        Trace::Interaction { unique_name, workspace, asked } => {
            Ok(of_task(task_of(twilio, workspace, unique_name).await?, *asked))
        }
    }
}

/// A message to the recipient that was made since the attempt began, by the service, and that no other event accounts for.
/// One delivery at a time reaches a recipient, so it can only be this attempt's.
async fn message(
    twilio: &TwilioClient,
    ticket: &Ticket,
    attempt: &Attempt,
    to: &E164,
    messaging_service: &MessagingServiceSid,
) -> Result<Observed, ObserveError> {
    // A callback that named this event proves the message, whatever the list says yet.
    if let Some(sid) = ticket.journal().receipts().message_of(ticket.key()).await? {
        return Ok(Observed::Present { sid });
    }
    let age = Duration::from_millis(u64::try_from(now() - attempt.at).unwrap_or(0)) + MARGIN;
    for message in twilio.messages_to(to, age).await? {
        let outbound = message.direction.as_deref().is_none_or(|direction| direction.starts_with("outbound"));
        let by_service = message.messaging_service_sid.as_deref() == Some(messaging_service.as_str());
        if !outbound || !by_service {
            continue;
        }
        match ticket.journal().attributed_to(&message.sid).await? {
            Some(other) if &other != ticket.key() => {}
            Some(_) | None => return Ok(Observed::Present { sid: message.sid }),
        }
    }
    Ok(Observed::Absent)
}

/// The conversation with its last step done: the opening message if there is one, else the customer in it.
async fn conversation(
    twilio: &TwilioClient,
    ticket: &Ticket,
    unique_name: &str,
    event: &str,
    opening: bool,
) -> Result<Observed, ObserveError> {
    let Some(conversation) = twilio.conversation_by_unique_name(unique_name).await? else {
        return Ok(Observed::Unreached);
    };
    let present = || Observed::Present { sid: conversation.sid.to_string() };
    if opening {
        let messages = twilio.conversation_messages(&conversation.sid).await?;
        if let Some(message) = opening_of(&messages, event) {
            ticket.opened(message);
            return Ok(present());
        }
    }
    // The customer is in it before the opening message leaves.
    let reached = !twilio.participants(&conversation.sid).await?.is_empty();
    Ok(match (reached, opening) {
        (true, false) => present(),
        (true, true) => Observed::Absent,
        (false, _) => Observed::Unreached,
    })
}

/// The opening message in a conversation that another event has made. The customer is in it, whoever else is. Of one that
/// somebody has deleted it cannot be told any more.
async fn reused(
    twilio: &TwilioClient,
    ticket: &Ticket,
    conversation: &ConversationSid,
    event: &str,
) -> Result<Observed, ObserveError> {
    let messages = match twilio.conversation_messages(conversation).await {
        Err(error) if error.is_not_found() => return Ok(Observed::Absent),
        other => other?,
    };
    Ok(match opening_of(&messages, event) {
        Some(message) => {
            ticket.opened(message);
            Observed::Present { sid: conversation.to_string() }
        }
        None => Observed::Absent,
    })
}

/// The opening message of this event: its attributes name it.
pub(super) fn opening_of<'a>(messages: &'a [ConversationMessage], event: &str) -> Option<&'a ConversationMessage> {
    messages.iter().find(|message| event_of(message).as_deref() == Some(event))
}

/// The event whose opening message it is.
pub(super) fn event_of(message: &ConversationMessage) -> Option<String> {
    let attributes: Value = serde_json::from_str(message.attributes.as_deref()?).ok()?;
    attributes.get(EVENT_ATTRIBUTE)?.as_str().map(str::to_owned)
}

/// What the event's task says of its attempt. A channel that is being set up or has failed reaches nobody yet: the next delivery goes on
/// from there.
pub(super) fn of_task(task: Option<Task>, asked: bool) -> Observed {
    match task {
        Some(Task { interaction, channel: Channel::Active | Channel::Over }) => {
            Observed::Present { sid: interaction.to_string() }
        }
        Some(Task { channel: Channel::Setup | Channel::Failed(_), .. }) => Observed::Unreached,
        // What was withdrawn is an earlier attempt's.
        Some(Task { channel: Channel::Withdrawn, .. }) | None => {
            if asked {
                Observed::Absent
            } else {
                Observed::Unreached
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_opening_message_is_known_by_the_event_in_its_attributes() {
        let message = |sid: &str, attributes: Option<&str>| ConversationMessage {
            sid: sid.into(),
            attributes: attributes.map(str::to_owned),
        };
        let ours = json!({ EVENT_ATTRIBUTE: "m" }).to_string();
        let other = json!({ EVENT_ATTRIBUTE: "m2" }).to_string();
        let messages = [
            message("IM1", None),
            message("IM2", Some("{")),
            message("IM3", Some(&other)),
            message("IM4", Some(&ours)),
        ];
        assert_eq!(opening_of(&messages, "m").map(|message| message.sid.as_str()), Some("IM4"));
        assert!(opening_of(&messages[..3], "m").is_none());
    }
}
