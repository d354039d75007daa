//! Taking away what was half-made for an event: at once when a step is refused for good, and so that nothing shows afterwards.

use std::time::Duration;

use super::{Answer, Found, Progress, Sent, Step, Then};
use crate::{
    api::reasons::event as reason,
    delivery::{fault::Fault, outcome::Final},
};

impl Progress {
    /// A step was refused. If that is for good, what was made is taken away; else the next delivery goes on with it. A conversation
    /// that was closed meanwhile takes nothing more, and may have been complete before.
    pub(super) fn undone(&mut self, fault: Fault) -> Step {
        match (&fault, &mut self.conversation) {
            (Fault::Event(reason), Some(found)) if reason.word == reason::CONVERSATION_CLOSED => {
                found.closed = true;
                Step::FindCompletion
            }
            (Fault::Event(_), Some(_)) => self.take_away(Then::End(fault.into())),
            _ => Step::End(fault.into()),
        }
    }

    /// While the conversation is there, a call to make it that shows late makes no other.
    pub(super) fn take_away(&self, then: Then) -> Step {
        let after = if self.may_be_made { self.wish.settle } else { Duration::ZERO };
        self.within(|sid| Step::TakeAway { sid, after, then })
    }

    /// A removal that shows late would take away what the next delivery makes whole, so it is waited for.
    pub fn taken_away(&mut self, then: Then, answer: Answer<()>) -> Step {
        match answer {
            Answer::Done(()) => self.nothing_left(then),
            Answer::Refused(fault) => Step::End(not_taken_away(&then, fault.into())),
            Answer::Lost(_) => Step::FindRemains { after: self.wish.settle, then },
        }
    }

    pub fn remains_found(&mut self, then: Then, answer: Answer<Option<Found>>) -> Step {
        match answer.or_put_off() {
            Ok(None) => self.nothing_left(then),
            Ok(Some(_)) => {
                let detail = "a half-made conversation could not be taken away";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Err(put_off) => Step::End(not_taken_away(&then, put_off)),
        }
    }

    fn nothing_left(&mut self, then: Then) -> Step {
        match then {
            Then::End(sent) => Step::End(sent),
            Then::Anew => self.begin_anew(),
        }
    }
}

/// What was made for this event is still there, so the next delivery has to see to it.
fn not_taken_away(then: &Then, put_off: Sent) -> Sent {
    match then {
        Then::Anew | Then::End(Sent::NotNow(_) | Sent::Final(Final::Suppressed { .. })) => put_off,
        Then::End(Sent::Final(_)) => {
            Sent::not_now(reason::TWILIO_UNAVAILABLE, "a half-made conversation could not be taken away")
        }
    }
}
