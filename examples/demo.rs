//! `make demo`: one event from Segment to an agent's task in Flex, with the real program and no accounts.
//!
//! Twilio and Segment are the simulator, in this process. `engage-operator` is a child process that is told where to find
//! them and is otherwise started as in production, on the resources of `manifests/samples`. Every line that is printed was
//! seen in the simulator's request log or state, and every expectation is checked: the exit code is 0 only if all held.

use std::{
    fmt::Debug,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail, ensure};
use engage_simulator::{
    LogEntry, Options, Simulator,
    segment::{
        events::Event,
        sender::{RetryPolicy, Sender},
    },
};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

/// All of the demo, the operator's start included.
const WHOLE: Duration = Duration::from_mins(2);
const READY: Duration = Duration::from_secs(30);
const SHUTDOWN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// Lines of the operator's log that a failure shows.
const LOG_LINES: usize = 25;

/// What the sample resources and the simulator's seed agree on.
const CUSTOMER: &str = "+5511987654321";
const OUR_NUMBER: &str = "+5511900000001";
const WEBHOOK_SECRET: &str = "demo-webhook-secret";
const DESTINATION: &str = "marketing/lead-conversation";
const RESOURCES: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let samples = std::env::args_os().nth(1).map(PathBuf::from);
    let samples = samples.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples"));
    match run(&samples).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(samples: &Path) -> anyhow::Result<()> {
    let simulator = Simulator::start(Options::default()).await.context("the simulator cannot start")?;
    let state = tempfile::tempdir().context("no temporary folder")?;
    let mut operator = Operator::start(samples, state.path(), &simulator)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let told = tokio::select! {
        told = tell(&simulator, &mut operator) => told,
        () = tokio::time::sleep(WHOLE) => Err(anyhow!("not done within {} s", WHOLE.as_secs())),
        _ = terminate.recv() => Err(anyhow!("interrupted")),
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    let stopped = operator.stop().await;
    let log = last_lines(&state.path().join("log"));
    told.and(stopped).with_context(|| format!("the operator's last log lines:\n{log}\n\nwhat went wrong"))
}

/// The story itself.
async fn tell(simulator: &Simulator, operator: &mut Operator) -> anyhow::Result<()> {
    heading("The operator starts on manifests/samples");
    let began = Instant::now();
    operator.wait_until_ready().await?;
    println!("ready after {} ms", began.elapsed().as_millis());
    operator.wait_for_conditions().await?;
    println!("flow made, destinations verified after {} ms; `engage-operator get` says\n", began.elapsed().as_millis());
    print!("{}", get(&operator.program, &operator.state, &[]).await?);
    println!("\nat Twilio:");
    let provisioned = show_effects(simulator, 0);
    expect("what the operator made at Twilio so far", &["flows.create"], &provisioned.as_slice())?;

    heading(&format!("Segment sends \"Lead Qualified\" of user lead-1 to {DESTINATION}, signed"));
    let before = last_request(simulator);
    let answer = send(operator).await?;
    expect("the outcome", &json!("sent"), &answer["outcome"])?;
    let conversation_sid = answer["sid"].as_str().context("the answer has no SID")?.to_owned();
    println!("\nwhat happened at Twilio and Segment meanwhile:");
    let effects = show_effects(simulator, before);
    let wanted = ["conversations.create", "webhooks.create", "participants.create", "conversation_messages.create"];
    expect("the steps at Twilio", &wanted, &effects.as_slice())?;

    heading("Segment repeats the event, as it does after a lost answer");
    let before = last_request(simulator);
    let answer = send(operator).await?;
    expect("the outcome", &json!("duplicate"), &answer["outcome"])?;
    expect("the SID, from the journal", &json!(conversation_sid), &answer["sid"])?;
    expect("new things at Twilio", &Vec::<&str>::new(), &show_effects(simulator, before))?;
    println!("nothing new at Twilio");

    heading("The customer answers on WhatsApp: \"Yes, please\"");
    let reply = simulator.customer_reply(CUSTOMER, OUR_NUMBER, "Yes, please");
    expect("the conversation of the reply", &Some(conversation_sid.as_str()), &reply.conversation_sid.as_deref())?;
    expect("Studio executions that the reply started", &1, &reply.executions.len())?;
    let state = simulator.state();
    let [conversation] = state.conversations.as_slice() else {
        bail!("expected one conversation, saw {}", state.conversations.len());
    };
    println!("conversation {conversation_sid}, as the customer sees it:");
    for message in &conversation.messages {
        let who = if message.origin == "customer" { "customer" } else { "     we " };
        println!("  {who}: {}", message.body.as_deref().unwrap_or_default());
    }
    let origins: Vec<_> = conversation.messages.iter().map(|message| message.origin).collect();
    expect("who wrote", &vec!["rest", "customer", "studio"], &origins)?;
    let [task] = state.tasks.as_slice() else { bail!("expected one Flex task, saw {}", state.tasks.len()) };
    println!("\ntask {} waits for an agent, with the attributes", task.sid);
    println!("{}", serde_json::to_string_pretty(&task.attributes)?);
    expect("the conversation of the task", &json!(conversation_sid), &task.attributes["conversationSid"])?;
    expect("the customer of the task", &json!(format!("whatsapp:{CUSTOMER}")), &task.attributes["customerAddress"])?;

    println!(
        "\nIt worked: one event became one conversation, the customer got one template, and the reply is task {} for an agent.",
        task.sid
    );
    println!(
        "Next: `make dev-cluster` for the same on Kubernetes, docs/install.md for a cluster of yours, docs/standalone.md for a folder."
    );
    Ok(())
}

/// Sends the event once, prints the answer, and gives what it says of the event.
async fn send(operator: &Operator) -> anyhow::Result<Value> {
    let now = json!(jiff::Timestamp::now().to_string());
    let event = Event::track("Lead Qualified", "demo-event-1", "lead-1").with("timestamp", now).build();
    let url = format!("http://{}/v1/destinations/{DESTINATION}", operator.listen);
    let sender = Sender::new(url, WEBHOOK_SECRET).retry(RetryPolicy::never());
    let deliveries = sender.send(&[event]).await.context("the simulator's Segment cannot send")?;
    let attempt = deliveries.first().and_then(|delivery| delivery.attempts.first()).context("nothing was sent")?;
    if let Some(error) = &attempt.error {
        bail!("expected an answer, saw: {error}");
    }
    println!("answer {} after {} ms: {}", attempt.status.unwrap_or_default(), attempt.elapsed_ms, attempt.body);
    expect("the status", &Some(200), &attempt.status)?;
    let body: Value = serde_json::from_str(&attempt.body).context("the answer is not JSON")?;
    Ok(body["results"][0].clone())
}

fn expect<E: Debug + ?Sized, S: Debug + ?Sized + PartialEq<E>>(
    what: &str,
    expected: &E,
    seen: &S,
) -> anyhow::Result<()> {
    ensure!(seen == expected, "{what}: expected {expected:?}, saw {seen:?}");
    Ok(())
}

fn heading(text: &str) {
    println!("\n── {text}");
}

fn last_request(simulator: &Simulator) -> u64 {
    simulator.requests().last().map_or(0, |request| request.seq)
}

/// Prints what was asked after request number `since`, and gives the operations that made or changed something.
fn show_effects(simulator: &Simulator, since: u64) -> Vec<&'static str> {
    let requests: Vec<LogEntry> = simulator.requests().into_iter().filter(|request| request.seq > since).collect();
    let effects: Vec<&LogEntry> = requests.iter().filter(|request| request.effect.is_some()).collect();
    for request in &requests {
        if let Some(words) = in_words(request) {
            println!("  {words}");
        }
    }
    if requests.len() > effects.len() {
        println!("  ({} of {} requests only read)", requests.len() - effects.len(), requests.len());
    }
    effects.iter().map(|request| request.operation.unwrap_or("?")).collect()
}

