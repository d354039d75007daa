//! `engage-operator preview`: what would become of an event, and the exact requests. Nothing is sent and nobody is asked.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    api::{EngageDestination, ObjectKey, engage_destination::OnActiveConversation},
    delivery::{
        destination::{Action, ConversationAction, Destination, FlowSource, NAME_TRAIT},
        outcome::Final,
        plan::{Delivery, Resolved, plan, select},
    },
    segment::{Event, body::Body},
    standalone::{folder, state::uid_of},
    twilio::{
        BaseUrls, CallbackUrls, Request,
        interactions::TaskPlace,
        sid::{FlowSid, TaskChannelSid, WorkflowSid, WorkspaceSid},
    },
};

/// Print what would become of an event, and the exact requests to Twilio. Nothing is sent.
///
/// Traits come from the event and from --traits, as they would from the profile; what is in neither counts as missing there.
/// The UniqueName of a conversation follows from metadata.uid: without one in the file it is the one that `run` gives.
/// The SID of a template by name is that of the file's status, or else in braces.
/// Exit code 0 when every event would be sent or suppressed, 1 when one would be rejected or something is wrong with the files.
#[derive(Debug, Args)]
pub struct Preview {
    /// File with the EngageDestination, as YAML; may hold other resources too.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,

    /// Name of the destination, when the file has several.
    #[arg(long)]
    name: Option<String>,

    /// File with the event as Segment sends it, or an array of events; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    event: PathBuf,

    /// File with the traits of the profile: a JSON object, or the answer of the Profile API.
    #[arg(short, long, value_name = "FILE")]
    traits: Option<PathBuf>,

    /// SID of the flow, when the destination names a StudioFlow.
    #[arg(long, value_name = "SID", default_value = "FW00000000000000000000000000000000")]
    flow_sid: FlowSid,

    /// SID of the workspace that tasks go to, when the destination names it otherwise.
    #[arg(long, value_name = "SID", default_value = "WS00000000000000000000000000000000")]
    workspace_sid: WorkspaceSid,

    /// SID of the workflow of tasks, when the destination names it otherwise.
    #[arg(long, value_name = "SID", default_value = "WW00000000000000000000000000000000")]
    workflow_sid: WorkflowSid,

    /// SID of the task channel of tasks, when the destination names it otherwise.
    #[arg(long, value_name = "SID", default_value = "TC00000000000000000000000000000000")]
    task_channel_sid: TaskChannelSid,

