//! A destination made ready to serve: its expressions and templates parsed, its identifiers read. Made once for each
//! generation of its spec, and from then on only read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    api::{
        EngageDestinationSpec,
        admission::Rejection,
        engage_destination::{
            Conversation, Delivery, Interaction, OnUnknownOutcome, OpeningMessage, Phone, SegmentRegion, Whatsapp,
        },
        references::{OutcomesCredentialsRef, SegmentCredentialsRef, TwilioCredentialsRef},
    },
    delivery::{condition::When, phone::Region, task, template::Template, variables::Variables},
    twilio::{
        E164,
        sid::{ContentSid, FlowSid, MessagingServiceSid},
    },
};

/// A destination whose spec has been found to make sense.
#[derive(Debug)]
pub struct Destination {
    pub twilio: TwilioCredentialsRef,
    pub segment: SegmentCredentialsRef,
    /// Where the write key is, if Segment is told what becomes of messages.
    pub outcomes: Option<OutcomesCredentialsRef>,
    /// Space to read profiles in; absent: the event's own.
    pub space_id: Option<String>,
    pub region: SegmentRegion,
    pub when: Option<When>,
    pub phone_trait: String,
    pub phone_region: Option<Region>,
    pub consent_trait: Option<String>,
    pub action: Action,
    pub limits: Limits,
    /// Every trait that deciding and sending reads.
    pub traits: BTreeSet<String>,
    /// Placeholders that the action fills, without braces.
    pub placeholders: BTreeSet<String>,
}

/// What a destination does with an event.
#[derive(Debug)]
pub enum Action {
    Whatsapp(WhatsappAction),
    Conversation(ConversationAction),
    Interaction(InteractionAction),
}

impl Action {
    /// The word for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Whatsapp(_) => "whatsapp",
            Self::Conversation(_) => "conversation",
            Self::Interaction(_) => "interaction",
        }
    }
}

/// A template by the Messages API.
#[derive(Debug)]
pub struct WhatsappAction {
    pub messaging_service: MessagingServiceSid,
    pub content: ContentSid,
    pub variables: Variables,
}

/// A conversation whose replies start a flow.
#[derive(Debug)]
pub struct ConversationAction {
    pub flow: FlowSource,
    /// Seconds; zero for never.
    pub close_after: i64,
    /// Our numbers, in the order in which they are tried.
    pub numbers: Vec<E164>,
    pub opening: Option<Opening>,
}

/// A task of an agent, and a conversation that it is about. Where it goes is looked up by the controller.
#[derive(Debug)]
pub struct InteractionAction {
    /// Seconds; zero for never.
    pub close_after: i64,
    /// Our numbers, in the order in which they are tried.
    pub numbers: Vec<E164>,
    pub attributes: BTreeMap<String, Template>,
    pub priority: Option<i32>,
    /// Seconds that the task may wait.
    pub task_timeout: Option<i64>,
}

/// A template inside the conversation.
#[derive(Debug)]
pub struct Opening {
    pub content: ContentSid,
    pub variables: Variables,
}

/// Which flow a reply starts.
#[derive(Debug, PartialEq, Eq)]
pub enum FlowSource {
    Sid(FlowSid),
    /// A StudioFlow; its SID is in the destination's status.
    StudioFlow(String),
}

/// Pace, patience and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sends a second.
    pub rate: u32,
    pub max_age: Duration,
    pub dedupe_window: Duration,
    pub settle: Duration,
    pub on_unknown: OnUnknownOutcome,
}

