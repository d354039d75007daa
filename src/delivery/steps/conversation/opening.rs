//! The opening message, the last step. It goes into the event's own conversation, or into one that is reused.

use super::{Answer, Progress, Sent, Settled, Step};
use crate::{api::reasons::event as reason, delivery::fault::Fault, delivery::steps::MAX_ATTEMPTS};

impl Progress {
    pub(super) fn open(&self) -> Step {
        self.within(|sid| if self.wish.opening { Step::Open { sid } } else { Step::End(Sent::sid(&sid)) })
    }

    /// The attributes of the opening message name the event, by which it is found after a lost answer.
    pub fn opened(&mut self, answer: Answer<()>) -> Step {
        match (answer, &self.reused) {
            (Answer::Done(()), Some(sid)) => Step::End(Sent::sid(sid)),
            (Answer::Done(()), None) => self.within(|sid| Step::End(Sent::sid(&sid))),
            (Answer::Refused(fault), Some(_)) => self.not_reused(fault),
            (Answer::Refused(fault), None) => self.undone(fault),
            (Answer::Lost(_), _) => {
                self.openings_lost += 1;
                Step::Settle
            }
        }
    }

    /// The conversation is another event's and stays as it is. One that was closed in between has given its number back.
    fn not_reused(&mut self, fault: Fault) -> Step {
        match &fault {
            Fault::Event(reason) if reason.word == reason::CONVERSATION_CLOSED => {
                if self.anew {
                    let detail = "the conversation that was to be reused was closed meanwhile";
                    return Step::End(Sent::not_now(reason::CONVERSATION_ACTIVE, detail));
                }
                self.begin_anew()
            }
            _ => Step::End(fault.into()),
        }
    }

    pub fn settled(&self, settled: Settled) -> Step {
        match settled {
            Settled::Present { sid } => Step::End(Sent::sid(&sid)),
            Settled::Absent if self.openings_lost < MAX_ATTEMPTS => Step::Start { reused: self.reused.clone() },
            Settled::Absent => {
                let detail = "the opening message was lost several times, each time without effect";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Settled::Unknown(reason) => Step::End(Sent::unknown(reason)),
        }
    }
}
