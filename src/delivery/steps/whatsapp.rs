//! The steps of a template by the Messages API: one POST, which nothing at Twilio makes safe to repeat. So an attempt whose
//! answer was lost is settled, and only its proven absence allows another.

use super::{Answer, MAX_ATTEMPTS, Sent, settling::Settled};
use crate::{
    api::reasons::event as reason,
    delivery::outcome::{Final, Reason},
};

/// What to do next; each is answered by the method of its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Wait for the sender's turn: `paced`.
    Pace,
    /// Record the attempt: `started`.
    Start,
    /// Send the message: `posted`.
    Post,
    /// Find out what became of it: `settled`.
    Settle,
    End(Sent),
}

/// How far a delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Attempts of this delivery.
    attempts: u32,
    /// Twilio said that it took the last one.
    taken: bool,
}

impl Progress {
    pub const fn begin() -> (Self, Step) {
        (Self { attempts: 0, taken: false }, Step::Pace)
    }

    pub fn paced(turn: Result<(), Reason>) -> Step {
        match turn {
            Ok(()) => Step::Start,
            Err(reason) => Step::End(Sent::NotNow(reason)),
        }
    }

    pub const fn started(&mut self) -> Step {
        self.attempts += 1;
        Step::Post
    }

    /// The message's SID, if it is known that it was sent.
    pub fn posted(&mut self, answer: Answer<String>) -> Step {
        match answer {
            Answer::Done(sid) => Step::End(Sent::sid(&sid)),
            Answer::Refused(fault) => Step::End(fault.into()),
            Answer::Lost(lost) => {
                self.taken = lost.taken;
                Step::Settle
            }
        }
    }

    pub fn settled(&self, settled: Settled) -> Step {
        match settled {
            Settled::Present { sid } => Step::End(Sent::sid(&sid)),
            // Twilio said that it took the message, so that its list lacks it is no proof.
            Settled::Absent if self.taken => {
                let detail = "Twilio took the message with an answer that is not understood, and does not list it";
                Step::End(Sent::unknown(Reason::new(reason::OUTCOME_UNKNOWN, detail)))
            }
            Settled::Absent if self.attempts < MAX_ATTEMPTS => Step::Pace,
            Settled::Absent => {
                let detail = "several attempts were lost, each without effect";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Settled::Unknown(reason) => Step::End(Sent::Final(Final::Unknown { reason })),
        }
    }
}
