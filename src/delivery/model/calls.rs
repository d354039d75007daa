//! What the async part of each action does with a step, in a Twilio of the model's own.

use std::time::Duration;

use super::{
    Bug, Setting, TICK, Tick,
    deliver::Weather,
    twilio::{Channel as ChannelState, Effect, Late, Refusal, State as ConversationState},
    world::{World, customer, owner, unique_name},
};
use crate::{
    api::reasons::event as reason,
    delivery::{
        fault::Fault,
        journal::{Attempt, Entry, Operation, Reply, State, Trace},
        observe::{Observed, of_task},
        outcome::Reason,
        steps::{
            Answer, Lost, Sent,
            conversation::{self, Added, Created, Found, Numbers, Then, Visited, numbers},
            interaction::{self, Asked, Channel, Task, standing},
            leftover,
            places::{Place, places},
            settling::Looked,
            whatsapp,
        },
    },
    twilio::{
        E164,
        conversations::{MessagingBinding, ParticipantConversation},
        sid::{ConversationSid, InteractionSid},
    },
};

fn lost<T>() -> Answer<T> {
    Answer::Lost(Lost { taken: false, detail: String::new() })
}

fn mendable<T>() -> Answer<T> {
    Answer::Refused(Fault::Mendable(Reason::new(reason::TWILIO_REFUSED, "")))
}

fn sid(conversation: usize) -> ConversationSid {
    format!("CH{conversation:032x}").parse().unwrap()
}

fn index(sid: &ConversationSid) -> usize {
    usize::from_str_radix(&sid.as_str()[2..], 16).unwrap()
}

fn interaction_sid(interaction: usize) -> InteractionSid {
    format!("KD{interaction:032x}").parse().unwrap()
}

fn interaction_index(sid: &InteractionSid) -> usize {
    usize::from_str_radix(&sid.as_str()[2..], 16).unwrap()
}

fn number(number: usize) -> E164 {
    format!("+55113000000{number:02}").parse().unwrap()
}

/// What is about to be done by an attempt.
pub enum Starts {
    /// Something in the event's own conversation, or a message.
    Own,
    /// A message in this conversation of another event.
    Reused(ConversationSid),
    /// The task is asked for.
    Asking,
}

pub fn attempt_tick(attempt: &Attempt) -> Tick {
    u32::try_from(attempt.at / i64::try_from(TICK.as_millis()).unwrap()).unwrap()
}

impl World {
    /// Records an attempt.
    pub fn start_attempt(&mut self, setting: &Setting, run: usize, event: usize, what: Starts) -> Result<(), ()> {
        if setting.bug == Some(Bug::SendBeforeStart) {
            return Ok(());
        }
        let mut attempt = self.attempt(setting, event, matches!(what, Starts::Asking));
        if let Starts::Reused(conversation) = what {
            attempt.trace = Trace::Reused { conversation, event: event.to_string() };
        }
        match self.ask(run, event, &Operation::Start { attempt }) {
            Reply::Done { .. } => Ok(()),
            _ => Err(()),
        }
    }

    /// A call to Twilio that changes something.
    pub fn call(
        &mut self,
        setting: &Setting,
        run: usize,
        event: usize,
        effect: Effect,
        weather: Weather,
    ) -> Answer<Result<usize, Refusal>> {
        let recorded = matches!(&self.journal[event], Some(Entry { state: State::Started { owner: by, .. }, .. }) if *by == owner(run));
        if !recorded {
            self.broken = Some("something left without a record");
        }
        match weather {
            Weather::Fine | Weather::Stale => Answer::Done(self.twilio.take(setting, effect, self.now)),
            Weather::Refused => mendable(),
            Weather::RefusedForGood => Answer::Refused(Fault::Event(Reason::new(reason::RECIPIENT_INVALID, ""))),
            Weather::LostAfter => {
                let _ = self.twilio.take(setting, effect, self.now);
                lost()
            }
            Weather::LostLate | Weather::LostBeyond => {
                self.twilio.late.push(Late { effect, beyond: weather == Weather::LostBeyond });
                lost()
            }
            Weather::LostBefore => lost(),
            Weather::Fails | Weather::FailsForGood => {
                let taken = self.twilio.take(setting, effect, self.now);
                if let (Ok(interaction), Effect::Ask { .. }) = (taken, effect) {
                    let for_good = weather == Weather::FailsForGood;
                    self.twilio.interactions[interaction].channel = ChannelState::Failed { for_good };
                }
                Answer::Done(taken)
            }
        }
    }

