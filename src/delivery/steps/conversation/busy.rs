//! Which of our numbers are free for a customer, and what follows when none is: the event is suppressed, put off, or its opening
//! message goes into a conversation that another event has made. Of that one nothing else is touched.

use super::{Answer, OnActiveConversation, Progress, Sent, Step, Then};
use crate::{
    api::reasons::event as reason,
    delivery::plan::is_unique_name,
    twilio::{E164, conversations::ParticipantConversation, sid::ConversationSid},
};

/// Our numbers towards one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Numbers {
    /// Those that talk to the customer in no open conversation but the event's own, in their order.
    pub free: Vec<E164>,
    /// The open conversations that other events have made by one of them, in the same order.
    pub reusable: Vec<ConversationSid>,
}

/// What there is in a conversation that another event has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visited {
    /// The opening message of the event that looks.
    Messaged,
    /// All that the event which made it has sent, so it is never taken away again.
    Whole,
    /// Not that yet: it may still be taken away, and everything in it. Or it was.
    HalfMade,
}

impl Progress {
    pub fn numbers_found(&mut self, answer: Answer<Numbers>) -> Step {
        match answer.or_put_off() {
            Ok(Numbers { free, reusable }) => {
                self.numbers = free.into();
                if self.wish.on_active == OnActiveConversation::Reuse {
                    self.reusable = reusable.into();
                }
                match (self.numbers.is_empty(), &self.conversation) {
                    (false, _) => Step::Pace,
                    // It may have to be taken away, which is recorded first like all that leaves.
                    (true, Some(_)) => Step::Start { reused: None },
                    (true, None) => self.no_number_left(),
                }
            }
            Err(sent) => Step::End(sent),
        }
    }

    /// Every number is talking to the customer: what was made for this event is taken away first.
    pub(super) fn no_number_left(&mut self) -> Step {
        let is_untouched = self.conversation.is_none() && !self.may_be_made;
        let then = match self.wish.on_active {
            OnActiveConversation::Skip => Then::End(suppressed(EVERY_NUMBER)),
            OnActiveConversation::Retry => Then::End(put_off(EVERY_NUMBER)),
            OnActiveConversation::Reuse if is_untouched => {
                return match self.reusable.front() {
                    Some(sid) => Step::Visit { sid: sid.clone() },
                    None => Step::End(suppressed(OTHERS)),
                };
            }
            // What has taken the numbers may be one of ours.
            OnActiveConversation::Reuse if !self.anew => Then::Anew,
            OnActiveConversation::Reuse => {
                Then::End(put_off("the customer's conversations change while they are looked at"))
            }
        };
        match (&self.conversation, self.may_be_made, then) {
            (Some(_), _, then) => self.take_away(then),
            // Nothing ends by this: what may still show is for the next delivery to find.
            (None, true, Then::End(sent @ Sent::NotNow(_))) | (None, false, Then::End(sent)) => Step::End(sent),
            (None, true, then) => Step::FindRemains { after: self.wish.settle, then },
            (None, false, Then::Anew) => self.begin_anew(),
        }
    }

    /// A conversation whose own event may yet be taken back goes with it, so nothing is sent into it before that is over.
    pub fn visited(&mut self, answer: Answer<Visited>) -> Step {
        let visited = match answer.or_put_off() {
            Ok(visited) => visited,
            Err(sent) => return Step::End(sent),
        };
        let current = self.reusable.pop_front();
        match (visited, current) {
            (Visited::Messaged, Some(sid)) => Step::End(Sent::sid(&sid)),
            (Visited::Whole, Some(sid)) => {
                self.reused = Some(sid);
                Step::Pace
            }
            (Visited::HalfMade, _) | (_, None) => match self.reusable.front() {
                Some(sid) => Step::Visit { sid: sid.clone() },
                None => Step::End(put_off("another event's conversation with this customer is not complete yet")),
            },
        }
    }
}

const EVERY_NUMBER: &str =
    "every number in spec.conversation.twilioNumber is in another open conversation with this customer";
const OTHERS: &str = "every number in spec.conversation.twilioNumber is in an open conversation with this customer that this \
                      operator did not make";

fn suppressed(detail: &str) -> Sent {
    Sent::suppressed(reason::CONVERSATION_ACTIVE, detail)
}

fn put_off(detail: &str) -> Sent {
    Sent::not_now(reason::CONVERSATION_ACTIVE, detail)
}

/// What the customer's conversations leave of `ours`. `own` is the unique name of the event's conversation.
pub fn numbers(ours: &[E164], listed: &[ParticipantConversation], own: &str) -> Numbers {
    let mut found = Numbers::default();
    let others: Vec<(E164, &ParticipantConversation)> = listed
        .iter()
        .filter(|conversation| conversation.conversation_state.as_deref() != Some("closed"))
        .filter(|conversation| conversation.conversation_unique_name.as_deref() != Some(own))
        .filter_map(|conversation| {
            let number = conversation.participant_messaging_binding.as_ref()?.proxy_address.as_deref()?;
            Some((number.parse().ok()?, conversation))
        })
        .collect();
    for number in ours {
        let mut holders = others.iter().filter(|(held, _)| held == number).peekable();
        if holders.peek().is_none() {
            found.free.push(number.clone());
        }
        for (_, holder) in holders {
            let sid = &holder.conversation_sid;
            let is_ours = holder.conversation_unique_name.as_deref().is_some_and(is_unique_name);
            if is_ours && !found.reusable.contains(sid) {
                found.reusable.push(sid.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{delivery::plan::unique_name, segment::MessageId, twilio::conversations::MessagingBinding};

    fn ours(number: usize) -> E164 {
        format!("+551130000000{number}").parse().unwrap()
    }

    fn sid(conversation: usize) -> ConversationSid {
        format!("CH{conversation:032}").parse().unwrap()
    }

    fn name(event: &str) -> String {
        unique_name("uid", &MessageId::parse(event).unwrap())
    }

    fn row(conversation: usize, name: Option<&str>, state: &str, number: usize) -> ParticipantConversation {
        ParticipantConversation {
            conversation_sid: sid(conversation),
            conversation_unique_name: name.map(str::to_owned),
            conversation_state: Some(state.to_owned()),
            participant_messaging_binding: Some(MessagingBinding {
                address: Some("whatsapp:+5511987654321".to_owned()),
                proxy_address: Some(ours(number).whatsapp()),
            }),
        }
    }

    #[test]
    fn a_number_is_free_unless_another_open_conversation_has_it() {
        let own = name("own");
        let listed = [
            row(1, Some(&own), "active", 1),
            row(2, None, "inactive", 2),
            row(3, Some("support"), "closed", 3),
            row(4, Some("support"), "active", 9),
        ];
        let found = numbers(&[ours(2), ours(3), ours(1)], &listed, &own);
        assert_eq!(found, Numbers { free: vec![ours(3), ours(1)], reusable: vec![] });
    }

    #[test]
    fn what_may_be_reused_is_open_and_has_a_name_that_this_operator_gives() {
        let (one, other) = (name("one"), name("other"));
        let listed = [
            row(1, Some(&one), "inactive", 1),
            row(2, Some(&other), "active", 2),
            row(3, Some(&one), "closed", 1),
            row(4, Some("engage-support"), "active", 3),
            row(5, Some(&one.to_uppercase()), "active", 3),
            row(6, None, "active", 3),
            row(7, Some(&one), "active", 8),
        ];
        let found = numbers(&[ours(2), ours(3), ours(1)], &listed, &name("own"));
        assert_eq!(found, Numbers { free: vec![], reusable: vec![sid(2), sid(1)] });
    }
}
