//! Whether the account is as the spec needs it. A pure decision over what was seen.
//!
//! Only what was seen to be wrong is wrong. What could not be seen (a restricted key, a time-out, a word that Twilio has not
//! used before) is said to be unchecked, and is for `status` to weigh against what was true before.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    api::{EngageDestinationSpec, reasons::condition as reasons},
    controller::{
        account::{FlowFacts, Look, PublishedFlow, Template},
        disposition::is_unauthorized,
        engage_destination::{
            observe::{Manager, Observed, ObservedFlex, ObservedFlow, ObservedTasks},
            template::{APPROVED, UNDER_WAY, choose},
        },
        names::Unfound,
    },
    twilio::{E164, TwilioError, messaging::WhatsAppSender},
};

/// What came of all checks together.
#[derive(Debug)]
pub enum Verdict {
    /// Every check was made and passed.
    Holds,
    /// At least one thing is wrong for certain.
    Disproved(Vec<Finding>),
    /// Nothing is known to be wrong, and these checks could not be made.
    Unchecked(Vec<Unchecked>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub reason: &'static str,
    pub message: String,
    /// Whether it passes by itself, like an approval that is under way.
    pub may_pass: bool,
}

/// One check that could not be made.
#[derive(Debug, Clone)]
pub struct Unchecked {
    pub message: String,
    /// The failed call, unless it was the answer that could not be understood.
    pub error: Option<Arc<TwilioError>>,
    /// Whether asking again soon may help.
    pub transient: bool,
}

/// Approvals that certainly do not allow to send, <https://www.twilio.com/docs/content/content-api-resources>.
const NOT_APPROVED: [&str; 6] = ["unsubmitted", "received", "pending", "rejected", "paused", "disabled"];
/// States in which a WhatsApp sender certainly does not send.
const NOT_ONLINE: [&str; 7] =
    ["CREATING", "OFFLINE", "PENDING_VERIFICATION", "VERIFYING", "TWILIO_REVIEW", "DRAFT", "STUBBED"];

/// Weighs everything that was seen. `placeholders` are those that the spec fills.
pub fn verify(spec: &EngageDestinationSpec, placeholders: &BTreeSet<String>, observed: &Observed) -> Verdict {
    let Observed { service, templates, senders, flow, flex, tasks } = observed;
    let mut checks = Checks::default();
    if let (Some(whatsapp), Some(look)) = (&spec.whatsapp, service)
        && let Some(service) = checks.seen("the Messaging Service of spec.whatsapp.messagingServiceSid", look)
    {
        check_service(&whatsapp.messaging_service_sid, service.as_deref(), &mut checks);
    }
    if let (Some(template), Some(look)) = (spec.template(), templates)
        && let Some(shown) = checks.seen(&format!("the template of {}", template.field), look)
    {
        match choose(template, shown) {
            Ok(chosen) => check_template(template.field, chosen, placeholders, &mut checks),
            Err(finding) => checks.findings.push(finding),
        }
    }
    if let (Some((field, numbers)), Some(look)) = (spec.twilio_numbers(), senders)
        && let Some(senders) = checks.seen(&format!("the WhatsApp senders of {field}"), look)
    {
        check_numbers(field, numbers, senders, &mut checks);
    }
    if let Some(flow) = flow {
        check_flow(flow, &mut checks);
    }
    if let Some(flex) = flex {
        check_flex(flex, spec.interaction.is_some(), &mut checks);
    }
    if let Some(tasks) = tasks {
        check_tasks(tasks, &mut checks);
    }
    checks.verdict()
}

fn check_service(sid: &str, senders: Option<&[E164]>, checks: &mut Checks) {
    let field = "spec.whatsapp.messagingServiceSid";
    match senders {
        None => checks.disprove(
            reasons::MESSAGING_SERVICE_NOT_FOUND,
            format!("{field}: the account has no Messaging Service {sid}: correct the SID, or the credentials"),
        ),
        Some([]) => checks.disprove(
            reasons::NO_WHATSAPP_SENDER,
            format!("{field}: {sid} has no WhatsApp sender: add the one to send from to its sender pool"),
        ),
        Some([_]) => {}
        Some(several) => checks.disprove(
            reasons::SEVERAL_WHATSAPP_SENDERS,
            format!(
                "{field}: {sid} has {} WhatsApp senders ({}), and replies have to reach the one that sent: leave one in its sender pool",
                several.len(),
                several.iter().take(5).map(E164::as_str).collect::<Vec<_>>().join(", ")
            ),
        ),
    }
}

fn check_template(field: &str, template: &Template, filled: &BTreeSet<String>, checks: &mut Checks) {
    let Template { sid, name, language: _, placeholders, approval, bodies: _, rejection_reason } = template;
    let name = name.as_deref().unwrap_or(sid.as_str());
    match approval.as_deref().unwrap_or("unsubmitted") {
        APPROVED => {}
        status if NOT_APPROVED.contains(&status) => {
            let advice = match status {
                "unsubmitted" => "submit it for approval",
                "rejected" => "change it and submit it again",
                _ if UNDER_WAY.contains(&status) => "WhatsApp has yet to decide",
                _ => "see in the Console why",
            };
            let why = rejection_reason.as_deref().filter(|why| !why.is_empty());
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            checks.findings.push(Finding {
                reason: reasons::CONTENT_NOT_APPROVED,
                message: format!("{field}: template `{name}` is {status} for WhatsApp{why}, and only an approved one may be sent: {advice}"),
                may_pass: UNDER_WAY.contains(&status),
            });
        }
        unknown => checks.not_understood(format!("{field}: template `{name}` has the unknown approval `{unknown}`")),
    }
    let missing: Vec<&str> = placeholders.difference(filled).map(String::as_str).collect();
    let extra: Vec<&str> = filled.difference(placeholders).map(String::as_str).collect();
    if !missing.is_empty() || !extra.is_empty() {
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("{} not filled", braced(&missing)));
        }
        if !extra.is_empty() {
            parts.push(format!("{} not in the template", braced(&extra)));
        }
        let variables =
            if field.starts_with("spec.whatsapp") { "includeTraits or contentVariables" } else { "contentVariables" };
        checks.disprove(
            reasons::CONTENT_VARIABLES_MISMATCH,
            format!("{field}: the placeholders of template `{name}` and {variables} differ: {}", parts.join("; ")),
        );
    }
}

