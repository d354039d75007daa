//! Which flows a flow runs inside itself, and what counts against Studio's limits: a subflow runs no subflow (error 81024), and a
//! flow has at most two thousand widgets together with its subflows (81025, 81026).

use std::collections::{BTreeMap, BTreeSet};

use super::definition::FlowDefinition;

/// Most widgets of a flow together with its subflows.
pub const MAX_WIDGETS: usize = 2_000;

/// Type of the widget that runs another flow.
const RUN_SUBFLOW: &str = "run-subflow";

/// A widget that runs another flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSubflow<'a> {
    pub widget: &'a str,
    /// `FW…`. Studio takes no Liquid here.
    pub flow_sid: &'a str,
    /// Which revision it runs: `LatestPublished`, `LatestDraft`, or a number.
    pub revision: Option<&'a str>,
}

impl RunSubflow<'_> {
    /// Whether it fails as long as no revision of the other is published.
    pub fn wants_published(&self) -> bool {
        matches!(self.revision, None | Some("" | "LatestPublished"))
    }
}

/// A flow that another runs, as far as that one cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How a person knows it.
    pub name: String,
    pub widgets: usize,
    /// Whether it runs flows itself.
    pub runs_subflows: bool,
    /// The way over it back to the one that runs it, if there is one.
    pub circle: Option<Vec<String>>,
}

/// Flows that are run, by the name of the widget that runs them.
pub type Subflows = BTreeMap<String, Ran>;

/// How many widgets a flow has together with those that it runs, each of which counts once.
pub fn together<T: Ord>(own: usize, ran: impl Iterator<Item = (T, usize)>) -> usize {
    let each: BTreeMap<T, usize> = ran.collect();
    own + each.values().sum::<usize>()
}

/// The way from `start` over `first` back to `start`, if there is one.
pub fn circle<T: Ord + Clone>(start: &T, first: &T, runs: impl Fn(&T) -> Vec<T>) -> Option<Vec<T>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.clone(), first.clone()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?.clone();
        if last == *start {
            return Some(way);
        }
        if seen.insert(last.clone()) {
            ways.extend(runs(&last).into_iter().map(|next| [way.as_slice(), &[next]].concat()));
        }
    }
    None
}

impl FlowDefinition {
    /// The widgets that run other flows, in the order of the document; one without a SID runs nothing yet.
    pub fn subflows(&self) -> impl Iterator<Item = RunSubflow<'_>> {
        self.states().filter(|state| state.kind() == Some(RUN_SUBFLOW)).filter_map(|state| {
            let text = |name| state.properties().and_then(|properties| properties.get(name)?.as_str());
            Some(RunSubflow {
                widget: state.name().unwrap_or_default(),
                flow_sid: text("flow_sid").filter(|sid| !sid.is_empty())?,
                revision: text("flow_revision"),
            })
        })
    }

    /// Whether it has a widget that runs another flow, filled in or not.
    pub fn runs_subflows(&self) -> bool {
        self.states().any(|state| state.kind() == Some(RUN_SUBFLOW))
    }

    /// How many widgets it has, the trigger among them.
    pub fn widgets(&self) -> usize {
        self.states().count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_way_back_is_found_and_flows_beside_it_are_not_taken_for_one() {
        let runs = |flow: &char| match flow {
            'a' => vec!['b', 'd'],
            'b' => vec!['c'],
            'c' => vec!['b', 'a'],
            _ => Vec::new(),
        };
        assert_eq!(circle(&'a', &'b', runs), Some(vec!['a', 'b', 'c', 'a']));
        assert_eq!(circle(&'a', &'d', runs), None);
        assert_eq!(circle(&'e', &'b', runs), None);
        assert_eq!(circle(&'a', &'a', runs), Some(vec!['a', 'a']));
    }

    #[test]
    fn a_flow_that_is_run_twice_counts_once() {
        assert_eq!(together(10, [("a", 5), ("b", 7), ("a", 5)].into_iter()), 22);
    }

    #[test]
    fn the_flows_that_are_run_inside_are_found_with_their_revision() {
        let flow = FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger"},
            {"name": "a", "type": "run-subflow", "properties": {"flow_sid": "FW1", "flow_revision": "LatestDraft"}},
            {"name": "b", "type": "run-subflow", "properties": {"flow_sid": "FW2"}},
            {"name": "c", "type": "run-subflow", "properties": {"flow_sid": ""}}
        ]}))
        .unwrap();
        let found: Vec<_> = flow.subflows().map(|it| (it.widget, it.flow_sid, it.wants_published())).collect();
        assert_eq!(found, [("a", "FW1", false), ("b", "FW2", true)]);
        assert!(flow.runs_subflows());
        assert_eq!(flow.widgets(), 4);
    }
}
