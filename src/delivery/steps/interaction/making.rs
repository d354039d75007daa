//! The steps up to the customer in a conversation: the places that a task can be, the event's own conversation, and the customer in it.

use std::time::Duration;

use super::{Progress, Step, closed, removal::not_taken_away};
use crate::{
    api::reasons::event as reason,
    delivery::steps::{
        Answer, STEP_PAUSE, STEP_TRIES, Sent,
        conversation::{Added, Created, Found},
        places::Place,
    },
};

impl Progress {
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
    pub(super) fn add(&mut self) -> Step {
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
}
