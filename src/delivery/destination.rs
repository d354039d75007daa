//! A destination made ready to serve: its expressions and templates parsed, its identifiers read. Made once for each
//! generation of its spec, and from then on only read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    api::{
        EngageDestinationSpec, EngageDestinationStatus, Period,
        admission::Rejection,
        engage_destination::{
            Consent, Conversation, Delivery, Interaction, OnActiveConversation, OnSameEntry, OnUnknownOutcome,
            OpeningMessage, Phone, SegmentRegion, SubscriptionConsent, Whatsapp,
        },
        references::{ContentName, OutcomesCredentialsRef, SegmentCredentialsRef, TwilioCredentialsRef},
    },
    delivery::{
        condition::When, pace::CONVERSATIONS_A_SECOND, phone::Region, task, template::Template, variables::Variables,
    },
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
    /// Absent: nobody is asked.
    pub consent: Option<ConsentBy>,
    pub action: Action,
    pub limits: Limits,
    /// Every trait that deciding and sending reads.
    pub traits: BTreeSet<String>,
    /// Placeholders that the action fills, without braces.
    pub placeholders: BTreeSet<String>,
}

/// By what it is known whether a recipient has agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentBy {
    /// A trait that is true.
    Trait(String),
    /// The WhatsApp subscription of the number, as the event tells it.
    Subscription(SubscriptionConsent),
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

    /// The template that it sends, if it sends one.
    pub fn content(&self) -> Option<&ContentSource> {
        match self {
            Self::Whatsapp(action) => Some(&action.content),
            Self::Conversation(action) => action.opening.as_ref().map(|opening| &opening.content),
            Self::Interaction(_) => None,
        }
    }
}

/// A template by the Messages API.
#[derive(Debug)]
pub struct WhatsappAction {
    pub messaging_service: MessagingServiceSid,
    pub content: ContentSource,
    pub variables: Variables,
    /// How long Twilio may try to deliver it; absent: as long as Twilio does.
    pub validity: Option<Duration>,
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
    /// What follows when none of the numbers is free.
    pub on_active: OnActiveConversation,
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
    pub content: ContentSource,
    pub variables: Variables,
}

/// Which template is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum ContentSource {
    Sid(ContentSid),
    /// A template by name; its SID is in the destination's status.
    Name,
}

impl ContentSource {
    /// The template's SID; `None` while the controller has not found one of that name.
    pub fn sid(&self, status: Option<&EngageDestinationStatus>) -> Option<ContentSid> {
        match self {
            Self::Sid(sid) => Some(sid.clone()),
            Self::Name => status?.content.as_ref()?.sid.parse().ok(),
        }
    }
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
    /// How near to each other events tell of one entry, of which one is acted on; absent: each is.
    pub entry_cool_down: Option<Duration>,
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
        let consent = consent.as_ref().and_then(|consent| consent_by(consent, &mut problems));
        let limits = limits(delivery, most_a_second(spec));
        let Some(action) = action.filter(|_| problems.0.is_empty()) else { return Err(problems.0) };

