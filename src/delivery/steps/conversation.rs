//! The steps of a conversation with a customer: the conversation, its webhook, the customer, the opening message. Each can be
//! looked up, so a lost answer costs a look and never a second effect, and a delivery that was cut off is resumed.
//! The webhook comes before the customer, so that no reply can miss the flow.

use std::{collections::VecDeque, time::Duration};

use super::{Answer, MAX_ATTEMPTS, Sent, settling::Settled};
use crate::{
    api::reasons::event as reason,
    delivery::{
        fault::Fault,
        outcome::{Final, Reason},
    },
    twilio::{E164, conversations::ParticipantConversation, sid::ConversationSid},
};

/// Times a step that is safe to repeat is tried again while answers are lost.
const STEP_TRIES: u32 = 3;
/// Pause before that.
const STEP_PAUSE: Duration = Duration::from_millis(400);

/// What to do next; each is answered by the method that it names. `after` is a pause before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Look for the conversation of the event's unique name: `found`.
    Find,
    /// Find our numbers that are not talking to the customer: `numbers_found`.
    FindNumbers,
    /// Wait for the sender's turn: `paced`.
    Pace,
    /// Record the attempt: `started`.
    Start,
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

/// A conversation of the event's unique name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Found {
    pub sid: ConversationSid,
    /// It takes nothing more.
    pub closed: bool,
}

/// How making the conversation came out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Created {
    Made(ConversationSid),
    /// There is one of this unique name.
    NameTaken,
}

/// How adding the customer came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Added {
    /// The customer is in the conversation, by this call or an earlier one.
    In,
    /// The pair of numbers is in another conversation.
    PairTaken,
}

