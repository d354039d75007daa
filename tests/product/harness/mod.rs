//! A world to test in: a folder of resources, the simulator, and the real binary between them.

mod resources;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use engage_simulator::{
    Options, Simulator,
    segment::sender::{Delivery, RetryPolicy, Sender},
};
use serde_json::Value;
use tempfile::TempDir;

pub use resources::*;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub retry_after: bool,
}

impl Answer {
    /// The result of the only event.
    pub fn result(&self) -> &Value {
        assert_eq!(self.body["results"].as_array().map(Vec::len), Some(1), "{self:?}");
        &self.body["results"][0]
    }

    pub fn outcome(&self) -> (u16, &str, &str) {
        let result = self.result();
        (self.status, result["outcome"].as_str().unwrap(), result["reason"].as_str().unwrap_or_default())
    }
}

pub struct World {
    pub sim: Simulator,
    pub folder: TempDir,
    operator: Option<Child>,
    port: u16,
    admin_port: u16,
    http: reqwest::Client,
    extra: Vec<String>,
    seeded: Option<&'static str>,
}

impl World {
    /// A simulator and a folder with the Secrets and these resources; the operator runs and is ready.
    pub async fn with(resources: &[Value]) -> Self {
        Self::with_options(resources, Options::default(), &[]).await
    }

    pub async fn with_options(resources: &[Value], options: Options, extra: &[&str]) -> Self {
        Self::seeded(resources, options, extra, None).await
    }