    pub fn whatsapp(
        &mut self,
        setting: &Setting,
        run: usize,
        event: usize,
        progress: &mut whatsapp::Progress,
        step: whatsapp::Step,
        weather: Weather,
    ) -> whatsapp::Step {
        match step {
            whatsapp::Step::Start => match self.start_attempt(setting, run, event, Starts::Own) {
                Ok(()) => progress.started(),
                Err(()) => whatsapp::Step::End(Sent::not_now(reason::IN_FLIGHT, "")),
            },
            whatsapp::Step::Post => {
                let answer = self.call(setting, run, event, Effect::Message { event }, weather);
                progress.posted(match answer {
                    Answer::Done(Ok(message)) => Answer::Done(format!("SM{message}")),
                    Answer::Done(Err(_)) => mendable(),
                    Answer::Refused(fault) => Answer::Refused(fault),
                    Answer::Lost(lost) => Answer::Lost(lost),
                })
            }
            other => other,
        }
    }

    pub fn conversation(
        &mut self,
        setting: &Setting,
        run: usize,
        event: usize,
        progress: &mut conversation::Progress,
        step: conversation::Step,
        weather: Weather,
    ) -> conversation::Step {
        use conversation::Step;
        let refused = weather == Weather::Refused;
        match step {
            Step::Find => progress.found(if refused { mendable() } else { Answer::Done(self.find(event)) }),
            Step::FindNumbers if refused => progress.numbers_found(mendable()),
            Step::FindNumbers => {
                let found = self.find_numbers(setting, event, weather == Weather::Stale);
                progress.numbers_found(Answer::Done(found))
            }
            Step::Visit { .. } if refused => progress.visited(mendable()),
            Step::Visit { sid } => progress.visited(self.visit(setting, event, &sid)),
            Step::Start { reused } => {
                match self.start_attempt(setting, run, event, reused.map_or(Starts::Own, Starts::Reused)) {
                    Ok(()) => progress.started(),
                    Err(()) => Step::End(Sent::not_now(reason::IN_FLIGHT, "")),
                }
            }
            Step::Create { .. } => {
                let answer = self.call(setting, run, event, Effect::Create { event }, weather);
                progress.created(read(answer, |made| match made {
                    Ok(made) => Some(Created::Made(sid(made))),
                    Err(Refusal::NameTaken) => Some(Created::NameTaken),
                    Err(_) => None,
                }))
            }
            Step::FindCompletion if refused => progress.completion_found(mendable()),
            Step::FindCompletion => {
                let attempt = self.started(setting, run, event);
                progress.completion_found(Answer::Done(self.observe(setting, event, &attempt).present()))
            }
            Step::FindWebhooks { .. } if refused => progress.webhooks_found(mendable()),
            Step::FindWebhooks { sid, .. } => {
                let mut webhooks = self.twilio.conversations[index(&sid)].webhooks;
                if setting.bug == Some(Bug::AttachWithoutLooking) {
                    webhooks = 0;
                }
                let webhooks = (0..webhooks).map(|webhook| format!("WH{webhook}")).collect();
                progress.webhooks_found(Answer::Done(webhooks))
            }
            Step::RemoveWebhook { sid, .. } => {
                let effect = Effect::RemoveWebhook { conversation: index(&sid) };
                let answer = self.call(setting, run, event, effect, weather);
                progress.webhook_removed(read(answer, |_| Some(())))
            }
            Step::Attach { sid } => {
                let answer = self.call(setting, run, event, Effect::Attach { conversation: index(&sid) }, weather);
                progress.attached(read(answer, |done| done.ok().map(drop)))
            }
            Step::Add { sid, number: by } => {
                let by = (0..setting.numbers).find(|candidate| number(*candidate) == by).unwrap();
                let effect = Effect::Add { conversation: index(&sid), number: by };
                let answer = self.call(setting, run, event, effect, weather);
                progress.added(read(answer, |done| match done {
                    Ok(_) => Some(Added::In),
                    Err(Refusal::PairTaken) => Some(Added::PairTaken),
                    Err(_) => None,
                }))
            }
            Step::FindCustomer { .. } if refused => progress.customer_found(mendable()),
            Step::FindCustomer { sid, .. } => {
                progress.customer_found(Answer::Done(!self.twilio.conversations[index(&sid)].numbers.is_empty()))
            }
            Step::Open { sid } => {
                let conversation = index(&sid);
                let answer = self.call(setting, run, event, Effect::Open { conversation, event }, weather);
                let is_own = self.twilio.conversations[conversation].event == event;
                if setting.bug == Some(Bug::TakeReusedAway) && !is_own && weather == Weather::RefusedForGood {
                    let then = Then::End(Sent::rejected(Reason::new(reason::RECIPIENT_INVALID, "")));
                    return Step::TakeAway { sid, after: Duration::ZERO, then };
                }
                progress.opened(read(answer, |done| done.ok().map(drop)))
            }
            Step::TakeAway { sid, then, .. } => {
                let answer = self.call(setting, run, event, Effect::Delete { conversation: index(&sid) }, weather);
                progress.taken_away(then, read(answer, |_| Some(())))
            }
            Step::FindRemains { then, .. } if refused => progress.remains_found(then, mendable()),
            Step::FindRemains { then, .. } => progress.remains_found(then, Answer::Done(self.find(event))),
            other @ (Step::Pace | Step::Settle | Step::End(_)) => other,
        }
    }