/// What a request did, for a person. Reads at Twilio are left out.
fn in_words(request: &LogEntry) -> Option<String> {
    let sid = request.effect.as_deref().unwrap_or("nothing");
    let form = |name: &str| request.param(name).unwrap_or("nothing");
    Some(match request.operation.unwrap_or("?") {
        "profiles.traits" => format!("read from the profile: {}", request.query("include").unwrap_or("all traits")),
        "flows.create" => format!("Studio flow \"{}\" made and {}: {sid}", form("FriendlyName"), form("Status")),
        "conversations.create" => format!("conversation made: {sid}, unique name {}", form("UniqueName")),
        "webhooks.create" => {
            format!("flow {} attached to it before anybody is in it: {sid}", form("Configuration.FlowSid"))
        }
        "participants.create" => {
            let (customer, ours) = (form("MessagingBinding.Address"), form("MessagingBinding.ProxyAddress"));
            format!("customer {customer} added, talking to our {ours}: {sid}")
        }
        "conversation_messages.create" => {
            format!("template {} sent with {}: {sid}", form("ContentSid"), form("ContentVariables"))
        }
        other if request.effect.is_some() => format!("{other}: {sid}"),
        _ => return None,
    })
}

/// The real program as a child process; it ends with this value.
struct Operator {
    program: PathBuf,
    child: Child,
    state: PathBuf,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Operator {
    fn start(samples: &Path, state: &Path, simulator: &Simulator) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program's path is not known")?;
        // target/{profile}/examples/demo → target/{profile}/engage-operator
        let program = own.parent().and_then(Path::parent).context("no target folder")?.join("engage-operator");
        ensure!(program.is_file(), "{} is not built: use `make demo`", program.display());
        ensure!(samples.is_dir(), "there is no folder {}", samples.display());
        let (listen, admin) = (free_address()?, free_address()?);
        let child = Command::new(&program)
            .arg("run")
            .arg("--config-dir")
            .arg(samples)
            .arg("--state-dir")
            .arg(state)
            .args(["--listen", &listen.to_string(), "--admin-listen", &admin.to_string()])
            .args(["--public-url", &format!("http://{listen}")])
            .args(["--twilio-base-url", &simulator.twilio_base_url()])
            .args(["--segment-profiles-base-url", &simulator.profiles_base_url()])
            // Both ends are on this machine.
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stderr(File::create(state.join("log"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self { program, child, state: state.to_owned(), listen, admin })
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.admin);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        self.wait("/readyz answers 200", async || match http.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => Ok(None),
            Ok(answer) => Ok(Some(format!("status {}", answer.status()))),
            Err(error) => Ok(Some(error.to_string())),
        })
        .await
    }

