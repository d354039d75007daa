//! Widgets that go by another name. Two widgets are one when they are the same in all but the name and what they mention is
//! the same in turn; or nearly so, where no other widget comes close.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Widgets, text_of};
use crate::studio::{
    condition::conditions_in_words,
    mention::{is_next, mentions_of, relabelled, with_mentions},
};

/// Each step settles at least one name; beyond this many a rename counts as removed and added.
const STEPS: usize = 1000;

/// Two widgets that share at least this much of what they have and of what leads to them may be one.
const ALIKE: f64 = 0.6;

/// How much less any other candidate has to share.
const MARGIN: f64 = 0.15;

/// More pairs of names than this are not compared for being nearly alike.
const PAIRS: usize = 250_000;

/// New names by old ones.
#[derive(Debug, Default)]
pub(super) struct Renames(BTreeMap<String, String>);

/// Names that only one side has, and that it has once.
struct Candidates<'a> {
    gone: BTreeMap<&'a str, Candidate<'a>>,
    arrived: BTreeMap<&'a str, Candidate<'a>>,
}

struct Candidate<'a> {
    state: &'a Value,
    mentions: BTreeSet<String>,
    /// The widget without its name and with what is settled; none when it has to be written anew.
    text: Option<String>,
}

impl<'a> Candidate<'a> {
    fn of((name, state): (&'a str, &'a Value)) -> (&'a str, Self) {
        let mentions = mentions_of(state).into_iter().map(|(_, name)| name).collect();
        (name, Self { state, mentions, text: None })
    }

    fn write_anew(candidates: &mut BTreeMap<&'a str, Self>, settled: &str) {
        for candidate in candidates.values_mut().filter(|candidate| candidate.mentions.contains(settled)) {
            candidate.text = None;
        }
    }
}

impl Renames {
    pub(super) fn between(old: &Widgets<'_>, new: &Widgets<'_>) -> Self {
        let only = |of: &Widgets<'_>, name: &str, without: &Widgets<'_>| {
            !name.is_empty() && of.only(name).is_some() && !without.0.contains_key(name)
        };
        let gone = old.all().filter(|(name, _)| only(old, name, new)).map(Candidate::of).collect();
        let arrived = new.all().filter(|(name, _)| only(new, name, old)).map(Candidate::of).collect();
        let mut candidates = Candidates { gone, arrived };
        let mut renames = Self::default();
        for _ in 0..STEPS {
            if candidates.gone.is_empty() || candidates.arrived.is_empty() {
                return renames;
            }
            renames.write(&mut candidates);
            let found = renames.settle(&mut candidates, None)
                || renames.settle(&mut candidates, Some((old, new)))
                || renames.settle_a_tie(&mut candidates);
            if !found {
                break;
            }
        }
        renames.settle_nearly_alike(&candidates, old, new);
        renames
    }

    pub(super) fn new_name(&self, old: &str) -> Option<&str> {
        self.0.get(old).map(String::as_str)
    }