    /// Address under which Twilio would reach the gateway; with it messages ask for callbacks.
    #[arg(long, env = "ENGAGE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What would become of one event.
struct Previewed {
    message_id: String,
    /// Traits that nothing brings.
    missing: Vec<String>,
    result: Result<Planned, Final>,
}

/// The requests, and those when every number of ours is in an open conversation with the customer.
struct Planned {
    requests: Vec<Request>,
    when_active: Option<(OnActiveConversation, Vec<Request>)>,
}

impl Planned {
    /// Writes `name` in place of the template's SID, which is not known.
    fn name_content(&mut self, name: &str) {
        let when_active = self.when_active.iter_mut().flat_map(|(_, requests)| requests);
        let parameters = self.requests.iter_mut().chain(when_active).flat_map(|request| &mut request.form);
        for (_, sid) in parameters.filter(|(parameter, _)| *parameter == "ContentSid") {
            name.clone_into(sid);
        }
    }
}

/// The account is in the Secret, which is not read.
const ACCOUNT: &str = "{AccountSid}";
/// What is printed of a template by name that no status tells the SID of, and what stands in its place until then.
const CONTENT: &str = "{ContentSid}";
const NO_CONTENT: &str = "HX00000000000000000000000000000000";

impl Preview {
    pub fn execute(self) -> anyhow::Result<()> {
        let (key, resource) = destination(&self.file, self.name.as_deref())?;
        let destination = Destination::compile(&resource.spec).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("EngageDestination {key}: {}", problems.join("; "))
        })?;
        let profile = self.traits.as_deref().map(traits).transpose()?.unwrap_or_default();
        let uid = uid_of(&resource);
        let status = resource.status.as_ref().filter(|it| it.observed_generation == resource.metadata.generation);
        let content = destination.action.content().and_then(|content| content.sid(status));
        let callbacks = self.public_url.as_ref().map(CallbackUrls::at).transpose().context("--public-url")?;
        let text = read(&self.event)?;
        let body = Body::parse(&text).with_context(|| format!("--event {}", self.event.display()))?;
        let task_place = self.task_place(&resource);
        let found = Resolved { flow: Some(&self.flow_sid), content: content.as_ref(), task_place: Some(&task_place) };
        let mut previewed = Vec::new();
        for raw in body.events() {
            let event = Event::parse(raw.get()).with_context(|| format!("--event {}", self.event.display()))?;
            let callback = callbacks.as_ref().map(|callbacks| callbacks.of(&key, event.message_id.as_str()));
            previewed.push(preview(&destination, &uid, &event, &profile, found, callback));
        }
        let mut out = std::io::stdout().lock();
        let printed = match self.output {
            Output::Text => print(&mut out, &key, &previewed),
            Output::Json => writeln!(out, "{:#}", previewed.iter().map(as_json).collect::<Value>()),
        };
        // A closed pipe is the reader's business.
        if let Err(error) = printed
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(error.into());
        }
        let rejected = previewed.iter().filter(|event| matches!(event.result, Err(Final::Rejected { .. }))).count();
        if rejected > 0 {
            bail!("{rejected} of {} events would be rejected", previewed.len());
        }
        Ok(())
    }

    /// SIDs of the spec go before those of the flags.
    fn task_place(&self, resource: &EngageDestination) -> TaskPlace {
        let spec = resource.spec.interaction.as_ref();
        let workspace = spec.and_then(|spec| spec.workspace.as_ref()?.sid.as_deref()?.parse().ok());
        let workflow = spec.and_then(|spec| spec.workflow.sid.as_deref()?.parse().ok());
        let task_channel = spec.and_then(|spec| spec.task_channel.sid.as_deref()?.parse().ok());
        TaskPlace {
            workspace: workspace.unwrap_or_else(|| self.workspace_sid.clone()),
            workflow: workflow.unwrap_or_else(|| self.workflow_sid.clone()),
            task_channel: task_channel.unwrap_or_else(|| self.task_channel_sid.clone()),
        }
    }
}

fn preview(
    destination: &Destination,
    uid: &str,
    event: &Event,
    profile: &Map<String, Value>,
    found: Resolved<'_>,
    callback: Option<String>,
) -> Previewed {
    let message_id = event.message_id.to_string();
    if let Some(outcome) = select(destination, event, Timestamp::now()) {
        return Previewed { message_id, missing: Vec::new(), result: Err(outcome) };
    }
    let mut traits = Map::new();
    let mut missing = BTreeSet::new();
    for name in &destination.traits {
        match event.trait_value(name).or_else(|| profile.get(name).filter(|value| !value.is_null())) {
            Some(value) => drop(traits.insert(name.clone(), value.clone())),
            None if name == NAME_TRAIT => {}
            None => drop(missing.insert(name.clone())),
        }
    }
    let flow = match &destination.action {
        Action::Conversation(ConversationAction { flow: FlowSource::Sid(sid), .. }) => Some(sid),
        _ => found.flow,
    };
    let stand_in = NO_CONTENT.parse().ok();
    let content = found.content.or(stand_in.as_ref());
    let result = plan(destination, uid, event, &traits, Resolved { flow, content, ..found }).map(|mut delivery| {
        if let Delivery::Whatsapp(message) = &mut delivery {
            message.status_callback = callback;
        }
        let mut planned = Planned { requests: delivery.requests(ACCOUNT), when_active: delivery.when_active() };
        if found.content.is_none() {
            planned.name_content(CONTENT);
        }
        planned
    });
    Previewed { message_id, missing: missing.into_iter().collect(), result }
}

