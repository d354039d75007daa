//! The steps of giving up an event that may have left a conversation half-made: what is complete was sent after all, the rest is
//! taken away. Where the event was to become a task, that is looked for first.

use std::time::Duration;

use super::{
    Answer, Sent,
    conversation::Found,
    interaction::{Channel, Task},
};
use crate::{
    api::reasons::event as reason,
    delivery::outcome::Reason,
    twilio::sid::{ConversationSid, InteractionSid},
};

/// What to do next; each is answered by the method that it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Look for the event's task: `task_found`.
    FindTask,
    /// End a task whose channel has failed: `withdrawn`.
    Withdraw {
        interaction: InteractionSid,
    },
    /// Look for the conversation of the event's unique name: `found`.
    Find,
    /// Look whether the event's last step is done: `completion_found`.
    FindCompletion,
    /// Record the attempt to remove it: `started`.
    Start,
    /// Remove the conversation: `taken_away`.
    TakeAway {
        sid: ConversationSid,
    },
    /// Look whether it is still there: `remains_found`. `after` is a pause before it.
    FindRemains {
        after: Duration,
    },
    End(Sent),
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Why the event is given up.
    reason: Reason,
    /// How long a removal whose answer was lost may take to show.
    settle: Duration,
    conversation: Option<Found>,
    /// The interaction whose channel has failed.
    failed: Option<InteractionSid>,
    /// The event was to become a task, and has none.
    no_task: bool,
}

impl Progress {
    pub const fn begin(reason: Reason, settle: Duration) -> (Self, Step) {
        (Self { reason, settle, conversation: None, failed: None, no_task: false }, Step::Find)
    }

    /// Of an event that was to become a task.
    pub const fn begin_with_task(reason: Reason, settle: Duration) -> (Self, Step) {
        (Self { reason, settle, conversation: None, failed: None, no_task: false }, Step::FindTask)
    }

    pub fn task_found(&mut self, answer: Answer<Option<Task>>) -> Step {
        self.no_task = true;
        match answer.or_put_off() {
            Ok(None | Some(Task { channel: Channel::Withdrawn, .. })) => Step::Find,
            Ok(Some(Task { channel: Channel::Failed(_), interaction })) => {
                self.failed = Some(interaction);
                Step::Start
            }
            // Set up or not, it is there.
            Ok(Some(Task { channel: Channel::Active | Channel::Over | Channel::Setup, interaction })) => {
                Step::End(Sent::sid(&interaction))
            }
            Err(sent) => Step::End(sent),
        }
    }

    pub fn withdrawn(&mut self, answer: Answer<()>) -> Step {
        self.failed = None;
        match answer.or_put_off() {
            Ok(()) => Step::Find,
            Err(sent) => Step::End(sent),
        }
    }

    fn given_up(&self) -> Step {
        Step::End(Sent::rejected(self.reason.clone()))
    }

    pub fn found(&mut self, answer: Answer<Option<Found>>) -> Step {
        match answer.or_put_off() {
            Ok(None) => self.given_up(),
            Ok(Some(Found { closed: true, .. })) if self.no_task => self.given_up(),
            Ok(found) => {
                self.conversation = found;
                if self.no_task { Step::Start } else { Step::FindCompletion }
            }
            Err(sent) => Step::End(sent),
        }
    }

    pub fn completion_found(&self, answer: Answer<Option<String>>) -> Step {
        match (answer.or_put_off(), &self.conversation) {
            (Ok(Some(sid)), _) => Step::End(Sent::sid(&sid)),
            (Ok(None), Some(Found { closed: false, .. })) => Step::Start,
            (Ok(None), _) => self.given_up(),
            (Err(sent), _) => Step::End(sent),
        }
    }

    pub fn started(&self) -> Step {
        if let Some(interaction) = &self.failed {
            return Step::Withdraw { interaction: interaction.clone() };
        }
        self.conversation.as_ref().map_or(Step::Find, |found| Step::TakeAway { sid: found.sid.clone() })
    }

    /// What was asked to be removed is not given back before that has settled: the event could come again, and what is made whole
    /// for it be removed.
    pub fn taken_away(&self, answer: Answer<()>) -> Step {
        match answer {
            Answer::Done(()) => self.given_up(),
            Answer::Refused(fault) => Step::End(fault.into()),
            Answer::Lost(_) => Step::FindRemains { after: self.settle },
        }
    }

    pub fn remains_found(&self, answer: Answer<Option<Found>>) -> Step {
        match answer.or_put_off() {
            Ok(None) => self.given_up(),
            Ok(Some(_)) => {
                let detail = "a half-made conversation could not be taken away";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Err(sent) => Step::End(sent),
        }
    }
}
