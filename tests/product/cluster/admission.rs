//! Each CEL rule of the two kinds: what it refuses and what it accepts once mended, on the API server and, with the same
//! verdict, where there is none.

use std::collections::BTreeSet;

use engage_operator::api::{
    EngageDestination, StudioFlow,
    admission::{Rejection, admit},
};
use serde_json::{Value, json};

use super::world::Cluster;
use crate::harness::{by_name, conversation, destination, flow, interaction, merge, sid, whatsapp};

/// Something that a rule refuses, and the same mended.
struct Case {
    /// The field that the rule is on; `[]` stands for any element.
    field: &'static str,
    message: &'static str,
    wrong: Value,
    right: Value,
}

/// A destination with this action, wrong by the first change and right by the second.
fn ed(field: &'static str, message: &'static str, action: &Value, wrong: &Value, right: &Value) -> Case {
    let changed = |change| {
        let mut spec = action.clone();
        merge(&mut spec, change);
        destination("case", &spec)
    };
    Case { field, message, wrong: changed(wrong), right: changed(right) }
}

/// The sample flow, wrong by the first change of its spec and right by the second.
fn sf(field: &'static str, message: &'static str, wrong: &Value, right: &Value) -> Case {
    let changed = |change| {
        let mut flow = flow();
        merge(&mut flow["spec"], change);
        flow
    };
    Case { field, message, wrong: changed(wrong), right: changed(right) }
}

