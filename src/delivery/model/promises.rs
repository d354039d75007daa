//! What has to hold in every world, and in every one in which nothing is left to happen.

use super::{
    Action, Setting,
    twilio::{Channel, Conversation, Interaction, State as ConversationState},
    world::{Happening, World},
};
use crate::{
    api::engage_destination::OnUnknownOutcome,
    delivery::{
        journal::{Entry, State, by_hand::may_have_been_sent},
        outcome::Final,
    },
};

impl World {
    /// The first promise that does not hold.
    pub fn broken_promise(&self, setting: &Setting) -> Option<&'static str> {
        self.broken.or_else(|| self.doubled(setting)).or_else(|| self.bereft()).or_else(|| {
            let mut next = Vec::new();
            self.happenings(setting, &mut next);
            if next.iter().all(Happening::is_from_outside) { self.unfinished(setting) } else { None }
        })
    }

    /// Whether a customer was messaged twice for one event, whoever is to blame.
    pub fn messaged_twice(&self) -> bool {
        (0..self.journal.len()).any(|event| self.twilio.messaged(event) > 1)
    }

    /// Never two effects of one event that the customer sees, but for one more each time that a person has reopened an event that
    /// may have been sent.
    pub fn doubled(&self, setting: &Setting) -> Option<&'static str> {
        let twice =
            (0..self.journal.len()).any(|event| self.twilio.messaged(event) > 1 + usize::from(self.reopened[event]));
        // Of an entry, too: whoever is messaged for one of its events is not for another.
        let of_entry: usize =
            (0..self.journal.len()).map(|event| self.twilio.messaged(event) + self.twilio.tasks(event)).sum();
        let reopened: u8 = self.reopened.iter().sum();
        if setting.one_entry && of_entry > 1 + usize::from(reopened) {
            return Some("a customer was messaged twice for one entry");
        }
        let in_twice = self.twilio.conversations.iter().any(|found| found.numbers.len() > 1);
        let tasks =
            (0..self.journal.len()).any(|event| self.twilio.tasks(event) > 1 + usize::from(self.reopened[event]));
        if twice {
            Some("a customer was messaged twice for one event")
        } else if tasks {
            Some("agents have two tasks of one event")
        } else if in_twice {
            Some("a customer is in one conversation by two numbers")
        } else {
            None
        }
    }

    /// Never a task of which the conversation is gone.
    pub fn bereft(&self) -> Option<&'static str> {
        let gone = |found: &Interaction| {
            found.channel == Channel::Active
                && self.twilio.conversations[found.conversation].state == ConversationState::Deleted
        };
        self.twilio.interactions.iter().any(gone).then_some("a conversation was taken away from under a task")
    }

    /// Nothing can happen any more: everything has come to an end, and the record is what Twilio has.
    fn unfinished(&self, setting: &Setting) -> Option<&'static str> {
        for event in 0..setting.events.len() {
            let Some(entry) = &self.journal[event] else { continue };
            let Entry { state: State::Final { outcome }, .. } = entry else {
                return Some("an event has no outcome and nothing leads to one");
            };
            let whole: Vec<_> = self.twilio.conversations.iter().filter(|found| found.event == event).collect();
            let there = whole.iter().filter(|found| found.state != ConversationState::Deleted);
            let action = setting.events[event].action;
            let effects = match action {
                Action::Interaction => self.twilio.tasks(event),
                Action::Whatsapp | Action::Conversation { opening: true } => self.twilio.messaged(event),
                Action::Conversation { opening: false } => there.clone().filter(|found| found.is_whole()).count(),
            };
            let reopened = usize::from(self.reopened[event]);
            match (outcome, effects) {
                (Final::Unknown { .. }, _) => {}
                (Final::Sent { .. }, 0) => return Some("an event counts as sent and was not"),
                (_, effects) if effects > 1 + reopened => return Some("one event had two effects"),
                (Final::Suppressed { .. } | Final::Duplicate { .. } | Final::Rejected { .. }, effects)
                    if effects > reopened =>
                {
                    return Some("an event counts as not sent and was");
                }
                (_, _) => {}
            }
            let mut taken_away =
                self.twilio.conversations.iter().filter(|found| found.state == ConversationState::Deleted);
            if matches!(outcome, Final::Sent { .. }) && taken_away.any(|found| found.openings.contains(&event)) {
                return Some("an event's message was taken away with its conversation");
            }
            let failed = |found: &&Interaction| found.event == event && matches!(found.channel, Channel::Failed { .. });
            // What was left of a parked event is for the person who decides.
            let unknown = may_have_been_sent(entry);
            if !unknown && self.twilio.interactions.iter().any(|found| failed(&found)) {
                return Some("a task is left that no customer is behind");
            }
            let is_whole = |found: &Conversation| match action {
                Action::Interaction => self.twilio.has_task(found),
                Action::Whatsapp | Action::Conversation { .. } => found.is_whole(),
            };
            for found in there {
                if !unknown
                    && !is_whole(found)
                    && action == Action::Interaction
                    && found.state == ConversationState::Active
                {
                    return Some("a conversation without task is left");
                }
                if !is_whole(found) && action != Action::Interaction && found.state == ConversationState::Active {
                    return Some("a conversation without flow or customer is left");
                }
                if found.webhooks > 1 {
                    return Some("a reply would start the flow twice");
                }
                let sent = matches!(outcome, Final::Sent { .. });
                if !sent && !unknown && found.state == ConversationState::Active {
                    return Some("a conversation is left of an event that was not sent");
                }
            }
            if matches!(outcome, Final::Duplicate { .. }) && !self.was_acted_on() {
                return Some("an event was left to another of its entry, and none was acted on");
            }
            if matches!(outcome, Final::Unknown { .. }) && setting.on_unknown == OnUnknownOutcome::Resend {
                return Some("an event ends as unknown where it should be sent again");
            }
        }
        None
    }

    /// Whether an event was, or may have been; also one of which a person has decided since that it was not.
    fn was_acted_on(&self) -> bool {
        let sent = |entry: &Entry| matches!(entry.state, State::Final { outcome: Final::Sent { .. } });
        self.journal.iter().flatten().any(|entry| sent(entry) || may_have_been_sent(entry))
    }
}
