//! Whether a destination is served, decided from its spec and status alone. The gateway asks this for every destination it
//! takes in, and the controller for the condition `Ready`, so the two cannot disagree.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{
    EngageDestination, EngageDestinationSpec, EngageDestinationStatus,
    conditions::{self, Truth},
    engage_destination::{Named, Verification},
    reasons::condition as reasons,
};

/// What the gateway does with events for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// They are acted on.
    Serve,
    /// They are answered 503, so that Segment keeps them.
    Refuse { reason: String, message: String },
}

/// Whether `destination` is served.
pub fn gate(destination: &EngageDestination) -> Gate {
    decide(&destination.spec, destination.metadata.generation, destination.status.as_ref())
}

/// As [`gate`], for a status that is about to be written. Only what was said of this very generation counts.
pub fn decide(spec: &EngageDestinationSpec, generation: Option<i64>, status: Option<&EngageDestinationStatus>) -> Gate {
    if spec.suspend {
        return refuse(reasons::SUSPENDED, "spec.suspend is true: events are refused until it is false");
    }
    let status = status.filter(|status| status.observed_generation == generation);
    let condition = |type_| {
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        conditions::find(conditions, type_).filter(|condition| condition.observed_generation == generation)
    };
    for type_ in [conditions::ACCEPTED, conditions::RESOLVED_REFS] {
        if let Some(failed) = condition(type_).filter(|condition| is(condition, Truth::False)) {
            return refuse(&failed.reason, &failed.message);
        }
    }
    if spec.verification == Verification::Enforce {
        match condition(conditions::VERIFIED) {
            Some(verified) if is(verified, Truth::True) => {}
            Some(verified) if is(verified, Truth::False) => return refuse(&verified.reason, &verified.message),
            Some(unknown) => return refuse(reasons::VERIFYING, &unknown.message),
            None => return verifying(),
        }
    }
    // A template by name is known from the status alone, like a flow by reference; that of an older generation may be another.
    let template_by_name = spec.template().is_some_and(|template| matches!(template.named, Named::Name(_)));
    if template_by_name && status.is_none_or(|status| status.content.is_none()) {
        return match condition(conditions::VERIFIED) {
            Some(verified) => refuse(&verified.reason, &verified.message),
            None => verifying(),
        };
    }
    let flow_by_reference = spec.conversation.as_ref().is_some_and(|conversation| conversation.flow_ref.is_some());
    // So is where tasks go.
    let interaction = spec.interaction.is_some();
    match status {
        None if flow_by_reference || interaction => verifying(),
        Some(status) if interaction && status.interaction.is_none() => {
            match condition(conditions::VERIFIED).filter(|condition| is(condition, Truth::False)) {
                Some(verified) => refuse(&verified.reason, &verified.message),
                None => verifying(),
            }
        }
        Some(status) if flow_by_reference && status.flow.is_none() => refuse(
            reasons::FLOW_NOT_READY,
            "the StudioFlow of spec.conversation.flowRef has no flow in the account yet",
        ),
        _ => Gate::Serve,
    }
}

fn is(condition: &Condition, truth: Truth) -> bool {
    condition.status == truth.as_str()
}

fn verifying() -> Gate {
    refuse(reasons::VERIFYING, "this version of the spec is still being checked against the account")
}

