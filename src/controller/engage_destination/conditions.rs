//! What each condition of a destination says of what was found, and whether waiting or acting helps where it is not true.
//! Pure.

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus,
        admission::Rejection,
        conditions::{self, Truth},
        engage_destination::Verification,
        gate::{self, Gate},
        reasons::condition as reasons,
    },
    controller::{
        cluster::Programmed,
        condition_writer::{ConditionWriter, Outlook, joined},
        engage_destination::{
            dereference::{References, Unresolved},
            verify::{Unchecked, Verdict},
        },
    },
    delivery::{batch, destination::Destination},
};

pub fn accepted(accepted: &Result<Destination, Vec<Rejection>>, writer: &mut ConditionWriter) -> Option<Outlook> {
    match accepted {
        Ok(_) => writer.set(conditions::ACCEPTED, Truth::True, reasons::VALID, "the spec makes sense"),
        Err(rejections) => {
            let message = joined(rejections.iter().map(|rejection| match rejection.field.as_str() {
                field if field.is_empty() || field.starts_with("spec") => rejection.to_string(),
                _ => format!("spec.{rejection}"),
            }));
            writer.set(conditions::ACCEPTED, Truth::False, reasons::INVALID_SPEC, message);
            return Some(Outlook::Stuck);
        }
    }
    None
}

pub fn references(references: &Result<References, Unresolved>, writer: &mut ConditionWriter) -> Option<Outlook> {
    match references {
        Ok(References { credentials: _, flow: _ }) => {
            writer.set(
                conditions::RESOLVED_REFS,
                Truth::True,
                reasons::RESOLVED,
                "everything that the spec points at was found",
            );
            None
        }
        Err(Unresolved::Missing(missing)) => {
            let reason = missing.first().map_or(reasons::SECRET_NOT_FOUND, |missing| missing.reason);
            let message = joined(missing.iter().map(|missing| missing.message.clone()));
            writer.set(conditions::RESOLVED_REFS, Truth::False, reason, message);
            Some(if missing.iter().all(|missing| missing.may_come) { Outlook::Waiting } else { Outlook::Stuck })
        }
        // What was found for this generation may well be there still.
        Err(Unresolved::Unreadable(_)) if writer.holds(conditions::RESOLVED_REFS) => None,
        Err(Unresolved::Unreadable(error)) => {
            writer.set(conditions::RESOLVED_REFS, Truth::Unknown, reasons::SECRET_UNREADABLE, error.to_string());
            Some(Outlook::Waiting)
        }
    }
}

/// What was found before for this generation holds until it is seen to have changed.
pub fn verified(
    before: &EngageDestinationStatus,
    verdict: Option<&Verdict>,
    references: &Result<References, Unresolved>,
    writer: &mut ConditionWriter,
) -> (Option<Outlook>, Option<String>) {
    let previous = writer.current(conditions::VERIFIED).cloned();
    let since = || before.unchecked_since.clone().unwrap_or_else(|| writer.time());
    match verdict {
        Some(Verdict::Holds) => {
            writer.set(conditions::VERIFIED, Truth::True, reasons::VERIFIED, "the account is as the spec needs it");
            (None, None)
        }
        Some(Verdict::Disproved(findings)) => {
            let reason = findings.first().map_or(reasons::CHECK_FAILED, |finding| finding.reason);
            let message = joined(findings.iter().map(|finding| finding.message.clone()));
            writer.set(conditions::VERIFIED, Truth::False, reason, message);
            let waiting = findings.iter().all(|finding| finding.may_pass);
            (Some(if waiting { Outlook::Waiting } else { Outlook::Stuck }), None)
        }
        Some(Verdict::Unchecked(unchecked)) => {
            let since = since();
            let problems =
                joined(unchecked.iter().map(|Unchecked { message, error: _, transient: _ }| message.clone()));
            match previous.as_ref().map(|condition| condition.status.as_str()) {
                Some("True") => {
                    let message = format!("was verified, and could not be checked again since {since}: {problems}");
                    writer.set(conditions::VERIFIED, Truth::True, reasons::CHECK_FAILED, message);
                }
                Some("False") => {}
                _ => writer.set(conditions::VERIFIED, Truth::Unknown, reasons::CHECK_FAILED, problems),
            }
            let waiting = unchecked.iter().any(|unchecked| unchecked.transient);
            (Some(if waiting { Outlook::Waiting } else { Outlook::Stuck }), Some(since))
        }
        None if matches!(references, Err(Unresolved::Unreadable(_))) && previous.is_some() => {
            (None, before.unchecked_since.clone())
        }
        None => {
            let message = "not checked: first the spec has to be accepted and everything it points at has to be there";
            writer.set(conditions::VERIFIED, Truth::Unknown, reasons::CHECK_FAILED, message);
            (None, None)
        }
    }
}

