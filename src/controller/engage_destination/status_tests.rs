use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::{
    dereference::{Missing, References, Unresolved},
    observe::{Observed, ObservedFlow},
    status::{Findings, Surroundings, compose},
    verify::{Finding, Unchecked, Verdict},
};
use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, admission::Rejection, conditions, engage_destination::Verification,
        reasons::condition as reasons, secret::SecretData,
    },
    controller::{
        account::{FlowFacts, PublishedFlow, Template},
        cluster::{ClusterError, Programmed},
    },
    delivery::destination::Destination,
    twilio::{TwilioCredentials, TwilioError},
};

const FLOW: &str = "FW00000000000000000000000000000001";

fn destination(status: Option<EngageDestinationStatus>) -> EngageDestination {
    let spec = json!({
        "twilio": {"credentialsRef": {"name": "twilio"}},
        "segment": {"credentialsRef": {"name": "segment"}},
        "conversation": {
            "flowRef": {"name": "agent"},
            "twilioNumber": ["whatsapp:+5511900000001"],
            "openingMessage": {"contentSid": "HX00000000000000000000000000000001"}
        }
    });
    let mut destination = EngageDestination::new("lead", serde_json::from_value(spec).unwrap());
    destination.metadata.generation = Some(1);
    destination.status = status;
    destination
}

fn around() -> Surroundings {
    Surroundings {
        url: "https://engage.example/v1/destinations/marketing/lead".into(),
        programmed: Programmed::Yes,
        journal_durable: true,
        callbacks: true,
        now: "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap(),
    }
}

fn references() -> References {
    let destination = destination(None);
    let values = [
        ("TWILIO_ACCOUNT_SID".to_owned(), format!("AC{}", "0".repeat(32)).into_bytes()),
        ("TWILIO_AUTH_TOKEN".to_owned(), b"token".to_vec()),
    ];
    let secret = SecretData::from_bytes(values);
    let credentials = TwilioCredentials::read(&destination.spec.twilio.credentials_ref, &secret).unwrap();
    References { credentials, flow: None }
}

fn accepted(destination: &EngageDestination) -> Result<Destination, Vec<Rejection>> {
    Destination::compile(&destination.spec)
}

fn observed() -> Observed {
    let template = Template {
        sid: format!("HX{:032}", 1).parse().unwrap(),
        name: Some("lead_welcome".into()),
        language: Some("en".into()),
        placeholders: ["1".to_owned()].into(),
        approval: Some("approved".into()),
        bodies: Vec::new(),
        rejection_reason: None,
    };
    let published = Some(PublishedFlow { revision: Some(4), connects_conversations: true });
    Observed {
        templates: Some(Ok([template].into())),
        flow: Some(ObservedFlow::Asked {
            sid: FLOW.into(),
            managed_by: None,
            found: Ok(Some(FlowFacts { published })),
        }),
        ..Observed::default()
    }
}

fn after(destination: &EngageDestination, verdict: Verdict, around: &Surroundings) -> EngageDestinationStatus {
    let accepted = accepted(destination);
    let findings = Findings { references: Ok(references()), accepted, checked: Some((observed(), verdict)) };
    compose(destination, &findings, around)
}

/// Type, status and reason of each condition, sorted.
fn said(status: &EngageDestinationStatus) -> Vec<String> {
    let mut said: Vec<String> =
        status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect();
    said.sort();
    said
}

fn condition(status: &EngageDestinationStatus, type_: &str) -> String {
    conditions::find(&status.conditions, type_)
        .map(|it| format!("{}/{}: {}", it.status, it.reason, it.message))
        .unwrap()
}

fn transient() -> Verdict {
    Verdict::Unchecked(vec![Unchecked { message: "Twilio is down".into(), error: None, transient: true }])
}

fn disproved(may_pass: bool) -> Verdict {
    Verdict::Disproved(vec![Finding { reason: reasons::CONTENT_NOT_APPROVED, message: "pending".into(), may_pass }])
}

