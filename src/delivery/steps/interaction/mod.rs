//! The steps of a task for an agent: a conversation, the customer in it, and the interaction that brings the task. Nothing at Twilio
//! makes the interaction safe to repeat, so each delivery begins with a look for the task by its mark, and a lost answer is settled.
//!
//! `making` has the steps up to the customer, `asking` the task, `removal` how what was half-made is taken away.

mod asking;
mod making;
mod removal;

use std::{collections::VecDeque, time::Duration};

use super::{Sent, conversation::Found, places::Place};
use crate::{
    api::reasons::event as reason,
    delivery::{fault::Fault, outcome::Reason},
    twilio::{
        E164,
        sid::{ConversationSid, InteractionSid},
    },
};

/// What to do next; each is answered by the method that it names. `after` is a pause before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Look for the event's task: `task_found`.
    FindTask {
        after: Duration,
    },
    /// Look for the conversation of the event's unique name: `found`.
    Find,
    /// Find the conversations that the task can be about, and our numbers for a new one: `places_found`.
    FindPlaces,
    /// Wait for the sender's turn: `paced`.
    Pace,
    /// Record the attempt, and whether the task is what is asked for next: `started`.
    Start {
        asks: bool,
    },
    /// Make the conversation: `created`.
    Create {
        after: Duration,
    },
    /// Add the customer by this number of ours: `added`.
    Add {
        sid: ConversationSid,
        number: E164,
    },
    /// Look whether the customer is in the conversation: `customer_found`.
    FindCustomer {
        sid: ConversationSid,
        after: Duration,
    },
    /// Ask for the task in that conversation: `asked`.
    Ask {
        sid: ConversationSid,
    },
    /// Find out what became of that: `settled`.
    Settle,
    /// Look how far its channel is: `watched`.
    Watch {
        interaction: InteractionSid,
        after: Duration,
    },
    /// End a task whose channel has failed: `withdrawn`.
    Withdraw {
        interaction: InteractionSid,
    },
    /// Remove the conversation: `taken_away`. The delivery then ends with `then`.
    TakeAway {
        sid: ConversationSid,
        after: Duration,
        then: Sent,
    },
    /// Look whether it is still there: `remains_found`.
    FindRemains {
        after: Duration,
        then: Sent,
    },
    End(Sent),
}

/// The interaction that brought the event's task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    pub interaction: InteractionSid,
    pub channel: Channel,
}

/// How the channel of an interaction stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Channel {
    /// An agent has the task, or will.
    Active,
    /// The task is done.
    Over,
    Setup,
    Failed(Fault),
    /// It is inactive, as what has failed is left, or its conversation was taken away.
    Withdrawn,
}

impl Channel {
    /// Of several the one that counts comes first.
    const fn rank(&self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Over => 1,
            Self::Setup => 2,
            Self::Failed(_) => 3,
            Self::Withdrawn => 4,
        }
    }
}

/// The one that counts of the tasks that carry an event's mark.
pub fn standing(tasks: Vec<Task>) -> Option<Task> {
    tasks.into_iter().min_by_key(|task| task.channel.rank())
}

/// How asking for the task came out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// It was accepted.
    Made(Task),
    /// The conversation has an interaction already.
    Mapped,
    /// The conversation is closed, or the customer is no longer in it.
    Unusable,
}

/// How far a delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is known or not, and any of them may be beside any other"
)]
pub struct Progress {
    /// Nothing was started for the event before.
    fresh: bool,
    /// How long the effect of a call whose answer was lost may take to show.
    settle: Duration,
    /// The effect of a call to make the conversation may still be to come.
    may_be_made: bool,
    /// The event's own conversation, once it is known.
    conversation: Option<Found>,
    /// The name was said to be taken: the look is for what took it.
    creating: bool,
    /// The event's own conversation was made before this delivery: the customer may be in it.
    resumed: bool,
    /// The customer is in the event's own conversation.
    added: bool,
    /// The places that are still to be tried, the current one first.
    places: VecDeque<Place>,
    /// There was a place in another conversation, which an own one stands beside.
    elsewhere: bool,
    /// Tries of the current step.
    tries: u32,
    /// Times that the answer to asking for the task was lost.
    asks_lost: u32,
    /// The conversation was said to have an interaction: the look is for whose.
    mapped: bool,
    /// Time waited for the channel to be set up.
    watched: Duration,
    /// The interaction whose channel has failed, and what that makes of the event.
    failed: Option<(InteractionSid, Fault)>,
    /// How the delivery ends once nothing of the event is left: the look is for its conversation.
    ending: Option<Sent>,
}