        let mut traits = BTreeSet::from([phone_trait.clone()]);
        traits.extend(when.iter().flat_map(|when| when.traits().clone()));
        if let Some(ConsentBy::Trait(name)) = &consent {
            traits.insert(name.clone());
        }
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
            consent,
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

/// Sends a second: as the spec says, and no more conversations than Twilio lets an account make.
pub fn most_a_second(spec: &EngageDestinationSpec) -> u32 {
    let rate = u32::try_from(spec.delivery.rate).unwrap_or(1).max(1);
    if spec.whatsapp.is_none() { rate.min(CONVERSATIONS_A_SECOND) } else { rate }
}

fn limits(delivery: &Delivery, rate: u32) -> Limits {
    let Delivery { rate: _, max_age, dedupe_window, settle, on_unknown_outcome, on_same_entry, entry_cool_down } =
        delivery;
    Limits {
        rate,
        max_age: max_age.as_duration(),
        dedupe_window: dedupe_window.as_duration(),
        settle: settle.as_duration(),
        on_unknown: *on_unknown_outcome,
        entry_cool_down: (*on_same_entry == OnSameEntry::Skip).then(|| entry_cool_down.as_duration()),
    }
}

fn consent_by(consent: &Consent, problems: &mut Problems) -> Option<ConsentBy> {
    match (&consent.trait_name, consent.subscription) {
        (Some(name), None) => Some(ConsentBy::Trait(name.clone())),
        (None, Some(subscription)) => Some(ConsentBy::Subscription(subscription)),
        (Some(_), Some(_)) | (None, None) => {
            problems.add("spec.consent", "consent is known by one thing: set either trait or subscription".into());
            None
        }
    }
}

fn whatsapp_action(whatsapp: &Whatsapp, problems: &mut Problems) -> Option<WhatsappAction> {
    let Whatsapp { messaging_service_sid, content_sid, content, include_traits, content_variables, validity } =
        whatsapp;
    let messaging_service = problems.take("spec.whatsapp.messagingServiceSid", messaging_service_sid.parse());
    let content = content_source("spec.whatsapp", content_sid.as_deref(), content.as_ref(), problems);
    let variables = match (include_traits, content_variables) {
        (Some(traits), None) => Some(Variables::Positional(traits.clone())),
        (None, Some(templates)) => named("spec.whatsapp.contentVariables", templates, problems),
        (None, None) => Some(Variables::Named(BTreeMap::new())),
        (Some(_), Some(_)) => {
            problems.add("spec.whatsapp", "set includeTraits or contentVariables, not both".into());
            None
        }
    };
    let validity = validity.map(Period::as_duration);
    Some(WhatsappAction { messaging_service: messaging_service?, content: content?, variables: variables?, validity })
}

fn conversation_action(conversation: &Conversation, problems: &mut Problems) -> Option<ConversationAction> {
    let Conversation { flow_ref, flow_sid, timeout, twilio_number, opening_message, on_active_conversation } =
        conversation;
    let flow = match (flow_ref, flow_sid) {
        (Some(flow), None) => Some(FlowSource::StudioFlow(flow.name.clone())),
        (None, Some(sid)) => problems.take("spec.conversation.flowSid", sid.parse()).map(FlowSource::Sid),
        (Some(_), Some(_)) | (None, None) => {
            problems.add("spec.conversation", "name the flow once: set either flowRef or flowSid".into());
            None
        }
    };
    let numbers = numbers("spec.conversation.twilioNumber", twilio_number, problems);
    let on_active = *on_active_conversation;
    if on_active == OnActiveConversation::Reuse && opening_message.is_none() {
        problems.add("spec.conversation", "onActiveConversation: Reuse needs an openingMessage to send".into());
    }
    let opening = match opening_message {
        None => Some(None),
        Some(OpeningMessage { content_sid, content, content_variables }) => {
            let field = "spec.conversation.openingMessage";
            let content = content_source(field, content_sid.as_deref(), content.as_ref(), problems);
            let variables = named("spec.conversation.openingMessage.contentVariables", content_variables, problems);
            content.zip(variables).map(|(content, variables)| Some(Opening { content, variables }))
        }
    };
    Some(ConversationAction { flow: flow?, close_after: *timeout, numbers, opening: opening?, on_active })
}

fn content_source(
    field: &str,
    sid: Option<&str>,
    name: Option<&ContentName>,
    problems: &mut Problems,
) -> Option<ContentSource> {
    match (sid, name) {
        (Some(sid), None) => problems.take(&format!("{field}.contentSid"), sid.parse()).map(ContentSource::Sid),
        (None, Some(_)) => Some(ContentSource::Name),
        (Some(_), Some(_)) | (None, None) => {
            problems.add(field, "name the template once: set either contentSid or content".into());
            None
        }
    }
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
    #[test]
    fn a_template_is_named_once() {
        let named = |content: &serde_json::Value| {
            let mut action = json!({"messagingServiceSid": sid("MG")});
            action.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
            compile(&json!({ "whatsapp": action }))
        };
        let by_name = json!({"friendlyName": "lead_welcome"});
        let destination = named(&json!({"content": by_name})).unwrap();
        assert_eq!(destination.action.content(), Some(&ContentSource::Name));
        for wrong in [json!({}), json!({"content": by_name, "contentSid": sid("HX")})] {
            let problems = named(&wrong).unwrap_err();
            assert_eq!(
                problems[0].to_string(),
                "spec.whatsapp: name the template once: set either contentSid or content"
            );
        }
    }
}
