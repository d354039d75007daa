//! What makes two definitions mean different things, widget by widget, on their [canonical forms](super::canonical). It is
//! empty exactly where the two mean the same.
//!
//! A widget that goes by another name is one change, however many others mention it: what follows from the new name is
//! counted nowhere else.

mod branches;
mod renames;
mod text;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

pub use self::{
    branches::{Branch, Moved, TransitionChange},
    text::Bounds,
    values::PropertyChange,
};
use self::{renames::Renames, values::Comparison};
use super::{definition::FlowDefinition, mention::mentions_of};

/// From an old definition to a new one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// What is not within a widget: `/description`, `/flags/…`, `/initial_state`.
    pub flow: Vec<PropertyChange>,
    /// By name.
    pub widgets: Vec<WidgetDifference>,
}

/// What became of one widget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WidgetDifference {
    /// Its name in the new definition; the old name of one that was removed. Empty for one without a name.
    pub name: String,
    /// Its type, of the same definition.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(flatten)]
    pub change: Change,
}

/// How a widget differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub enum Change {
    Added,
    Removed,
    Changed {
        #[serde(skip_serializing_if = "Option::is_none")]
        renamed: Option<Renamed>,
        properties: Vec<PropertyChange>,
        transitions: Vec<TransitionChange>,
    },
}

/// The name that a widget had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renamed {
    pub from: String,
    /// How often the new definition still says the old name, which no widget has any more.
    #[serde(rename = "leftBehind")]
    pub left_behind: usize,
}

impl FlowDefinition {
    /// What has changed in `new`.
    pub fn difference(&self, new: &Self) -> Difference {
        let (old, new) = (self.canonical(), new.canonical());
        if old == new {
            return Difference::default();
        }
        let (old_widgets, new_widgets) = (Widgets::of(&old), Widgets::of(&new));
        let renames = Renames::between(&old_widgets, &new_widgets);
        Difference {
            flow: changes_of_the_flow(&old, &new, &renames),
            widgets: changes_of_widgets(&old_widgets, &new_widgets, &renames, &new),
        }
    }

    /// The names of the widgets that are only in one of the two, or mean something else in the other; sorted, at most
    /// `limit`. None when the two differ only outside of their widgets, as in a flag.
    pub fn widgets_that_differ(&self, other: &Self, limit: usize) -> Vec<String> {
        let difference = self.difference(other);
        let names = difference.widgets.iter().flat_map(|widget| [Some(widget.name.as_str()), widget.old_name()]);
        let names: BTreeSet<&str> = names.flatten().collect();
        names.into_iter().take(limit).map(str::to_owned).collect()
    }
}

impl Difference {
    pub const fn is_empty(&self) -> bool {
        self.flow.is_empty() && self.widgets.is_empty()
    }

    /// How widgets that have another name now were called, by the new name.
    pub fn renamed(&self) -> BTreeMap<&str, &str> {
        let renamed = self.widgets.iter().filter(|widget| widget.renamed().is_some());
        renamed.filter_map(|widget| Some((widget.name.as_str(), widget.old_name()?))).collect()
    }
}

impl WidgetDifference {
    /// Its name in the old definition, where it was in it.
    pub fn old_name(&self) -> Option<&str> {
        match &self.change {
            Change::Added => None,
            Change::Removed => Some(&self.name),
            Change::Changed { renamed, .. } => Some(renamed.as_ref().map_or(&self.name, |renamed| &renamed.from)),
        }
    }

    /// How it was called, if it is called otherwise now.
    pub const fn renamed(&self) -> Option<&Renamed> {
        match &self.change {
            Change::Changed { renamed, .. } => renamed.as_ref(),
            Change::Added | Change::Removed => None,
        }
    }
}

/// The canonical widgets by name. Several of one name, which Studio does not take, are kept together.
struct Widgets<'a>(BTreeMap<&'a str, Vec<&'a Value>>);

impl<'a> Widgets<'a> {
    fn of(canonical: &'a Value) -> Self {
        let mut widgets: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for state in canonical.get("states").and_then(Value::as_array).into_iter().flatten() {
            widgets.entry(text_of(state, "name")).or_default().push(state);
        }
        Self(widgets)
    }

    /// The widget of a name that no other has.
    fn only(&self, name: &str) -> Option<&'a Value> {
        match self.0.get(name)?.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().flat_map(|(name, states)| states.iter().map(|state| (*name, *state)))
    }
}