/// The destination of that name, or the only one.
fn destination(file: &Path, name: Option<&str>) -> anyhow::Result<(ObjectKey, EngageDestination)> {
    let objects = folder::read_file(file).with_context(|| format!("--file {}", file.display()))?;
    let known = objects.destinations.keys().map(|key| key.name.clone()).collect::<Vec<_>>().join(", ");
    let mut found: Vec<_> =
        objects.destinations.into_iter().filter(|(key, _)| name.is_none_or(|name| key.name == name)).collect();
    match (found.len(), objects.problems.first()) {
        (1, _) => Ok(found.remove(0)),
        (_, Some(problem)) => bail!("{problem}"),
        (0, None) if known.is_empty() => bail!("{}: no EngageDestination in it", file.display()),
        (0, None) => bail!("{}: no EngageDestination of that name; there are {known}", file.display()),
        (_, None) => bail!("{}: several EngageDestinations; say which with --name: {known}", file.display()),
    }
}

fn traits(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let wrong = || format!("--traits {}", file.display());
    let json: Value = serde_json::from_slice(&read(file)?).with_context(wrong)?;
    match json {
        Value::Object(mut fields) => match fields.remove("traits") {
            Some(Value::Object(traits)) => Ok(traits),
            Some(other) => {
                fields.insert("traits".to_owned(), other);
                Ok(fields)
            }
            None => Ok(fields),
        },
        _ => bail!("{}: not a JSON object", wrong()),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut text)?;
    } else {
        text = std::fs::read(file).with_context(|| file.display().to_string())?;
    }
    Ok(text)
}

fn print(out: &mut impl Write, key: &ObjectKey, previewed: &[Previewed]) -> std::io::Result<()> {
    for (index, Previewed { message_id, missing, result }) in previewed.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write!(out, "{key}, event {message_id}: ")?;
        if !missing.is_empty() {
            write!(out, "(missing: {}) ", missing.join(", "))?;
        }
        match result {
            Ok(Planned { requests, when_active }) => {
                writeln!(out, "{} request{}", requests.len(), if requests.len() == 1 { "" } else { "s" })?;
                print_requests(out, requests)?;
                if let Some((policy, requests)) = when_active {
                    writeln!(
                        out,
                        "\nIf every number is in an open conversation with this customer: {}",
                        says(*policy)
                    )?;
                    print_requests(out, requests)?;
                }
            }
            Err(outcome) => {
                let (word, detail) =
                    outcome.reason().map_or(("", ""), |reason| (reason.word.as_str(), reason.detail.as_str()));
                writeln!(out, "{}, {word}: {detail}", outcome.kind().as_str())?;
            }
        }
    }
    Ok(())
}

fn print_requests(out: &mut impl Write, requests: &[Request]) -> std::io::Result<()> {
    for request in requests {
        writeln!(out, "\nPOST {}", request.url(&BaseUrls::default()))?;
        let width = request.form.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &request.form {
            writeln!(out, "  {name:width$}  {value}")?;
        }
    }
    Ok(())
}

/// What a policy does, in words.
const fn says(policy: OnActiveConversation) -> &'static str {
    match policy {
        OnActiveConversation::Skip => "suppressed, ConversationActive",
        OnActiveConversation::Retry => "retry, ConversationActive, for as long as Segment repeats the event",
        OnActiveConversation::Reuse => {
            "one request, into a conversation that this operator made; if it made none, suppressed, ConversationActive"
        }
    }
}

fn requests_as_json(requests: &[Request]) -> Value {
    let as_json = |request: &Request| {
        let form: Map<String, Value> =
            request.form.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        json!({"method": "POST", "url": request.url(&BaseUrls::default()), "form": form})
    };
    requests.iter().map(as_json).collect()
}

fn as_json(previewed: &Previewed) -> Value {
    let Previewed { message_id, missing, result } = previewed;
    match result {
        Ok(Planned { requests, when_active }) => {
            let mut json = json!({
                "messageId": message_id,
                "missingTraits": missing,
                "requests": requests_as_json(requests),
            });
            if let Some((policy, requests)) = when_active {
                json["ifConversationActive"] =
                    json!({"policy": policy, "does": says(*policy), "requests": requests_as_json(requests)});
            }
            json
        }
        Err(outcome) => json!({
            "messageId": message_id,
            "missingTraits": missing,
            "outcome": outcome.kind().as_str(),
            "reason": outcome.reason().map(|reason| reason.word.clone()),
            "detail": outcome.reason().map(|reason| reason.detail.clone()),
        }),
    }
}
