//! What a delivery does, in the order of `engine` and `recovery`, by the steps that are shipped.

use std::time::Duration;

use super::{
    Action, Bug, Setting, TICK, Tick,
    calls::attempt_tick,
    world::{REMEMBER, World, owner},
};
use crate::{
    api::{engage_destination::OnActiveConversation, reasons::event as reason},
    delivery::{
        journal::{Attempt, Entry, Operation, Reply, State, Trace},
        outcome::{Final, Outcome, Reason},
        steps::{
            Sent, conversation, interaction, leftover,
            settling::{self, Looked, Settled, Settling},
            whatsapp,
        },
    },
};

/// One event in the hands of one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delivery {
    pub work: Work,
    /// It goes on at this time.
    pub due: Tick,
    pub attempts: u32,
    /// Segment waits for its outcome.
    pub asked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// It waits for the customer's turn.
    Turn,
    Whatsapp(whatsapp::Progress, whatsapp::Step),
    Conversation(conversation::Progress, conversation::Step),
    Interaction(interaction::Progress, interaction::Step),
    /// The event is given up.
    Leftover(leftover::Progress, leftover::Step),
    /// An attempt is looked for; what is found goes on in `then`.
    Settling {
        attempt: Attempt,
        since: Tick,
        settling: Settling,
        then: Box<Then>,
    },
    /// An attempt of an earlier run, for which nothing has been done yet.
    Recovery {
        attempt: Attempt,
        since: Tick,
    },
    Record(Outcome),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Then {
    Whatsapp(whatsapp::Progress),
    Conversation(conversation::Progress),
    Interaction(interaction::Progress),
    Recovered,
}

/// How the next call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weather {
    Fine,
    /// Refused as anybody can mend, or for good.
    Refused,
    RefusedForGood,
    /// The answer is lost: the effect was had, is had within the settling time, later than that, or never.
    LostAfter,
    LostLate,
    LostBeyond,
    LostBefore,
    /// A list that is older than what was done.
    Stale,
    /// The interaction is taken, and its channel fails: as may pass, or for good.
    Fails,
    FailsForGood,
}

/// How a pause of the shipped code shows on the model's clock.
fn ticks(pause: Duration) -> Tick {
    u32::try_from(pause.as_millis() / TICK.as_millis()).unwrap()
}

impl Delivery {
    pub fn claimed(attempts: u32) -> Self {
        Self { work: Work::Turn, due: 0, attempts, asked: true }
    }

    pub fn leftover(action: Action, reason: Reason) -> Self {
        let (progress, step) = match action {
            Action::Interaction => leftover::Progress::begin_with_task(reason, TICK),
            Action::Whatsapp | Action::Conversation { .. } => leftover::Progress::begin(reason, TICK),
        };
        Self { work: Work::Leftover(progress, step), due: 0, attempts: 0, asked: false }
    }

    pub fn recovery(attempt: Attempt, now: Tick) -> Self {
        Self { work: Work::Recovery { attempt, since: now }, due: now, attempts: 0, asked: false }
    }
}