    pub fn interaction(
        &mut self,
        setting: &Setting,
        run: usize,
        event: usize,
        progress: &mut interaction::Progress,
        step: interaction::Step,
        weather: Weather,
    ) -> interaction::Step {
        use interaction::{Progress, Step};
        let refused = weather == Weather::Refused;
        match step {
            Step::FindTask { .. } if refused => progress.task_found(mendable()),
            Step::FindTask { .. } if setting.bug == Some(Bug::AskWithoutLooking) => {
                progress.task_found(Answer::Done(None))
            }
            Step::FindTask { .. } => progress.task_found(Answer::Done(self.task(event))),
            Step::Find => progress.found(if refused { mendable() } else { Answer::Done(self.find(event)) }),
            Step::FindPlaces if refused => progress.places_found(mendable()),
            Step::FindPlaces => {
                let found = self.find_places(setting, event, weather == Weather::Stale);
                progress.places_found(Answer::Done(found))
            }
            Step::Start { asks } => {
                match self.start_attempt(setting, run, event, if asks { Starts::Asking } else { Starts::Own }) {
                    Ok(()) => progress.started(),
                    Err(()) => Step::End(Sent::not_now(reason::IN_FLIGHT, "")),
                }
            }
            Step::Create { .. } => {
                let answer = self.call(setting, run, event, Effect::Create { event }, weather);
                progress.created(read(answer, |made| match made {
                    Ok(made) => Some(Created::Made(sid(made))),
                    Err(Refusal::NameTaken) => Some(Created::NameTaken),
                    Err(_) => None,
                }))
            }
            Step::Add { sid, number: by } => {
                let by = (0..setting.numbers).find(|candidate| number(*candidate) == by).unwrap();
                let effect = Effect::Add { conversation: index(&sid), number: by };
                let answer = self.call(setting, run, event, effect, weather);
                progress.added(read(answer, |done| match done {
                    Ok(_) => Some(Added::In),
                    Err(Refusal::PairTaken) => Some(Added::PairTaken),
                    Err(_) => None,
                }))
            }
            Step::FindCustomer { .. } if refused => progress.customer_found(mendable()),
            Step::FindCustomer { sid, .. } => {
                progress.customer_found(Answer::Done(!self.twilio.conversations[index(&sid)].numbers.is_empty()))
            }
            Step::Ask { sid } => {
                let effect = Effect::Ask { event, conversation: index(&sid) };
                progress.asked(match self.call(setting, run, event, effect, weather) {
                    Answer::Done(Err(Refusal::Closed | Refusal::NoCustomer)) => Answer::Done(Asked::Unusable),
                    answer => read(answer, |done| match done {
                        Ok(made) => {
                            Some(Asked::Made(Task { interaction: interaction_sid(made), channel: Channel::Setup }))
                        }
                        Err(Refusal::Mapped) => Some(Asked::Mapped),
                        Err(_) => None,
                    }),
                })
            }
            Step::Watch { interaction, .. } if refused => progress.watched(interaction, mendable()),
            Step::Watch { interaction, .. } => {
                let channel = self.channel(interaction_index(&interaction));
                progress.watched(interaction, Answer::Done(channel))
            }
            Step::Withdraw { interaction } => {
                let effect = Effect::Withdraw { interaction: interaction_index(&interaction) };
                let answer = self.call(setting, run, event, effect, weather);
                progress.withdrawn(read(answer, |_| Some(())))
            }
            Step::TakeAway { sid, then, .. } => {
                let answer = self.call(setting, run, event, Effect::Delete { conversation: index(&sid) }, weather);
                progress.taken_away(then, read(answer, |_| Some(())))
            }
            Step::FindRemains { then, .. } if refused => Progress::remains_found(then, mendable()),
            Step::FindRemains { then, .. } => Progress::remains_found(then, Answer::Done(self.find(event))),
            other @ (Step::Pace | Step::Settle | Step::End(_)) => other,
        }
    }

