//! People who decide about events, as `desk` lets them. They look at Twilio as it is, and say what they see; what they reopen
//! they have Segment send again.

use super::{
    Action, Bug, Setting,
    deliver::Delivery,
    world::{GIVE_UP, Happening, REMEMBER, World, owner},
};
use crate::{
    api::reasons::event as reason,
    delivery::{
        journal::{
            By, Entry, Operation, Reply, State,
            by_hand::may_have_been_sent,
            machine::{self, Asker},
        },
        outcome::{Final, Reason},
    },
};

impl World {
    /// What people can decide now.
    pub fn decisions(&self, setting: &Setting, all: &mut Vec<Happening>) {
        if self.hands == 0 {
            return;
        }
        for event in 0..setting.events.len() {
            let Some(entry) = &self.journal[event] else { continue };
            let in_flight = matches!(entry.state, State::Started { .. }) && setting.bug == Some(Bug::ResolveInFlight);
            let was_sent = matches!(entry.state, State::Final { outcome: Final::Sent { .. } });
            if in_flight
                || self.would_change(event, &self.resolution(setting, event)) && self.may_give_up(setting, event)
            {
                all.push(Happening::Resolve { event });
            }
            if self.would_change(event, &reopening()) || was_sent && setting.bug == Some(Bug::ReopenSent) {
                all.push(Happening::Reopen { event });
            }
        }
    }

    /// The running process, or the command that has opened the journal meanwhile.
    fn hand(&self) -> usize {
        self.runs.iter().position(|run| run.alive).unwrap_or(self.runs.len())
    }

    fn would_change(&self, event: usize, operation: &Operation) -> bool {
        let owner = owner(self.hand());
        let asker = Asker { owner: &owner, now: self.millis(), alone: true };
        machine::apply(self.journal[event].as_ref(), operation, asker).0.is_some()
    }

    /// Whether giving the event up may leave something half-made.
    fn may_leave(&self, setting: &Setting, event: usize) -> bool {
        let waits = self.journal[event]
            .as_ref()
            .filter(|entry| entry.attempts > 0 && matches!(entry.state, State::Open { .. } | State::Claimed { .. }));
        waits.is_some() && setting.events[event].action != Action::Whatsapp && setting.bug != Some(Bug::GiveUpAtOnce)
    }

    /// Only a running process can look for what was left.
    fn may_give_up(&self, setting: &Setting, event: usize) -> bool {
        !self.may_leave(setting, event) || self.runs.get(self.hand()).is_some()
    }

    /// What somebody finds who looks.
    fn resolution(&self, setting: &Setting, event: usize) -> Operation {
        let parked =
            matches!(&self.journal[event], Some(Entry { state: State::Final { outcome: Final::Unknown { .. } }, .. }));
        let message = self.twilio.messages.iter().position(|message| message.event == event);
        let sid = match setting.events[event].action {
            Action::Whatsapp => message.map(|message| format!("SM{message}")),
            Action::Conversation { .. } => (self.twilio.messaged(event) > 0).then(String::new),
            Action::Interaction => (self.twilio.tasks(event) > 0).then(String::new),
        };
        let outcome = match sid.filter(|_| parked) {
            Some(sid) => Final::Sent { sid },
            None => Final::Rejected { reason: decided() },
        };
        Operation::Resolve { outcome, remember: REMEMBER, by: By::default() }
    }

    pub fn resolve(&mut self, setting: &Setting, event: usize) {
        self.hands -= 1;
        self.segment[event].answered = None;
        let hand = self.hand();
        let operation = self.resolution(setting, event);
        if let (Some(Bug::ResolveInFlight), Some(entry @ Entry { state: State::Started { .. }, .. })) =
            (setting.bug, &mut self.journal[event])
        {
            entry.state = State::Final { outcome: Final::Rejected { reason: decided() } };
        } else if self.may_leave(setting, event) {
            if let Reply::Done { .. } = self.ask(hand, event, &Operation::Claim { give_up: GIVE_UP }) {
                let leftover = Delivery::leftover(setting.events[event].action, decided());
                let due = if setting.bug == Some(Bug::GiveUpUnsettled) { 0 } else { self.now + 1 };
                self.runs[hand].deliveries[event] = Some(Delivery { due, ..leftover });
            }
        } else {
            self.ask(hand, event, &operation);
        }
    }

    pub fn reopen(&mut self, setting: &Setting, event: usize) {
        self.hands -= 1;
        self.segment[event].answered = None;
        self.segment[event].tries += 1;
        let Some(entry) = &mut self.journal[event] else { return };
        if let (Some(Bug::ReopenSent), State::Final { outcome: Final::Sent { .. } }) = (setting.bug, &entry.state) {
            entry.state = State::Open { reason: decided() };
            return;
        }
        self.reopened[event] += u8::from(may_have_been_sent(entry));
        self.ask(self.hand(), event, &reopening());
    }
}

fn decided() -> Reason {
    Reason::new(reason::DECIDED_BY_HAND, "")
}

fn reopening() -> Operation {
    Operation::Reopen { may_double: true, give_up: GIVE_UP, by: By::default() }
}
