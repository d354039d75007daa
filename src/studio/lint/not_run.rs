//! What cannot be judged from a definition alone, and what it would take. Only what concerns the flow at hand is listed:
//! a check that does not apply was not missed.

use serde::Serialize;

use super::{liquid::is_liquid, subject::Subject};
use crate::studio::{FlowDefinition, lint::subject::References, placeholder::placeholders};

/// A check that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotRun {
    /// Kebab-case, like the codes of rules.
    pub check: &'static str,
    /// What was not looked at.
    pub what: &'static str,
    /// What it would take.
    pub needs: &'static str,
}

const STUDIO: NotRun = NotRun {
    check: "studio-validate",
    what: "what Studio's own validator says",
    needs: "the account: the controller asks it before every write",
};
const SIDS: NotRun = NotRun {
    check: "sids-exist",
    what: "whether the SIDs written in the flow are of this account",
    needs: "the account",
};
const TEMPLATES: NotRun = NotRun {
    check: "content-templates",
    what: "whether the content templates are approved, open a session, and have the variables, rows and buttons that are sent",
    needs: "the account",
};
const WHATSAPP: NotRun = NotRun {
    check: "whatsapp-opening",
    what: "whether the first message of an execution that the API starts goes to WhatsApp, which takes only a template then",
    needs: "the address that the execution is started for",
};
const SUBFLOWS: NotRun = NotRun {
    check: "subflows",
    what: "whether the subflows run subflows themselves, and how many widgets there are in all",
    needs: "the definitions of the subflows",
};
const FUNCTIONS: NotRun = NotRun {
    check: "functions",
    what: "whether the Functions and addresses that are called exist, answer within 10 seconds, and are those of this environment",
    needs: "the account, and what runs there",
};
const PARAMETERS: NotRun = NotRun {
    check: "parameters",
    what: "whether whoever starts the flow gives every parameter that `{{flow.data…}}` reads",
    needs: "the callers of the flow",
};
const PLACEHOLDERS: NotRun = NotRun {
    check: "placeholders",
    what: "whether every `${…}` is filled",
    needs: "the StudioFlow with its `references`: lint the manifest",
};
const OPTIONS: NotRun = NotRun {
    check: "option-labels",
    what: "whether the labels that `matches_any_of` compares with have commas in them, and are those that customers are shown",
    needs: "the content templates",
};
const SENDERS: NotRun = NotRun {
    check: "senders",
    what: "whether the numbers and senders that should start the flow point at it",
    needs: "the account: an EngageDestination that refers to the flow verifies its own",
};

/// The checks that were not made of this definition, always in the same order.
pub fn not_run(definition: &FlowDefinition, references: References<'_>) -> Vec<NotRun> {
    let subject = Subject::new(definition, references);
    let has_kind = |kinds: &[&str]| kinds.iter().any(|kind| subject.of_kind(kind).next().is_some());
    let has_property = |name: &str| subject.nodes.iter().any(|node| node.get(name).is_some_and(|value| value != ""));
    let any_text = |is: &dyn Fn(&str) -> bool| subject.texts.iter().any(|text| is(text.text));
    let is_any_sid = |text: &str| text.get(..2).is_some_and(|prefix| super::properties::is_sid(text, prefix));
    let applies = [
        (STUDIO, true),
        (SENDERS, subject.trigger().is_some()),
        (SIDS, any_text(&is_any_sid)),
        (TEMPLATES, has_property("content_sid") || has_property("content_template_sid")),
        (OPTIONS, subject.texts.iter().any(|text| text.key == "type" && text.text == "matches_any_of")),
        (WHATSAPP, subject.connects("incomingRequest") && has_kind(&["send-message", "send-and-wait-for-reply"])),
        (SUBFLOWS, has_kind(&["run-subflow"])),
        (FUNCTIONS, has_kind(&["run-function", "make-http-request"])),
        (PARAMETERS, any_text(&|text| is_liquid(text) && text.contains("flow.data."))),
        (PLACEHOLDERS, references.is_none() && any_text(&|text| placeholders(text).next().is_some())),
    ];
    applies.into_iter().filter(|(_, applies)| *applies).map(|(check, _)| check).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_concerns_the_flow_is_listed() {
        let flow = |body: &str| {
            FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
                {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "hello"}]},
                {"name": "hello", "type": "send-message", "properties": {"from": "", "body": body}, "transitions": []}
            ]}))
            .unwrap()
        };
        let checks = |flow: &FlowDefinition, references: References<'_>| {
            not_run(flow, references).into_iter().map(|it| it.check).collect::<Vec<_>>()
        };
        assert_eq!(checks(&flow("Hi"), None), ["studio-validate", "senders", "whatsapp-opening"]);
        let open = flow("Hi {{flow.data.name}} ${x}");
        assert_eq!(
            checks(&open, None),
            ["studio-validate", "senders", "whatsapp-opening", "parameters", "placeholders"]
        );
        assert_eq!(checks(&open, Some(&[])), ["studio-validate", "senders", "whatsapp-opening", "parameters"]);
    }
}