fn check_numbers(field: &str, numbers: &[String], senders: &[WhatsAppSender], checks: &mut Checks) {
    // A number that does not parse was refused by `validate`.
    for number in numbers.iter().filter_map(|number| number.parse::<E164>().ok()) {
        let sender = senders.iter().find(|sender| sender.number().as_ref() == Some(&number));
        match sender {
            None => checks.disprove(
                reasons::SENDER_NOT_FOUND,
                format!("{field}: {number} is not a WhatsApp sender of the account: register it, or correct the number"),
            ),
            Some(sender) if sender.is_online() => {}
            Some(sender) => match sender.status.as_deref() {
                Some(status) if NOT_ONLINE.contains(&status) => checks.disprove(
                    reasons::SENDER_OFFLINE,
                    format!("{field}: WhatsApp sender {number} is {status}, and only an ONLINE one sends: see in the Console why"),
                ),
                status => checks.not_understood(format!(
                    "{field}: WhatsApp sender {number} has the unknown status `{}`",
                    status.unwrap_or_default()
                )),
            },
        }
    }
}

fn check_flow(flow: &ObservedFlow, checks: &mut Checks) {
    match flow {
        ObservedFlow::NotProvisioned { name } => checks.findings.push(Finding {
            reason: reasons::FLOW_NOT_READY,
            message: format!(
                "spec.conversation.flowRef: StudioFlow `{name}` has no flow in the account yet; `kubectl get studioflow {name}` says why"
            ),
            may_pass: true,
        }),
        ObservedFlow::InOtherAccount { name, theirs, ours } => checks.disprove(
            reasons::FLOW_IN_OTHER_ACCOUNT,
            format!(
                "spec.conversation.flowRef: StudioFlow `{name}` is in account {theirs} and this destination sends from {ours}: give both the same credentials"
            ),
        ),
        ObservedFlow::Asked { sid, managed_by, found } => {
            let field = if managed_by.is_some() { "spec.conversation.flowRef" } else { "spec.conversation.flowSid" };
            let Some(facts) = checks.seen(&format!("the flow of {field}"), found) else { return };
            check_flow_facts(field, sid, managed_by.as_ref(), *facts, checks);
        }
    }
}

fn check_flow_facts(field: &str, sid: &str, manager: Option<&Manager>, facts: Option<FlowFacts>, checks: &mut Checks) {
    let published = facts.and_then(|facts| facts.published);
    // The StudioFlow was told by Studio itself what it has published; a reader may be shown it a little later.
    let seen = published.and_then(|published| published.revision);
    if manager.is_some_and(|manager| facts.is_none() || seen < manager.published_revision) {
        let message = format!("{field}: Twilio does not show the published revision of flow {sid} yet");
        return checks.unchecked.push(Unchecked { message, error: None, transient: true });
    }
    match (facts, published) {
        (None, _) => checks.disprove(
            reasons::FLOW_NOT_FOUND,
            format!("{field}: the account has no flow {sid}: correct the SID, or the credentials"),
        ),
        (Some(_), None) => {
            let advice = match manager {
                Some(Manager { name, published_revision: _ }) => {
                    format!("set spec.publish of StudioFlow `{name}` to true")
                }
                None => "publish it in Studio".to_owned(),
            };
            let message = format!("{field}: no revision of flow {sid} is published: {advice}");
            checks.disprove(reasons::FLOW_NOT_PUBLISHED, message);
        }
        (Some(_), Some(PublishedFlow { revision: _, connects_conversations: true })) => {}
        (Some(_), Some(PublishedFlow { revision, connects_conversations: false })) => {
            let revision = revision.map(|revision| format!("revision {revision}")).unwrap_or_default();
            let message = format!(
                "{field}: the trigger of flow {sid} ({revision}, which serves customers) leads nowhere for incomingConversationMessage, so a reply would go unanswered: connect it"
            );
            checks.disprove(reasons::FLOW_TRIGGER_MISSING, message);
        }
    }
}