/// How far a delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Whether an opening message is to be sent.
    opening: bool,
    /// How long the effect of a call whose answer was lost may take to show.
    settle: Duration,
    /// The effect of a call to make the conversation may still be to come.
    may_be_made: bool,
    /// The event's conversation, once it is known.
    conversation: Option<Found>,
    /// The name was said to be taken: the look is for what took it.
    creating: bool,
    /// The numbers that are still to be tried, the current one first.
    numbers: VecDeque<E164>,
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
    pub fn begin(attempts: u32, opening: bool, settle: Duration) -> (Self, Step) {
        let progress = Self {
            opening,
            settle,
            may_be_made: attempts > 0,
            conversation: None,
            creating: false,
            numbers: VecDeque::new(),
            tries: 0,
            looks: 0,
            openings_lost: 0,
            surplus: Vec::new(),
        };
        (progress, if attempts > 0 { Step::Find } else { Step::FindNumbers })
    }

    /// A step in the conversation. Where none is known it has to be found first.
    fn within(&self, step: impl FnOnce(ConversationSid) -> Step) -> Step {
        self.conversation.as_ref().map_or(Step::Find, |found| step(found.sid.clone()))
    }

    pub fn found(&mut self, answer: Answer<Option<Found>>) -> Step {
        match answer.or_put_off() {
            Ok(Some(found)) => {
                let closed = found.closed;
                self.conversation = Some(found);
                match (closed, self.creating) {
                    (true, _) | (false, true) => Step::FindCompletion,
                    (false, false) => Step::FindNumbers,
                }
            }
            Ok(None) if self.creating => self.create_again(),
            Ok(None) => Step::FindNumbers,
            Err(sent) => Step::End(sent),
        }
    }

    pub fn numbers_found(&mut self, answer: Answer<Vec<E164>>) -> Step {
        match answer.or_put_off() {
            Ok(numbers) => {
                self.numbers = numbers.into();
                match (self.numbers.is_empty(), &self.conversation) {
                    (false, _) => Step::Pace,
                    // It may have to be taken away, which is recorded first like all that leaves.
                    (true, Some(_)) => Step::Start,
                    (true, None) => self.no_number_left(),
                }
            }
            Err(sent) => Step::End(sent),
        }
    }

    pub fn paced(turn: Result<(), Reason>) -> Step {
        match turn {
            Ok(()) => Step::Start,
            Err(reason) => Step::End(Sent::NotNow(reason)),
        }
    }

    pub fn started(&self) -> Step {
        match (self.openings_lost, &self.conversation) {
            (1.., _) => self.within(|sid| Step::Open { sid }),
            // What is complete is left as it is, whoever completed it.
            (0, Some(_)) => Step::FindCompletion,
            (0, None) => Step::Create { after: Duration::ZERO },
        }
    }

    /// Its unique name makes this safe to repeat.
    pub fn created(&mut self, answer: Answer<Created>) -> Step {
        match answer {
            Answer::Done(Created::Made(sid)) => {
                self.conversation = Some(Found { sid, closed: false });
                // What is complete is left as it is, whoever completed it.
                if self.tries > 0 { Step::FindCompletion } else { self.within(|sid| Step::Attach { sid }) }
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

    /// The conversation's SID if the event's last step is done in it. A closed one takes nothing more: what was not done in it
    /// never will be.
    pub fn completion_found(&mut self, answer: Answer<Option<String>>) -> Step {
        match (answer.or_put_off(), &self.conversation) {
            (Ok(Some(sid)), _) => Step::End(Sent::sid(&sid)),
            (Ok(None), Some(Found { sid, closed: true })) => Step::End(Sent::rejected(Reason::new(
                reason::CONVERSATION_CLOSED,
                format!("conversation {sid} of this event was closed before it was complete"),
            ))),
            (Ok(None), _) if self.numbers.is_empty() => self.no_number_left(),
            (Ok(None), _) => {
                self.tries = 0;
                self.within(|sid| Step::FindWebhooks { sid, after: Duration::ZERO })
            }
            (Err(sent), _) => Step::End(sent),
        }
    }

    /// Two webhooks would answer the customer twice, and nothing at Twilio prevents them: one too many is taken away, and after
    /// a lost answer absence is believed only when it has settled; until then the delivery does not end either.
    pub fn webhooks_found(&mut self, answer: Answer<Vec<String>>) -> Step {
        let unsettled = self.tries > 0 && self.looks == 0;
        let mut webhooks = match answer.or_put_off() {
            Ok(webhooks) => webhooks.into_iter(),
            Err(_) if unsettled => return self.look_for_webhook_again(),
            Err(sent) => return Step::End(sent),
        };
        if webhooks.next().is_some() {
            self.surplus = webhooks.rev().collect();
            return self.remove_surplus();
        }
        match self.tries {
            _ if unsettled => self.look_for_webhook_again(),
            ..STEP_TRIES => self.within(|sid| Step::Attach { sid }),
            STEP_TRIES.. => {
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, "the conversation's webhook cannot be added"))
            }
        }
    }

    fn look_for_webhook_again(&mut self) -> Step {
        self.looks += 1;
        self.within(|sid| Step::FindWebhooks { sid, after: self.settle })
    }

    pub fn webhook_removed(&mut self, answer: Answer<()>) -> Step {
        match answer.or_put_off() {
            Ok(()) => self.remove_surplus(),
            Err(sent) => Step::End(sent),
        }
    }

    fn remove_surplus(&mut self) -> Step {
        match self.surplus.pop() {
            Some(webhook) => self.within(|sid| Step::RemoveWebhook { sid, webhook }),
            None => self.add(),
        }
    }

    pub fn attached(&mut self, answer: Answer<()>) -> Step {
        match answer {
            Answer::Done(()) => self.add(),
            Answer::Refused(fault) => self.undone(fault),
            Answer::Lost(_) => {
                self.tries += 1;
                self.looks = 0;
                self.within(|sid| Step::FindWebhooks { sid, after: STEP_PAUSE })
            }
        }
    }

    /// A pair of numbers is in one conversation only, which makes adding the customer safe to repeat.
    fn add(&mut self) -> Step {
        self.tries = 0;
        match self.numbers.front() {
            Some(number) => self.within(|sid| Step::Add { sid, number: number.clone() }),
            None => self.no_number_left(),
        }
    }

    pub fn added(&mut self, answer: Answer<Added>) -> Step {
        match answer {
            Answer::Done(Added::In) => self.open(),
            // Another conversation took this number in between: the next one is tried.
            Answer::Done(Added::PairTaken) => {
                self.numbers.pop_front();
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

    pub fn customer_found(&self, answer: Answer<bool>) -> Step {
        match (answer.or_put_off(), self.numbers.front()) {
            (Ok(false), Some(number)) => self.within(|sid| Step::Add { sid, number: number.clone() }),
            (Ok(false), None) => self.no_number_left(),
            (Ok(true), _) => self.open(),
            (Err(sent), _) => Step::End(sent),
        }
    }

    fn open(&self) -> Step {
        self.within(|sid| if self.opening { Step::Open { sid } } else { Step::End(Sent::sid(&sid)) })
    }

    /// The attributes of the opening message name the event, by which it is found after a lost answer.
    pub fn opened(&mut self, answer: Answer<()>) -> Step {
        match answer {
            Answer::Done(()) => self.within(|sid| Step::End(Sent::sid(&sid))),
            Answer::Refused(fault) => self.undone(fault),
            Answer::Lost(_) => {
                self.openings_lost += 1;
                Step::Settle
            }
        }
    }

    pub fn settled(&self, settled: Settled) -> Step {
        match settled {
            Settled::Present { sid } => Step::End(Sent::sid(&sid)),
            Settled::Absent if self.openings_lost < MAX_ATTEMPTS => Step::Start,
            Settled::Absent => {
                let detail = "the opening message was lost several times, each time without effect";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Settled::Unknown(reason) => Step::End(Sent::unknown(reason)),
        }
    }

    /// Every number is talking to the customer: what was made for this event is taken away.
    fn no_number_left(&self) -> Step {
        let detail =
            "every number in spec.conversation.twilioNumber is in another open conversation with this customer";
        let suppressed = Sent::suppressed(reason::CONVERSATION_ACTIVE, detail);
        match (self.conversation.is_some(), self.may_be_made) {
            (true, _) => self.take_away(suppressed),
            (false, true) => Step::FindRemains { after: self.settle, then: suppressed },
            (false, false) => Step::End(suppressed),
        }
    }

    /// A step was refused. If that is for good, what was made is taken away; else the next delivery goes on with it. A conversation
    /// that was closed meanwhile takes nothing more, and may have been complete before.
    fn undone(&mut self, fault: Fault) -> Step {
        match (&fault, &mut self.conversation) {
            (Fault::Event(reason), Some(found)) if reason.word == reason::CONVERSATION_CLOSED => {
                found.closed = true;
                Step::FindCompletion
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
        match answer.or_put_off() {
            Ok(None) => Step::End(then),
            Ok(Some(_)) => {
                let detail = "a half-made conversation could not be taken away";
                Step::End(Sent::not_now(reason::TWILIO_UNAVAILABLE, detail))
            }
            Err(put_off) => Step::End(not_taken_away(&then, put_off)),
        }
    }
}

/// What was made for this event is still there, so the next delivery has to see to it.
fn not_taken_away(then: &Sent, put_off: Sent) -> Sent {
    if matches!(then, Sent::Final(Final::Suppressed { .. })) {
        return put_off;
    }
    Sent::not_now(reason::TWILIO_UNAVAILABLE, "a half-made conversation could not be taken away")
}

/// Of `numbers` those that talk to the customer in no open conversation but the event's own, in their order.
pub fn free_numbers(numbers: &[E164], listed: &[ParticipantConversation], own: &str) -> Vec<E164> {
    let busy: Vec<E164> = listed
        .iter()
        .filter(|conversation| conversation.conversation_state.as_deref() != Some("closed"))
        .filter(|conversation| conversation.conversation_unique_name.as_deref() != Some(own))
        .filter_map(|conversation| conversation.participant_messaging_binding.as_ref()?.proxy_address.as_deref())
        .filter_map(|number| number.parse().ok())
        .collect();
    numbers.iter().filter(|number| !busy.contains(number)).cloned().collect()
}
