//! All that there is at one moment, and what can happen next.

use std::time::Duration;

use super::{
    Bug, Setting, TICK, Tick,
    deliver::{Delivery, Weather, Work},
    twilio::{State as ConversationState, Twilio},
};
use crate::delivery::{
    journal::{
        Attempt, Enrolled, Entry, Operation, Owner, Reply, State, Trace, UnixMillis,
        by_hand::is_reopened,
        enrollment,
        machine::{self, Asker},
    },
    outcome::{Final, Outcome, Reason},
};

pub const GIVE_UP: Duration = Duration::from_hours(5);
pub const REMEMBER: Duration = Duration::from_hours(168);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Tick,
    /// By event, like everything else that is a list of one thing for each.
    pub journal: Vec<Option<Entry>>,
    /// Events that are enrolled for their entry.
    pub enrolled: Vec<bool>,
    /// The runs of the process so far.
    pub runs: Vec<Run>,
    pub twilio: Twilio,
    pub segment: Vec<Segment>,
    /// What of the setting is left.
    pub faults: u8,
    pub crashes: u8,
    pub pauses: u8,
    pub closings: u8,
    pub takings: u8,
    pub beyond: u8,
    pub hands: u8,
    /// How often a person has reopened an event that may have been sent.
    pub reopened: Vec<u8>,
    /// A promise that was broken on the way here.
    pub broken: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub alive: bool,
    pub deliveries: Vec<Option<Delivery>>,
    /// By customer, the event that has the turn.
    pub turns: Vec<Option<usize>>,
}

/// What Segment knows of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Segment {
    pub tries: u8,
    /// Whether it has arrived once.
    pub received: bool,
    /// The status that ended it.
    pub answered: Option<u16>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// A process starts, and takes over what earlier ones have left.
    Start,
    /// It dies, at once.
    Crash { run: usize },
    /// Segment sends an event.
    Send { run: usize, event: usize },
    /// A delivery does its next step.
    Step { run: usize, event: usize, weather: Weather },
    /// A request that was taken has its effect.
    Land { late: usize },
    /// A conversation is closed by its timer or an agent.
    Close { conversation: usize },
    /// Somebody else opens a conversation with a customer.
    Take { customer: usize, number: usize },
    /// A settling time passes.
    Tick,
    /// The hours pass after which an event is given up.
    Hours,
    /// The sweep comes to an event.
    Sweep { run: usize, event: usize },
    /// A person looks what became of an event and says so, or gives up one that waits.
    Resolve { event: usize },
    /// A person lets an event be acted on again, and Segment send it again.
    Reopen { event: usize },
}

impl Happening {
    /// Nothing of the delivery waits for it.
    pub const fn is_from_outside(&self) -> bool {
        matches!(self, Self::Close { .. } | Self::Take { .. } | Self::Resolve { .. } | Self::Reopen { .. })
    }
}

pub fn owner(run: usize) -> Owner {
    Owner(run.to_string())
}

impl World {
    pub fn new(setting: &Setting) -> Self {
        let segment = Segment { tries: setting.tries, received: false, answered: None };
        Self {
            now: 0,
            journal: vec![None; setting.events.len()],
            enrolled: vec![false; setting.events.len()],
            runs: vec![Run::new(setting)],
            twilio: Twilio::default(),
            segment: vec![segment; setting.events.len()],
            faults: setting.faults,
            crashes: setting.crashes,
            pauses: setting.pauses,
            closings: setting.closings,
            takings: setting.takings,
            beyond: setting.beyond,
            hands: setting.hands,
            reopened: vec![0; setting.events.len()],
            broken: None,
        }
    }

    pub fn millis(&self) -> UnixMillis {
        i64::try_from(TICK.as_millis()).unwrap() * i64::from(self.now)
    }