fn changes_of_the_flow(old: &Value, new: &Value, renames: &Renames) -> Vec<PropertyChange> {
    let widgets_of = |canonical: &Value| canonical.get("states").and_then(Value::as_array).map(Vec::len);
    // Lists of widgets are compared widget by widget. An empty one has none that would tell it from no list.
    let both_list = widgets_of(old).is_some() && widgets_of(new).is_some();
    let outside = |canonical: &Value| -> Map<String, Value> {
        let told_by_widgets = both_list || widgets_of(canonical).is_some_and(|count| count > 0);
        let fields = canonical.as_object().into_iter().flatten();
        let fields = fields.filter(|(key, _)| !(*key == "states" && told_by_widgets));
        fields.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let mut comparison = Comparison::new(renames);
    comparison.objects("", &outside(old), &outside(new));
    comparison.changes
}

fn changes_of_widgets(
    old: &Widgets<'_>,
    new: &Widgets<'_>,
    renames: &Renames,
    document: &Value,
) -> Vec<WidgetDifference> {
    let mut found = Vec::new();
    let mentioned = mentioned(document);
    let mut old_by_new_name: BTreeMap<&str, (&str, Vec<&Value>)> = BTreeMap::new();
    for (name, states) in &old.0 {
        old_by_new_name.insert(renames.new_name(name).unwrap_or(name), (name, states.clone()));
    }
    let names: BTreeSet<&str> = old_by_new_name.keys().chain(new.0.keys()).copied().collect();
    for name in names {
        let (old_name, mut gone) = old_by_new_name.remove(name).unwrap_or((name, Vec::new()));
        let mut arrived = new.0.get(name).cloned().unwrap_or_default();
        if old_name == name {
            gone.retain(|state| match arrived.iter().position(|other| renames.same("", state, other)) {
                Some(same) => {
                    arrived.remove(same);
                    false
                }
                None => true,
            });
        }
        let pairs = gone.len().min(arrived.len());
        for (gone, arrived) in gone.drain(..pairs).zip(arrived.drain(..pairs)) {
            let former = (old_name != name).then(|| Renamed {
                from: old_name.to_owned(),
                left_behind: mentioned.get(old_name).copied().unwrap_or_default(),
            });
            let (properties, transitions) = changes_within(gone, arrived, renames);
            found.push(WidgetDifference::of(arrived, Change::Changed { renamed: former, properties, transitions }));
        }
        found.extend(gone.into_iter().map(|state| WidgetDifference::of(state, Change::Removed)));
        found.extend(arrived.into_iter().map(|state| WidgetDifference::of(state, Change::Added)));
    }
    found
}

impl WidgetDifference {
    fn of(state: &Value, change: Change) -> Self {
        Self { name: text_of(state, "name").to_owned(), kind: text_of(state, "type").to_owned(), change }
    }
}

fn changes_within(old: &Value, new: &Value, renames: &Renames) -> (Vec<PropertyChange>, Vec<TransitionChange>) {
    let mut comparison = Comparison::new(renames);
    let (Some(old_fields), Some(new_fields)) = (old.as_object(), new.as_object()) else {
        comparison.values("", old, new);
        return (comparison.changes, Vec::new());
    };
    let lists = |fields: &Map<String, Value>| fields.get("transitions").is_some_and(Value::is_array);
    let both_list = lists(old_fields) && lists(new_fields);
    let both_named =
        old_fields.get("name").is_some_and(Value::is_string) && new_fields.get("name").is_some_and(Value::is_string);
    let compared = |fields: &Map<String, Value>| -> Map<String, Value> {
        let fields =
            fields.iter().filter(|(key, _)| !(*key == "name" && both_named || *key == "transitions" && both_list));
        fields.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    comparison.objects("", &compared(old_fields), &compared(new_fields));
    let transitions = if both_list { branches::changes(old, new, renames) } else { Vec::new() };
    (comparison.changes, transitions)
}

/// How often a definition mentions each name.
fn mentioned(document: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let states = document.get("states").and_then(Value::as_array).into_iter().flatten();
    let initial = Some(text_of(document, "initial_state").to_owned()).filter(|name| !name.is_empty());
    for name in states.flat_map(mentions_of).map(|(_, name)| name).chain(initial) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