    /// The task that a look by the event's mark finds.
    fn task(&self, event: usize) -> Option<Task> {
        let marked = self.twilio.interactions.iter().enumerate().filter(|(_, found)| found.event == event);
        let tasks =
            marked.map(|(at, _)| Task { interaction: interaction_sid(at), channel: self.channel(at) }).collect();
        standing(tasks)
    }

    fn channel(&self, interaction: usize) -> Channel {
        let found = &self.twilio.interactions[interaction];
        let gone = self.twilio.conversations[found.conversation].state == ConversationState::Deleted;
        match found.channel {
            ChannelState::Active => Channel::Active,
            ChannelState::Over if gone => Channel::Withdrawn,
            ChannelState::Over => Channel::Over,
            ChannelState::Withdrawn => Channel::Withdrawn,
            ChannelState::Failed { for_good: true } => {
                Channel::Failed(Fault::Event(Reason::new(reason::INTERACTION_FAILED, "")))
            }
            ChannelState::Failed { for_good: false } => {
                Channel::Failed(Fault::Mendable(Reason::new(reason::INTERACTION_FAILED, "")))
            }
        }
    }

    /// Where the task can be. A stale list still has the conversations that are closed or gone, and not yet those that are open.
    fn find_places(&self, setting: &Setting, event: usize, stale: bool) -> Vec<Place> {
        let numbers: Vec<E164> = (0..setting.numbers).map(number).collect();
        let of = setting.events[event].customer;
        let mut listed = Vec::new();
        for (at, found) in self.twilio.conversations.iter().enumerate() {
            if setting.events[found.event].customer != of
                || stale == (found.state == ConversationState::Active)
                || !stale && found.state == ConversationState::Deleted
            {
                continue;
            }
            let shown = if stale { ConversationState::Active } else { found.state };
            listed.extend(found.numbers.iter().map(|by| row(at, &unique_name(found.event), shown, &number(*by), of)));
        }
        let unended = |event: &usize| {
            self.journal[*event].as_ref().is_some_and(|entry| !matches!(entry.state, State::Final { .. }))
                && setting.bug != Some(Bug::ShareUnfinished)
        };
        let unfinished = (0..setting.events.len()).filter(unended).map(unique_name).collect();
        places(&numbers, &listed, &unique_name(event), &unfinished)
    }

