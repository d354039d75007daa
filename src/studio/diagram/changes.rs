//! Two definitions in one picture: what is in the new one, and what was removed beside it. Of a large flow only what changed
//! and what is next to it is drawn, unless all is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Drawing, Picture, Shape, Status, canonical_states, text_of, transitions_of};
use crate::studio::{
    definition::FlowDefinition,
    difference::{Branch, Change, Difference, WidgetDifference},
};

/// A flow of more widgets than this is not drawn as a whole.
const WHOLE: usize = 25;

impl Picture {
    /// What changed from `old` to `new`; with `all` also what did not, however much that is.
    pub fn of_changes(old: &FlowDefinition, new: &FlowDefinition, difference: &Difference, all: bool) -> Self {
        let changes: BTreeMap<&str, &WidgetDifference> = difference
            .widgets
            .iter()
            .filter(|widget| widget.change != Change::Removed)
            .map(|widget| (widget.name.as_str(), widget))
            .collect();
        let renamed: BTreeMap<&str, &str> = difference.renamed().into_iter().map(|(new, old)| (old, new)).collect();
        let mut drawing = Drawing::default();
        let mut present = Vec::new();
        for state in canonical_states(new) {
            let change = changes.get(text_of(&state, "name")).map(|widget| &widget.change);
            let status = match change {
                None => Status::Same,
                Some(Change::Added) => Status::Added,
                Some(Change::Changed { renamed: Some(_), properties, transitions })
                    if properties.is_empty() && transitions.is_empty() =>
                {
                    Status::Renamed
                }
                Some(Change::Changed { .. } | Change::Removed) => Status::Changed,
            };
            let former = match change {
                Some(Change::Changed { renamed: Some(renamed), .. }) => Some(renamed.from.clone()),
                _ => None,
            };
            present.push((drawing.widget(&state, status, former), state, change));
        }
        let removed: BTreeSet<&str> = difference
            .widgets
            .iter()
            .filter(|widget| widget.change == Change::Removed)
            .map(|widget| widget.name.as_str())
            .collect();
        let removed = canonical_states(old).into_iter().filter(|state| removed.contains(text_of(state, "name")));
        let removed: Vec<(usize, Value)> =
            removed.map(|state| (drawing.widget(&state, Status::Removed, None), state)).collect();
        for (node, state, change) in &present {
            drawing.transitions(*node, state, *change, &renamed);
        }
        for (node, state) in &removed {
            for transition in transitions_of(state) {
                drawing.transition(*node, &by_new_name(transition, &renamed), Status::Removed);
            }
        }
        let picture = Self { of_changes: true, ..drawing.finish(new) };
        if all || present.len() + removed.len() <= WHOLE { picture } else { picture.around_changes() }
    }

    /// Only what changed, and the widgets next to it.
    fn around_changes(self) -> Self {
        let mut kept: BTreeSet<usize> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.status != Status::Same)
            .map(|(index, _)| index)
            .collect();
        let changed: Vec<_> = self.edges.iter().filter(|edge| edge.status != Status::Same).collect();
        kept.extend(changed.iter().flat_map(|edge| [edge.from, edge.to]));
        let next: Vec<usize> = self
            .edges
            .iter()
            .filter(|edge| kept.contains(&edge.from) || kept.contains(&edge.to))
            .flat_map(|edge| [edge.from, edge.to])
            .collect();
        kept.extend(next);
        let is_widget = |index: &usize| matches!(self.nodes[*index].shape, Shape::Widget { .. });
        let hidden = (0..self.nodes.len()).filter(|index| is_widget(index) && !kept.contains(index)).count();
        let places: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(place, index)| (*index, place)).collect();
        let edges = self.edges.iter().filter_map(|edge| {
            let (from, to) = (*places.get(&edge.from)?, *places.get(&edge.to)?);
            Some(super::Edge { from, to, ..edge.clone() })
        });
        let note = match hidden {
            0 => None,
            1 => Some("1 widget that did not change is not shown".to_owned()),
            hidden => Some(format!("{hidden} widgets that did not change are not shown")),
        };
        Self {
            edges: edges.collect(),
            nodes: kept.iter().map(|index| self.nodes[*index].clone()).collect(),
            root: self.root.and_then(|root| places.get(&root).copied()),
            of_changes: self.of_changes,
            note,
        }
    }
}

impl Drawing {
    /// The transitions of a widget of the new definition, and those that it lost.
    fn transitions(&mut self, node: usize, state: &Value, change: Option<&Change>, renamed: &BTreeMap<&str, &str>) {
        let mut changed = match change {
            Some(Change::Changed { transitions, .. }) => transitions.clone(),
            Some(Change::Added) => {
                return transitions_of(state).for_each(|transition| self.transition(node, transition, Status::Added));
            }
            Some(Change::Removed) | None => Vec::new(),
        };
        for transition in transitions_of(state) {
            let is_this = |branch: &Option<Branch>| branch.as_ref().is_some_and(|branch| branch.value() == transition);
            let Some(at) = changed.iter().position(|change| is_this(&change.new)) else {
                self.transition(node, transition, Status::Same);
                continue;
            };
            let old = changed.remove(at).old.map(|old| by_new_name(old.value(), renamed));
            let Some(old) = old else {
                self.transition(node, transition, Status::Added);
                continue;
            };
            if text_of(&old, "next") == text_of(transition, "next") {
                self.transition(node, transition, Status::Changed);
            } else {
                self.transition(node, transition, Status::Added);
                self.transition(node, &old, Status::Removed);
            }
        }
        for old in changed.into_iter().filter_map(|change| change.old) {
            self.transition(node, &by_new_name(old.value(), renamed), Status::Removed);
        }
    }
}

/// An old transition, leading to where that widget is now.
fn by_new_name(transition: &Value, renamed: &BTreeMap<&str, &str>) -> Value {
    let mut transition = transition.clone();
    if let Some(new) = renamed.get(text_of(&transition, "next")) {
        transition["next"] = Value::from(*new);
    }
    transition
}