fn refuse(reason: &str, message: &str) -> Gate {
    Gate::Refuse { reason: reason.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::api::engage_destination::{ContentStatus, FlowStatus, InteractionStatus};

    fn destination(action: &serde_json::Value) -> EngageDestination {
        let mut spec = json!({
            "twilio": {"credentialsRef": {"name": "twilio"}}, "segment": {"credentialsRef": {"name": "segment"}}
        });
        spec.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        let mut destination = EngageDestination::new("lead", serde_json::from_value(spec).unwrap());
        destination.metadata.generation = Some(2);
        destination.status = Some(EngageDestinationStatus { observed_generation: Some(2), ..Default::default() });
        destination
    }

    fn by_sid() -> EngageDestination {
        destination(&json!({"conversation": {"flowSid": "FW1", "twilioNumber": ["+5511900000001"]}}))
    }

    fn by_reference() -> EngageDestination {
        destination(&json!({"conversation": {"flowRef": {"name": "agent"}, "twilioNumber": ["+5511900000001"]}}))
    }

    fn say(destination: &mut EngageDestination, type_: &str, truth: Truth, reason: &str, generation: i64) {
        let conditions = &mut destination.status.as_mut().unwrap().conditions;
        conditions::set(conditions, type_, truth, reason, "why", Some(generation), Timestamp::UNIX_EPOCH);
    }

    fn reason(destination: &EngageDestination) -> String {
        match gate(destination) {
            Gate::Serve => "Serve".into(),
            Gate::Refuse { reason, .. } => reason,
        }
    }

    #[test]
    fn only_a_generation_that_is_verified_is_served() {
        let mut destination = by_sid();
        assert_eq!(reason(&destination), "Verifying");
        say(&mut destination, conditions::VERIFIED, Truth::True, "Verified", 1);
        assert_eq!(reason(&destination), "Verifying");
        say(&mut destination, conditions::VERIFIED, Truth::Unknown, "CheckFailed", 2);
        assert_eq!(reason(&destination), "Verifying");
        say(&mut destination, conditions::VERIFIED, Truth::False, "ContentNotApproved", 2);
        assert_eq!(reason(&destination), "ContentNotApproved");
        say(&mut destination, conditions::VERIFIED, Truth::True, "Verified", 2);
        assert_eq!(reason(&destination), "Serve");
        destination.status.as_mut().unwrap().observed_generation = Some(1);
        assert_eq!(reason(&destination), "Verifying");
    }

    #[test]
    fn a_suspended_a_refused_and_an_unresolved_destination_are_not_served_even_if_warned_only() {
        let mut destination = by_sid();
        destination.spec.verification = Verification::Warn;
        say(&mut destination, conditions::RESOLVED_REFS, Truth::False, "SecretNotFound", 2);
        assert_eq!(reason(&destination), "SecretNotFound");
        say(&mut destination, conditions::ACCEPTED, Truth::False, "InvalidSpec", 2);
        assert_eq!(reason(&destination), "InvalidSpec");
        destination.spec.suspend = true;
        assert_eq!(reason(&destination), "Suspended");
    }

    #[test]
    fn a_task_is_served_only_where_it_is_known_where_it_goes_even_if_warned_only() {
        let mut destination = destination(&json!({"interaction": {
            "workflow": {"friendlyName": "Anyone"}, "taskChannel": {"uniqueName": "chat"}, "twilioNumber": ["+5511900000001"]
        }}));
        destination.spec.verification = Verification::Warn;
        assert_eq!(reason(&destination), "Verifying");
        say(&mut destination, conditions::VERIFIED, Truth::False, "WorkflowNotFound", 2);
        assert_eq!(reason(&destination), "WorkflowNotFound");
        destination.status.as_mut().unwrap().interaction = Some(InteractionStatus::default());
        assert_eq!(reason(&destination), "Serve");
    }

    #[test]
    fn with_warn_a_failed_check_does_not_stop_events() {
        let mut destination = by_sid();
        destination.spec.verification = Verification::Warn;
        assert_eq!(reason(&destination), "Serve");
        say(&mut destination, conditions::VERIFIED, Truth::False, "ContentNotApproved", 2);
        assert_eq!(reason(&destination), "Serve");
        destination.status = None;
        assert_eq!(reason(&destination), "Serve");
    }

    #[test]
    fn a_flow_by_reference_is_needed_from_this_generation() {
        let mut destination = by_reference();
        destination.spec.verification = Verification::Warn;
        assert_eq!(reason(&destination), "FlowNotReady");
        let status = destination.status.as_mut().unwrap();
        status.flow = Some(FlowStatus { sid: "FW1".into(), revision: None });
        assert_eq!(reason(&destination), "Serve");
        destination.metadata.generation = Some(3);
        assert_eq!(reason(&destination), "Verifying");
    }
    #[test]
    fn a_template_by_name_is_needed_from_this_generation() {
        let mut destination =
            destination(&json!({"whatsapp": {"messagingServiceSid": "MG1", "content": {"friendlyName": "a"}}}));
        destination.spec.verification = Verification::Warn;
        assert_eq!(reason(&destination), "Verifying");
        say(&mut destination, conditions::VERIFIED, Truth::False, "ContentNotFound", 2);
        assert_eq!(reason(&destination), "ContentNotFound");
        destination.status.as_mut().unwrap().content = Some(ContentStatus { sid: "HX1".into(), ..Default::default() });
        assert_eq!(reason(&destination), "Serve");
        destination.metadata.generation = Some(3);
        assert_eq!(reason(&destination), "Verifying");
    }
}