#[test]
fn a_verified_destination_is_ready_and_says_what_it_works_with() {
    let status = after(&destination(None), Verdict::Holds, &around());
    assert_eq!(
        said(&status),
        [
            "Accepted=True/Valid",
            "Programmed=True/Programmed",
            "Ready=True/Ready",
            "ResolvedRefs=True/Resolved",
            "Verified=True/Verified"
        ]
    );
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(1)));
    assert_eq!(status.senders, ["+5511900000001"]);
    assert_eq!(status.flow.as_ref().unwrap().revision, Some(4));
    assert_eq!(status.content.as_ref().unwrap().variables, ["1"]);
    let again = after(&destination(Some(status.clone())), Verdict::Holds, &around());
    assert_eq!(again, status, "the same findings write nothing");
}

#[test]
fn what_only_a_person_can_mend_is_stalled_and_the_rest_is_waited_for() {
    let status = after(&destination(None), disproved(false), &around());
    assert!(said(&status).contains(&"Stalled=True/ContentNotApproved".to_owned()));
    let status = after(&destination(Some(status)), disproved(true), &around());
    assert!(said(&status).contains(&"Reconciling=True/ContentNotApproved".to_owned()));
    assert!(!said(&status).iter().any(|it| it.starts_with("Stalled")));
}

#[test]
fn a_check_that_cannot_be_made_keeps_what_was_true_and_says_since_when() {
    let verified = after(&destination(None), Verdict::Holds, &around());
    let down = after(&destination(Some(verified)), transient(), &around());
    assert_eq!(
        condition(&down, "Verified"),
        "True/CheckFailed: was verified, and could not be checked again since 2026-01-01T12:00:00Z: Twilio is down"
    );
    assert!(condition(&down, "Ready").starts_with("True/Ready"));
    let later = Surroundings { now: "2026-01-01T13:00:00Z".parse().unwrap(), ..around() };
    let still_down = after(&destination(Some(down.clone())), transient(), &later);
    assert_eq!(still_down, down);
    let back = after(&destination(Some(still_down)), Verdict::Holds, &later);
    assert_eq!(back.unchecked_since, None);
}

#[test]
fn what_was_never_verified_is_not_served_while_it_cannot_be_checked() {
    let mut destination = destination(None);
    let status = after(&destination, transient(), &around());
    assert_eq!(condition(&status, "Verified"), "Unknown/CheckFailed: Twilio is down");
    assert_eq!(condition(&status, "Ready"), "False/CheckFailed: Twilio is down");
    assert!(said(&status).contains(&"Reconciling=True/CheckFailed".to_owned()));
    // Nor does what was true of another spec count.
    destination.status = Some(after(&destination, Verdict::Holds, &around()));
    destination.metadata.generation = Some(2);
    let status = after(&destination, transient(), &around());
    assert_eq!(condition(&status, "Ready"), "False/CheckFailed: Twilio is down");
}

#[test]
fn what_was_wrong_stays_wrong_until_it_can_be_checked_again() {
    let wrong = after(&destination(None), disproved(false), &around());
    let down = after(&destination(Some(wrong)), transient(), &around());
    assert_eq!(condition(&down, "Verified"), "False/ContentNotApproved: pending");
}

#[test]
fn with_warn_it_serves_and_says_what_is_wrong() {
    let mut destination = destination(None);
    destination.spec.verification = Verification::Warn;
    let status = after(&destination, disproved(false), &around());
    assert!(condition(&status, "Ready").starts_with("True/NotEnforced: serves at https://"));
    assert!(condition(&status, "Ready").ends_with("(spec.verification is Warn): pending"));
    assert!(!said(&status).iter().any(|it| it.starts_with("Stalled")));
}

#[test]
fn a_suspended_destination_neither_waits_nor_is_stuck() {
    let mut destination = destination(None);
    destination.spec.suspend = true;
    let status = after(&destination, Verdict::Holds, &around());
    assert!(condition(&status, "Ready").starts_with("False/Suspended"));
    assert!(!said(&status).iter().any(|it| it.starts_with("Stalled") || it.starts_with("Reconciling")));
}

#[test]
fn without_a_gateway_it_is_not_ready_although_verified() {
    let around = Surroundings { programmed: Programmed::NoGateway, journal_durable: false, ..around() };
    let status = after(&destination(None), Verdict::Holds, &around);
    assert!(condition(&status, "Ready").starts_with("False/NoGateway"));
    assert!(condition(&status, "Durable").starts_with("False/MemoryJournal"));
    assert!(said(&status).contains(&"Reconciling=True/NoGateway".to_owned()));
}

