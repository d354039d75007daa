//! The steps of a task for an agent: a conversation, the customer in it, and the interaction that brings the task. Nothing at Twilio
//! makes the interaction safe to repeat, so each delivery begins with a look for the task by its mark, and a lost answer is settled.

use std::{collections::VecDeque, time::Duration};

use super::{
    Answer, MAX_ATTEMPTS, Sent,
    conversation::{Added, Created, Found},
    places::Place,
    settling::Settled,
};
use crate::{
    api::reasons::event as reason,
    delivery::{
        fault::Fault,
        outcome::{Final, Reason},
    },
    twilio::{
        E164,
        sid::{ConversationSid, InteractionSid},
    },
};

/// Times a step that is safe to repeat is tried again while answers are lost.
const STEP_TRIES: u32 = 3;
/// Pause before that.
const STEP_PAUSE: Duration = Duration::from_millis(400);
/// Pause before the second look at a channel that is being set up; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

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

    pub fn found(&mut self, answer: Answer<Option<Found>>) -> Step {
        match (answer.or_put_off(), self.ending.take()) {
            (Ok(Some(found)), Some(then)) => {
                self.conversation = Some(found);
                self.take_away(then)
            }
            (Ok(None), Some(then)) => Step::End(then),
            (Err(put_off), Some(then)) => Step::End(not_taken_away(&then, put_off)),
            (found, None) => self.found_to_go_on(found),
        }
    }

    fn found_to_go_on(&mut self, found: Result<Option<Found>, Sent>) -> Step {
        match found {
            Ok(Some(Found { closed: true, sid })) => Step::End(closed(&sid)),
            Ok(Some(found)) => {
                self.conversation = Some(found);
                self.resumed = true;
                if self.creating { self.add() } else { Step::FindPlaces }
            }
            Ok(None) if self.creating => self.create_again(),
            Ok(None) => Step::FindPlaces,
            Err(sent) => Step::End(sent),
        }
    }

    /// A conversation that was begun is gone on with, and no other one looked at beside it.
    pub fn places_found(&mut self, answer: Answer<Vec<Place>>) -> Step {
        match answer.or_put_off() {
            Ok(places) => {
                self.places = places.into();
                if self.conversation.is_some() {
                    self.elsewhere = matches!(self.places.front(), Some(Place::In(_)));
                    self.places.retain(|place| matches!(place, Place::By(_)));
                }
                match (self.places.is_empty(), &self.conversation) {
                    (false, _) => Step::Pace,
                    // It may have to be taken away, which is recorded first like all that leaves.
                    (true, Some(_)) => Step::Start { asks: false },
                    (true, None) => self.no_place_left(),
                }
            }
            Err(sent) => Step::End(sent),
        }
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

    /// Its unique name makes this safe to repeat.
    pub fn created(&mut self, answer: Answer<Created>) -> Step {
        match answer {
            Answer::Done(Created::Made(sid)) => {
                self.conversation = Some(Found { sid, closed: false });
                self.add()
            }
            Answer::Done(Created::NameTaken) => {
                self.creating = true;
                Step::Find
            }
            Answer::Refused(fault) => Step::End(fault.into()),
            Answer::Lost(_) if self.tries < STEP_TRIES => {
                self.may_be_made = true;
                self.create_again()
            }
            Answer::Lost(lost) => Step::End(lost.into()),
        }
    }

    fn create_again(&mut self) -> Step {
        self.tries += 1;
        if self.tries > STEP_TRIES {
            return Step::End(Sent::not_now(reason::TWILIO_CONFLICT, "the conversation exists and cannot be read"));
        }
        Step::Create { after: STEP_PAUSE }
    }

    /// A pair of numbers is in one conversation only, which makes adding the customer safe to repeat.
    fn add(&mut self) -> Step {
        self.tries = 0;
        match self.places.front() {
            // By whatever number it is, once is enough.
            Some(Place::By(_)) if std::mem::take(&mut self.resumed) => {
                self.within(|sid| Step::FindCustomer { sid, after: Duration::ZERO })
            }
            Some(Place::By(number)) => self.within(|sid| Step::Add { sid, number: number.clone() }),
            Some(Place::In(_)) | None => self.no_place_left(),
        }
    }

    pub fn added(&mut self, answer: Answer<Added>) -> Step {
        match answer {
            Answer::Done(Added::In) => {
                self.added = true;
                Step::Start { asks: true }
            }
            // Another conversation took this number in between: the next one is tried.
            Answer::Done(Added::PairTaken) => {
                self.elsewhere = true;
                self.places.pop_front();
                self.add()
            }
            Answer::Refused(fault) => self.undone(fault),
            Answer::Lost(_) if self.tries < STEP_TRIES => {
                self.tries += 1;
                self.within(|sid| Step::FindCustomer { sid, after: STEP_PAUSE })
            }
            Answer::Lost(lost) => Step::End(lost.into()),
        }
    }

    pub fn customer_found(&mut self, answer: Answer<bool>) -> Step {
        match (answer.or_put_off(), self.places.front()) {
            (Ok(true), _) => {
                self.added = true;
                Step::Start { asks: true }
            }
            (Ok(false), Some(Place::By(number))) => self.within(|sid| Step::Add { sid, number: number.clone() }),
            (Ok(false), _) => self.no_place_left(),
            (Err(sent), _) => Step::End(sent),
        }
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
    fn no_place_left(&mut self) -> Step {
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
    fn undone(&mut self, fault: Fault) -> Step {
        match (&fault, &self.conversation) {
            (Fault::Event(reason), Some(found)) if reason.word == reason::CONVERSATION_CLOSED => {
                Step::End(closed(&found.sid))
            }
            (Fault::Event(_), Some(_)) => self.take_away(fault.into()),
            _ => Step::End(fault.into()),
        }
    }

    /// While the conversation is there, a call to make it that shows late makes no other.
    fn take_away(&self, then: Sent) -> Step {
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
fn not_taken_away(then: &Sent, put_off: Sent) -> Sent {
    if matches!(then, Sent::Final(Final::Suppressed { .. })) {
        return put_off;
    }
    Sent::not_now(reason::TWILIO_UNAVAILABLE, NOT_TAKEN_AWAY)
}

fn closed(sid: &ConversationSid) -> Sent {
    let detail = format!("conversation {sid} of this event was closed before it had its task");
    Sent::rejected(Reason::new(reason::CONVERSATION_CLOSED, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

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
