//! The task itself: looked for by its mark, asked for, settled after a lost answer, and watched until its channel is set up.

use std::time::Duration;

use super::{Asked, Channel, Progress, Step, Task, closed};
use crate::{
    api::reasons::event as reason,
    delivery::steps::{Answer, MAX_ATTEMPTS, STEP_PAUSE, Sent, places::Place, settling::Settled},
    twilio::sid::InteractionSid,
};

/// Pause before the second look at a channel that is being set up; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Progress {
    /// What was withdrawn is not there.
    pub fn task_found(&mut self, answer: Answer<Option<Task>>) -> Step {
        match answer.or_put_off() {
            Ok(Some(task)) if task.channel != Channel::Withdrawn => self.standing(task),
            Ok(_) if self.mapped => self.of_another(),
            Ok(_) if self.asks_lost > 0 => Step::Start { asks: true },
            // Once it is known that nothing is there, what is made from here on is this delivery's.
            Ok(_) if self.fresh => Step::FindPlaces,
            Ok(_) => Step::Find,
            Err(sent) => Step::End(sent),
        }
    }

    fn standing(&mut self, task: Task) -> Step {
        let Task { interaction, channel } = task;
        match channel {
            Channel::Active | Channel::Over | Channel::Withdrawn => Step::End(Sent::sid(&interaction)),
            Channel::Setup => self.watch(interaction),
            Channel::Failed(fault) => {
                self.failed = Some((interaction, fault));
                Step::Start { asks: false }
            }
        }
    }

    /// The conversation has an interaction that is not the event's, as far as can be seen.
    fn of_another(&mut self) -> Step {
        self.mapped = false;
        if let Some(Place::In(_)) = self.places.front() {
            return self.next_place();
        }
        let detail = "the event's conversation has an interaction whose task is not shown";
        Step::End(Sent::not_now(reason::TWILIO_CONFLICT, detail))
    }

    /// The task carries the event's mark, by which it is found after a lost answer.
    pub fn asked(&mut self, answer: Answer<Asked>) -> Step {
        match answer {
            Answer::Done(Asked::Made(task)) => self.standing(task),
            Answer::Done(Asked::Mapped) => {
                self.mapped = true;
                Step::FindTask { after: STEP_PAUSE }
            }
            Answer::Done(Asked::Unusable) => match (self.places.front(), &self.conversation) {
                (Some(Place::By(_)), Some(found)) => Step::End(closed(&found.sid)),
                _ => self.next_place(),
            },
            Answer::Refused(fault) => self.undone(fault),
            Answer::Lost(_) => {
                self.asks_lost += 1;
                Step::Settle
            }
        }
    }

    /// Another conversation did not take the task. An own one is begun without it being asked for yet.
    fn next_place(&mut self) -> Step {
        self.places.pop_front();
        match self.places.front() {
            Some(Place::In(_)) => Step::Start { asks: true },
            Some(Place::By(_)) => Step::Start { asks: false },
            None => self.no_place_left(),
        }
    }

    pub fn settled(&self, settled: Settled) -> Step {
        match settled {
            Settled::Present { sid } => Step::End(Sent::sid(&sid)),
            // It may be there all the same, with a channel that failed.
            Settled::Absent if self.asks_lost < MAX_ATTEMPTS => Step::FindTask { after: Duration::ZERO },
            Settled::Absent => {
                let detail = "the request for a task was lost several times, each time without effect";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Settled::Unknown(reason) => Step::End(Sent::unknown(reason)),
        }
    }

    /// The pauses double until `settle` has been waited.
    fn watch(&mut self, interaction: InteractionSid) -> Step {
        if self.watched >= self.settle {
            let detail = "the channel of the interaction is still being set up";
            return Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail));
        }
        let after = self.watched.max(FIRST_PAUSE).min(self.settle);
        self.watched += after;
        Step::Watch { interaction, after }
    }

    pub fn watched(&mut self, interaction: InteractionSid, answer: Answer<Channel>) -> Step {
        match answer {
            Answer::Done(channel) => self.standing(Task { interaction, channel }),
            Answer::Refused(_) | Answer::Lost(_) => self.watch(interaction),
        }
    }
}
