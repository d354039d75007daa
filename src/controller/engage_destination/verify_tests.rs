use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    observe::{Manager, Observed, ObservedFlex, ObservedFlow, ObservedTasks},
    verify::{Verdict, verify},
};
use crate::{
    api::EngageDestinationSpec,
    controller::{
        account::{FlowFacts, Look, PublishedFlow, Template},
        names::Unfound,
    },
    twilio::{ApiError, E164, TwilioError, flex::FlexConfiguration, messaging::WhatsAppSender},
};

const FLOW: &str = "FW00000000000000000000000000000001";

fn spec(action: &serde_json::Value) -> EngageDestinationSpec {
    let mut spec = json!({"twilio": {"credentialsRef": {"name": "t"}}, "segment": {"credentialsRef": {"name": "s"}}});
    spec.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn whatsapp() -> EngageDestinationSpec {
    spec(
        &json!({"whatsapp": {"messagingServiceSid": "MG1", "contentSid": "HX1", "includeTraits": ["first_name", "plan"]}}),
    )
}

fn conversation() -> EngageDestinationSpec {
    spec(&json!({"conversation": {"flowSid": FLOW, "twilioNumber": ["+5511900000001"]}}))
}

fn filled(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn numbers(numbers: &[&str]) -> Arc<[E164]> {
    numbers.iter().map(|number| number.parse().unwrap()).collect()
}

type LookAtService = Look<Option<Arc<[E164]>>>;
type LookAtTemplates = Look<Arc<[Template]>>;
type LookAtSenders = Look<Arc<[WhatsAppSender]>>;

fn template(approval: Option<&str>, placeholders: &[&str]) -> Arc<[Template]> {
    let template = Template {
        sid: format!("HX{:032}", 1).parse().unwrap(),
        name: Some("lead_welcome".into()),
        language: Some("en".into()),
        placeholders: filled(placeholders),
        approval: approval.map(str::to_owned),
        bodies: Vec::new(),
        rejection_reason: None,
    };
    [template].into()
}

fn senders(status: &str) -> Arc<[WhatsAppSender]> {
    [WhatsAppSender { sender_id: Some("whatsapp:+5511900000001".into()), status: Some(status.into()) }].into()
}

fn flow(found: Look<Option<FlowFacts>>) -> ObservedFlow {
    ObservedFlow::Asked { sid: FLOW.into(), managed_by: None, found }
}

/// A flow of a StudioFlow that knows of this published revision.
fn managed(found: Look<Option<FlowFacts>>, published_revision: Option<i64>) -> ObservedFlow {
    ObservedFlow::Asked {
        sid: FLOW.into(),
        managed_by: Some(Manager { name: "agent".into(), published_revision }),
        found,
    }
}

fn published(connects_conversations: bool) -> FlowFacts {
    FlowFacts { published: Some(PublishedFlow { revision: Some(4), connects_conversations }) }
}

fn failed<T>(status: u16) -> Look<T> {
    let retry_after = (status == 429).then(|| Duration::from_secs(3));
    Err(Arc::new(TwilioError::Answered(ApiError::read(status, retry_after, br#"{"message": "no"}"#))))
}

/// The verdict in one word or the reasons, in their order.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "holds".into(),
        Verdict::Disproved(findings) => findings.iter().map(|finding| finding.reason).collect::<Vec<_>>().join(" "),
        Verdict::Unchecked(unchecked) => {
            let kind = |transient| if transient { "transient" } else { "lasting" };
            format!("unchecked {}", unchecked.iter().map(|it| kind(it.transient)).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn a_messaging_service_has_exactly_one_sender_and_its_template_is_approved_and_filled() {
    let one = || Ok(Some(numbers(&["+5511900000001"])));
    let good = || Ok(template(Some("approved"), &["1", "2"]));
    let cases: [(LookAtService, LookAtTemplates, &str); 16] = [
        (one(), good(), "holds"),
        (Ok(None), good(), "MessagingServiceNotFound"),
        (Ok(Some(numbers(&[]))), good(), "NoWhatsAppSender"),
        (Ok(Some(numbers(&["+5511900000001", "+5511900000002"]))), good(), "SeveralWhatsAppSenders"),
        (one(), Ok([].into()), "ContentNotFound"),
        (one(), Ok(template(None, &["1", "2"])), "ContentNotApproved"),
        (one(), Ok(template(Some("pending"), &["1", "2"])), "ContentNotApproved"),
        (one(), Ok(template(Some("rejected"), &["1", "2"])), "ContentNotApproved"),
        (one(), Ok(template(Some("enchanted"), &["1", "2"])), "unchecked lasting"),
        (one(), Ok(template(Some("approved"), &["1", "2", "3"])), "ContentVariablesMismatch"),
        (one(), Ok(template(Some("approved"), &["1"])), "ContentVariablesMismatch"),
        (one(), Ok(template(Some("pending"), &["1"])), "ContentNotApproved ContentVariablesMismatch"),
        (one(), failed(403), "unchecked lasting"),
        (failed(503), failed(429), "unchecked transient transient"),
        // What is wrong for certain counts although something else could not be seen.
        (Ok(None), failed(503), "MessagingServiceNotFound"),
        (failed(401), failed(401), "CredentialsRejected"),
    ];
    for (index, (service, template, expected)) in cases.into_iter().enumerate() {
        let observed = Observed { service: Some(service), templates: Some(template), ..Observed::default() };
        assert_eq!(said(&verify(&whatsapp(), &filled(&["1", "2"]), &observed)), expected, "case {index}");
    }
}

#[test]
fn credentials_that_open_one_thing_are_not_rejected() {
    let observed = Observed {
        service: Some(Ok(Some(numbers(&["+5511900000001"])))),
        templates: Some(failed(401)),
        ..Observed::default()
    };
    assert_eq!(said(&verify(&whatsapp(), &filled(&["1", "2"]), &observed)), "unchecked lasting");
}

#[test]
fn a_conversation_talks_from_online_senders_and_its_flow_answers() {
    let online = || Ok(senders("ONLINE"));
    let cases: [(LookAtSenders, ObservedFlow, &str); 18] = [
        (online(), flow(Ok(Some(published(true)))), "holds"),
        (Ok(senders("ONLINE:UPDATING")), flow(Ok(Some(published(true)))), "holds"),
        (Ok([].into()), flow(Ok(Some(published(true)))), "SenderNotFound"),
        (Ok(senders("OFFLINE")), flow(Ok(Some(published(true)))), "SenderOffline"),
        (Ok(senders("NAPPING")), flow(Ok(Some(published(true)))), "unchecked lasting"),
        (online(), flow(Ok(Some(published(false)))), "FlowTriggerMissing"),
        (online(), flow(Ok(Some(FlowFacts { published: None }))), "FlowNotPublished"),
        (online(), flow(Ok(None)), "FlowNotFound"),
        // Studio may show a flow that was just made a little later.
        (online(), managed(Ok(None), Some(4)), "unchecked transient"),
        (online(), managed(Ok(Some(published(false))), Some(5)), "unchecked transient"),
        (online(), managed(Ok(Some(published(false))), Some(4)), "FlowTriggerMissing"),
        (online(), managed(Ok(Some(FlowFacts { published: None })), Some(4)), "unchecked transient"),
        (online(), managed(Ok(Some(FlowFacts { published: None })), None), "FlowNotPublished"),
        (online(), flow(failed(500)), "unchecked transient"),
        (online(), ObservedFlow::NotProvisioned { name: "agent".into() }, "FlowNotReady"),
        (
            online(),
            ObservedFlow::InOtherAccount {
                name: "agent".into(),
                theirs: "AC2".into(),
                ours: format!("AC{}", "0".repeat(32)).parse().unwrap(),
            },
            "FlowInOtherAccount",
        ),
        (failed(401), flow(failed(401)), "CredentialsRejected"),
        (failed(403), flow(Ok(Some(published(true)))), "unchecked lasting"),
    ];
    for (index, (senders, flow, expected)) in cases.into_iter().enumerate() {
        let observed = Observed { senders: Some(senders), flow: Some(flow), ..Observed::default() };
        assert_eq!(said(&verify(&conversation(), &filled(&[]), &observed)), expected, "case {index}");
    }
}

fn flex(status: &str, service: &str) -> Arc<FlexConfiguration> {
    Arc::new(FlexConfiguration {
        status: Some(status.into()),
        taskrouter_workspace_sid: Some("WS1".into()),
        chat_service_instance_sid: None,
        flex_service_instance_sid: Some(service.into()),
    })
}

type LookAtFlex = Look<Option<Arc<FlexConfiguration>>>;
type LookAtDefault = Look<Option<Arc<str>>>;

#[test]
fn flex_is_needed_by_a_task_and_heeded_by_a_conversation() {
    let task = spec(&json!({"interaction": {
        "workflow": {"sid": "WW1"}, "taskChannel": {"uniqueName": "chat"}, "twilioNumber": ["+5511900000001"]
    }}));
    let service = |sid: &str| -> LookAtDefault { Ok(Some(sid.into())) };
    let set_up = || -> LookAtFlex { Ok(Some(flex("ok", "IS1"))) };
    let cases: [(LookAtFlex, LookAtDefault, &str, &str); 9] = [
        (set_up(), service("IS1"), "holds", "holds"),
        (set_up(), service("IS2"), "NotFlexService", "NotFlexService"),
        (Ok(Some(flex("inprogress", "IS1"))), service("IS1"), "FlexNotSetUp", "holds"),
        (Ok(Some(flex("enchanted", "IS1"))), service("IS1"), "holds", "holds"),
        (Ok(None), service("IS1"), "FlexNotSetUp", "holds"),
        (failed(403), service("IS1"), "unchecked lasting", "holds"),
        (failed(503), service("IS1"), "unchecked transient", "unchecked transient"),
        (set_up(), failed(403), "unchecked lasting", "unchecked lasting"),
        (set_up(), Ok(None), "holds", "holds"),
    ];
    for (index, (configuration, default_service, of_task, of_conversation)) in cases.into_iter().enumerate() {
        let flex = Some(ObservedFlex { configuration, default_service });
        let observed = Observed { senders: Some(Ok(senders("ONLINE"))), flex, ..Observed::default() };
        assert_eq!(said(&verify(&task, &filled(&[]), &observed)), of_task, "case {index}");
        assert_eq!(said(&verify(&conversation(), &filled(&[]), &observed)), of_conversation, "case {index}");
    }
}

#[test]
fn a_task_goes_where_the_spec_names_it_and_nowhere_else() {
    let task = spec(&json!({"interaction": {
        "workflow": {"sid": "WW1"}, "taskChannel": {"uniqueName": "chat"}, "twilioNumber": ["+5511900000001"]
    }}));
    let found = |sid: &str| Some(Ok(Ok(sid.to_owned())));
    let unfound = |ambiguous| Some(Ok(Err(Unfound { ambiguous, message: "no".into() })));
    for (workspace, workflow, task_channel, expected) in [
        (found("WS1"), found("WW1"), found("TC1"), "holds"),
        (unfound(false), None, None, "WorkspaceNotFound"),
        (found("WS1"), unfound(false), unfound(false), "WorkflowNotFound TaskChannelNotFound"),
        (found("WS1"), unfound(true), found("TC1"), "ReferenceAmbiguous"),
        (found("WS1"), Some(failed(503)), found("TC1"), "unchecked transient"),
    ] {
        let tasks = Some(ObservedTasks { workspace, workflow, task_channel });
        let observed = Observed { tasks, ..Observed::default() };
        assert_eq!(said(&verify(&task, &filled(&[]), &observed)), expected);
    }
}

#[test]
fn a_message_names_the_field_and_what_to_do() {
    let observed = Observed {
        service: Some(Ok(Some(numbers(&["+5511900000001", "+5511900000002"])))),
        templates: Some(Ok(template(Some("rejected"), &["1", "name"]))),
        ..Observed::default()
    };
    let Verdict::Disproved(findings) = verify(&whatsapp(), &filled(&["1", "2"]), &observed) else { panic!() };
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "spec.whatsapp.messagingServiceSid: MG1 has 2 WhatsApp senders (+5511900000001, +5511900000002), and replies have to \
             reach the one that sent: leave one in its sender pool",
            "spec.whatsapp.contentSid: template `lead_welcome` is rejected for WhatsApp, and only an approved one may be sent: \
             change it and submit it again",
            "spec.whatsapp.contentSid: the placeholders of template `lead_welcome` and includeTraits or contentVariables differ: \
             {{name}} not filled; {{2}} not in the template",
        ]
    );
}

#[test]
fn a_template_by_name_is_held_to_the_same() {
    let by_name = |content: serde_json::Value| {
        spec(&json!({"conversation": {"flowSid": FLOW, "twilioNumber": ["+5511900000001"],
            "openingMessage": {"content": content, "contentVariables": {"1": "you"}}}}))
    };
    let in_english = by_name(json!({"friendlyName": "lead_welcome", "language": "en"}));
    let said_of = |spec: &EngageDestinationSpec, templates: Arc<[Template]>| {
        let observed = Observed {
            templates: Some(Ok(templates)),
            senders: Some(Ok(senders("ONLINE"))),
            flow: Some(flow(Ok(Some(published(true))))),
            ..Observed::default()
        };
        let verdict = verify(spec, &filled(&["1"]), &observed);
        let message = match &verdict {
            Verdict::Disproved(findings) => findings[0].message.clone(),
            Verdict::Holds | Verdict::Unchecked(_) => String::new(),
        };
        (said(&verdict), message)
    };
    assert_eq!(said_of(&in_english, template(Some("approved"), &["1"])).0, "holds");
    let field = "spec.conversation.openingMessage.content";
    let (reasons, message) = said_of(&in_english, template(Some("approved"), &["1", "plan"]));
    assert_eq!(reasons, "ContentVariablesMismatch");
    assert_eq!(
        message,
        format!(
            "{field}: the placeholders of template `lead_welcome` and contentVariables differ: {{{{plan}}}} not filled"
        )
    );
    let mut rejected = template(Some("rejected"), &["1"]).to_vec();
    rejected[0].rejection_reason = Some("It reads like a promotion.".into());
    let (reasons, message) = said_of(&in_english, rejected.into());
    assert_eq!(reasons, "ContentNotApproved");
    let why = "template `lead_welcome` is rejected for WhatsApp (It reads like a promotion.), and only";
    assert!(message.starts_with(&format!("{field}: {why}")), "{message}");
    let elsewhere = by_name(json!({"friendlyName": "lead_welcome", "language": "pt_BR"}));
    assert_eq!(said_of(&elsewhere, template(Some("approved"), &["1"])).0, "ContentNotFound");
    let mut twice = template(Some("approved"), &["1"]).to_vec();
    twice.extend_from_slice(&twice.clone());
    assert_eq!(said_of(&in_english, twice.into()).0, "ContentAmbiguous");
}
