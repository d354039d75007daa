//! Differences between the transitions of a widget. Those of one event are told apart by their conditions; their order is
//! part of what they mean, since a split takes its first match.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{renames::Renames, text_of};
use crate::studio::condition::conditions_in_words;

/// A transition that is not what it was, or not where it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransitionChange {
    /// `None` when it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Branch>,
    /// `None` when it is no longer there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Branch>,
    /// Set when it is tried earlier or later than others of its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

/// Places among the transitions of one event, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub from: usize,
    pub to: usize,
}

/// One way out of a widget, in canonical form.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Branch(Value);

impl Branch {
    pub(super) fn of(canonical: &Value) -> Self {
        Self(canonical.clone())
    }

    pub fn event(&self) -> &str {
        text_of(&self.0, "event")
    }

    /// Its conditions in a few words.
    pub fn conditions(&self) -> Option<String> {
        conditions_in_words(&self.0)
    }

    /// The widget that it leads to; `None` when the branch ends here.
    pub fn next(&self) -> Option<&str> {
        Some(text_of(&self.0, "next")).filter(|next| !next.is_empty())
    }

    /// The transition.
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

/// The changes from one widget's transitions to the other's; both have a list of them.
pub(super) fn changes(old: &Value, new: &Value, renames: &Renames) -> Vec<TransitionChange> {
    let (old, new) = (by_event(old), by_event(new));
    let events: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let changes = |event| {
        let (old, new) = (old.get(event).map(Vec::as_slice), new.get(event).map(Vec::as_slice));
        changes_of_event(old.unwrap_or_default(), new.unwrap_or_default(), renames)
    };
    events.into_iter().flat_map(changes).collect()
}

fn by_event(widget: &Value) -> BTreeMap<&str, Vec<&Value>> {
    let mut events: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for transition in widget.get("transitions").and_then(Value::as_array).into_iter().flatten() {
        events.entry(text_of(transition, "event")).or_default().push(transition);
    }
    events
}

fn changes_of_event(old: &[&Value], new: &[&Value], renames: &Renames) -> Vec<TransitionChange> {
    let pairs = pairs(old, new, renames);
    let kept_in_order = longest_rise(&pairs);
    let branch = |value: &&Value| Branch::of(value);
    let mut changes = Vec::new();
    for (from, value) in old.iter().enumerate() {
        let Some(to) = pairs.get(&from) else {
            changes.push(TransitionChange { old: Some(branch(value)), new: None, moved: None });
            continue;
        };
        let moved = (!kept_in_order.contains(&from)).then_some(Moved { from: from + 1, to: to + 1 });
        if moved.is_some() || !renames.same(AS_TRANSITION, value, new[*to]) {
            changes.push(TransitionChange { old: Some(branch(value)), new: Some(branch(&new[*to])), moved });
        }
    }
    let paired: BTreeSet<usize> = pairs.into_values().collect();
    let added = new.iter().enumerate().filter(|(to, _)| !paired.contains(to));
    changes.extend(added.map(|(_, value)| TransitionChange { old: None, new: Some(branch(value)), moved: None }));
    changes
}

/// Where a transition is found in a widget, for what depends on the place; which of them it is does not matter.
const AS_TRANSITION: &str = "/transitions/0";

type Alike<'a> = &'a dyn Fn(&Value, &Value) -> bool;

/// Which old transition is which new one: first those that are the same, then those with the same conditions, then those
/// with the same target.
fn pairs(old: &[&Value], new: &[&Value], renames: &Renames) -> BTreeMap<usize, usize> {
    let field = |key: &'static str| {
        move |old: &Value, new: &Value| match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => renames.same(&format!("{AS_TRANSITION}/{key}"), old, new),
            (old, new) => old.is_none() && new.is_none(),
        }
    };
    let (same_conditions, same_next) = (field("conditions"), field("next"));
    let same = |old: &Value, new: &Value| renames.same(AS_TRANSITION, old, new);
    let alike: [Alike<'_>; 3] = [&same, &same_conditions, &same_next];
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for alike in alike {
        let settled: BTreeSet<usize> = pairs.keys().copied().collect();
        for (from, old) in old.iter().enumerate().filter(|(from, _)| !settled.contains(from)) {
            if let Some(to) = (0..new.len()).find(|to| !taken.contains(to) && alike(old, new[*to])) {
                pairs.insert(from, to);
                taken.insert(to);
            }
        }
    }
    pairs
}

/// The most pairs whose order is the same in both, by their old place.
fn longest_rise(pairs: &BTreeMap<usize, usize>) -> BTreeSet<usize> {
    // For each pair the length of the longest rise that ends with it, and the pair before it there.
    let mut rises: Vec<(usize, usize, usize, Option<usize>)> = Vec::with_capacity(pairs.len());
    for (&from, &to) in pairs {
        let before =
            rises.iter().enumerate().filter(|(_, rise)| rise.1 < to).max_by_key(|(at, rise)| (rise.2, usize::MAX - at));
        let (length, before) = before.map_or((1, None), |(at, rise)| (rise.2 + 1, Some(at)));
        rises.push((from, to, length, before));
    }
    let mut at = (0..rises.len()).max_by_key(|at| (rises[*at].2, usize::MAX - at));
    let mut kept = BTreeSet::new();
    while let Some(rise) = at.map(|at| rises[at]) {
        kept.insert(rise.0);
        at = rise.3;
    }
    kept
}