impl World {
    /// The ways in which the next step of a delivery can go; none while it waits.
    pub fn weathers(&self, setting: &Setting, run: usize, event: usize, delivery: &Delivery) -> Vec<Weather> {
        use conversation::Step;
        if delivery.due() > self.now {
            return Vec::new();
        }
        let mut weathers = vec![Weather::Fine];
        let (mut look, mut call) = (false, false);
        match &delivery.work {
            Work::Turn | Work::Record(_) => {}
            Work::Recovery { attempt, .. } => {
                let waits = matches!(attempt.trace, Trace::Message { .. }) && !self.turn_is_free(setting, run, event);
                if waits {
                    weathers.clear();
                }
            }
            Work::Settling { .. } => look = true,
            Work::Leftover(_, step) => match step {
                leftover::Step::FindTask
                | leftover::Step::Find
                | leftover::Step::FindCompletion
                | leftover::Step::FindRemains { .. } => look = true,
                leftover::Step::TakeAway { .. } | leftover::Step::Withdraw { .. } => call = true,
                leftover::Step::Start | leftover::Step::End(_) => {}
            },
            Work::Whatsapp(_, step) => call = *step == whatsapp::Step::Post,
            Work::Conversation(_, step) => match step {
                Step::Find
                | Step::Visit { .. }
                | Step::FindRemains { .. }
                | Step::FindCompletion
                | Step::FindWebhooks { .. }
                | Step::FindCustomer { .. } => look = true,
                Step::FindNumbers => {
                    look = true;
                    if self.faults > 0 && !(self.twilio.conversations.is_empty() && self.twilio.taken.is_empty()) {
                        weathers.push(Weather::Stale);
                    }
                }
                Step::Create { .. }
                | Step::RemoveWebhook { .. }
                | Step::Attach { .. }
                | Step::Add { .. }
                | Step::Open { .. }
                | Step::TakeAway { .. } => call = true,
                Step::Pace | Step::Start { .. } | Step::Settle | Step::End(_) => {}
            },
            Work::Interaction(_, step) => {
                use interaction::Step;
                match step {
                    Step::FindTask { .. }
                    | Step::Find
                    | Step::FindCustomer { .. }
                    | Step::FindRemains { .. }
                    | Step::Watch { .. } => look = true,
                    Step::FindPlaces => {
                        look = true;
                        if self.faults > 0 && !self.twilio.conversations.is_empty() {
                            weathers.push(Weather::Stale);
                        }
                    }
                    Step::Ask { .. } => {
                        call = true;
                        if self.faults > 0 {
                            weathers.extend([Weather::Fails, Weather::FailsForGood]);
                        }
                    }
                    Step::Create { .. } | Step::Add { .. } | Step::Withdraw { .. } | Step::TakeAway { .. } => {
                        call = true;
                    }
                    Step::Pace | Step::Start { .. } | Step::Settle | Step::End(_) => {}
                }
            }
        }
        if self.faults > 0 && look {
            weathers.push(Weather::Refused);
        }
        if self.faults > 0 && call {
            weathers.extend([Weather::Refused, Weather::LostAfter, Weather::LostLate, Weather::LostBefore]);
            // Nothing of what these send comes from the event.
            let never_its_fault = matches!(
                &delivery.work,
                Work::Leftover(..)
                    | Work::Conversation(
                        _,
                        Step::Create { .. } | Step::Attach { .. } | Step::TakeAway { .. } | Step::RemoveWebhook { .. }
                    )
                    | Work::Interaction(
                        _,
                        interaction::Step::Create { .. }
                            | interaction::Step::Withdraw { .. }
                            | interaction::Step::TakeAway { .. }
                    )
            );
            if !never_its_fault && !self.twilio.carries_out(event, &delivery.work) {
                weathers.push(Weather::RefusedForGood);
            }
            if self.beyond > 0 {
                weathers.push(Weather::LostBeyond);
            }
        }
        weathers
    }

    fn turn_is_free(&self, setting: &Setting, run: usize, event: usize) -> bool {
        let holder = self.runs[run].turns[setting.events[event].customer];
        setting.bug == Some(Bug::ForgetTurn) || holder.is_none_or(|holder| holder == event)
    }

    fn take_turn(&mut self, setting: &Setting, run: usize, event: usize) {
        self.runs[run].turns[setting.events[event].customer] = Some(event);
    }

