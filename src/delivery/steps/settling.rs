//! Finding out what became of an attempt whose answer was lost: it is looked for until it shows, or until its absence is proof.

use std::time::Duration;

use crate::{
    api::{engage_destination::OnUnknownOutcome, reasons::event as reason},
    delivery::{
        journal::{AfterAbsence, Attempt, machine::after_absence},
        outcome::Reason,
    },
};

/// When the first look is taken after an answer was lost: most effects show at once.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// Pauses between looks that themselves failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Settled {
    /// It had its effect.
    Present { sid: String },
    /// It had none and will have none.
    Absent,
    /// It cannot be told.
    Unknown(Reason),
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Looked {
    Present {
        sid: String,
    },
    /// Nothing. When the look began, the last byte of the attempt had left at least `silent` before.
    Absent {
        silent: Duration,
    },
    /// Nothing, and nothing can have reached the customer.
    Unreached {
        silent: Duration,
    },
    /// The look itself failed.
    Failed,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    LookAfter(Duration),
    End(Settled),
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settling {
    pause: Duration,
}

impl Settling {
    pub fn begin(attempt: &Attempt) -> (Self, Step) {
        (Self { pause: FIRST_PAUSE }, Step::LookAfter(FIRST_LOOK.min(attempt.settle)))
    }

    pub fn looked(&mut self, attempt: &Attempt, looked: Looked) -> Step {
        match looked {
            Looked::Present { sid } => Step::End(Settled::Present { sid }),
            Looked::Absent { silent } => match after_absence(attempt, silent) {
                AfterAbsence::LookAgain { after } => Step::LookAfter(after),
                AfterAbsence::Resend => Step::End(Settled::Absent),
                AfterAbsence::Park => {
                    let detail = "the answer of Twilio was lost and the message is not in its list; look at the customer's \
                                  history before sending again";
                    Step::End(Settled::Unknown(Reason::new(reason::OUTCOME_UNKNOWN, detail)))
                }
            },
            // There is nothing that a person would have to decide.
            Looked::Unreached { silent } => {
                let attempt = Attempt { on_unknown: OnUnknownOutcome::Resend, ..attempt.clone() };
                self.looked(&attempt, Looked::Absent { silent })
            }
            Looked::Failed => {
                let pause = self.pause;
                self.pause = (pause * 2).min(MAX_PAUSE);
                Step::LookAfter(pause)
            }
        }
    }
}
