//! Where a task can be. If the customer is in an open conversation by one of our numbers, the task is about that one. A conversation of
//! an event that has not ended is never such a place: it may still be taken away.

use std::collections::BTreeSet;

use crate::twilio::{E164, conversations::ParticipantConversation, sid::ConversationSid};

/// Where a task can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A conversation in which the customer is.
    In(ConversationSid),
    /// A conversation of the event's own, by this number.
    By(E164),
}

/// The places for a task, in the order in which they are tried: first the conversations by our `numbers` in which the customer is, then
/// the numbers by which they are in none. `own` is the event's unique name, `unfinished` those of events that have not ended.
pub fn places(
    numbers: &[E164],
    listed: &[ParticipantConversation],
    own: &str,
    unfinished: &BTreeSet<String>,
) -> Vec<Place> {
    let open = || {
        listed
            .iter()
            .filter(|conversation| conversation.conversation_state.as_deref() != Some("closed"))
            .filter(|conversation| conversation.conversation_unique_name.as_deref() != Some(own))
    };
    let by = |number: &E164, conversation: &&ParticipantConversation| {
        let binding = conversation.participant_messaging_binding.as_ref();
        let proxy = binding.and_then(|binding| binding.proxy_address.as_deref()?.parse::<E164>().ok());
        proxy.as_ref() == Some(number)
    };
    let (mut existing, mut free) = (Vec::new(), Vec::new());
    for number in numbers {
        match open().find(|conversation| by(number, conversation)) {
            None => free.push(Place::By(number.clone())),
            Some(ParticipantConversation { conversation_unique_name: Some(name), .. }) if unfinished.contains(name) => {
            }
            Some(conversation) => existing.push(Place::In(conversation.conversation_sid.clone())),
        }
    }
    existing.append(&mut free);
    existing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::conversations::MessagingBinding;

    fn number(number: u8) -> E164 {
        format!("+551190000000{number}").parse().unwrap()
    }

    fn sid(conversation: u8) -> ConversationSid {
        format!("CH{conversation:032}").parse().unwrap()
    }

    fn row(conversation: u8, name: &str, state: &str, by: u8) -> ParticipantConversation {
        ParticipantConversation {
            conversation_sid: sid(conversation),
            conversation_unique_name: Some(name.to_owned()),
            conversation_state: Some(state.to_owned()),
            participant_messaging_binding: Some(MessagingBinding {
                address: Some("whatsapp:+5511987654321".to_owned()),
                proxy_address: Some(number(by).whatsapp()),
            }),
        }
    }

    #[test]
    fn a_conversation_by_one_of_our_numbers_comes_before_a_new_one() {
        let listed = [
            row(1, "closed", "closed", 1),
            row(2, "somebody's", "inactive", 2),
            row(3, "an unfinished event's", "active", 3),
            row(4, "another number's", "active", 9),
            row(5, "own", "active", 4),
        ];
        let numbers = [1, 2, 3, 4].map(number);
        let unfinished = BTreeSet::from(["an unfinished event's".to_owned()]);
        assert_eq!(
            places(&numbers, &listed, "own", &unfinished),
            [Place::In(sid(2)), Place::By(number(1)), Place::By(number(4))]
        );
    }
}