    /// Whether an old value and a new one are the same, written with the old names or with the new ones. The pointer is that
    /// within the widget or the flow.
    pub(super) fn same(&self, pointer: &str, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::String(old), Value::String(new)) => {
                old == new
                    || !self.0.is_empty()
                        && (is_next(pointer) || pointer == "/initial_state")
                        && self.new_name(old) == Some(new)
                    || !self.0.is_empty() && with_mentions(old, &|name| self.0.get(name).cloned()) == *new
            }
            (Value::Array(old), Value::Array(new)) => {
                let mut items = old.iter().zip(new).enumerate();
                old.len() == new.len()
                    && items.all(|(index, (old, new))| self.same(&format!("{pointer}/{index}"), old, new))
            }
            (Value::Object(old), Value::Object(new)) => {
                old.len() == new.len()
                    && old.iter().all(|(key, old)| {
                        new.get(key).is_some_and(|new| self.same(&format!("{pointer}/{key}"), old, new))
                    })
            }
            _ => old == new,
        }
    }

    /// Takes the pairs that are alike and have no double; with `around` also by what mentions them.
    fn settle(&mut self, candidates: &mut Candidates<'_>, around: Option<(&Widgets<'_>, &Widgets<'_>)>) -> bool {
        let (gone, arrived) = self.shapes(candidates, around);
        let mut found = false;
        for (shape, old) in gone {
            if let ([old], Some([new])) = (old.as_slice(), arrived.get(&shape).map(Vec::as_slice)) {
                self.take(candidates, old, new);
                found = true;
            }
        }
        found
    }

    /// Of widgets that nothing tells apart the first becomes the first.
    fn settle_a_tie(&mut self, candidates: &mut Candidates<'_>) -> bool {
        let (gone, arrived) = self.shapes(candidates, None);
        let tie =
            gone.iter().find_map(|(shape, old)| Some((old.first()?.clone(), arrived.get(shape)?.first()?.clone())));
        tie.inspect(|(old, new)| self.take(candidates, old, new)).is_some()
    }

    fn take(&mut self, candidates: &mut Candidates<'_>, old: &str, new: &str) {
        candidates.gone.remove(old);
        candidates.arrived.remove(new);
        Candidate::write_anew(&mut candidates.gone, old);
        Candidate::write_anew(&mut candidates.arrived, new);
        self.0.insert(old.to_owned(), new.to_owned());
    }

    /// Writes the candidates that were not written since a name that they mention was settled.
    fn write(&self, candidates: &mut Candidates<'_>) {
        let unwritten = |side: &BTreeMap<&str, Candidate<'_>>,
                         label: &dyn Fn(&str) -> String|
         -> Vec<(String, String)> {
            let side = side.iter().filter(|(_, candidate)| candidate.text.is_none());
            side.map(|(name, candidate)| ((*name).to_owned(), nameless(candidate.state, label).to_string())).collect()
        };
        let gone = unwritten(&candidates.gone, &|name| self.label_of_old(candidates, name));
        let arrived = unwritten(&candidates.arrived, &|name| label_of_new(candidates, name));
        for (side, texts) in [(&mut candidates.gone, gone), (&mut candidates.arrived, arrived)] {
            for (name, text) in texts {
                if let Some(candidate) = side.get_mut(name.as_str()) {
                    candidate.text = Some(text);
                }
            }
        }
    }

    /// The names of candidates by what they look like.
    fn shapes(&self, candidates: &Candidates<'_>, around: Option<(&Widgets<'_>, &Widgets<'_>)>) -> (Shapes, Shapes) {
        let shapes =
            |side: &BTreeMap<&str, Candidate<'_>>, widgets: Option<&Widgets<'_>>, label: &dyn Fn(&str) -> String| {
                let mut leading_to = widgets.map(|widgets| mentioning(widgets, label)).unwrap_or_default();
                let mut shapes = Shapes::new();
                for (name, candidate) in side {
                    let text = candidate.text.clone().unwrap_or_default();
                    let shape = (text, leading_to.remove(*name).unwrap_or_default());
                    shapes.entry(shape).or_default().push((*name).to_owned());
                }
                shapes
            };
        (
            shapes(&candidates.gone, around.map(|around| around.0), &|name| self.label_of_old(candidates, name)),
            shapes(&candidates.arrived, around.map(|around| around.1), &|name| label_of_new(candidates, name)),
        )
    }

    fn label_of_old(&self, candidates: &Candidates<'_>, name: &str) -> String {
        if candidates.gone.contains_key(name) {
            OPEN.to_owned()
        } else {
            self.new_name(name).unwrap_or(name).to_owned()
        }
    }

    fn settle_nearly_alike(&mut self, candidates: &Candidates<'_>, old: &Widgets<'_>, new: &Widgets<'_>) {
        let (gone, arrived) = (&candidates.gone, &candidates.arrived);
        if gone.is_empty() || gone.len() * arrived.len() > PAIRS {
            return;
        }
        let old_parts = parts(old, &|name| self.label_of_old(candidates, name));
        let new_parts = parts(new, &|name| label_of_new(candidates, name));
        // What many widgets have tells little about one.
        let mut holders: HashMap<&str, (f64, f64)> = HashMap::new();
        old_parts.values().flatten().for_each(|part| holders.entry(part).or_default().0 += 1.0);
        new_parts.values().flatten().for_each(|part| holders.entry(part).or_default().1 += 1.0);
        let mut weights: Vec<(&str, f64)> =
            holders.into_iter().map(|(part, (old, new))| (part, 1.0 / old.max(new))).collect();
        weights.sort_unstable_by_key(|(part, _)| *part);
        let places: HashMap<&str, usize> =
            weights.iter().enumerate().map(|(place, (part, _))| (*part, place)).collect();
        let weighed = |parts: &HashMap<&str, BTreeSet<String>>, name: &str| -> Weighed {
            let parts: Vec<usize> = parts[name].iter().map(|part| places[part.as_str()]).collect();
            Weighed { weight: parts.iter().map(|place| weights[*place].1).sum(), parts }
        };
        let share = |old: &Weighed, new: &Weighed| {
            let both = old.parts.iter().filter(|place| new.parts.binary_search(place).is_ok());
            2.0 * both.map(|place| weights[*place].1).sum::<f64>() / (old.weight + new.weight).max(f64::MIN_POSITIVE)
        };
        let arrived: Vec<_> = arrived
            .iter()
            .map(|(name, candidate)| (*name, text_of(candidate.state, "type"), weighed(&new_parts, name)))
            .collect();
        let mut shares: Vec<(&str, &str, f64)> = Vec::new();
        for (old_name, candidate) in gone {
            let (kind, old) = (text_of(candidate.state, "type"), weighed(&old_parts, old_name));
            let alike = arrived.iter().filter(|(_, other, _)| kind == *other);
            shares.extend(alike.map(|(new_name, _, new)| (*old_name, *new_name, share(&old, new))));
        }
        let (mut of_old, mut of_new) = (HashMap::<&str, Closest>::new(), HashMap::<&str, Closest>::new());
        for (old_name, new_name, share) in &shares {
            of_old.entry(old_name).or_default().add(*share);
            of_new.entry(new_name).or_default().add(*share);
        }
        for (old_name, new_name, share) in shares {
            let stands_out = |closest: &Closest| share >= closest.best && share - closest.second >= MARGIN;
            if share >= ALIKE && stands_out(&of_old[old_name]) && stands_out(&of_new[new_name]) {
                self.0.insert(old_name.to_owned(), new_name.to_owned());
            }
        }
    }
}

