//! The steps up to the customer: the conversation, the webhook that starts the flow, and the customer by a number of ours.

use std::time::Duration;

use super::{Answer, Found, Progress, STEP_PAUSE, STEP_TRIES, Sent, Step};
use crate::{api::reasons::event as reason, delivery::outcome::Reason, twilio::sid::ConversationSid};

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

impl Progress {
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
        self.within(|sid| Step::FindWebhooks { sid, after: self.wish.settle })
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

    pub fn customer_found(&mut self, answer: Answer<bool>) -> Step {
        match (answer.or_put_off(), self.numbers.front()) {
            (Ok(false), Some(number)) => self.within(|sid| Step::Add { sid, number: number.clone() }),
            (Ok(false), None) => self.no_number_left(),
            (Ok(true), _) => self.open(),
            (Err(sent), _) => Step::End(sent),
        }
    }
}