    /// Everything that can happen now.
    pub fn happenings(&self, setting: &Setting, all: &mut Vec<Happening>) {
        let alive = self.runs.iter().any(|run| run.alive);
        let may_open = if setting.bug == Some(Bug::ForgetLock) { self.runs.len() == 1 } else { !alive };
        if may_open {
            all.push(Happening::Start);
        }
        for (run, held) in self.runs.iter().enumerate().filter(|(_, run)| run.alive) {
            if self.crashes > 0 && held.deliveries.iter().any(Option::is_some) {
                all.push(Happening::Crash { run });
            }
            for event in 0..setting.events.len() {
                if self.would_take(setting, run, event) {
                    all.push(Happening::Send { run, event });
                }
                if let Some(delivery) = &held.deliveries[event] {
                    let weathers = self.weathers(setting, run, event, delivery);
                    all.extend(weathers.into_iter().map(|weather| Happening::Step { run, event, weather }));
                } else if self.is_due(event) {
                    all.push(Happening::Sweep { run, event });
                }
            }
        }
        all.extend((0..self.twilio.late.len()).map(|late| Happening::Land { late }));
        // What was taken shows within a settling time, or it is counted as beyond.
        if self.twilio.late.iter().all(|late| late.beyond) {
            let mut deliveries = self.runs.iter().flat_map(|run| run.deliveries.iter().flatten());
            let waited_for = deliveries.clone().any(|delivery| delivery.due() > self.now);
            if waited_for || self.pauses > 0 && deliveries.next().is_some() {
                all.push(Happening::Tick);
            }
            if all.is_empty() && self.unended().any(|entry| entry.expires > self.millis()) {
                all.push(Happening::Hours);
            }
        }
        if self.closings > 0 {
            let found = self.twilio.conversations.iter().enumerate();
            let active = found.filter(|(_, found)| found.state == ConversationState::Active);
            all.extend(active.map(|(conversation, _)| Happening::Close { conversation }));
        }
        if self.takings > 0 {
            let customers = 0..Run::customers(setting);
            let pairs = customers.flat_map(|customer| (0..setting.numbers).map(move |number| (customer, number)));
            let free = pairs.filter(|(customer, number)| {
                !self.twilio.taken.contains(&(*customer, *number))
                    && self.twilio.of_pair(setting, *customer, *number).is_none()
            });
            all.extend(free.map(|(customer, number)| Happening::Take { customer, number }));
        }
        self.decisions(setting, all);
    }

    /// Whether sending the event now could change anything: Segment repeats until it is answered for good.
    fn would_take(&self, setting: &Setting, run: usize, event: usize) -> bool {
        let segment = &self.segment[event];
        let in_flight = match &self.journal[event] {
            None => false,
            Some(entry) => match &entry.state {
                State::Claimed { owner: by } => *by == owner(run),
                State::Started { owner: by, .. } => setting.bug != Some(Bug::TakeOverStarted) || *by == owner(run),
                State::Open { .. } | State::Final { .. } => false,
            },
        };
        segment.tries > 0 && segment.answered.is_none() && !in_flight
    }

    fn unended(&self) -> impl Iterator<Item = &Entry> {
        self.journal.iter().flatten().filter(|entry| !matches!(entry.state, State::Final { .. }))
    }

    fn is_due(&self, event: usize) -> bool {
        self.journal[event].as_ref().is_some_and(|entry| {
            entry.expires <= self.millis() && matches!(entry.state, State::Open { .. } | State::Claimed { .. })
        })
    }

    /// Makes it happen.
    pub fn happen(&mut self, setting: &Setting, happening: Happening) {
        match happening {
            Happening::Start => self.start(setting),
            Happening::Crash { run } => {
                self.crashes -= 1;
                self.runs[run] = Run { alive: false, ..Run::new(setting) };
            }
            Happening::Send { run, event } => self.receive(setting, run, event),
            Happening::Step { run, event, weather } => self.step(setting, run, event, weather),
            Happening::Land { late } => {
                let late = self.twilio.late.remove(late);
                let _ = self.twilio.take(setting, late.effect, self.now);
            }
            Happening::Close { conversation } => {
                self.closings -= 1;
                self.twilio.close(conversation);
            }
            Happening::Take { customer, number } => {
                self.takings -= 1;
                self.twilio.taken.push((customer, number));
            }
            Happening::Tick => {
                let mut deliveries = self.runs.iter().flat_map(|run| run.deliveries.iter().flatten());
                if !deliveries.any(|delivery| delivery.due() > self.now) {
                    self.pauses -= 1;
                }
                self.now += 1;
            }
            Happening::Hours => {
                let expires = self.unended().map(|entry| entry.expires).max().unwrap_or(0);
                self.now = self.now.max(u32::try_from(expires / i64::try_from(TICK.as_millis()).unwrap()).unwrap());
            }
            Happening::Sweep { run, event } => self.sweep(setting, run, event),
            Happening::Resolve { event } => self.resolve(setting, event),
            Happening::Reopen { event } => self.reopen(setting, event),
        }
    }

