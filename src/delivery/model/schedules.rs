//! Long random orders of what can happen, far beyond the bounds of [`check`](super::check): several destinations and customers,
//! many deaths and faults, and Segment sending again what is under way or has ended.

use proptest::prelude::*;

use super::{
    Action, EventOf, Setting,
    world::{Happening, World},
};
use crate::api::engage_destination::{OnActiveConversation, OnUnknownOutcome};

fn event() -> impl Strategy<Value = EventOf> {
    let action = prop_oneof![
        Just(Action::Whatsapp),
        Just(Action::Conversation { opening: true }),
        Just(Action::Conversation { opening: false }),
        Just(Action::Interaction)
    ];
    (0..3_usize, action).prop_map(|(customer, action)| EventOf { customer, action })
}

fn setting() -> impl Strategy<Value = Setting> {
    (
        prop::collection::vec(event(), 1..8),
        (
            prop_oneof![Just(OnUnknownOutcome::Resend), Just(OnUnknownOutcome::Park)],
            prop_oneof![
                Just(OnActiveConversation::Skip),
                Just(OnActiveConversation::Reuse),
                Just(OnActiveConversation::Retry)
            ],
        ),
        (1..4_usize, 1..12_u8, 0..30_u8),
        (0..6_u8, 0..6_u8, 0..4_u8, 0..3_u8),
        (any::<bool>(), any::<bool>(), 0..5_u8),
    )
        .prop_map(
            |(
                events,
                policies,
                (numbers, tries, faults),
                (crashes, pauses, closings, takings),
                (one_entry, refuses_second, hands),
            )| Setting {
                events,
                on_unknown: policies.0,
                on_active: policies.1,
                numbers,
                tries,
                faults,
                crashes,
                pauses,
                closings,
                takings,
                beyond: 0,
                hands,
                one_entry,
                memory: false,
                refuses_second,
                bug: None,
            },
        )
}

/// Which of the things that can happen does, at each moment: one drawn number each.
fn schedule() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}

/// Events that were received and are neither ended nor waiting to be repeated, given up or looked for. Always none.
fn lost(world: &World) -> Option<usize> {
    let taken = |event: &usize| world.segment[*event].received;
    (0..world.journal.len()).filter(taken).find(|event| world.journal[*event].is_none())
}

fn run(setting: &Setting, schedule: &[u16]) -> Result<(), TestCaseError> {
    let mut world = World::new(setting);
    let mut past = Vec::new();
    let mut next = Vec::new();
    // After the drawn part whatever comes first happens, until nothing is left to.
    let draws = schedule.iter().copied().chain(std::iter::repeat(0));
    for draw in draws {
        next.clear();
        world.happenings(setting, &mut next);
        // What Segment sends again while it is under way or after it has ended changes nothing.
        let journal = world.journal.clone();
        for event in 0..setting.events.len() {
            world.repeat(event);
        }
        prop_assert_eq!(&journal, &world.journal, "a repetition changed the record, after {:?}", past);
        if next.iter().all(Happening::is_from_outside) {
            break;
        }
        let happening = next[usize::from(draw) % next.len()];
        past.push(happening);
        world.happen(setting, happening);
        prop_assert!(lost(&world).is_none(), "an event is neither ended nor in flight, after {:?}", past);
        let broken = world.broken.or_else(|| world.doubled(setting)).or_else(|| world.bereft());
        prop_assert_eq!(broken, None, "after {:?}", past);
    }
    prop_assert_eq!(world.broken_promise(setting), None, "after {:?}", past);
    Ok(())
}

/// How many schedules: `ENGAGE_SCHEDULES`, or four thousand.
fn cases() -> u32 {
    std::env::var("ENGAGE_SCHEDULES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn every_promise_is_kept_by_long_random_schedules(setting in setting(), schedule in schedule()) {
        run(&setting, &schedule)?;
    }
}
