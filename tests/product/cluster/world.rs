//! A cluster to test in: the API server, the simulator, and the two roles as processes of their own.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use engage_operator::api::custom_resource_definitions;
use engage_simulator::{Options, Simulator};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use crate::harness::{NAMESPACE, SECRET, free_port, sid, sign};

pub struct Cluster {
    pub sim: Simulator,
    pub plane: ControlPlane,
    pub client: Client,
    pub gateway: Option<Child>,
    pub gateway_port: u16,
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
}

impl Cluster {
    /// An API server with the CRDs and a simulator; `None` where no API server can be had.
    pub async fn start() -> Option<Self> {
        let plane = ControlPlane::start(super::control_plane::assets()?).await;
        let client = plane.client();
        let cluster = Self {
            sim: Simulator::start(Options::default()).await.unwrap(),
            client,
            plane,
            gateway: None,
            gateway_port: free_port(),
            gateway_admin: free_port(),
            folder: tempfile::tempdir().unwrap(),
            http: reqwest::Client::new(),
        };
        for crd in custom_resource_definitions() {
            cluster.apply(&serde_json::to_value(&crd).unwrap()).await.unwrap();
        }
        let begin = Instant::now();
        for kind in ["EngageDestination", "StudioFlow"] {
            while cluster.api(kind).list(&ListParams::default()).await.is_err() {
                assert!(begin.elapsed() < Duration::from_secs(20), "{kind} is not served");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Some(cluster)
    }

    /// As `start`, with the Secrets, a gateway and one controller.
    pub async fn running() -> Option<(Self, Role)> {
        let mut cluster = Self::start().await?;
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
        let mut command = self.role("controller", name);
        command.args(["--admin-listen", &format!("127.0.0.1:{}", free_port()), "--public-url"]);
        Role(command.arg(format!("http://127.0.0.1:{}", self.gateway_port)).spawn().unwrap())
    }

    pub async fn start_gateway(&mut self) {
        let mut command = self.role("gateway", "gateway");
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.gateway_port)])
            .args(["--admin-listen", &format!("127.0.0.1:{}", self.gateway_admin)])
            .args(["--segment-profiles-base-url", &self.sim.profiles_base_url()])
            .arg("--journal")
            .arg(format!("file:{}", self.folder.path().join("journal.redb").display()));
        self.gateway = Some(command.spawn().unwrap());
        let begin = Instant::now();
        let ready = format!("http://127.0.0.1:{}/readyz", self.gateway_admin);
        while !self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(begin.elapsed() < Duration::from_secs(30), "{}", self.log("gateway"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn stop_gateway(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            let status = Command::new("kill").args(["-TERM", &gateway.id().to_string()]).status().unwrap();
            assert!(status.success());
            assert!(gateway.wait().unwrap().success(), "{}", self.log("gateway"));
        }
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

    /// Sends one signed event and gives the status and the body.
    pub async fn send(&self, name: &str, event: &Value) -> (u16, Value) {
        let body = event.to_string();
        let url = format!("http://127.0.0.1:{}/v1/destinations/{NAMESPACE}/{name}", self.gateway_port);
        let request = self.http.post(url).header("x-signature", sign(SECRET, &body)).body(body);
        match request.send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
            Err(_) => (0, Value::Null),
        }
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
        if let Some(mut gateway) = self.gateway.take() {
            let _ = gateway.kill();
            let _ = gateway.wait();
        }
        if std::thread::panicking() {
            for name in ["one", "two", "gateway"] {
                eprintln!("--- {name}\n{}", self.log(name));
            }
        }
    }
}