    /// One operation on the journal, by the rules of the journal.
    pub fn ask(&mut self, run: usize, event: usize, operation: &Operation) -> Reply {
        let owner = owner(run);
        let asker = Asker { owner: &owner, now: self.millis(), alone: true };
        let before = &self.journal[event];
        let (changed, reply) = machine::apply(before.as_ref(), operation, asker);
        if let Some(changed) = changed {
            let by_hand = matches!(operation, Operation::Resolve { .. } | Operation::Reopen { .. });
            if let (Some(Entry { state: State::Final { .. }, .. }), false) = (before, by_hand) {
                self.broken = Some("what has ended changed");
            }
            self.journal[event] = Some(changed);
        }
        reply
    }

    /// Enrols an event for its entry, by the rules of the journal. What it ends with where another is acted on.
    pub fn enroll(&mut self, setting: &Setting, run: usize, event: usize, attempts: u32) -> Option<Outcome> {
        let reopened =
            self.journal[event].as_ref().is_some_and(is_reopened) && setting.bug != Some(Bug::ReopenPastEntry);
        if !setting.one_entry || attempts > 0 && !reopened || setting.bug == Some(Bug::ForgetEntry) {
            return None;
        }
        let owner = owner(run);
        let asker = Asker { owner: &owner, now: self.millis(), alone: true };
        let others = (0..self.journal.len()).filter(|other| *other != event && self.enrolled[*other]);
        let others = others.filter_map(|other| Some((other, self.journal[other].as_ref()?)));
        let enrolled = match setting.bug {
            Some(Bug::PassByUnended) => {
                enrollment::enroll(others.filter(|(_, entry)| !matches!(entry.state, State::Open { .. })), asker)
            }
            Some(Bug::HoldForNothing) => match others.clone().find(|(_, entry)| is_for_nothing(entry)) {
                Some((by, _)) => Enrolled::Ended { by, outcome: Final::Sent { sid: String::new() } },
                None => enrollment::enroll(others, asker),
            },
            _ => enrollment::enroll(others, asker),
        };
        match enrolled {
            Enrolled::Held => {
                self.enrolled[event] = true;
                None
            }
            Enrolled::Busy(_) => Some(Outcome::retry("EntryInFlight", "")),
            Enrolled::Ended { .. } => Some(Outcome::Final(Final::Duplicate { reason: Reason::new("SameEntry", "") })),
        }
    }

    fn start(&mut self, setting: &Setting) {
        let run = self.runs.len();
        self.runs.push(Run::new(setting));
        if setting.memory {
            self.journal.fill(None);
            self.enrolled.fill(false);
        }
        for event in 0..setting.events.len() {
            if setting.bug == Some(Bug::TakeOverStarted) {
                continue;
            }
            if let Reply::Adopted(attempt) = self.ask(run, event, &Operation::Adopt) {
                // Nothing else leaves for a customer of whom it is not known whether they were messaged.
                if matches!(attempt.trace, Trace::Message { .. }) && setting.bug != Some(Bug::RecoverLater) {
                    self.runs[run].turns[setting.events[event].customer] = Some(event);
                }
                self.runs[run].deliveries[event] = Some(Delivery::recovery(attempt, self.now));
            }
        }
    }

    fn receive(&mut self, setting: &Setting, run: usize, event: usize) {
        self.segment[event].tries -= 1;
        self.segment[event].received = true;
        if let Some(Entry { state: State::Started { owner: by, .. }, .. }) = &mut self.journal[event]
            && setting.bug == Some(Bug::TakeOverStarted)
        {
            *by = owner(run);
            self.ask(run, event, &Operation::Release { reason: Reason::new("taken over", "") });
        }
        match self.ask(run, event, &Operation::Claim { give_up: GIVE_UP }) {
            Reply::Done { attempts } => {
                self.runs[run].deliveries[event] = Some(Delivery::claimed(attempts));
            }
            Reply::Ended(outcome) => self.answer(event, &Outcome::Duplicate(outcome)),
            Reply::InFlight | Reply::Adopted(_) | Reply::Lost => {}
        }
    }