impl Destination {
    /// Reads a spec. All that is wrong with it is reported at once, by field.
    pub fn compile(spec: &EngageDestinationSpec) -> Result<Self, Vec<Rejection>> {
        let EngageDestinationSpec {
            suspend: _,
            twilio,
            segment,
            when,
            phone,
            consent,
            whatsapp,
            conversation,
            interaction,
            delivery,
            outcomes,
            verification: _,
            resync_interval: _,
        } = spec;
        let mut problems = Problems::default();
        let when = when.as_deref().and_then(|when| problems.take("spec.when", When::parse(when)));
        let Phone { trait_name: phone_trait, default_region } = phone;
        let phone_region = default_region.as_deref().and_then(|code| {
            let region = Region::parse(code);
            if region.is_none() {
                problems.add("spec.phone.defaultRegion", format!("`{code}` is not a region of ISO 3166-1"));
            }
            region
        });
        let action = match (whatsapp, conversation, interaction) {
            (Some(whatsapp), None, None) => whatsapp_action(whatsapp, &mut problems).map(Action::Whatsapp),
            (None, Some(conversation), None) => {
                conversation_action(conversation, &mut problems).map(Action::Conversation)
            }
            (None, None, Some(interaction)) => interaction_action(interaction, &mut problems).map(Action::Interaction),
            _ => {
                let message = "a destination does exactly one thing: set one of whatsapp, conversation and interaction";
                problems.add("spec", message.into());
                None
            }
        };
        let limits = limits(delivery);
        let Some(action) = action.filter(|_| problems.0.is_empty()) else { return Err(problems.0) };

        let mut traits = BTreeSet::from([phone_trait.clone()]);
        traits.extend(when.iter().flat_map(|when| when.traits().clone()));
        traits.extend(consent.iter().map(|consent| consent.trait_name.clone()));
        let placeholders = match &action {
            Action::Whatsapp(action) => {
                traits.extend(action.variables.traits());
                action.variables.placeholders()
            }
            Action::Conversation(action) => {
                // The agent sees the customer's name.
                traits.insert(NAME_TRAIT.to_owned());
                traits.extend(action.opening.iter().flat_map(|opening| opening.variables.traits()));
                action.opening.iter().flat_map(|opening| opening.variables.placeholders()).collect()
            }
            Action::Interaction(action) => {
                traits.insert(NAME_TRAIT.to_owned());
                traits.extend(action.attributes.values().flat_map(|template| template.traits().clone()));
                BTreeSet::new()
            }
        };
        Ok(Self {
            twilio: twilio.credentials_ref.clone(),
            segment: segment.credentials_ref.clone(),
            outcomes: outcomes.as_ref().map(|outcomes| outcomes.credentials_ref.clone()),
            space_id: segment.space_id.clone(),
            region: segment.region,
            when,
            phone_trait: phone_trait.clone(),
            phone_region,
            consent_trait: consent.as_ref().map(|consent| consent.trait_name.clone()),
            action,
            limits,
            traits,
            placeholders,
        })
    }
}

/// Trait with the customer's name, which a conversation carries to the agent.
pub const NAME_TRAIT: &str = "name";

/// All that is wrong with a spec.
#[derive(Default)]
struct Problems(Vec<Rejection>);

impl Problems {
    fn add(&mut self, field: &str, message: String) {
        self.0.push(Rejection { field: field.to_owned(), message });
    }

    fn take<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error.to_string())).ok()
    }
}

fn limits(delivery: &Delivery) -> Limits {
    let Delivery { rate, max_age, dedupe_window, settle, on_unknown_outcome } = delivery;
    Limits {
        rate: u32::try_from(*rate).unwrap_or(1).max(1),
        max_age: max_age.as_duration(),
        dedupe_window: dedupe_window.as_duration(),
        settle: settle.as_duration(),
        on_unknown: *on_unknown_outcome,
    }
}

fn whatsapp_action(whatsapp: &Whatsapp, problems: &mut Problems) -> Option<WhatsappAction> {
    let Whatsapp { messaging_service_sid, content_sid, include_traits, content_variables } = whatsapp;
    let messaging_service = problems.take("spec.whatsapp.messagingServiceSid", messaging_service_sid.parse());
    let content = problems.take("spec.whatsapp.contentSid", content_sid.parse());
    let variables = match (include_traits, content_variables) {
        (Some(traits), None) => Some(Variables::Positional(traits.clone())),
        (None, Some(templates)) => named("spec.whatsapp.contentVariables", templates, problems),
        (None, None) => Some(Variables::Named(BTreeMap::new())),
        (Some(_), Some(_)) => {
            problems.add("spec.whatsapp", "set includeTraits or contentVariables, not both".into());
            None
        }
    };
    Some(WhatsappAction { messaging_service: messaging_service?, content: content?, variables: variables? })
}

fn conversation_action(conversation: &Conversation, problems: &mut Problems) -> Option<ConversationAction> {
    let Conversation { flow_ref, flow_sid, timeout, twilio_number, opening_message } = conversation;
    let flow = match (flow_ref, flow_sid) {
        (Some(flow), None) => Some(FlowSource::StudioFlow(flow.name.clone())),
        (None, Some(sid)) => problems.take("spec.conversation.flowSid", sid.parse()).map(FlowSource::Sid),
        (Some(_), Some(_)) | (None, None) => {
            problems.add("spec.conversation", "name the flow once: set either flowRef or flowSid".into());
            None
        }
    };
    let numbers = numbers("spec.conversation.twilioNumber", twilio_number, problems);
    let opening = match opening_message {
        None => Some(None),
        Some(OpeningMessage { content_sid, content_variables }) => {
            let content = problems.take("spec.conversation.openingMessage.contentSid", content_sid.parse());
            let variables = named("spec.conversation.openingMessage.contentVariables", content_variables, problems);
            content.zip(variables).map(|(content, variables)| Some(Opening { content, variables }))
        }
    };
    Some(ConversationAction { flow: flow?, close_after: *timeout, numbers, opening: opening? })
}

