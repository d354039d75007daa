//! The shipped decisions in a world that can be looked through: [`machine::apply`](super::journal::machine::apply), the steps of
//! each action, settling, and what an outcome is answered with, between a Segment that repeats, a Twilio that loses answers,
//! and a process that dies.
//!
//! [`check`] goes through every order of what can happen, within bounds; [`schedules`] through long random ones. What the model
//! adds to the shipped code is the order that `engine` and `recovery` keep: claim, turn, start, send, record, answer.

mod calls;
mod check;
mod deliver;
mod people;
mod promises;
mod schedules;
mod twilio;
mod world;

use crate::api::engage_destination::{OnActiveConversation, OnUnknownOutcome};

/// The model's clock: one tick is `delivery.settle`.
type Tick = u32;

/// A minute, so that what the shipped code measures in milliseconds is a whole number of ticks.
const TICK: std::time::Duration = std::time::Duration::from_mins(1);

/// What happens in a world, and how much of it.
#[derive(Debug, Clone)]
struct Setting {
    events: Vec<EventOf>,
    on_unknown: OnUnknownOutcome,
    /// What follows when no number is free; `Reuse` without an opening message is `Skip`.
    on_active: OnActiveConversation,
    /// Our numbers.
    numbers: usize,
    /// How often Segment sends each event.
    tries: u8,
    /// Calls that go wrong.
    faults: u8,
    /// Times that the process dies.
    crashes: u8,
    /// Times that a settling time passes although nobody waits for it: the process was paused, or Segment was.
    pauses: u8,
    /// Open conversations that are closed by their timer or an agent.
    closings: u8,
    /// Times that somebody else opens a conversation with a customer by one of our numbers.
    takings: u8,
    /// Effects that show later than anybody waits.
    beyond: u8,
    /// Decisions of people.
    hands: u8,
    /// All events are of one entry into an audience or a journey step.
    one_entry: bool,
    /// The journal is in memory: it is empty after a start.
    memory: bool,
    /// Twilio refuses a second interaction of a conversation, as it is said to.
    refuses_second: bool,
    bug: Option<Bug>,
}

/// One event and what its destination does.
#[derive(Debug, Clone, Copy)]
struct EventOf {
    customer: usize,
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Whatsapp,
    Conversation { opening: bool },
    Interaction,
}

/// Defects that are put in on purpose, to see that they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    SendBeforeStart,
    /// The first look that finds nothing is taken as proof.
    ResendWithoutSettling,
    /// Silence is measured from the start of the attempt, not from when its owner was certainly gone.
    SilentSinceStart,
    /// A second process opens the journal while the first lives.
    ForgetLock,
    /// An attempt that was cut off is taken over like a claim.
    TakeOverStarted,
    /// Two deliveries to one customer at a time.
    ForgetTurn,
    /// Other deliveries to a customer may come before the attempt that an earlier run has left.
    RecoverLater,
    /// A conversation that is resumed gets a webhook without a look for one.
    AttachWithoutLooking,
    /// A message that is another event's counts as found.
    ForgetAttribution,
    /// An event is given up without a look at what it has left.
    LeaveHalfMade,
    /// A conversation is reused although its own event may still be taken back.
    ReuseHalfMade,
    /// A conversation that is reused is taken away when the message is refused for good.
    TakeReusedAway,
    /// A message in a conversation that is reused is looked for in the event's own.
    ForgetReused,
    AnswerBeforeFinish,
    /// A person reopens what was sent.
    ReopenSent,
    /// A person ends what is in flight.
    ResolveInFlight,
    /// A person gives an event up without anybody looking at what it has left.
    GiveUpAtOnce,
    /// An event is given back while what was asked to be removed may still be.
    GiveBackRemoval,
    /// A person gives an event up before what was asked for last can have shown.
    GiveUpUnsettled,
    /// What a person has reopened does not ask whether another event of its entry was acted on since.
    ReopenPastEntry,
    /// Nobody asks whether another event of the same entry is under way.
    ForgetEntry,
    /// Another event of the same entry is only waited for while it is in somebody's hands.
    PassByUnended,
    /// An event that came to nothing holds back the others of its entry.
    HoldForNothing,
    /// A task is asked for without a look for one.
    AskWithoutLooking,
    /// A task is put into the conversation of an event that has not ended.
    ShareUnfinished,
}