#[test]
fn a_missing_secret_and_an_unreadable_cluster_are_told_apart() {
    let verified = after(&destination(None), Verdict::Holds, &around());
    let with = |status: &EngageDestinationStatus, unresolved| {
        let destination = destination(Some(status.clone()));
        let findings = Findings { references: Err(unresolved), accepted: accepted(&destination), checked: None };
        compose(&destination, &findings, &around())
    };
    let message = "there is no Secret `twilio`".to_owned();
    let missing = Missing { reason: reasons::SECRET_NOT_FOUND, message, may_come: true };
    let status = with(&verified, Unresolved::Missing(vec![missing]));
    assert_eq!(condition(&status, "Ready"), "False/SecretNotFound: there is no Secret `twilio`");
    let unreadable = ClusterError::Read { what: "Secret".into(), problem: "down".into() };
    assert_eq!(with(&verified, Unresolved::Unreadable(unreadable)), verified);
}

#[test]
fn what_cannot_be_followed_is_said_and_is_no_reason_not_to_serve() {
    let mut whatsapp = destination(None);
    whatsapp.spec.conversation = None;
    whatsapp.spec.whatsapp = serde_json::from_value(json!({"messagingServiceSid": format!("MG{}", "0".repeat(32)),
        "contentSid": format!("HX{}", "0".repeat(32))}))
    .ok();
    let mut with_key = references();
    with_key.credentials.auth_token = None;
    let accepted = || Ok(Destination::compile(&whatsapp.spec).unwrap());
    let found = Findings { references: Ok(with_key), accepted: accepted(), checked: None };
    let status = compose(&whatsapp, &found, &around());
    let followed = conditions::find(&status.conditions, conditions::FOLLOWED).unwrap();
    assert_eq!((followed.status.as_str(), followed.reason.as_str()), ("False", reasons::CALLBACKS_UNVERIFIABLE));
    assert!(!conditions::is_true(&status.conditions, conditions::STALLED));

    // Where Twilio cannot call back, or the token is there, there is nothing to say.
    let nowhere = compose(&whatsapp, &found, &Surroundings { callbacks: false, ..around() });
    assert!(conditions::find(&nowhere.conditions, conditions::FOLLOWED).is_none());
    whatsapp.status = Some(status);
    let found = Findings { references: Ok(references()), accepted: accepted(), checked: None };
    let mended = compose(&whatsapp, &found, &around());
    assert!(conditions::find(&mended.conditions, conditions::FOLLOWED).is_none());
}

#[test]
fn a_name_that_is_lost_is_not_served_and_one_that_cannot_be_looked_up_stays() {
    let mut destination = destination(None);
    let opening = json!({"content": {"friendlyName": "lead_welcome"}, "contentVariables": {"1": "you"}});
    let conversation = destination.spec.conversation.as_mut().unwrap();
    conversation.opening_message = serde_json::from_value(opening).unwrap();
    destination.spec.verification = Verification::Warn;
    let seen = |destination: &EngageDestination, templates, verdict| {
        let checked = Some((Observed { templates: Some(templates), ..observed() }, verdict));
        let findings = Findings { references: Ok(references()), accepted: accepted(destination), checked };
        compose(destination, &findings, &around())
    };
    let one = observed().templates.unwrap();
    let status = seen(&destination, one, Verdict::Holds);
    let content = status.content.clone().unwrap();
    assert_eq!((content.sid, content.language), (format!("HX{:032}", 1), Some("en".to_owned())));
    assert!(condition(&status, "Ready").starts_with("True/Ready"));

    destination.status = Some(status.clone());
    let down = Err(Arc::new(TwilioError::AnswerLost("slow".into())));
    assert_eq!(seen(&destination, down, transient()).content, status.content);
    let finding = Finding { reason: reasons::CONTENT_NOT_FOUND, message: "gone".into(), may_pass: false };
    let lost = seen(&destination, Ok([].into()), Verdict::Disproved(vec![finding]));
    assert_eq!(lost.content, None);
    // Even `Warn` cannot send what has no SID.
    assert_eq!(condition(&lost, "Ready"), "False/ContentNotFound: gone");
}