/// What a widget consists of, by place in the list of all parts, in order.
struct Weighed {
    parts: Vec<usize>,
    weight: f64,
}

/// The two highest shares of a widget.
#[derive(Default)]
struct Closest {
    best: f64,
    second: f64,
}

impl Closest {
    fn add(&mut self, share: f64) {
        self.second = self.second.max(share.min(self.best));
        self.best = self.best.max(share);
    }
}

/// By the widget without its name, and what mentions it.
type Shapes = BTreeMap<(String, Vec<String>), Vec<String>>;

/// Stands for a name that is not settled yet. No name of a widget has a space.
const OPEN: &str = "not settled";

fn label_of_new(candidates: &Candidates<'_>, name: &str) -> String {
    if candidates.arrived.contains_key(name) { OPEN.to_owned() } else { name.to_owned() }
}

fn nameless(state: &Value, label: &dyn Fn(&str) -> String) -> Value {
    let mut shape = relabelled(state, "", &mut |_, name| Some(label(name)));
    if let Some(fields) = shape.as_object_mut() {
        fields.shift_remove("name");
    }
    shape
}

/// By name, from where a widget is mentioned.
fn mentioning(widgets: &Widgets<'_>, label: &dyn Fn(&str) -> String) -> BTreeMap<String, Vec<String>> {
    let mut mentioning: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (source, state) in widgets.all() {
        for (pointer, name) in mentions_of(state) {
            let event = is_next(&pointer)
                .then(|| text_of(state.pointer(&pointer[..pointer.len() - "/next".len()]).unwrap_or(state), "event"));
            mentioning.entry(name).or_default().push(format!("{} {}", label(source), event.unwrap_or(&pointer)));
        }
    }
    for places in mentioning.values_mut() {
        places.sort();
    }
    mentioning
}

/// By name, what a widget consists of and what leads to it.
fn parts<'a>(widgets: &Widgets<'a>, label: &dyn Fn(&str) -> String) -> HashMap<&'a str, BTreeSet<String>> {
    let mut leading_to = mentioning(widgets, label);
    let mut parts = HashMap::new();
    for (name, state) in widgets.all() {
        let state = nameless(state, label);
        let mut found = BTreeSet::new();
        if let Some(properties) = state.get("properties") {
            leaves(properties, "", &mut found);
        }
        for transition in state.get("transitions").and_then(Value::as_array).into_iter().flatten() {
            let conditions = conditions_in_words(transition).unwrap_or_default();
            found.insert(format!("{} {conditions} to {}", text_of(transition, "event"), text_of(transition, "next")));
        }
        found.extend(leading_to.remove(name).unwrap_or_default().into_iter().map(|place| format!("from {place}")));
        parts.insert(name, found);
    }
    parts
}

fn leaves(value: &Value, pointer: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                leaves(field, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                leaves(item, &format!("{pointer}/-"), found);
            }
        }
        leaf => {
            found.insert(format!("{pointer} {leaf}"));
        }
    }
}