    /// Does the next step of a delivery, and whatever follows from it without anybody else noticing.
    pub fn step(&mut self, setting: &Setting, run: usize, event: usize, weather: Weather) {
        if weather != Weather::Fine {
            self.faults -= 1;
        }
        if weather == Weather::LostBeyond {
            self.beyond -= 1;
        }
        let Some(mut delivery) = self.runs[run].deliveries[event].take() else { return };
        delivery.work = match delivery.work {
            Work::Turn if self.turn_is_free(setting, run, event) => {
                self.take_turn(setting, run, event);
                match self.enroll(setting, run, event, delivery.attempts) {
                    None => begin(setting, event, delivery.attempts),
                    Some(outcome) => Work::Record(outcome),
                }
            }
            Work::Turn => Work::Record(Outcome::retry(reason::RECIPIENT_BUSY, "")),
            Work::Whatsapp(mut progress, step) => {
                let step = self.whatsapp(setting, run, event, &mut progress, step, weather);
                Work::Whatsapp(progress, step)
            }
            Work::Conversation(mut progress, step) => {
                let step = self.conversation(setting, run, event, &mut progress, step, weather);
                Work::Conversation(progress, step)
            }
            Work::Interaction(mut progress, step) => {
                let step = self.interaction(setting, run, event, &mut progress, step, weather);
                Work::Interaction(progress, step)
            }
            Work::Leftover(mut progress, step) => {
                let step = self.leftover(setting, run, event, &mut progress, step, weather);
                Work::Leftover(progress, step)
            }
            Work::Recovery { attempt, since } => {
                if matches!(attempt.trace, Trace::Message { .. }) {
                    self.take_turn(setting, run, event);
                }
                self.settle(&mut delivery.due, attempt, since, Then::Recovered)
            }
            Work::Settling { attempt, since, mut settling, then } => {
                let looked = if weather == Weather::Refused {
                    Looked::Failed
                } else {
                    let since = if setting.bug == Some(Bug::SilentSinceStart) { attempt_tick(&attempt) } else { since };
                    self.look(setting, event, &attempt, since, setting.bug == Some(Bug::ResendWithoutSettling))
                };
                match settling.looked(&attempt, looked) {
                    settling::Step::LookAfter(pause) => {
                        delivery.due = self.now + ticks(pause);
                        Work::Settling { attempt, since, settling, then }
                    }
                    settling::Step::End(settled) => settled_then(*then, settled),
                }
            }
            Work::Record(outcome) => {
                self.record(setting, run, event, &outcome, delivery.asked);
                return;
            }
        };
        self.follow(setting, run, event, &mut delivery);
        self.runs[run].deliveries[event] = Some(delivery);
    }

    /// Steps that touch nothing outside of the delivery, and pauses.
    fn follow(&mut self, setting: &Setting, run: usize, event: usize, delivery: &mut Delivery) {
        use conversation::Step as ConversationStep;
        use interaction::Step as InteractionStep;
        use whatsapp::Step as WhatsappStep;
        loop {
            let work = std::mem::replace(&mut delivery.work, Work::Turn);
            delivery.work = match work {
                Work::Whatsapp(progress, WhatsappStep::Pace) => {
                    Work::Whatsapp(progress, whatsapp::Progress::paced(Ok(())))
                }
                Work::Conversation(progress, ConversationStep::Pace) => {
                    let step = progress.paced(Ok(()));
                    Work::Conversation(progress, step)
                }
                Work::Whatsapp(progress, WhatsappStep::Settle) => {
                    let attempt = self.started(setting, run, event);
                    self.settle(&mut delivery.due, attempt, self.now, Then::Whatsapp(progress))
                }
                Work::Conversation(progress, ConversationStep::Settle) => {
                    let attempt = self.started(setting, run, event);
                    self.settle(&mut delivery.due, attempt, self.now, Then::Conversation(progress))
                }
                Work::Interaction(progress, InteractionStep::Pace) => {
                    let step = progress.paced(Ok(()));
                    Work::Interaction(progress, step)
                }
                Work::Interaction(progress, InteractionStep::Settle) => {
                    let attempt = self.started(setting, run, event);
                    self.settle(&mut delivery.due, attempt, self.now, Then::Interaction(progress))
                }
                Work::Whatsapp(_, WhatsappStep::End(sent))
                | Work::Conversation(_, ConversationStep::End(sent))
                | Work::Interaction(_, InteractionStep::End(sent))
                | Work::Leftover(_, leftover::Step::End(sent)) => Work::Record(match sent {
                    Sent::Final(outcome) => Outcome::Final(outcome),
                    Sent::NotNow(reason) => Outcome::Retry(reason),
                }),
                Work::Conversation(progress, step) => {
                    if let ConversationStep::Create { after }
                    | ConversationStep::FindWebhooks { after, .. }
                    | ConversationStep::FindCustomer { after, .. }
                    | ConversationStep::TakeAway { after, .. }
                    | ConversationStep::FindRemains { after, .. } = &step
                    {
                        delivery.due = self.now + ticks(*after);
                    }
                    delivery.work = Work::Conversation(progress, step);
                    return;
                }
                Work::Interaction(progress, step) => {
                    if let InteractionStep::FindTask { after }
                    | InteractionStep::Create { after }
                    | InteractionStep::FindCustomer { after, .. }
                    | InteractionStep::Watch { after, .. }
                    | InteractionStep::TakeAway { after, .. }
                    | InteractionStep::FindRemains { after, .. } = &step
                    {
                        delivery.due = self.now + ticks(*after);
                    }
                    delivery.work = Work::Interaction(progress, step);
                    return;
                }
                other => {
                    if let Work::Leftover(_, leftover::Step::FindRemains { after }) = &other {
                        delivery.due = self.now + ticks(*after);
                    }
                    delivery.work = other;
                    return;
                }
            };
        }
    }

