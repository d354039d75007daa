//! What was half-made is taken away: a task whose channel failed, and the conversation that was made for the event.

use std::time::Duration;

use super::{Progress, Step, closed};
use crate::{
    api::reasons::event as reason,
    delivery::{
        fault::Fault,
        outcome::Final,
        steps::{Answer, Sent, conversation::Found},
    },
};

impl Progress {
    /// With its task the conversation that was made for it is taken away, so that nothing of it is left.
    pub fn withdrawn(&mut self, answer: Answer<()>) -> Step {
        let (Answer::Done(()), Some((_, fault))) = (answer, self.failed.take()) else {
            let detail = "the task of an interaction whose channel has failed could not be ended";
            return Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail));
        };
        if self.conversation.is_some() {
            return self.take_away(fault.into());
        }
        self.ending = Some(fault.into());
        Step::Find
    }

    /// Every number is in a conversation that takes no task: what was made for this event is taken away.
    pub(super) fn no_place_left(&mut self) -> Step {
        let then = if self.elsewhere {
            let detail = "the customer has come into another conversation, in which the task can be next time";
            Sent::not_now(reason::TWILIO_CONFLICT, detail)
        } else {
            let detail = "every number in spec.interaction.twilioNumber is in a conversation with this customer that has a task, or \
                          that another event is at";
            Sent::suppressed(reason::CONVERSATION_ACTIVE, detail)
        };
        match (self.conversation.is_some(), self.may_be_made) {
            (true, _) => self.take_away(then),
            (false, true) => Step::FindRemains { after: self.settle, then },
            (false, false) => Step::End(then),
        }
    }

    /// A step was refused. If that is for good, what was made is taken away; else the next delivery goes on with it.
    pub(super) fn undone(&mut self, fault: Fault) -> Step {
        match (&fault, &self.conversation) {
            (Fault::Event(reason), Some(found)) if reason.word == reason::CONVERSATION_CLOSED => {
                Step::End(closed(&found.sid))
            }
            (Fault::Event(_), Some(_)) => self.take_away(fault.into()),
            _ => Step::End(fault.into()),
        }
    }

    /// While the conversation is there, a call to make it that shows late makes no other.
    pub(super) fn take_away(&self, then: Sent) -> Step {
        let after = if self.may_be_made { self.settle } else { Duration::ZERO };
        self.within(|sid| Step::TakeAway { sid, after, then })
    }

    /// A removal that shows late would take away what the next delivery makes whole, so it is waited for.
    pub fn taken_away(&self, then: Sent, answer: Answer<()>) -> Step {
        match answer {
            Answer::Done(()) => Step::End(then),
            Answer::Refused(fault) => Step::End(not_taken_away(&then, fault.into())),
            Answer::Lost(_) => Step::FindRemains { after: self.settle, then },
        }
    }

    pub fn remains_found(then: Sent, answer: Answer<Option<Found>>) -> Step {
        Step::End(match answer.or_put_off() {
            Ok(None) => then,
            Ok(Some(_)) => Sent::not_now(reason::TWILIO_UNAVAILABLE, NOT_TAKEN_AWAY),
            Err(put_off) => not_taken_away(&then, put_off),
        })
    }
}

const NOT_TAKEN_AWAY: &str = "a half-made conversation could not be taken away";

/// What was made for this event is still there, so the next delivery has to see to it.
pub(super) fn not_taken_away(then: &Sent, put_off: Sent) -> Sent {
    if matches!(then, Sent::Final(Final::Suppressed { .. })) {
        return put_off;
    }
    Sent::not_now(reason::TWILIO_UNAVAILABLE, NOT_TAKEN_AWAY)
}
