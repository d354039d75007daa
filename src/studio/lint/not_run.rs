//! What cannot be judged from a definition alone, and what it would take. Only what concerns the flow at hand is listed:
//! a check that does not apply was not missed.

use serde::Serialize;

use super::{
    known::Known,
    subject::{Node, Subject},
};
use crate::studio::liquid::is_liquid;
use crate::studio::{FlowDefinition, content::TEMPLATE_PROPERTIES, placeholder::placeholders};

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
    what: "whether the content templates are there, may be sent where they are, and have the variables that they are given",
    needs: "the account: the controller looks up those whose name or SID the flow has",
};
const WHATSAPP: NotRun = NotRun {
    check: "whatsapp-opening",
    what: "whether the first message of an execution that the API starts goes to WhatsApp, which takes only a template then",
    needs: "the address that the execution is started for",
};
const SUBFLOWS: NotRun = NotRun {
    check: "subflows",
    what: "whether the subflows run subflows themselves, and how many widgets there are in all",
    needs: "the definitions of the subflows: look at them together, as files or as a folder of manifests",
};
const FUNCTIONS: NotRun = NotRun {
    check: "functions",
    what: "whether the Functions and addresses that are called exist, answer within 10 seconds, and are those of this environment",
    needs: "the account, and what runs there",
};
const DECLARED: NotRun = NotRun {
    check: "undeclared-parameter",
    what: "whether everything that `{{flow.data…}}` reads is something that the flow is meant to be given",
    needs: "`spec.parameters` of the StudioFlow, which declares it",
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
    what: "whether the choices that conditions look for have commas in them, and are spelt as customers are shown them",
    needs: "the content templates, as above",
};
const SENDERS: NotRun = NotRun {
    check: "senders",
    what: "whether the numbers and senders that should start the flow point at it",
    needs: "the account: an EngageDestination that refers to the flow verifies its own",
};

/// The checks that were not made of this definition, always in the same order.
pub fn not_run(definition: &FlowDefinition, known: &Known<'_>) -> Vec<NotRun> {
    let subject = Subject::new(definition, known);
    let has_kind = |kinds: &[&str]| kinds.iter().any(|kind| subject.of_kind(kind).next().is_some());
    let sends_template = |node: &Node<'_>| {
        TEMPLATE_PROPERTIES.iter().any(|property| node.get(property).is_some_and(|value| value != ""))
            || TEMPLATE_PROPERTIES.iter().any(|property| subject.is_filled(&node.property(property)))
    };
    let mut templates = subject.nodes.iter().filter(|node| sends_template(node));
    let unknown_template = templates.any(|node| subject.template(node).is_none());
    let any_text = |is: &dyn Fn(&str) -> bool| subject.texts.iter().any(|text| is(text.text));
    let is_any_sid = |text: &str| text.get(..2).is_some_and(|prefix| super::properties::is_sid(text, prefix));
    let unknown_subflow = |node: &Node<'_>| {
        !known.subflows.is_some_and(|subflows| node.name().is_some_and(|name| subflows.contains_key(name)))
    };
    let reads_parameters = any_text(&|text| is_liquid(text) && text.contains("flow.data."));
    let applies = [
        (STUDIO, true),
        (SENDERS, subject.trigger().is_some()),
        (SIDS, any_text(&is_any_sid)),
        (TEMPLATES, unknown_template),
        (OPTIONS, unknown_template && has_kind(&["split-based-on"])),
        (WHATSAPP, subject.connects("incomingRequest") && has_kind(&["send-message", "send-and-wait-for-reply"])),
        (SUBFLOWS, subject.of_kind("run-subflow").any(unknown_subflow)),
        (FUNCTIONS, has_kind(&["run-function", "make-http-request"])),
        (DECLARED, reads_parameters && known.parameters.is_none()),
        (PARAMETERS, reads_parameters),
        (PLACEHOLDERS, known.references.is_none() && any_text(&|text| placeholders(text).next().is_some())),
    ];
    applies.into_iter().filter(|(_, applies)| *applies).map(|(check, _)| check).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::studio::{
        content::Templates,
        lint::{example::Example, rule::rule},
    };

    #[test]
    fn only_what_concerns_the_flow_is_listed() {
        let flow = |body: &str| {
            FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
                {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "hello"}]},
                {"name": "hello", "type": "send-message", "properties": {"from": "", "body": body}, "transitions": []}
            ]}))
            .unwrap()
        };
        let checks = |flow: &FlowDefinition, known: &Known<'_>| {
            not_run(flow, known).into_iter().map(|it| it.check).collect::<Vec<_>>()
        };
        assert_eq!(checks(&flow("Hi"), &Known::default()), ["studio-validate", "senders", "whatsapp-opening"]);
        let open = flow("Hi {{flow.data.name}} ${x}");
        assert_eq!(
            checks(&open, &Known::default()),
            ["studio-validate", "senders", "whatsapp-opening", "undeclared-parameter", "parameters", "placeholders"]
        );
        assert_eq!(
            checks(&open, &Known::references(&[])),
            ["studio-validate", "senders", "whatsapp-opening", "undeclared-parameter", "parameters"]
        );
    }
    #[test]
    fn what_is_declared_and_what_lies_beside_is_no_longer_missing() {
        for (code, check) in [("undeclared-parameter", "undeclared-parameter"), ("subflow-depth", "subflows")] {
            let example = Example::read(rule(code).unwrap().example).unwrap();
            let checks = |known: &Known<'_>| {
                not_run(&example.definition().unwrap(), known).iter().filter(|it| it.check == check).count()
            };
            assert_eq!((checks(&Known::default()), checks(&example.known())), (1, 0), "{code}");
        }
    }

    #[test]
    fn what_the_account_told_of_templates_is_no_longer_missing() {
        let example = Example::read(rule("option-with-comma").unwrap().example).unwrap();
        let checks = |known: &Known<'_>| {
            let checks = not_run(&example.definition().unwrap(), known).into_iter().map(|it| it.check);
            checks.filter(|check| ["content-templates", "option-labels"].contains(check)).collect::<Vec<_>>()
        };
        assert_eq!(checks(&Known::references(&[])), ["content-templates", "option-labels"]);
        assert_eq!(checks(&example.known()), Vec::<&str>::new());
        let templates = Templates::new();
        assert_eq!(checks(&Known { templates: Some(&templates), ..Known::default() }).len(), 2);
    }
}
