//! Every order of what can happen, within bounds.
//!
//! The bounds are those of a [`Setting`]: how many events, repetitions, faults, deaths, pauses. Each uses something up, so no
//! path is endless, and "nothing is left to happen" is where a path ends. `ENGAGE_MODEL=long` goes further.

use std::{io::Write, time::Instant};

use stateright::{Checker, Model, Property};

use super::{
    Action, Bug, EventOf, Setting,
    world::{Happening, World},
};
use crate::api::engage_destination::{OnActiveConversation, OnUnknownOutcome};

const KEPT: &str = "every promise is kept";
const OPENED: Action = Action::Conversation { opening: true };
const SILENT: Action = Action::Conversation { opening: false };
const TASK: Action = Action::Interaction;

/// The first promise that is broken in a world.
type Broken = fn(&World, &Setting) -> Option<&'static str>;

struct Bounded {
    setting: Setting,
    broken: Broken,
}

impl Model for Bounded {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.setting)]
    }

    fn actions(&self, world: &World, happenings: &mut Vec<Happening>) {
        world.happenings(&self.setting, happenings);
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        let mut next = world.clone();
        next.happen(&self.setting, happening);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(KEPT, |model, world: &World| (model.broken)(world, &model.setting).is_none())]
    }
}

/// Looks through everything that can happen; gives what is broken, and how it comes to that.
fn search(name: &str, setting: &Setting) -> Option<(&'static str, Vec<Happening>)> {
    search_for(World::broken_promise, name, setting)
}

fn search_for(broken: Broken, name: &str, setting: &Setting) -> Option<(&'static str, Vec<Happening>)> {
    let begin = Instant::now();
    let checker = Bounded { setting: setting.clone(), broken }.checker().threads(2).spawn_bfs().join();
    let found = checker.discovery(KEPT).map(|path| {
        let promise = broken(path.last_state(), setting).unwrap();
        (promise, path.into_actions())
    });
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ = writeln!(
        std::io::stderr(),
        "model, {name}: {} states, depth {}, {:.1} s{}",
        checker.unique_state_count(),
        checker.max_depth(),
        begin.elapsed().as_secs_f64(),
        found.as_ref().map_or_else(String::new, |(promise, _)| format!("; found: {promise}")),
    );
    found
}

fn holds(name: &str, setting: &Setting) {
    if let Some((promise, path)) = search(name, setting) {
        let path: Vec<_> = path.iter().map(|happening| format!("{happening:?}")).collect();
        panic!("{name}: {promise}, by\n{}", path.join("\n"));
    }
}

/// Whether there is time for the further bounds.
fn long() -> bool {
    std::env::var("ENGAGE_MODEL").is_ok_and(|bounds| bounds == "long")
}

fn one(action: Action) -> Setting {
    Setting {
        events: vec![EventOf { customer: 0, action }],
        on_unknown: OnUnknownOutcome::Resend,
        on_active: OnActiveConversation::Skip,
        numbers: 1,
        tries: 3,
        faults: 2,
        crashes: 1,
        pauses: 1,
        closings: 0,
        takings: 0,
        beyond: 0,
        hands: 0,
        one_entry: false,
        memory: false,
        refuses_second: false,
        bug: None,
    }
}

/// Two events of one customer.
fn two(first: Action, second: Action) -> Setting {
    let events = [first, second].map(|action| EventOf { customer: 0, action }).to_vec();
    Setting { events, tries: 2, faults: 1, crashes: 1, pauses: 0, ..one(first) }
}

const POLICIES: [OnUnknownOutcome; 2] = [OnUnknownOutcome::Resend, OnUnknownOutcome::Park];

#[test]
fn one_event_has_one_effect_and_one_outcome_whatever_fails() {
    let more = u8::from(long());
    for on_unknown in POLICIES {
        for action in [Action::Whatsapp, OPENED, SILENT] {
            let closings = u8::from(action != Action::Whatsapp);
            let setting = Setting {
                on_unknown,
                faults: 2 + more,
                crashes: 1 + more,
                tries: 3 + more,
                closings,
                numbers: 2,
                ..one(action)
            };
            holds(&format!("one {action:?}, {on_unknown:?}"), &setting);
        }
    }
}

#[test]
fn two_events_of_one_customer_are_never_taken_for_each_other() {
    for on_unknown in POLICIES {
        for (first, second) in [(Action::Whatsapp, Action::Whatsapp), (OPENED, OPENED), (Action::Whatsapp, OPENED)] {
            let mut setting = Setting { on_unknown, ..two(first, second) };
            if long() {
                let messages = second == Action::Whatsapp;
                setting = Setting { tries: 2 + u8::from(messages), faults: 2, pauses: u8::from(messages), ..setting };
            }
            holds(&format!("two of one customer, {first:?} and {second:?}, {on_unknown:?}"), &setting);
        }
    }
}

