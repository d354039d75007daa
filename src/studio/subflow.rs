//! Which flows a flow runs inside itself, and what counts against Studio's limits: a subflow runs no subflow (error 81024), and a
//! flow has at most two thousand widgets together with its subflows (81025, 81026).

use super::definition::FlowDefinition;

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
