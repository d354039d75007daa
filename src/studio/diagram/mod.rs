//! A flow, or what changed in one, as a picture: SVG with a [layout] of our own, Mermaid, or DOT.
//!
//! Every widget and every transition is in it. A branch that ends leads to an end of its own, so that one that ends in
//! silence is seen; transitions between the same two widgets are one arrow with several labels. Names come from files that
//! anybody may have written: each format escapes them, and none of them becomes an identifier.

mod changes;
mod dot;
pub mod layout;
mod mermaid;
mod svg;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::{
    condition::conditions_in_words,
    definition::FlowDefinition,
    widget::{Family, Meaning, family, meaning},
};

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// The node that every execution begins with.
    pub root: Option<usize>,
    /// Whether it shows what changed: then colours are of that, and not of the families.
    pub of_changes: bool,
    /// What is left out.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub shape: Shape,
    pub status: Status,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Widget {
        name: String,
        kind: String,
        family: Family,
        /// Whether any execution comes here.
        reachable: bool,
        /// The name that it had.
        renamed_from: Option<String>,
    },
    /// A transition names this widget, and there is none.
    Missing { name: String },
    /// Where branches of one widget end.
    End,
}

/// One arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// One for each transition that it stands for.
    pub labels: Vec<String>,
    /// Whether the widget is left by it because it could not do what it is for.
    pub failure: bool,
    pub status: Status,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    #[default]
    Same,
    Added,
    Removed,
    Changed,
    /// It goes by another name, and is else as it was.
    Renamed,
}

impl Picture {
    /// The flow as it is.
    pub fn of(flow: &FlowDefinition) -> Self {
        let mut drawing = Drawing::default();
        let states = canonical_states(flow);
        for state in &states {
            drawing.widget(state, Status::Same, None);
        }
        for (index, state) in states.iter().enumerate() {
            for transition in transitions_of(state) {
                drawing.transition(index, transition, Status::Same);
            }
        }
        drawing.finish(flow)
    }
}

/// The widgets in canonical form, in the order of the document.
fn canonical_states(flow: &FlowDefinition) -> Vec<Value> {
    let alone = |state: &Value| {
        let document = serde_json::Map::from_iter([("states".to_owned(), Value::from(vec![state.clone()]))]);
        FlowDefinition::observed(document).canonical().pointer("/states/0").cloned()
    };
    let states = flow.fields().get("states").and_then(Value::as_array).into_iter().flatten();
    states.filter(|state| state.is_object()).filter_map(alone).collect()
}

fn transitions_of(state: &Value) -> impl Iterator<Item = &Value> {
    let transitions = state.get("transitions").and_then(Value::as_array).into_iter().flatten();
    transitions.filter(|transition| transition.is_object())
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A picture in the making.
#[derive(Default)]
struct Drawing {
    picture: Picture,
    /// Nodes by the name that transitions know them by.
    by_name: BTreeMap<String, usize>,
    /// Arrows by their ends and looks; the second end is none for an end of the branch.
    arrows: BTreeMap<(usize, Option<usize>, bool, Status), usize>,
}

impl Drawing {
    fn widget(&mut self, state: &Value, status: Status, renamed_from: Option<String>) -> usize {
        let (name, kind) = (text_of(state, "name").to_owned(), text_of(state, "type").to_owned());
        let index = self.picture.nodes.len();
        self.by_name.entry(name.clone()).or_insert(index);
        let shape = Shape::Widget { family: family(&kind), name, kind, reachable: true, renamed_from };
        self.picture.nodes.push(Node { shape, status });
        index
    }

    fn transition(&mut self, from: usize, transition: &Value, status: Status) {
        let target = self.target(text_of(transition, "next"), status);
        let event = text_of(transition, "event");
        let kind = match &self.picture.nodes[from].shape {
            Shape::Widget { kind, .. } => kind.as_str(),
            Shape::Missing { .. } | Shape::End => "",
        };
        let failure = meaning(kind, event) == Meaning::Failure;
        let label = match conditions_in_words(transition) {
            Some(conditions) if event == "match" => conditions,
            Some(conditions) => format!("{event}: {conditions}"),
            None => event.to_owned(),
        };
        let edge = if let Some(edge) = self.arrows.get(&(from, target, failure, status)) {
            *edge
        } else {
            let to = target.unwrap_or_else(|| {
                self.picture.nodes.push(Node { shape: Shape::End, status });
                self.picture.nodes.len() - 1
            });
            self.picture.edges.push(Edge { from, to, labels: Vec::new(), failure, status });
            self.arrows.insert((from, target, failure, status), self.picture.edges.len() - 1);
            self.picture.edges.len() - 1
        };
        self.picture.edges[edge].labels.push(label);
    }

    fn target(&mut self, name: &str, status: Status) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.by_name.get(name) {
            return Some(*known);
        }
        self.picture.nodes.push(Node { shape: Shape::Missing { name: name.to_owned() }, status });
        let index = self.picture.nodes.len() - 1;
        self.by_name.insert(name.to_owned(), index);
        Some(index)
    }

    /// Marks what no execution comes to. What was removed is not asked.
    fn finish(mut self, flow: &FlowDefinition) -> Picture {
        let initial = flow.fields().get("initial_state").and_then(Value::as_str).unwrap_or_default();
        self.picture.root = self.by_name.get(initial).copied();
        let mut outgoing = vec![Vec::new(); self.picture.nodes.len()];
        for edge in self.picture.edges.iter().filter(|edge| edge.status != Status::Removed) {
            outgoing[edge.from].push(edge.to);
        }
        let mut reached: BTreeSet<usize> = self.picture.root.into_iter().collect();
        let mut open: VecDeque<usize> = reached.iter().copied().collect();
        while let Some(node) = open.pop_front() {
            open.extend(outgoing[node].iter().filter(|to| reached.insert(**to)));
        }
        for (index, node) in self.picture.nodes.iter_mut().enumerate() {
            if let Shape::Widget { reachable, .. } = &mut node.shape {
                *reachable = reached.contains(&index) || node.status == Status::Removed;
            }
        }
        self.picture
    }
}

#[cfg(test)]
mod tests;