/// At least one case for each rule in `crds/`. A rule without one fails [`every_rule_has_a_case`].
fn cases() -> Vec<Case> {
    let one_thing = "a destination does exactly one thing: set one of whatsapp, conversation and interaction";
    let template = "contentSid is HX followed by 32 hexadecimal digits";
    let placeholders = "a template has at most 100 placeholders";
    let one_reference = "a reference names exactly one thing: set one of workflow, taskChannel, taskQueue, subflow, content, \
                     messagingService, conversationService, twilioFunction and value";
    let once = "name the flow once: set either flowRef (a StudioFlow) or flowSid (FW…)";
    let timeout = "timeout is in seconds: 0 for none, otherwise at least 600 (Twilio closes no conversation sooner)";
    let number = "each twilioNumber is in E.164: a plus sign, the country code and the number, such as +5511900000001";
    let region = "defaultRegion is two capital letters of ISO 3166-1, such as BR or US";
    let template_once = "name the template once: set either contentSid (HX…) or content (its friendlyName)";
    let lead_welcome = json!({"friendlyName": "lead_welcome", "language": "en"});
    let variables = |count: usize| -> Value { (0..count).map(|n| (n.to_string(), json!("x"))).collect() };
    let by_sid = |flow_sid: &str| {
        let mut action = conversation();
        action["conversation"].as_object_mut().unwrap().remove("flowRef");
        action["conversation"]["flowSid"] = json!(flow_sid);
        action
    };
    let nowhere = {
        let mut action = conversation();
        action["conversation"].as_object_mut().unwrap().remove("flowRef");
        action
    };
    let validity = "validity is 1s to 10h, the range that Twilio takes";
    let consent = "consent is known by one thing: set either trait or subscription";
    let unopened = {
        let mut action = conversation();
        action["conversation"].as_object_mut().unwrap().remove("openingMessage");
        action
    };
    let by_position = {
        let mut action = whatsapp();
        action["whatsapp"].as_object_mut().unwrap().remove("contentVariables");
        action
    };
    let reference = |names: Value| {
        let mut reference = json!({"widget": "send_to_flex", "property": "workflow"});
        merge(&mut reference, &names);
        json!({"references": [reference]})
    };
    let one_definition = "a flow has exactly one definition: set either definition or definitionFrom";
    let from_config_map = json!({"definitionFrom": {"configMapKeyRef": {"name": "flows", "key": "agent.json"}}});
    let none = json!({});
    vec![
        ed("spec", one_thing, &none, &none, &whatsapp()),
        ed("spec", one_thing, &whatsapp(), &conversation(), &none),
        ed(
            "spec.whatsapp",
            "set includeTraits (by position) or contentVariables (by name), not both",
            &by_position,
            &json!({"whatsapp": {"includeTraits": ["first_name"], "contentVariables": {"1": "x"}}}),
            &json!({"whatsapp": {"includeTraits": ["first_name"]}}),
        ),
        ed(
            "spec.whatsapp",
            template_once,
            &whatsapp(),
            &json!({"whatsapp": {"content": lead_welcome}}),
            &json!({"whatsapp": {"content": lead_welcome, "contentSid": null}}),
        ),
        ed("spec.whatsapp", template_once, &whatsapp(), &json!({"whatsapp": {"contentSid": null}}), &none),
        ed(
            "spec.conversation.openingMessage",
            template_once,
            &by_name(conversation(), &lead_welcome),
            &json!({"conversation": {"openingMessage": {"contentSid": sid("HX", 1)}}}),
            &none,
        ),
        ed(
            "spec.whatsapp.messagingServiceSid",
            "messagingServiceSid is MG followed by 32 hexadecimal digits",
            &whatsapp(),
            &json!({"whatsapp": {"messagingServiceSid": sid("HX", 1)}}),
            &json!({"whatsapp": {"messagingServiceSid": "MG0123456789abcdefABCDEF0123456789"}}),
        ),
        ed(
            "spec.whatsapp.contentSid",
            template,
            &whatsapp(),
            &json!({"whatsapp": {"contentSid": "HX1"}}),
            &json!({"whatsapp": {"contentSid": sid("HX", 2)}}),
        ),
        ed(
            "spec.whatsapp.contentVariables",
            placeholders,
            &by_position,
            &json!({"whatsapp": {"contentVariables": variables(101)}}),
            &json!({"whatsapp": {"contentVariables": variables(100)}}),
        ),
        ed(
            "spec.whatsapp.validity",
            validity,
            &whatsapp(),
            &json!({"whatsapp": {"validity": "0s"}}),
            &json!({"whatsapp": {"validity": "1s"}}),
        ),
        ed(
            "spec.whatsapp.validity",
            validity,
            &whatsapp(),
            &json!({"whatsapp": {"validity": "36001s"}}),
            &json!({"whatsapp": {"validity": "10h"}}),
        ),
        ed(
            "spec.whatsapp.validity",
            validity,
            &whatsapp(),
            &json!({"whatsapp": {"validity": "1d"}}),
            &json!({"whatsapp": {"validity": "600m"}}),
        ),
        ed("spec.consent", consent, &whatsapp(), &json!({"consent": {}}), &json!({"consent": {"trait": "opt_in"}})),
        ed(
            "spec.consent",
            consent,
            &whatsapp(),
            &json!({"consent": {"trait": "opt_in", "subscription": "OptIn"}}),
            &json!({"consent": {"subscription": "OptOut"}}),
        ),
        ed(
            "spec.conversation",
            "onActiveConversation: Reuse sends the opening message into the conversation: set openingMessage",
            &unopened,
            &json!({"conversation": {"onActiveConversation": "Reuse"}}),
            &json!({"conversation": {"onActiveConversation": "Retry"}}),
        ),
        ed("spec.conversation", once, &conversation(), &json!({"conversation": {"flowSid": sid("FW", 1)}}), &none),
        ed("spec.conversation", once, &nowhere, &none, &json!({"conversation": {"flowSid": sid("FW", 1)}})),
        ed(
            "spec.conversation.flowSid",
            "flowSid is FW followed by 32 hexadecimal digits",
            &by_sid("connect-to-agent"),
            &none,
            &json!({"conversation": {"flowSid": sid("FW", 1)}}),
        ),
        ed(
            "spec.conversation.timeout",
            timeout,
            &conversation(),
            &json!({"conversation": {"timeout": 599}}),
            &json!({"conversation": {"timeout": 600}}),
        ),
        ed(
            "spec.conversation.timeout",
            timeout,
            &conversation(),
            &json!({"conversation": {"timeout": 1}}),
            &json!({"conversation": {"timeout": 0}}),
        ),
        ed(
            "spec.conversation.twilioNumber",
            number,
            &conversation(),
            &json!({"conversation": {"twilioNumber": ["+5511900000001", "011900000002"]}}),
            &json!({"conversation": {"twilioNumber": ["+5511900000001", "whatsapp:+5511900000002"]}}),
        ),
        ed(
            "spec.conversation.openingMessage.contentSid",
            template,
            &conversation(),
            &json!({"conversation": {"openingMessage": {"contentSid": sid("HX", 1).to_lowercase()}}}),
            &none,
        ),
        ed(
            "spec.conversation.openingMessage.contentVariables",
            placeholders,
            &conversation(),
            &json!({"conversation": {"openingMessage": {"contentVariables": variables(101)}}}),
            &json!({"conversation": {"openingMessage": {"contentVariables": variables(100)}}}),
        ),
        ed("spec.phone.defaultRegion", region, &whatsapp(), &json!({"phone": {"defaultRegion": "br"}}), &none),
        ed(
            "spec.phone.defaultRegion",
            region,
            &whatsapp(),
            &json!({"phone": {"defaultRegion": "B"}}),
            &json!({"phone": {"defaultRegion": "US"}}),
        ),
        ed("spec", one_thing, &interaction(), &whatsapp(), &none),
        ed(
            "spec.interaction.timeout",
            timeout,
            &interaction(),
            &json!({"interaction": {"timeout": 599}}),
            &json!({"interaction": {"timeout": 0}}),
        ),
        ed(
            "spec.interaction.twilioNumber",
            number,
            &interaction(),
            &json!({"interaction": {"twilioNumber": ["011900000002"]}}),
            &json!({"interaction": {"twilioNumber": ["whatsapp:+5511900000002"]}}),
        ),
        ed(
            "spec.interaction.attributes",
            "a task has at most 100 attributes",
            &interaction(),
            &json!({"interaction": {"attributes": variables(101)}}),
            &json!({"interaction": {"attributes": variables(99)}}),
        ),
        ed(
            "spec.interaction.workspace",
            "name the workspace once: set either friendlyName or sid (WS…)",
            &interaction(),
            &json!({"interaction": {"workspace": {"friendlyName": "w", "sid": sid("WS", 1)}}}),
            &json!({"interaction": {"workspace": {"friendlyName": "w"}}}),
        ),
        ed(
            "spec.interaction.workspace.sid",
            "sid is WS followed by 32 hexadecimal digits",
            &interaction(),
            &json!({"interaction": {"workspace": {"sid": "WS1"}}}),
            &json!({"interaction": {"workspace": {"sid": sid("WS", 1)}}}),
        ),
        ed(
            "spec.interaction.workflow",
            "name the workflow once: set either friendlyName or sid (WW…)",
            &interaction(),
            &json!({"interaction": {"workflow": {"sid": sid("WW", 1)}}}),
            &none,
        ),
        ed(
            "spec.interaction.workflow.sid",
            "sid is WW followed by 32 hexadecimal digits",
            &tasks_by_sid(),
            &json!({"interaction": {"workflow": {"sid": sid("WS", 1)}}}),
            &none,
        ),
        ed(
            "spec.interaction.taskChannel",
            "name the task channel once: set either uniqueName or sid (TC…)",
            &interaction(),
            &json!({"interaction": {"taskChannel": {"sid": sid("TC", 1)}}}),
            &none,
        ),
        ed(
            "spec.interaction.taskChannel.sid",
            "sid is TC followed by 32 hexadecimal digits",
            &tasks_by_sid(),
            &json!({"interaction": {"taskChannel": {"sid": "chat"}}}),
            &none,
        ),
        sf("spec", one_definition, &from_config_map, &none),
        sf("spec", one_definition, &json!({"definition": null}), &{
            let mut moved = from_config_map.clone();
            moved["definition"] = json!(null);
            moved
        }),
        sf(
            "spec.references[]",
            one_reference,
            &reference(json!({"workflow": {"friendlyName": "a"}, "taskChannel": {"uniqueName": "b"}})),
            &reference(json!({"workflow": {"friendlyName": "a"}})),
        ),
        sf(
            "spec.references[]",
            one_reference,
            &reference(json!({})),
            &reference(json!({"taskChannel": {"uniqueName": "b"}})),
        ),
        sf(
            "spec.references[]",
            "say which property of the widget is filled: set property; only twilioFunction may do without it",
            &reference(json!({"property": null, "value": "a"})),
            &reference(json!({"property": null, "twilioFunction": {"service": "a", "path": "/b"}})),
        ),
        sf(
            "spec.adopt",
            "a flow is adopted by one of the two: set either sid or friendlyName",
            &json!({"adopt": {"sid": sid("FW", 1), "friendlyName": "a"}}),
            &json!({"adopt": {"friendlyName": "a"}}),
        ),
        sf(
            "spec.adopt.sid",
            "the SID of a flow is FW and 32 hexadecimal digits",
            &json!({"adopt": {"sid": "FW1"}}),
            &json!({"adopt": {"sid": sid("FW", 1)}}),
        ),
    ]
}