impl Progress {
    /// `attempts` were started before, by anyone.
    pub fn begin(attempts: u32, settle: Duration) -> (Self, Step) {
        let progress = Self {
            fresh: attempts == 0,
            settle,
            may_be_made: attempts > 0,
            conversation: None,
            creating: false,
            resumed: false,
            added: false,
            places: VecDeque::new(),
            elsewhere: false,
            tries: 0,
            asks_lost: 0,
            mapped: false,
            watched: Duration::ZERO,
            failed: None,
            ending: None,
        };
        (progress, Step::FindTask { after: Duration::ZERO })
    }

    /// A step in the event's own conversation. Where none is known it has to be found first.
    fn within(&self, step: impl FnOnce(ConversationSid) -> Step) -> Step {
        self.conversation.as_ref().map_or(Step::Find, |found| step(found.sid.clone()))
    }

    /// The number of ours by which a conversation is to be made; none where the task is about one that is there already.
    pub fn number(&self) -> Option<&E164> {
        match self.places.front() {
            Some(Place::By(number)) => Some(number),
            Some(Place::In(_)) | None => None,
        }
    }

    pub fn paced(&self, turn: Result<(), Reason>) -> Step {
        match turn {
            Ok(()) => Step::Start { asks: matches!(self.places.front(), Some(Place::In(_))) },
            Err(reason) => Step::End(Sent::NotNow(reason)),
        }
    }

    pub fn started(&mut self) -> Step {
        if let Some((interaction, _)) = &self.failed {
            return Step::Withdraw { interaction: interaction.clone() };
        }
        match (self.places.front(), &self.conversation) {
            (Some(Place::In(sid)), _) => Step::Ask { sid: sid.clone() },
            (Some(Place::By(_)), Some(found)) if self.added => Step::Ask { sid: found.sid.clone() },
            (Some(Place::By(_)), None) => Step::Create { after: Duration::ZERO },
            (Some(Place::By(_)) | None, _) => self.add(),
        }
    }
}

fn closed(sid: &ConversationSid) -> Sent {
    let detail = format!("conversation {sid} of this event was closed before it had its task");
    Sent::rejected(Reason::new(reason::CONVERSATION_CLOSED, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::steps::Answer;

    const SETTLE: Duration = Duration::from_mins(1);

    fn interaction() -> InteractionSid {
        format!("KD{}", "0".repeat(32)).parse().unwrap()
    }

    fn set_up() -> (Progress, Step) {
        let (mut progress, _) = Progress::begin(1, SETTLE);
        let step =
            progress.task_found(Answer::Done(Some(Task { interaction: interaction(), channel: Channel::Setup })));
        (progress, step)
    }

    #[test]
    fn a_channel_is_watched_for_as_long_as_an_effect_may_take_and_then_the_event_is_put_off() {
        let (mut progress, mut step) = set_up();
        let mut waited = Duration::ZERO;
        while let Step::Watch { interaction, after } = step {
            waited += after;
            step = progress.watched(interaction, Answer::Done(Channel::Setup));
        }
        assert!(
            matches!(&step, Step::End(Sent::NotNow(reason)) if reason.word == reason::TWILIO_UNAVAILABLE),
            "{step:?}"
        );
        assert!(waited >= SETTLE && waited < SETTLE * 3, "{waited:?}");
    }

    #[test]
    fn a_channel_that_stands_is_the_end_and_one_that_failed_is_recorded_before_its_task_is_ended() {
        let (mut progress, _) = set_up();
        let step = progress.watched(interaction(), Answer::Done(Channel::Active));
        assert_eq!(step, Step::End(Sent::sid(&interaction())));
        let (mut progress, _) = set_up();
        let fault = Fault::Event(Reason::new(reason::INTERACTION_FAILED, ""));
        assert_eq!(
            progress.watched(interaction(), Answer::Done(Channel::Failed(fault.clone()))),
            Step::Start { asks: false }
        );
        assert_eq!(progress.started(), Step::Withdraw { interaction: interaction() });
        // An earlier delivery may have made a conversation for it.
        assert_eq!(progress.withdrawn(Answer::Done(())), Step::Find);
        assert_eq!(progress.found(Answer::Done(None)), Step::End(fault.into()));
    }
}