/// Somebody else takes numbers between the look for them and the use of them.
#[test]
fn a_race_for_our_numbers_leads_to_the_next_one_and_in_the_end_to_what_the_destination_asks_for() {
    for on_active in [OnActiveConversation::Skip, OnActiveConversation::Reuse, OnActiveConversation::Retry] {
        let bounds = Setting { takings: 2, numbers: 2, faults: 1, tries: 2, closings: 1, pauses: 0, ..one(OPENED) };
        holds(&format!("numbers taken, {on_active:?}"), &Setting { on_active, ..bounds });
    }
}

#[test]
fn a_conversation_that_is_reused_gets_each_message_once_and_is_never_taken_away() {
    use OnActiveConversation::{Retry, Reuse};
    use OnUnknownOutcome::{Park, Resend};
    for (first, on_active, on_unknown, crashes, closings) in [
        (OPENED, Reuse, Resend, 1, 0),
        (OPENED, Reuse, Park, 1, 0),
        (OPENED, Reuse, Resend, 0, 1),
        (SILENT, Reuse, Resend, 0, 1),
        (TASK, Reuse, Resend, 1, 0),
        (OPENED, Retry, Resend, 0, 1),
    ] {
        let mut setting = Setting { on_unknown, on_active, crashes, closings, ..two(first, OPENED) };
        if long() {
            setting = Setting { crashes: 1, closings: 1, ..setting };
        }
        holds(&format!("{first:?} and then {on_active:?}, {on_unknown:?}"), &setting);
    }
}

#[test]
fn one_event_becomes_one_task_whatever_fails() {
    let more = u8::from(long());
    for on_unknown in POLICIES {
        let setting = Setting { on_unknown, closings: 1, numbers: 2, ..one(TASK) };
        let setting = Setting { faults: 2 + more, crashes: 1 + more, tries: 3 + more, ..setting };
        holds(&format!("one task, {on_unknown:?}"), &setting);
    }
}

/// Twilio is said to refuse a second interaction of one conversation. Nothing rests on it: each holds whether it does or not.
#[test]
fn tasks_of_one_customer_share_a_conversation_and_never_lose_it_to_each_other() {
    for (first, refuses_second) in [(TASK, false), (TASK, true), (OPENED, false), (Action::Whatsapp, false)] {
        let mut setting = Setting { refuses_second, ..two(first, TASK) };
        if long() {
            setting = Setting { faults: 2, ..setting };
        }
        holds(&format!("two of one customer, {first:?} and a task, a second one refused: {refuses_second}"), &setting);
    }
}

#[test]
fn two_events_of_two_customers_do_not_disturb_each_other() {
    for (first, second) in [(Action::Whatsapp, Action::Whatsapp), (Action::Whatsapp, OPENED)] {
        let mut setting = two(first, second);
        setting.events[1].customer = 1;
        if long() {
            setting = Setting { faults: 2, ..setting };
        }
        holds(&format!("two customers, {first:?} and {second:?}"), &setting);
    }
}

#[test]
fn of_the_events_of_one_entry_one_is_acted_on() {
    for on_unknown in POLICIES {
        for (action, customers) in [(Action::Whatsapp, 1), (Action::Whatsapp, 2), (OPENED, 1), (OPENED, 2)] {
            let mut setting = Setting { on_unknown, one_entry: true, ..two(action, action) };
            setting.events[1].customer = customers - 1;
            if long() && action == Action::Whatsapp {
                setting = Setting { tries: 3, faults: 2, ..setting };
            }
            holds(&format!("one entry, {action:?}, by {customers} numbers, {on_unknown:?}"), &setting);
        }
    }
}

/// What is promised stands on nothing showing later than `delivery.settle`. This is what becomes of it when something does.
#[test]
fn an_effect_later_than_settle_is_the_window_that_is_left() {
    use OnUnknownOutcome::{Park, Resend};
    for (action, on_unknown, doubled, anything) in [
        (Action::Whatsapp, Resend, true, true),
        (Action::Whatsapp, Park, false, false),
        (OPENED, Resend, true, true),
        // A removal that comes so late takes away what was made whole meanwhile, the record of the opening message with it.
        (OPENED, Park, true, true),
        // A second webhook, or a conversation that nobody completes.
        (SILENT, Resend, false, true),
        (SILENT, Park, false, true),
        (TASK, Resend, true, true),
        (TASK, Park, false, true),
    ] {
        let setting = Setting { beyond: 1, on_unknown, ..one(action) };
        let name = format!("later than settle, {action:?}, {on_unknown:?}");
        assert_eq!(search_for(World::doubled, &name, &setting).is_some(), doubled, "{name}");
        assert_eq!(search(&name, &setting).is_some(), anything, "{name}");
    }
}