    pub fn leftover(
        &mut self,
        setting: &Setting,
        run: usize,
        event: usize,
        progress: &mut leftover::Progress,
        step: leftover::Step,
        weather: Weather,
    ) -> leftover::Step {
        let refused = weather == Weather::Refused;
        match step {
            leftover::Step::FindTask if refused => progress.task_found(mendable()),
            leftover::Step::FindTask => progress.task_found(Answer::Done(self.task(event))),
            leftover::Step::Withdraw { interaction } => {
                let effect = Effect::Withdraw { interaction: interaction_index(&interaction) };
                let answer = self.call(setting, run, event, effect, weather);
                progress.withdrawn(read(answer, |_| Some(())))
            }
            leftover::Step::Find => progress.found(if refused { mendable() } else { Answer::Done(self.find(event)) }),
            leftover::Step::FindCompletion if refused => progress.completion_found(mendable()),
            leftover::Step::FindCompletion => {
                let attempt = self.attempt(setting, event, false);
                progress.completion_found(Answer::Done(self.observe(setting, event, &attempt).present()))
            }
            leftover::Step::Start => match self.start_attempt(setting, run, event, Starts::Own) {
                Ok(()) => progress.started(),
                Err(()) => leftover::Step::End(Sent::not_now(reason::IN_FLIGHT, "")),
            },
            leftover::Step::TakeAway { sid } => {
                let answer = self.call(setting, run, event, Effect::Delete { conversation: index(&sid) }, weather);
                if let (Some(Bug::GiveBackRemoval), Answer::Lost(lost)) = (setting.bug, &answer) {
                    return leftover::Step::End(lost.clone().into());
                }
                progress.taken_away(read(answer, |_| Some(())))
            }
            leftover::Step::FindRemains { .. } if refused => progress.remains_found(mendable()),
            leftover::Step::FindRemains { .. } => progress.remains_found(Answer::Done(self.find(event))),
            end @ leftover::Step::End(_) => end,
        }
    }

    pub fn find(&self, event: usize) -> Option<Found> {
        let found = self.twilio.named_after(event)?;
        Some(Found { sid: sid(found), closed: self.twilio.conversations[found].state == ConversationState::Closed })
    }

    /// What Twilio's list of the customer's conversations leaves of our numbers; a stale one still has all of them busy.
    pub fn find_numbers(&self, setting: &Setting, event: usize, stale: bool) -> Numbers {
        let ours: Vec<E164> = (0..setting.numbers).map(number).collect();
        let mut listed = Vec::new();
        for (at, found) in self.twilio.conversations.iter().enumerate() {
            if found.state == ConversationState::Deleted
                || setting.events[found.event].customer != setting.events[event].customer
            {
                continue;
            }
            listed.extend(found.numbers.iter().map(|by| {
                row(at, &unique_name(found.event), found.state, &number(*by), setting.events[event].customer)
            }));
        }
        let customer = setting.events[event].customer;
        let another = |by: usize| row(99, "another", ConversationState::Active, &number(by), customer);
        listed.extend(self.twilio.taken.iter().filter(|(of, _)| *of == customer).map(|(_, by)| another(*by)));
        if stale {
            listed.extend((0..setting.numbers).map(another));
        }
        numbers(&ours, &listed, &unique_name(event))
    }