    /// Waits until every resource says `Ready=True`.
    async fn wait_for_conditions(&mut self) -> anyhow::Result<()> {
        let (program, state) = (self.program.clone(), self.state.clone());
        self.wait("every resource is Ready", async || {
            let printed = get(&program, &state, &["-o", "json"]).await?;
            let objects: Vec<Value> =
                serde_json::Deserializer::from_str(&printed).into_iter().collect::<Result<_, _>>()?;
            let waiting: Vec<String> = objects.iter().filter_map(not_ready).collect();
            Ok((objects.len() < RESOURCES || !waiting.is_empty()).then(|| waiting.join("; ")))
        })
        .await
    }

    /// Asks again until nothing is missing; what `look` gives is what is.
    async fn wait(&mut self, what: &str, look: impl AsyncFn() -> anyhow::Result<Option<String>>) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        while let Some(seen) = look().await? {
            if let Some(status) = self.child.try_wait()? {
                bail!("expected that {what}, but the operator ended with {status}");
            }
            ensure!(Instant::now() < deadline, "expected that {what} within {} s, saw: {seen}", READY.as_secs());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends the child as an orchestrator would: SIGTERM, and only if that does not help, SIGKILL.
    async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id() {
            Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        }
        let Ok(status) = tokio::time::timeout(SHUTDOWN, self.child.wait()).await else {
            self.child.kill().await?;
            bail!("the operator did not end within {} s of SIGTERM", SHUTDOWN.as_secs());
        };
        expect("how the operator ended", &true, &status?.success())
    }
}

fn last_lines(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// `engage-operator get`.
async fn get(program: &Path, state: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).arg("get").arg("--state-dir").arg(state).args(arguments).output().await?;
    let (printed, problems) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && !problems.contains("not used"), "`engage-operator get` says: {problems}");
    Ok(printed.into_owned())
}

/// Why a resource is not ready, if it is not.
fn not_ready(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    match ready {
        Some(ready) if ready["status"] == "True" => None,
        Some(ready) => Some(format!("{}: {} ({})", object["metadata"]["name"], ready["message"], ready["reason"])),
        None => Some(format!("{}: no status yet", object["metadata"]["name"])),
    }
}

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