#[test]
fn what_people_decide_breaks_no_promise() {
    let more = u8::from(long());
    for on_unknown in POLICIES {
        for action in [Action::Whatsapp, OPENED, SILENT, TASK] {
            let setting = Setting { on_unknown, hands: 2 + more, faults: 2, ..one(action) };
            holds(&format!("people, {action:?}, {on_unknown:?}"), &setting);
        }
        for action in [Action::Whatsapp, OPENED] {
            for one_entry in [false, true] {
                let setting = Setting { on_unknown, hands: 1 + more, one_entry, ..two(action, action) };
                holds(&format!("people, two {action:?}, {on_unknown:?}, one entry: {one_entry}"), &setting);
            }
        }
    }
}

/// A message that is not found and shows later than `delivery.settle` is doubled by the person who reopens its event, and by
/// nobody else: it is counted as theirs.
#[test]
fn only_an_event_that_may_have_been_sent_can_be_doubled_by_a_person() {
    let setting = Setting { beyond: 1, hands: 1, on_unknown: OnUnknownOutcome::Park, ..one(Action::Whatsapp) };
    let twice: Broken = |world, _| world.messaged_twice().then_some("messaged twice");
    assert!(search_for(twice, "reopened, later than settle", &setting).is_some());
    assert!(search_for(World::doubled, "reopened, later than settle, counted", &setting).is_none());
}

/// What a journal in memory cannot keep: a restart forgets what was started.
#[test]
fn a_journal_that_forgets_can_double_a_message() {
    for on_unknown in POLICIES {
        for (action, doubled) in [(Action::Whatsapp, true), (OPENED, true), (SILENT, false), (TASK, true)] {
            let setting = Setting { memory: true, on_unknown, ..one(action) };
            let name = format!("memory, {action:?}, {on_unknown:?}");
            assert_eq!(search_for(World::doubled, &name, &setting).is_some(), doubled, "{name}");
            let unharmed = Setting { crashes: 0, ..setting };
            holds(&format!("{name}, no restart"), &unharmed);
        }
    }
}

#[test]
fn every_seeded_bug_is_found() {
    let message = one(Action::Whatsapp);
    let conversation = Setting { faults: 1, ..one(OPENED) };
    let unrepeated = Setting { tries: 1, ..conversation.clone() };
    let task = one(TASK);
    let tasks = two(TASK, TASK);
    let messages = two(Action::Whatsapp, Action::Whatsapp);
    let decided = Setting { hands: 1, ..message.clone() };
    let repeated = Setting { hands: 1, tries: 2, faults: 1, ..one(SILENT) };
    let given_up = Setting { hands: 1, ..unrepeated.clone() };
    let entry = Setting { one_entry: true, ..messages.clone() };
    let decided_entry = Setting { hands: 1, crashes: 0, ..entry.clone() };
    let reused = Setting { on_active: OnActiveConversation::Reuse, ..two(OPENED, OPENED) };
    for (bug, setting) in [
        (Bug::SendBeforeStart, &message),
        (Bug::ResendWithoutSettling, &message),
        (Bug::SilentSinceStart, &message),
        (Bug::ForgetLock, &message),
        (Bug::TakeOverStarted, &message),
        (Bug::AnswerBeforeFinish, &message),
        (Bug::ForgetTurn, &messages),
        (Bug::ForgetAttribution, &messages),
        (Bug::RecoverLater, &messages),
        (Bug::ForgetEntry, &entry),
        (Bug::PassByUnended, &entry),
        (Bug::HoldForNothing, &entry),
        (Bug::AttachWithoutLooking, &conversation),
        (Bug::LeaveHalfMade, &unrepeated),
        (Bug::ReopenSent, &decided),
        (Bug::ResolveInFlight, &decided),
        (Bug::GiveUpAtOnce, &given_up),
        (Bug::GiveBackRemoval, &repeated),
        (Bug::GiveUpUnsettled, &Setting { hands: 1, ..one(OPENED) }),
        (Bug::ReopenPastEntry, &decided_entry),
        (Bug::ReuseHalfMade, &Setting { tries: 1, ..reused.clone() }),
        (Bug::TakeReusedAway, &reused),
        (Bug::ForgetReused, &reused),
        (Bug::AskWithoutLooking, &task),
        (Bug::ShareUnfinished, &tasks),
    ] {
        let found = search(&format!("{bug:?}"), &Setting { bug: Some(bug), ..setting.clone() });
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