/// A task whose place is named by SIDs.
pub fn tasks_by_sid() -> Value {
    let mut action = interaction();
    action["interaction"]["workflow"] = json!({"sid": sid("WW", 1)});
    action["interaction"]["taskChannel"] = json!({"sid": sid("TC", 1)});
    action
}

/// What is wrong with an object where there is no API server.
pub fn admit_offline(object: &Value) -> Result<(), Vec<Rejection>> {
    match object["kind"].as_str().unwrap() {
        "StudioFlow" => admit::<StudioFlow>(object.clone()).map(drop),
        _ => admit::<EngageDestination>(object.clone()).map(drop),
    }
}

/// Schemas of both kinds as installed, each with the kind's name.
pub fn schemas() -> [(&'static str, Value); 2] {
    [
        ("EngageDestination", include_str!("../../../crds/engagedestinations.yaml")),
        ("StudioFlow", include_str!("../../../crds/studioflows.yaml")),
    ]
    .map(|(kind, text)| {
        let crd: Value = serde_saphyr::from_str(text).unwrap();
        (kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
    })
}

/// The rules below `schema`, as kind, field and message.
fn rules(kind: &str, field: &str, schema: &Value, found: &mut BTreeSet<[String; 3]>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.insert([kind.into(), field.into(), rule["message"].as_str().expect("a rule has a message").into()]);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if field.is_empty() { "" } else { "." };
        rules(kind, &format!("{field}{dot}{name}"), schema, found);
    }
    if let Some(items) = schema.get("items") {
        rules(kind, &format!("{field}[]"), items, found);
    }
}

/// A field's path with its indices taken out.
fn without_indices(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            inside = *c == '[' || (inside && *c != ']');
            !inside || *c == '['
        })
        .collect()
}

#[test]
fn every_rule_has_a_case() {
    let mut written = BTreeSet::new();
    for (kind, schema) in schemas() {
        rules(kind, "", &schema, &mut written);
    }
    let covered: BTreeSet<[String; 3]> = cases()
        .iter()
        .map(|case| [case.wrong["kind"].as_str().unwrap().into(), case.field.into(), case.message.into()])
        .collect();
    assert_eq!(written, covered);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_words_and_accepted_when_mended_with_and_without_an_api_server() {
    let cases = cases();
    for Case { field, message, wrong, right } in &cases {
        let rejections = admit_offline(wrong).expect_err(message);
        let named =
            |rejection: &Rejection| without_indices(&rejection.field) == *field && rejection.message == *message;
        assert!(rejections.iter().any(named), "{field}: {message}: {rejections:?}");
        admit_offline(right).expect(message);
    }
    let Some(cluster) = Cluster::start().await else { return };
    for Case { field, message, wrong, right } in &cases {
        let error = cluster.admit(wrong).await.expect_err(message);
        assert!(error.contains(message), "{message}: {error}");
        assert!(without_indices(&error).contains(&format!("{field}: Invalid value")), "{field}: {error}");
        cluster.admit(right).await.expect(message);
    }
}