    /// As [`World::with_options`], with a defect of `src/delivery/seeded.rs` in the operator.
    pub async fn seeded(resources: &[Value], options: Options, extra: &[&str], bug: Option<&'static str>) -> Self {
        let sim = Simulator::start(options).await.unwrap();
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("config")).unwrap();
        let mut world = Self {
            sim,
            folder,
            operator: None,
            port: free_port(),
            admin_port: free_port(),
            http: reqwest::Client::new(),
            extra: extra.iter().map(ToString::to_string).collect(),
            seeded: bug,
        };
        world.write("secrets.yaml", &secrets());
        for resource in resources {
            world.apply(resource);
        }
        world.start().await;
        world
    }

    /// As [`World::with`], and every resource is Ready.
    pub async fn ready(resources: &[Value]) -> Self {
        let world = Self::with(resources).await;
        world.all_ready(resources).await;
        world
    }

    pub async fn all_ready(&self, resources: &[Value]) {
        for resource in resources {
            let kind = resource["kind"].as_str().unwrap();
            let name = resource["metadata"]["name"].as_str().unwrap();
            self.reason(kind, name, "Ready", "Ready").await;
            // The status is on disk a moment before the gateway has heard of it.
            let begin = Instant::now();
            while kind == "EngageDestination" && self.post_signed(name, "{}", None).await.status == 503 {
                assert!(begin.elapsed() < Duration::from_secs(20), "{name} is Ready and not served\n{}", self.log());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn write(&self, file: &str, text: &str) {
        // As editors and mounted volumes do it: the file is never seen half written.
        let temporary = self.config().join(format!(".{file}"));
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, self.config().join(file)).unwrap();
    }

    /// Writes a resource as JSON, which is YAML too.
    pub fn apply(&self, resource: &Value) {
        let name =
            format!("{}-{}.yaml", resource["kind"].as_str().unwrap(), resource["metadata"]["name"].as_str().unwrap());
        self.write(&name, &serde_json::to_string_pretty(resource).unwrap());
    }

    pub fn remove(&self, kind: &str, name: &str) {
        fs::remove_file(self.config().join(format!("{kind}-{name}.yaml"))).unwrap();
    }

    /// Starts the operator and waits until it is ready.
    pub async fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
            .arg("run")
            .args([
                "--config-dir".as_ref(),
                self.config().as_os_str(),
                "--state-dir".as_ref(),
                self.state().as_os_str(),
            ])
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--admin-listen", &format!("127.0.0.1:{}", self.admin_port)])
            .args(["--public-url", &self.public_url()])
            .args(["--twilio-base-url", &self.sim.twilio_base_url()])
            .args(["--segment-profiles-base-url", &self.sim.profiles_base_url()])
            .args(["--segment-tracking-base-url", &self.sim.tracking_base_url()])
            .args(&self.extra)
            .envs(self.seeded.map(|bug| ("ENGAGE_SEEDED_BUG", bug)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.operator = Some(child);
        let ready = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        let begin = Instant::now();
        loop {
            if self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let exited = self.operator.as_mut().unwrap().try_wait().unwrap();
            assert!(exited.is_none(), "the operator ended with {exited:?}\n{}", self.log());
            assert!(begin.elapsed() < Duration::from_secs(30), "not ready\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the operator at once, as a lost node does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.operator.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the operator to end and waits until it has.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let mut child = self.operator.take().unwrap();
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        child.wait().unwrap()
    }

    /// Stops the operator where it is, as a machine does that has no time for it, and lets it go on after `pause`. Gives when it
    /// goes on, in milliseconds since 1970.
    pub async fn pause(&self, pause: Duration) -> i64 {
        let id = self.operator.as_ref().unwrap().id().to_string();
        let signal = |name: &str| assert!(Command::new("kill").args([name, id.as_str()]).status().unwrap().success());
        signal("-STOP");
        tokio::time::sleep(pause).await;
        let goes_on = jiff::Timestamp::now().as_millisecond();
        signal("-CONT");
        goes_on
    }

    /// Most memory that the operator has had at once, in bytes.
    pub fn peak_memory(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// Memory that the operator has now, in bytes.
    pub fn memory_now(&self) -> usize {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> usize {
        let id = self.operator.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/v1/destinations/{NAMESPACE}/{name}", self.port)
    }

    pub fn public_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub const fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Sends one body once, signed whole.
    pub async fn post(&self, name: &str, body: &str) -> Answer {
        self.post_signed(name, body, Some(&sign(SECRET, body))).await
    }

    pub async fn post_signed(&self, name: &str, body: &str, signature: Option<&str>) -> Answer {
        let signature = signature.map(|signature| ("x-signature", signature));
        self.post_with(name, body, signature.as_slice()).await
    }

    /// Sends one body once, with these headers.
    pub async fn post_with(&self, name: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.url(name)).header("content-type", "application/json").body(body.to_owned());
        let request = headers.iter().fold(request, |request, (header, value)| request.header(*header, *value));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let retry_after = answer.headers().contains_key("retry-after");
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, body, retry_after }
    }

    /// Sends one event once.
    pub async fn send(&self, name: &str, event: &Value) -> Answer {
        self.post(name, &event.to_string()).await
    }

    /// Sends an event again and again, as Segment does, until it is no longer answered 503.
    pub async fn send_until_settled(&self, name: &str, event: &Value) -> Answer {
        let begin = Instant::now();
        loop {
            let answer = self.send(name, event).await;
            if answer.status != 503 {
                return answer;
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "{answer:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Segment's sender at a destination, retrying for as long as `patience`.
    pub fn segment(&self, name: &str, patience: Duration) -> Sender {
        Sender::new(self.url(name), SECRET).retry(RetryPolicy::within(patience))
    }

    /// The resource as `get` shows it.
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
            .args(["get", kind, name, "-o", "json", "--state-dir"])
            .arg(self.state())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// What `get` prints.
    pub fn get_text(&self, arguments: &[&str]) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
            .arg("get")
            .args(arguments)
            .arg("--state-dir")
            .arg(self.state())
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Waits until a condition gives this reason for the resource's present generation, and returns its message.
    pub async fn reason(&self, kind: &str, name: &str, condition: &str, reason: &str) -> String {
        let begin = Instant::now();
        loop {
            let object = self.get(kind, name).unwrap_or_default();
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = conditions.iter().find(|found| found["type"] == condition);
            if let Some(found) = found
                && found["reason"] == reason
                && found["observedGeneration"] == object["metadata"]["generation"]
            {
                return found["message"].as_str().unwrap_or_default().to_owned();
            }
            assert!(
                begin.elapsed() <= Duration::from_secs(30),
                "{kind} {name}: {condition} is not {reason}\n{object:#}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All metrics as text.
    pub async fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin_port);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// A metric's value; several series of it are added up.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics()
            .await
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter(|line| labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\""))))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Received events are the sum of the outcomes and what is in flight.
    pub async fn assert_every_event_has_an_outcome(&self) {
        let received = self.metric("engage_events_received_total", &[]).await;
        let outcomes = self.metric("engage_events_total", &[]).await;
        let in_flight = self.metric("engage_events_in_flight", &[]).await;
        assert!((received - outcomes - in_flight).abs() < f64::EPSILON, "{received} != {outcomes} + {in_flight}");
    }

    /// Sends an event, and returns as soon as Twilio has been asked for `operation` once more, whatever the answer will be.
    pub async fn send_until_asked(&self, name: &str, event: &Value, operation: &str) {
        let before = self.sim.requests_of(operation).len();
        let asked = async {
            while self.sim.requests_of(operation).len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            answer = self.send(name, event) => panic!("answered before {operation}: {answer:?}"),
            () = asked => {}
        }
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- operator log\n{}", self.log());
        }
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The signature that Segment makes.
pub fn sign(secret: &str, body: &str) -> String {
    engage_simulator::segment::signature::sign(secret, body.as_bytes())
}

/// How often Twilio was made to send to this customer by the Messages API.
pub fn messages_to(sim: &Simulator, phone: &str) -> usize {
    let to = format!("whatsapp:{phone}");
    sim.state().messages.iter().filter(|message| message.to == to).count()
}

/// The events that ended as delivered.
pub fn delivered(deliveries: &[Delivery]) -> usize {
    deliveries
        .iter()
        .filter(|delivery| delivery.outcome == engage_simulator::segment::sender::Outcome::Delivered)
        .count()
}