/// Flex works with conversations of its own service only, and what names no service is made in the account's default one. A
/// conversation can do without Flex, so there what may not be read is not needed.
fn check_flex(flex: &ObservedFlex, needed: bool, checks: &mut Checks) {
    let ObservedFlex { configuration, default_service } = flex;
    let refused = configuration.as_ref().is_err_and(|error| !error.is_transient());
    if !needed && (refused || matches!(configuration, Ok(None))) {
        return;
    }
    let Some(configuration) = checks.seen("the Flex configuration of the account", configuration) else { return };
    let Some(configuration) = configuration else {
        let message = "spec.interaction: the account has no Flex, whose agents get the tasks: set up Flex, or correct the \
                       credentials";
        return checks.disprove(reasons::FLEX_NOT_SET_UP, message.to_owned());
    };
    match configuration.status.as_deref() {
        Some(status @ ("inprogress" | "notstarted")) if needed => {
            let message = format!("spec.interaction: the set-up of Flex is `{status}`: finish it in the Console");
            return checks.disprove(reasons::FLEX_NOT_SET_UP, message);
        }
        _ => {}
    }
    let services: Vec<&str> = [&configuration.chat_service_instance_sid, &configuration.flex_service_instance_sid]
        .into_iter()
        .filter_map(|service| service.as_deref())
        .collect();
    let Some(Some(default)) = checks.seen("the account's configuration of Conversations", default_service) else {
        return;
    };
    if let Some(service) = services.first()
        && !services.contains(&&**default)
    {
        let message = format!(
            "spec: the account's default service of Conversations is {default}, and Flex's is {service}, so its agents would not see \
             the conversation: make Flex's the default one"
        );
        checks.disprove(reasons::NOT_FLEX_SERVICE, message);
    }
}

fn check_tasks(tasks: &ObservedTasks, checks: &mut Checks) {
    let ObservedTasks { workspace, workflow, task_channel } = tasks;
    for (field, reason, named) in [
        ("spec.interaction.workspace", reasons::WORKSPACE_NOT_FOUND, workspace),
        ("spec.interaction.workflow", reasons::WORKFLOW_NOT_FOUND, workflow),
        ("spec.interaction.taskChannel", reasons::TASK_CHANNEL_NOT_FOUND, task_channel),
    ] {
        let Some(look) = named else { continue };
        if let Some(Err(Unfound { ambiguous, message })) = checks.seen(&format!("what {field} names"), look) {
            let reason = if *ambiguous { reasons::REFERENCE_AMBIGUOUS } else { reason };
            checks.disprove(reason, format!("{field}: {message}"));
        }
    }
}

/// What the checks have found so far.
#[derive(Debug, Default)]
struct Checks {
    findings: Vec<Finding>,
    unchecked: Vec<Unchecked>,
    /// Twilio took the credentials at least once.
    signed_in: bool,
    rejected: Option<(String, Arc<TwilioError>)>,
}

impl Checks {
    /// What was seen, if anything was.
    fn seen<'a, T>(&mut self, what: &str, look: &'a Look<T>) -> Option<&'a T> {
        match look {
            Ok(seen) => {
                self.signed_in = true;
                return Some(seen);
            }
            Err(error) if is_unauthorized(error) => self.rejected = Some((what.to_owned(), Arc::clone(error))),
            Err(error) => self.could_not_read(what, error),
        }
        None
    }

    fn disprove(&mut self, reason: &'static str, message: String) {
        self.findings.push(Finding { reason, message, may_pass: false });
    }

    fn could_not_read(&mut self, what: &str, error: &Arc<TwilioError>) {
        let transient = error.is_transient();
        let advice = if transient { "" } else { "; let the credentials read it, or set spec.verification to Warn" };
        let message = format!("failed to read {what}: {error}{advice}");
        self.unchecked.push(Unchecked { message, error: Some(Arc::clone(error)), transient });
    }

    fn not_understood(&mut self, message: String) {
        self.unchecked.push(Unchecked { message, error: None, transient: false });
    }

    /// Credentials that Twilio takes for one thing are not wrong because it refuses another.
    fn verdict(mut self) -> Verdict {
        match self.rejected.take() {
            Some((what, error)) if self.signed_in => self.could_not_read(&what, &error),
            Some((_, error)) => self.findings.insert(
                0,
                Finding {
                    reason: reasons::CREDENTIALS_REJECTED,
                    message: format!(
                        "spec.twilio.credentialsRef: Twilio does not take the credentials ({error}): put the current ones into the Secret"
                    ),
                    may_pass: false,
                },
            ),
            None => {}
        }
        let Self { findings, unchecked, signed_in: _, rejected: _ } = self;
        match (findings.is_empty(), unchecked.is_empty()) {
            (false, _) => Verdict::Disproved(findings),
            (true, false) => Verdict::Unchecked(unchecked),
            (true, true) => Verdict::Holds,
        }
    }
}

fn braced(names: &[&str]) -> String {
    names.iter().map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(", ")
}
