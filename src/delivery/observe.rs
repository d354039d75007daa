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
    twilio::{E164, TwilioClient, TwilioError, sid::MessagingServiceSid},
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
        Trace::Conversation { unique_name, event, opening } => conversation(twilio, unique_name, event, *opening).await,
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
        if messages.iter().any(|message| is_of_event(message.attributes.as_deref(), event)) {
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

/// Whether a message's attributes name this event.
pub(super) fn is_of_event(attributes: Option<&str>, event: &str) -> bool {
    attributes
        .and_then(|attributes| serde_json::from_str::<Value>(attributes).ok())
        .is_some_and(|attributes| attributes.get(EVENT_ATTRIBUTE).and_then(Value::as_str) == Some(event))
}
