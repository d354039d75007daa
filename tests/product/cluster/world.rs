//! A cluster to test in: the API server, the simulator, and the two roles as processes of their own.

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use engage_operator::{api::custom_resource_definitions, kubernetes::CONTROLLER_LEASE};
use engage_simulator::{Options, Simulator};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Secret, events::v1::Event};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{SOON, control_plane::ControlPlane};
use crate::harness::{NAMESPACE, SECRET, free_port, sid, sign};

pub struct Cluster {
    pub sim: Simulator,
    pub plane: ControlPlane,
    pub client: Client,
    gateway: Mutex<Option<Role>>,
    gateway_port: u16,
    gateway_admin: u16,
    folder: tempfile::TempDir,
    http: reqwest::Client,
}

/// A role as a process.
pub struct Role(pub Child);

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Role {
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Ends it at once, as a lost node does.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

impl Cluster {
    /// An API server with the CRDs and a simulator; `None` where no API server can be had.
    pub async fn start() -> Option<Self> {
        let cluster = Self::without_crds().await?;
        cluster.install_crds(|_| ()).await;
        Some(cluster)
    }

    pub async fn without_crds() -> Option<Self> {
        let plane = ControlPlane::start(super::control_plane::assets()?).await;
        let client = plane.client();
        Some(Self {
            sim: Simulator::start(Options::default()).await.unwrap(),
            client,
            plane,
            gateway: Mutex::default(),
            gateway_port: free_port(),
            gateway_admin: free_port(),
            folder: tempfile::tempdir().unwrap(),
            http: reqwest::Client::new(),
        })
    }

    /// What `kubectl` prints, or what it says when it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let kubeconfig = self.plane.kubeconfig();
        let output = Command::new(super::control_plane::assets().unwrap().join("kubectl"))
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .arg("--cache-dir")
            .arg(kubeconfig.with_file_name("kubectl-cache"))
            .args(["--namespace", NAMESPACE])
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Installs the CRDs, each after `change`, and waits until the kinds are served.
    pub async fn install_crds(&self, change: impl Fn(&mut Value)) {
        for crd in custom_resource_definitions() {
            let mut crd = serde_json::to_value(&crd).unwrap();
            change(&mut crd);
            self.apply(&crd).await.unwrap();
        }
        for kind in ["EngageDestination", "StudioFlow"] {
            eventually(kind, async || self.api(kind).list(&ListParams::default()).await.is_ok()).await;
        }
    }

    /// As `start`, with the Secrets, a gateway and one controller.
    pub async fn running() -> Option<(Self, Role)> {
        let cluster = Self::start().await?;
        cluster.put_secrets().await;
        cluster.start_gateway().await;
        let controller = cluster.controller("one");
        Some((cluster, controller))
    }

    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("engage-operator.dev", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    /// Applies, and repeats it while the API server is coming up.
    pub async fn apply_patiently(&self, object: &Value) {
        let begin = Instant::now();
        while let Err(error) = self.apply(object).await {
            assert!(begin.elapsed() < Duration::from_secs(30), "{error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Whether the API server would store the object, field names and all, and if not why.
    pub async fn admit(&self, object: &Value) -> Result<(), String> {
        let plural = if object["kind"] == "StudioFlow" { "studioflows" } else { "engagedestinations" };
        let path = format!("/apis/engage-operator.dev/v1alpha1/namespaces/{NAMESPACE}/{plural}");
        let request = http::Request::post(format!("{path}?dryRun=All&fieldValidation=Strict"))
            .header("content-type", "application/json")
            .body(object.to_string().into_bytes())
            .unwrap();
        self.client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
    }

    /// Server-side apply, as `kubectl apply --server-side`.
    pub async fn apply(&self, object: &Value) -> kube::Result<()> {
        let params = PatchParams::apply("test").force();
        let name = object["metadata"]["name"].as_str().unwrap();
        match object["kind"].as_str().unwrap() {
            "CustomResourceDefinition" => {
                let api: Api<
                    k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
                > = Api::all(self.client.clone());
                api.patch(name, &params, &Patch::Apply(object)).await.map(drop)
            }
            kind => self.api(kind).patch(name, &params, &Patch::Apply(object)).await.map(drop),
        }
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn delete_secret(&self, name: &str) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        secrets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until there is no such object any more.
    pub async fn gone(&self, kind: &str, name: &str, patience: Duration) {
        let begin = Instant::now();
        loop {
            let object = self.get(kind, name).await;
            if object.is_null() {
                return;
            }
            assert!(begin.elapsed() < patience, "{kind} {name} is still there\n{object:#}\n{}", self.log("one"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until it holds.
    pub async fn until(&self, what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < patience, "{what}\n{}", self.log("one"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for an event of that reason about the object, and returns what it says.
    pub async fn event(&self, kind: &str, name: &str, reason: &str) -> String {
        let api: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let begin = Instant::now();
        loop {
            let events = api.list(&ListParams::default()).await.unwrap().items;
            let found = events.into_iter().find(|event| {
                let regarding = event.regarding.clone().unwrap_or_default();
                regarding.kind.as_deref() == Some(kind)
                    && regarding.name.as_deref() == Some(name)
                    && event.reason.as_deref() == Some(reason)
            });
            if let Some(event) = found {
                return event.note.unwrap_or_default();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no event {reason} of {kind} {name}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn put_secret(&self, name: &str, values: &Value) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values});
        secrets.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
    }

    /// Takes the controllers' lease away, so that the next one need not wait until it has run out.
    pub async fn forget_lease(&self) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), NAMESPACE);
        match leases.delete(CONTROLLER_LEASE, &DeleteParams::default()).await {
            // One that was killed early had none yet.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            deleted => drop(deleted.unwrap()),
        }
    }

    /// Reason and type of each event that tells of an object, oldest first, with how often it was told.
    pub async fn events(&self, kind: &str, name: &str) -> Vec<(String, String, i32)> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut events = events.list(&ListParams::default()).await.unwrap().items;
        events.retain(|event| {
            let regarding = event.regarding.as_ref().unwrap();
            regarding.kind.as_deref() == Some(kind) && regarding.name.as_deref() == Some(name)
        });
        events.sort_by_key(|event| event.event_time.clone());
        let told = |event: Event| {
            let count = event.series.map_or(1, |series| series.count);
            (event.reason.unwrap_or_default(), event.type_.unwrap_or_default(), count)
        };
        events.into_iter().map(told).collect()
    }

    pub async fn put_secrets(&self) {
        self.put_secret("twilio", &json!({"TWILIO_ACCOUNT_SID": sid("AC", 1), "TWILIO_AUTH_TOKEN": "demo-auth-token"}))
            .await;
        self.put_secret(
            "segment",
            &json!({"SEGMENT_PROFILES_API_TOKEN": "demo-profiles-token", "SEGMENT_WEBHOOK_SECRET": SECRET}),
        )
        .await;
    }

    fn role(&self, role: &str, name: &str) -> Command {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_engage-operator"));
        command
            .arg(role)
            .env("KUBECONFIG", self.plane.kubeconfig())
            .args(["--namespace", NAMESPACE, "--twilio-base-url", &self.sim.twilio_base_url()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    pub fn controller(&self, name: &str) -> Role {
        self.controller_at(name, &format!("http://127.0.0.1:{}", self.gateway_port))
    }

    /// A controller of one namespace and an account of its own, which finds the API server by this file.
    pub fn controller_of(&self, namespace: &str, kubeconfig: &Path, twilio: &str) -> Role {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join(namespace)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_engage-operator"));
        command
            .arg("controller")
            .env("KUBECONFIG", kubeconfig)
            .args(["--namespace", namespace, "--watch-namespace", namespace, "--twilio-base-url", twilio])
            .args(["--admin-listen", &format!("127.0.0.1:{}", free_port())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Role(command.spawn().unwrap())
    }

    /// A controller that tells people this public URL.
    pub fn controller_at(&self, name: &str, public_url: &str) -> Role {
        let mut command = self.role("controller", name);
        command.args(["--admin-listen", &format!("127.0.0.1:{}", free_port()), "--public-url", public_url]);
        command.args(["--gateway-admin-url", &format!("http://127.0.0.1:{}", self.gateway_admin)]);
        Role(command.spawn().unwrap())
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start_gateway(&self) {
        self.spawn_gateway();
        eventually("the gateway is ready", async || self.gateway_readiness().await == Some(200)).await;
    }

    pub fn spawn_gateway(&self) {
        let mut command = self.role("gateway", "gateway");
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.gateway_port)])
            .args(["--admin-listen", &format!("127.0.0.1:{}", self.gateway_admin)])
            .args(["--segment-profiles-base-url", &self.sim.profiles_base_url()])
            .args(["--segment-tracking-base-url", &self.sim.tracking_base_url()])
            .args(["--public-url", &format!("http://127.0.0.1:{}", self.gateway_port)])
            .arg("--journal")
            .arg(format!("file:{}", self.folder.path().join("journal.redb").display()));
        *self.gateway.lock().unwrap() = Some(Role(command.spawn().unwrap()));
    }

    /// What the gateway's `/readyz` answers; `None` when it does not.
    pub async fn gateway_readiness(&self) -> Option<u16> {
        let asked = self.http.get(format!("http://127.0.0.1:{}/readyz", self.gateway_admin)).send().await;
        asked.ok().map(|answer| answer.status().as_u16())
    }

    /// Asks the gateway to end.
    pub fn terminate_gateway(&self) -> Role {
        let gateway = self.gateway.lock().unwrap().take().unwrap();
        gateway.signal("-TERM");
        gateway
    }

    pub async fn stop_gateway(&self) {
        let status = self.terminate_gateway().ended(SOON).await;
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", self.log("gateway"));
    }

    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    pub async fn get(&self, kind: &str, name: &str) -> Value {
        self.api(kind)
            .get_opt(name)
            .await
            .ok()
            .flatten()
            .map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    /// Waits until a condition gives this reason for the present generation, and returns its message.
    pub async fn reason(&self, kind: &str, name: &str, condition: &str, reason: &str, patience: Duration) -> String {
        let begin = Instant::now();
        loop {
            let object = self.get(kind, name).await;
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = conditions.iter().find(|found| found["type"] == condition);
            if let Some(found) = found
                && found["reason"] == reason
                && found["observedGeneration"] == object["metadata"]["generation"]
            {
                return found["message"].as_str().unwrap_or_default().to_owned();
            }
            assert!(
                begin.elapsed() < patience,
                "{kind} {name}: {condition} is not {reason}\n{object:#}\n{}\n{}",
                self.log("one"),
                self.log("two")
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends one signed event and gives the status and the body; status 0 when there was no answer.
    pub async fn send(&self, name: &str, event: &Value) -> (u16, Value) {
        self.send_signed(name, event, SECRET).await
    }

    pub async fn send_signed(&self, name: &str, event: &Value, secret: &str) -> (u16, Value) {
        let body = event.to_string();
        let request = self.http.post(self.url(name)).header("x-signature", sign(secret, &body)).body(body);
        match request.send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
            Err(_) => (0, Value::Null),
        }
    }

    /// Where a destination takes its events.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/v1/destinations/{NAMESPACE}/{name}", self.gateway_port)
    }

    /// As Segment does it: again until it is not answered 503.
    pub async fn send_until_settled(&self, name: &str, event: &Value) -> (u16, Value) {
        let begin = Instant::now();
        loop {
            let (status, body) = self.send(name, event).await;
            if status != 503 && status != 0 {
                return (status, body);
            }
            assert!(begin.elapsed() < Duration::from_secs(40), "{status} {body}\n{}", self.log("gateway"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["one", "two", "gateway"] {
                eprintln!("--- {name}\n{}", self.log(name));
            }
        }
    }
}

/// Waits until it is so.
pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !so().await {
        assert!(begin.elapsed() < SOON, "{what}: not so after {} s", begin.elapsed().as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