fn interaction_action(interaction: &Interaction, problems: &mut Problems) -> Option<InteractionAction> {
    // Where the task goes is for the controller to look up.
    let Interaction {
        workspace: _,
        workflow: _,
        task_channel: _,
        twilio_number,
        timeout,
        attributes,
        priority,
        task_timeout,
    } = interaction;
    let numbers = numbers("spec.interaction.twilioNumber", twilio_number, problems);
    for name in attributes.keys().filter(|name| task::is_reserved(name)) {
        let message = format!("Flex or this operator sets `{name}` itself; choose another name");
        problems.add(&format!("spec.interaction.attributes[\"{name}\"]"), message);
    }
    let attributes = parsed("spec.interaction.attributes", attributes, problems)?;
    Some(InteractionAction {
        close_after: *timeout,
        numbers,
        attributes,
        priority: *priority,
        task_timeout: *task_timeout,
    })
}

/// Our numbers in the order of the spec, each once.
fn numbers(field: &str, listed: &[String], problems: &mut Problems) -> Vec<E164> {
    let mut numbers: Vec<E164> = Vec::with_capacity(listed.len());
    for (index, number) in listed.iter().enumerate() {
        if let Some(number) = problems.take(&format!("{field}[{index}]"), number.parse::<E164>())
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
    }
    numbers
}

fn named(field: &str, templates: &BTreeMap<String, String>, problems: &mut Problems) -> Option<Variables> {
    parsed(field, templates, problems).map(Variables::Named)
}

fn parsed(
    field: &str,
    templates: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, Template>> {
    let mut parsed = BTreeMap::new();
    let mut complete = true;
    for (placeholder, source) in templates {
        match problems.take(&format!("{field}[\"{placeholder}\"]"), Template::parse(source)) {
            Some(template) => drop(parsed.insert(placeholder.clone(), template)),
            None => complete = false,
        }
    }
    complete.then_some(parsed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compile(spec: &serde_json::Value) -> Result<Destination, Vec<Rejection>> {
        let mut whole = json!({
            "twilio": {"credentialsRef": {"name": "twilio"}},
            "segment": {"credentialsRef": {"name": "segment"}},
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap());
        Destination::compile(&serde_json::from_value(whole).unwrap())
    }

    fn sid(prefix: &str) -> String {
        format!("{prefix}{}", "0".repeat(32))
    }

    #[test]
    fn every_trait_that_is_read_is_known() {
        let destination = compile(&json!({
            "when": "traits.plan != 'free'", "consent": {"trait": "opt_in"}, "phone": {"trait": "mobile"},
            "whatsapp": {"messagingServiceSid": sid("MG"), "contentSid": sid("HX"),
                "contentVariables": {"1": "{{ profile.traits.first_name | default: 'there' }}"}}
        }))
        .unwrap();
        assert_eq!(destination.traits.iter().collect::<Vec<_>>(), ["first_name", "mobile", "opt_in", "plan"]);
        assert_eq!(destination.placeholders.iter().collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_by_field() {
        let problems = compile(&json!({
            "when": "traits[event.x]", "phone": {"trait": "phone", "defaultRegion": "ZZ"},
            "conversation": {"flowSid": "FW1", "twilioNumber": ["+5511900000001", "0119"],
                "openingMessage": {"contentSid": sid("HX"), "contentVariables": {"1": "{{ name }}"}}}
        }))
        .unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.when",
                "spec.phone.defaultRegion",
                "spec.conversation.flowSid",
                "spec.conversation.twilioNumber[1]",
                "spec.conversation.openingMessage.contentVariables[\"1\"]",
            ]
        );
        let problems = compile(&json!({
            "interaction": {"workflow": {"sid": sid("WW")}, "taskChannel": {"uniqueName": "chat"}, "twilioNumber": ["0119"],
                "attributes": {"conversationSid": "CH1", "plan": "{{ plan }}"}}
        }))
        .unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.interaction.twilioNumber[0]",
                "spec.interaction.attributes[\"conversationSid\"]",
                "spec.interaction.attributes[\"plan\"]",
            ]
        );
    }
}