pub fn programmed(programmed: &Programmed, writer: &mut ConditionWriter) -> Option<Outlook> {
    let (truth, reason, message) = match programmed {
        Programmed::Yes => (Truth::True, reasons::PROGRAMMED, "a gateway has this version of the spec"),
        Programmed::NotYet => (Truth::False, reasons::PENDING, "no gateway has taken in this version of the spec yet"),
        Programmed::NoGateway => {
            (Truth::False, reasons::NO_GATEWAY, "no gateway runs: start one, and see its log if it does not stay up")
        }
    };
    writer.set(conditions::PROGRAMMED, truth, reason, message);
    (truth != Truth::True).then_some(Outlook::Waiting)
}

pub fn durable(journal_durable: bool, writer: &mut ConditionWriter) {
    if journal_durable {
        writer.remove(conditions::DURABLE);
    } else {
        let message =
            "outcomes of events are kept in memory only and are forgotten on restart: give --journal file:PATH";
        writer.set(conditions::DURABLE, Truth::False, reasons::MEMORY_JOURNAL, message);
    }
}

/// `callbacks`: whether Twilio can reach the gateway. Where it cannot, following messages was not asked for.
pub fn followed(
    destination: &EngageDestination,
    references: &Result<References, Unresolved>,
    callbacks: bool,
    writer: &mut ConditionWriter,
) {
    let proven = match references {
        Ok(references) => references.credentials.auth_token.is_some(),
        // What is not known now stays as it was said.
        Err(_) => return,
    };
    if proven || !callbacks || destination.spec.whatsapp.is_none() {
        writer.remove(conditions::FOLLOWED);
    } else {
        let message = "Twilio is not asked what becomes of messages, since its callbacks cannot be proven with an API key: \
                       add the auth token to the Secret of spec.twilio.credentialsRef; calls go on using the API key";
        writer.set(conditions::FOLLOWED, Truth::False, reasons::CALLBACKS_UNVERIFIABLE, message);
    }
}

/// Sums up. The gate is asked as the gateway asks it, so `Ready` is what a sender of events will find.
pub fn ready(
    destination: &EngageDestination,
    status: &EngageDestinationStatus,
    url: &str,
    (checks, programmed_outlook): ([Option<Outlook>; 3], Option<Outlook>),
    writer: &mut ConditionWriter,
) {
    let find = |type_| conditions::find(&status.conditions, type_);
    let programmed = find(conditions::PROGRAMMED).filter(|condition| condition.status != Truth::True.as_str());
    let verified = find(conditions::VERIFIED).filter(|condition| condition.status != Truth::True.as_str());
    let refusal = match gate::decide(&destination.spec, destination.metadata.generation, Some(status)) {
        Gate::Serve => {
            programmed.map(|condition| (condition.reason.clone(), condition.message.clone(), programmed_outlook))
        }
        Gate::Refuse { reason, message } => {
            let outlook = checks.into_iter().flatten().next();
            let outlook = if destination.spec.suspend { Some(Outlook::Intended) } else { outlook };
            Some(match verified {
                Some(unknown) if reason == reasons::VERIFYING => (unknown.reason.clone(), message, outlook),
                _ => (reason, message, outlook),
            })
        }
    };
    let Some((reason, message, outlook)) = refusal else {
        match verified {
            Some(verified) if destination.spec.verification == Verification::Warn => {
                let message =
                    format!("serves at {url} although not verified (spec.verification is Warn): {}", verified.message);
                writer.ready(reasons::NOT_ENFORCED, message);
            }
            _ => {
                let size = batch::largest(&destination.spec);
                writer.ready(reasons::READY, format!("serves at {url}; Segment: batch size ≤ {size}"));
            }
        }
        return;
    };
    writer.not_ready(Truth::False, &reason, &message, outlook.unwrap_or(Outlook::Waiting));
}