    /// What is in a conversation of another event.
    fn visit(&self, setting: &Setting, event: usize, sid: &ConversationSid) -> Answer<Visited> {
        let found = &self.twilio.conversations[index(sid)];
        let is_whole = !found.openings.is_empty()
            || self.attributed_to(sid.as_str()).is_some()
            || setting.bug == Some(Bug::ReuseHalfMade);
        match found.state {
            ConversationState::Deleted => Answer::Done(Visited::HalfMade),
            _ if found.openings.contains(&event) => Answer::Done(Visited::Messaged),
            _ if is_whole => Answer::Done(Visited::Whole),
            _ => Answer::Done(Visited::HalfMade),
        }
    }

    pub fn look(&self, setting: &Setting, event: usize, attempt: &Attempt, since: Tick, impatient: bool) -> Looked {
        let silent = if impatient { Duration::MAX } else { TICK * (self.now - since) };
        match self.observe(setting, event, attempt) {
            Observed::Present { sid } => Looked::Present { sid },
            Observed::Absent => Looked::Absent { silent },
            Observed::Unreached => Looked::Unreached { silent },
        }
    }

    /// What `observe` finds in Twilio.
    pub fn observe(&self, setting: &Setting, event: usize, attempt: &Attempt) -> Observed {
        match &attempt.trace {
            Trace::Message { .. } => {
                let to = setting.events[event].customer;
                let since = attempt_tick(attempt);
                let candidates = self.twilio.messages.iter().enumerate();
                let sid = candidates
                    .filter(|(_, message)| setting.events[message.event].customer == to && message.created >= since)
                    .map(|(at, _)| format!("SM{at}"))
                    .find(|sid| {
                        let other = self.attributed_to(sid).is_some_and(|other| other != event);
                        !other || setting.bug == Some(Bug::ForgetAttribution)
                    });
                sid.map_or(Observed::Absent, |sid| Observed::Present { sid })
            }
            Trace::Reused { conversation, .. } if setting.bug != Some(Bug::ForgetReused) => {
                if self.twilio.conversations[index(conversation)].openings.contains(&event) {
                    Observed::Present { sid: conversation.to_string() }
                } else {
                    Observed::Absent
                }
            }
            Trace::Reused { .. } => self.observe_own(event, true),
            Trace::Conversation { opening, .. } => self.observe_own(event, *opening),
            Trace::Interaction { asked, .. } => of_task(self.task(event), *asked),
        }
    }
}

impl World {
    /// The event's own conversation with its last step done.
    fn observe_own(&self, event: usize, opening: bool) -> Observed {
        let Some(found) = self.twilio.named_after(event) else { return Observed::Unreached };
        let conversation = &self.twilio.conversations[found];
        let present = || Observed::Present { sid: sid(found).to_string() };
        match (conversation.numbers.is_empty(), opening) {
            (_, true) if conversation.openings.contains(&event) => present(),
            (false, false) => present(),
            (false, true) => Observed::Absent,
            (true, _) => Observed::Unreached,
        }
    }
}

/// Reads an answer as the driver of an action does. What a conversation that is gone or closed refuses is a refusal.
fn read<T>(
    answer: Answer<Result<usize, Refusal>>,
    read: impl FnOnce(Result<usize, Refusal>) -> Option<T>,
) -> Answer<T> {
    match answer {
        Answer::Done(Err(Refusal::Closed)) => {
            Answer::Refused(Fault::Event(Reason::new(reason::CONVERSATION_CLOSED, "")))
        }
        Answer::Done(done) => read(done).map_or_else(mendable, Answer::Done),
        Answer::Refused(fault) => Answer::Refused(fault),
        Answer::Lost(lost) => Answer::Lost(lost),
    }
}

fn row(
    conversation: usize,
    unique_name: &str,
    state: ConversationState,
    by: &E164,
    of: usize,
) -> ParticipantConversation {
    let state = if state == ConversationState::Closed { "closed" } else { "active" };
    ParticipantConversation {
        conversation_sid: sid(conversation),
        conversation_unique_name: Some(unique_name.to_owned()),
        conversation_state: Some(state.to_owned()),
        participant_messaging_binding: Some(MessagingBinding {
            address: Some(customer(of).whatsapp()),
            proxy_address: Some(by.whatsapp()),
        }),
    }
}
