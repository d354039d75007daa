//! A Twilio in which what is asked for happens now, later or never, and whose answers are lost.

use super::{Setting, Tick, deliver::Work};
use crate::delivery::steps::{conversation::Step, interaction};

/// What the account holds. Indices of messages, conversations and interactions are their SIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Twilio {
    pub messages: Vec<Message>,
    pub conversations: Vec<Conversation>,
    /// Customers and numbers of ours that talk in somebody else's conversation.
    pub taken: Vec<(usize, usize)>,
    pub interactions: Vec<Interaction>,
    /// Requests that were taken and have not had their effect yet.
    pub late: Vec<Late>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    pub event: usize,
    pub created: Tick,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversation {
    pub event: usize,
    pub state: State,
    pub webhooks: u8,
    /// Our numbers by which the customer is in it.
    pub numbers: Vec<usize>,
    /// Events whose opening message is in it.
    pub openings: Vec<usize>,
}

/// An interaction and its task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interaction {
    pub event: usize,
    pub conversation: usize,
    pub channel: Channel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    Active,
    Over,
    Failed { for_good: bool },
    Withdrawn,
}

impl Interaction {
    /// An agent has or had its task.
    pub const fn counts(&self) -> bool {
        matches!(self.channel, Channel::Active | Channel::Over)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Active,
    Closed,
    Deleted,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    Message { event: usize },
    Create { event: usize },
    Attach { conversation: usize },
    RemoveWebhook { conversation: usize },
    Add { conversation: usize, number: usize },
    Open { conversation: usize, event: usize },
    Delete { conversation: usize },
    Ask { event: usize, conversation: usize },
    Withdraw { interaction: usize },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Late {
    pub effect: Effect,
    /// It takes longer than anybody waits: the window that stays open.
    pub beyond: bool,
}

/// Why a request cannot have its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NameTaken,
    PairTaken,
    Closed,
    Gone,
    Mapped,
    NoCustomer,
}

impl Conversation {
    /// A reply of the customer reaches the flow.
    pub fn is_whole(&self) -> bool {
        self.webhooks > 0 && !self.numbers.is_empty()
    }
}

impl Twilio {
    /// The conversation that has the event's unique name.
    pub fn named_after(&self, event: usize) -> Option<usize> {
        self.conversations.iter().position(|found| found.event == event && found.state != State::Deleted)
    }

    /// Whether the next step of a delivery asks again for what was done or will be: that is not also refused for good.
    pub fn carries_out(&self, event: usize, work: &Work) -> bool {
        let adds = matches!(
            work,
            Work::Conversation(_, Step::Add { .. }) | Work::Interaction(_, interaction::Step::Add { .. })
        );
        let of_event = |conversation: usize| self.conversations[conversation].event == event;
        let late = self.late.iter().any(|late| match late.effect {
            Effect::Add { conversation, .. } => adds && of_event(conversation),
            Effect::Open { event: of, .. } | Effect::Ask { event: of, .. } => !adds && of == event,
            Effect::Message { event: of } => of == event,
            _ => false,
        });
        let added = self.conversations.iter().any(|found| found.event == event && !found.numbers.is_empty());
        late || if adds { added } else { self.messaged(event) + self.tasks(event) > 0 }
    }

    /// The active conversation in which this customer and number of ours talk.
    pub fn of_pair(&self, setting: &Setting, customer: usize, number: usize) -> Option<usize> {
        self.conversations.iter().position(|found| {
            found.state == State::Active
                && setting.events[found.event].customer == customer
                && found.numbers.contains(&number)
        })
    }

    /// Times that the customer was messaged for this event.
    pub fn messaged(&self, event: usize) -> usize {
        let openings = self.conversations.iter().flat_map(|found| &found.openings);
        self.messages.iter().filter(|message| message.event == event).count()
            + openings.filter(|of| **of == event).count()
    }

    /// Tasks that agents have or had for this event.
    pub fn tasks(&self, event: usize) -> usize {
        self.interactions.iter().filter(|found| found.event == event && found.counts()).count()
    }

    /// Whether it has a task of the event that it was made for.
    pub fn has_task(&self, conversation: &Conversation) -> bool {
        self.interactions.iter().any(|found| {
            found.counts()
                && found.event == conversation.event
                && std::ptr::eq(&raw const self.conversations[found.conversation], conversation)
        })
    }

    /// It is closed by its timer or an agent, who ends the tasks in it.
    pub fn close(&mut self, conversation: usize) {
        self.conversations[conversation].state = State::Closed;
        let within = self.interactions.iter_mut().filter(|found| found.conversation == conversation);
        for active in within.filter(|found| found.channel == Channel::Active) {
            active.channel = Channel::Over;
        }
    }

    /// Gives the index of what was made or changed.
    pub fn take(&mut self, setting: &Setting, effect: Effect, now: Tick) -> Result<usize, Refusal> {
        match effect {
            Effect::Message { event } => {
                self.messages.push(Message { event, created: now });
                Ok(self.messages.len() - 1)
            }
            Effect::Create { event } => {
                if self.named_after(event).is_some() {
                    return Err(Refusal::NameTaken);
                }
                let conversation = Conversation {
                    event,
                    state: State::Active,
                    webhooks: 0,
                    numbers: Vec::new(),
                    openings: Vec::new(),
                };
                self.conversations.push(conversation);
                Ok(self.conversations.len() - 1)
            }
            Effect::Attach { conversation } => {
                self.active(conversation)?.webhooks += 1;
                Ok(conversation)
            }
            Effect::RemoveWebhook { conversation } => {
                let found = self.active(conversation)?;
                found.webhooks = found.webhooks.saturating_sub(1);
                Ok(conversation)
            }
            Effect::Add { conversation, number } => {
                let event = self.active(conversation)?.event;
                let customer = setting.events[event].customer;
                if self.taken.contains(&(customer, number)) {
                    return Err(Refusal::PairTaken);
                }
                match self.of_pair(setting, customer, number) {
                    Some(other) if other == conversation => {}
                    Some(_) => return Err(Refusal::PairTaken),
                    None => self.conversations[conversation].numbers.push(number),
                }
                Ok(conversation)
            }
            Effect::Open { conversation, event } => {
                self.active(conversation)?.openings.push(event);
                Ok(conversation)
            }
            Effect::Delete { conversation } => {
                self.conversations[conversation].state = State::Deleted;
                Ok(conversation)
            }
            Effect::Ask { event, conversation } => {
                if self.active(conversation)?.numbers.is_empty() {
                    return Err(Refusal::NoCustomer);
                }
                let taken =
                    |found: &Interaction| found.conversation == conversation && found.channel == Channel::Active;
                if setting.refuses_second && self.interactions.iter().any(taken) {
                    return Err(Refusal::Mapped);
                }
                self.interactions.push(Interaction { event, conversation, channel: Channel::Active });
                Ok(self.interactions.len() - 1)
            }
            Effect::Withdraw { interaction } => {
                self.interactions[interaction].channel = Channel::Withdrawn;
                Ok(interaction)
            }
        }
    }

    fn active(&mut self, conversation: usize) -> Result<&mut Conversation, Refusal> {
        let found = &mut self.conversations[conversation];
        match found.state {
            State::Active => Ok(found),
            State::Closed => Err(Refusal::Closed),
            State::Deleted => Err(Refusal::Gone),
        }
    }
}
