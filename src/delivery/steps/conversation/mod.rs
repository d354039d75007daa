//! The steps of a conversation with a customer: the conversation, its webhook, the customer, the opening message. Each can be
//! looked up, so a lost answer costs a look and never a second effect, and a delivery that was cut off is resumed.
//! The webhook comes before the customer, so that no reply can miss the flow.
//!
//! `making` has the steps up to the customer, `opening` the message, `busy` what follows when no number of ours is free, and
//! `removal` how what was half-made is taken away.

mod busy;
mod making;
mod opening;
mod removal;

use std::{collections::VecDeque, time::Duration};

use super::{Answer, STEP_PAUSE, STEP_TRIES, Sent, settling::Settled};
use crate::{
    api::engage_destination::OnActiveConversation,
    delivery::outcome::Reason,
    twilio::{E164, sid::ConversationSid},
};

pub use busy::{Numbers, Visited, numbers};
pub use making::{Added, Created};

/// What to do next; each is answered by the method that it names. `after` is a pause before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Look for the conversation of the event's unique name: `found`.
    Find,
    /// Find our numbers that are not talking to the customer, and what may be reused: `numbers_found`.
    FindNumbers,
    /// Look into a conversation that another event has made: `visited`.
    Visit {
        sid: ConversationSid,
    },
    /// Wait for the sender's turn: `paced`.
    Pace,
    /// Record the attempt: `started`. It is one in the event's own conversation, or in one that is `reused`.
    Start {
        reused: Option<ConversationSid>,
    },
    /// Make the conversation: `created`.
    Create {
        after: Duration,
    },
    /// Look whether the event's last step is done: `completion_found`.
    FindCompletion,
    /// List the conversation's webhooks that start the flow: `webhooks_found`.
    FindWebhooks {
        sid: ConversationSid,
        after: Duration,
    },
    /// Remove one of them: `webhook_removed`.
    RemoveWebhook {
        sid: ConversationSid,
        webhook: String,
    },
    /// Let replies start the flow: `attached`.
    Attach {
        sid: ConversationSid,
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
    /// Send the opening message: `opened`.
    Open {
        sid: ConversationSid,
    },
    /// Find out what became of the opening message: `settled`.
    Settle,
    /// Remove the conversation: `taken_away`.
    TakeAway {
        sid: ConversationSid,
        after: Duration,
        then: Then,
    },
    /// Look whether it is still there: `remains_found`.
    FindRemains {
        after: Duration,
        then: Then,
    },
    End(Sent),
}

/// What follows when nothing is left of what was made for the event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Then {
    End(Sent),
    /// The delivery begins anew, with the numbers as they are then.
    Anew,
}

/// A conversation of the event's unique name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Found {
    pub sid: ConversationSid,
    /// It takes nothing more.
    pub closed: bool,
}

/// What the destination asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Whether an opening message is to be sent.
    pub opening: bool,
    /// What follows when no number is free.
    pub on_active: OnActiveConversation,
    /// How long the effect of a call whose answer was lost may take to show.
    pub settle: Duration,
}

/// How far a delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    wish: Wish,
    /// The effect of a call to make the conversation may still be to come.
    may_be_made: bool,
    /// The event's conversation, once it is known.
    conversation: Option<Found>,
    /// The name was said to be taken: the look is for what took it.
    creating: bool,
    /// The numbers that are still to be tried, the current one first.
    numbers: VecDeque<E164>,
    /// Conversations that other events have made with this customer, the current one first; none unless they may be reused.
    reusable: VecDeque<ConversationSid>,
    /// The one of them that the opening message goes into.
    reused: Option<ConversationSid>,
    /// The delivery has begun anew, which it does once.
    anew: bool,
    /// Tries of the current step.
    tries: u32,
    /// Looks for a webhook since the answer to the last try to attach it was lost.
    looks: u32,
    /// Times that the answer to the opening message was lost.
    openings_lost: u32,
    /// Webhooks that are one too many.
    surplus: Vec<String>,
}

impl Progress {
    /// `attempts` were started before, by anyone.
    pub fn begin(attempts: u32, wish: Wish) -> (Self, Step) {
        let progress = Self { may_be_made: attempts > 0, ..Self::untouched(wish) };
        (progress, if attempts > 0 { Step::Find } else { Step::FindNumbers })
    }

    const fn untouched(wish: Wish) -> Self {
        Self {
            wish,
            may_be_made: false,
            conversation: None,
            creating: false,
            numbers: VecDeque::new(),
            reusable: VecDeque::new(),
            reused: None,
            anew: false,
            tries: 0,
            looks: 0,
            openings_lost: 0,
            surplus: Vec::new(),
        }
    }

    /// Nothing is left of what was made for the event.
    fn begin_anew(&mut self) -> Step {
        *self = Self { anew: true, ..Self::untouched(self.wish) };
        Step::FindNumbers
    }

    /// A step in the conversation. Where none is known it has to be found first.
    fn within(&self, step: impl FnOnce(ConversationSid) -> Step) -> Step {
        self.conversation.as_ref().map_or(Step::Find, |found| step(found.sid.clone()))
    }

    /// The number of ours that is to be tried next; none where a conversation is reused.
    pub fn number(&self) -> Option<&E164> {
        self.numbers.front().filter(|_| self.reused.is_none())
    }

    pub fn paced(&self, turn: Result<(), Reason>) -> Step {
        match turn {
            Ok(()) => Step::Start { reused: self.reused.clone() },
            Err(reason) => Step::End(Sent::NotNow(reason)),
        }
    }

    pub fn started(&self) -> Step {
        match (&self.reused, self.openings_lost, &self.conversation) {
            (Some(sid), ..) => Step::Open { sid: sid.clone() },
            (None, 1.., _) => self.within(|sid| Step::Open { sid }),
            // What is complete is left as it is, whoever completed it.
            (None, 0, Some(_)) => Step::FindCompletion,
            (None, 0, None) => Step::Create { after: Duration::ZERO },
        }
    }
}
