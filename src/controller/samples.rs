//! The samples that the documentation points at are what they say they are.

use serde_json::Value;

use crate::{
    api::{EngageDestination, StudioFlow, admission::admit},
    controller::{
        engage_destination::validate::validate,
        studio_flow::validate::{self, IN_SPEC, Written},
    },
    studio::{
        FlowDefinition,
        content::placeholders,
        lint::{severities::Severities, still_open},
    },
};

const FLOW: &str = include_str!("../../studio/sample_flow.json");
const CONTENT: &str = include_str!("../../studio/sample_content_template.json");
const STUDIO_FLOW: &str = include_str!("../../manifests/samples/studioflow-connect-to-agent.yaml");
const DESTINATIONS: [&str; 3] = [
    include_str!("../../manifests/samples/engagedestination-lead-conversation.yaml"),
    include_str!("../../manifests/samples/engagedestination-lead-welcome.yaml"),
    include_str!("../../manifests/samples/engagedestination-lead-task.yaml"),
];

fn definition() -> FlowDefinition {
    FlowDefinition::parse(serde_json::from_str(FLOW).unwrap()).unwrap()
}

fn studio_flow() -> StudioFlow {
    admit(serde_saphyr::from_str(STUDIO_FLOW).unwrap()).unwrap()
}

#[test]
fn the_studio_flow_is_the_sample_flow() {
    let in_manifest = FlowDefinition::from_fields(studio_flow().spec.definition.unwrap()).unwrap();
    assert_eq!(in_manifest.to_string(), definition().to_string());
}

#[test]
fn the_sample_flow_is_whole_once_its_references_are_filled() {
    let spec = studio_flow().spec;
    let written = Written { field: IN_SPEC, fields: spec.definition.clone().unwrap() };
    let definition = validate::definition(&spec, written).unwrap();
    assert_eq!(still_open(&definition, &Severities::default()).len(), 2);
    let desired =
        validate::desired(&spec, definition, &["WW1", "TC1"].map(|sid| validate::Filling::Text(sid.into()))).unwrap();
    assert!(desired.definition.trigger_connects("incomingConversationMessage"));
    let flex = desired.definition.state("send_to_flex").unwrap();
    assert_eq!(
        (&flex.properties().unwrap()["workflow"], &flex.properties().unwrap()["channel"]),
        (&"WW1".into(), &"TC1".into())
    );
}

#[test]
fn no_failure_of_the_sample_flow_loses_the_customer() {
    let flow = definition();
    for state in flow.states().filter(|state| state.name() != Some("nobody_free")) {
        for transition in state.transitions() {
            let event = transition.event().unwrap();
            if ["failed", "failedToEnqueue", "callFailure"].contains(&event) {
                assert!(transition.next().is_some(), "{}: {event} ends", state.name().unwrap());
            }
        }
    }
    let attributes = flow.state("send_to_flex").unwrap().properties().unwrap()["attributes"].as_str().unwrap();
    assert!(attributes.len() <= 1_024);
    assert!(serde_json::from_str::<Value>(attributes).unwrap().is_object());
}

#[test]
fn the_sample_destinations_are_admitted_and_accepted() {
    for manifest in DESTINATIONS {
        let destination: EngageDestination = admit(serde_saphyr::from_str(manifest).unwrap()).unwrap();
        validate(&destination.spec).unwrap();
    }
}

#[test]
fn the_sample_template_has_the_placeholders_that_the_destinations_fill() {
    let content: Value = serde_json::from_str(CONTENT).unwrap();
    assert_eq!(placeholders(&content["types"]).into_iter().collect::<Vec<_>>(), ["1", "2"]);
}