    /// Segment sends an event again that is under way, or that has ended.
    pub fn repeat(&mut self, event: usize) {
        for run in (0..self.runs.len()).filter(|run| self.runs[*run].alive).collect::<Vec<_>>() {
            let under_way = self.runs[run].deliveries[event].is_some();
            let ended = matches!(&self.journal[event], Some(Entry { state: State::Final { .. }, .. }));
            if under_way || ended {
                match self.ask(run, event, &Operation::Claim { give_up: GIVE_UP }) {
                    Reply::Ended(outcome) => self.answer(event, &Outcome::Duplicate(outcome)),
                    Reply::InFlight => {}
                    Reply::Done { .. } | Reply::Adopted(_) | Reply::Lost => {
                        self.broken = Some("an event was taken twice");
                    }
                }
            }
        }
    }

    /// As `Engine::sweep`: what may have left a conversation half-made is claimed and seen to first.
    fn sweep(&mut self, setting: &Setting, run: usize, event: usize) {
        let Some(entry) = self.journal[event].clone() else { return };
        let action = setting.events[event].action;
        let may_have_left = action != super::Action::Whatsapp;
        if entry.attempts > 0 && may_have_left && setting.bug != Some(Bug::LeaveHalfMade) {
            if let Reply::Done { .. } = self.ask(run, event, &Operation::Claim { give_up: GIVE_UP }) {
                self.runs[run].deliveries[event] =
                    Some(Delivery::leftover(action, machine::why_given_up(&entry.state)));
            }
        } else {
            self.ask(run, event, &Operation::GiveUp { remember: REMEMBER });
        }
    }

    /// What Segment is told. Only a 503 is repeated.
    pub fn answer(&mut self, event: usize, outcome: &Outcome) {
        let status = outcome.status();
        if status == 503 {
            return;
        }
        match &self.journal[event] {
            Some(Entry { state: State::Final { outcome: recorded }, .. })
                if Outcome::Final(recorded.clone()).status() == status => {}
            _ => self.broken = Some("what was answered is not recorded"),
        }
        if self.segment[event].answered.is_some_and(|before| before != status) {
            self.broken = Some("an event was answered in two ways");
        }
        self.segment[event].answered = Some(status);
    }

    /// The event to which a message was attributed.
    pub fn attributed_to(&self, sid: &str) -> Option<usize> {
        self.journal.iter().position(|entry| match entry {
            Some(Entry { state: State::Final { outcome: Final::Sent { sid: recorded } }, .. }) => recorded == sid,
            _ => false,
        })
    }

    /// `asks`: it is for the task itself.
    pub fn attempt(&self, setting: &Setting, event: usize, asks: bool) -> Attempt {
        Attempt { at: self.millis(), settle: TICK, on_unknown: setting.on_unknown, trace: trace(setting, event, asks) }
    }
}

fn is_for_nothing(entry: &Entry) -> bool {
    matches!(entry.state, State::Final { outcome: Final::Rejected { .. } | Final::Suppressed { .. } })
}

/// By what an attempt of this event is known.
fn trace(setting: &Setting, event: usize, asks: bool) -> Trace {
    match setting.events[event].action {
        super::Action::Whatsapp => Trace::Message {
            to: customer(setting.events[event].customer),
            messaging_service: format!("MG{}", "0".repeat(32)).parse().unwrap(),
        },
        super::Action::Conversation { opening } => {
            Trace::Conversation { unique_name: unique_name(event), event: event.to_string(), opening }
        }
        super::Action::Interaction => Trace::Interaction {
            unique_name: unique_name(event),
            workspace: format!("WS{}", "0".repeat(32)).parse().unwrap(),
            asked: asks,
        },
    }
}

pub fn unique_name(event: usize) -> String {
    format!("engage-{event:040x}")
}

pub fn customer(customer: usize) -> crate::twilio::E164 {
    format!("+55119000000{customer:02}").parse().unwrap()
}

impl Run {
    fn new(setting: &Setting) -> Self {
        let turns = vec![None; Self::customers(setting)];
        Self { alive: true, deliveries: vec![None; setting.events.len()], turns }
    }

    fn customers(setting: &Setting) -> usize {
        setting.events.iter().map(|event| event.customer + 1).max().unwrap_or(0)
    }
}

impl Delivery {
    /// When it goes on.
    pub fn due(&self) -> Tick {
        match &self.work {
            Work::Turn | Work::Recovery { .. } | Work::Record(_) => 0,
            Work::Whatsapp(..)
            | Work::Conversation(..)
            | Work::Interaction(..)
            | Work::Leftover(..)
            | Work::Settling { .. } => self.due,
        }
    }
}