    fn settle(&self, due: &mut Tick, attempt: Attempt, since: Tick, then: Then) -> Work {
        let (settling, step) = Settling::begin(&attempt);
        if let settling::Step::LookAfter(pause) = step {
            *due = self.now + ticks(pause);
        }
        Work::Settling { attempt, since, settling, then: Box::new(then) }
    }

    /// The attempt that was recorded, with which the sender goes on also where others have taken the entry.
    pub fn started(&self, setting: &Setting, run: usize, event: usize) -> Attempt {
        match &self.journal[event] {
            Some(Entry { state: State::Started { owner: by, attempt }, .. }) if *by == owner(run) => attempt.clone(),
            _ => self.attempt(setting, event, true),
        }
    }

    /// What `settle_ticket` does: only what is recorded is answered.
    fn record(&mut self, setting: &Setting, run: usize, event: usize, outcome: &Outcome, asked: bool) {
        for turn in &mut self.runs[run].turns {
            if *turn == Some(event) {
                *turn = None;
            }
        }
        if asked && setting.bug == Some(Bug::AnswerBeforeFinish) {
            self.answer(event, outcome);
        }
        let operation = match outcome {
            Outcome::Final(outcome) => Operation::Finish { outcome: outcome.clone(), remember: REMEMBER },
            Outcome::Retry(reason) => Operation::Release { reason: reason.clone() },
            Outcome::Duplicate(_) => return,
        };
        let reply = self.ask(run, event, &operation);
        if asked && matches!(reply, Reply::Done { .. }) {
            self.answer(event, outcome);
        }
    }
}

fn begin(setting: &Setting, event: usize, attempts: u32) -> Work {
    match setting.events[event].action {
        Action::Whatsapp => {
            let (progress, step) = whatsapp::Progress::begin();
            Work::Whatsapp(progress, step)
        }
        Action::Conversation { opening } => {
            let on_active = match setting.on_active {
                OnActiveConversation::Reuse if !opening => OnActiveConversation::Skip,
                other => other,
            };
            let wish = conversation::Wish { opening, on_active, settle: TICK };
            let (progress, step) = conversation::Progress::begin(attempts, wish);
            Work::Conversation(progress, step)
        }
        Action::Interaction => {
            let (progress, step) = interaction::Progress::begin(attempts, TICK);
            Work::Interaction(progress, step)
        }
    }
}

fn settled_then(then: Then, settled: Settled) -> Work {
    match then {
        Then::Whatsapp(progress) => {
            let step = progress.settled(settled);
            Work::Whatsapp(progress, step)
        }
        Then::Conversation(progress) => {
            let step = progress.settled(settled);
            Work::Conversation(progress, step)
        }
        Then::Interaction(progress) => {
            let step = progress.settled(settled);
            Work::Interaction(progress, step)
        }
        Then::Recovered => Work::Record(match settled {
            Settled::Present { sid } => Outcome::Final(Final::Sent { sid }),
            Settled::Absent => Outcome::retry(reason::STILL_SENDING, "an attempt was cut off and had no effect"),
            Settled::Unknown(reason) => Outcome::Final(Final::Unknown { reason }),
        }),
    }
}
