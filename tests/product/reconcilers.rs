//! The reconcilers against the simulated account, from the samples to `Ready`, and through whatever goes wrong on the way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engage_simulator::{FaultKind, FaultRule, Options, Simulator};
use serde_json::Value;

use engage_operator::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus, admission::admit,
        conditions, engage_destination::DeliveriesStatus, secret::SecretData,
    },
    controller::{
        Cluster, ClusterError, ConfigMapData, Context, Programmed, ReconcileError, Requeue, driver::ObjectRef,
        engage_destination, studio_flow,
    },
    delivery::credentials::{SecretError, SecretSource},
    twilio::{BaseUrls, TwilioClients},
};

const STUDIO_FLOW: &str = include_str!("../../manifests/samples/studioflow-connect-to-agent.yaml");
const CONVERSATION: &str = include_str!("../../manifests/samples/engagedestination-lead-conversation.yaml");
const WELCOME: &str = include_str!("../../manifests/samples/engagedestination-lead-welcome.yaml");
const TASK: &str = include_str!("../../manifests/samples/engagedestination-lead-task.yaml");

/// A cluster with one object of each kind, whose status writes can be made to fail.
#[derive(Default)]
struct MemoryCluster {
    secrets: Mutex<BTreeMap<String, SecretData>>,
    flow: Mutex<Option<StudioFlow>>,
    destination: Mutex<Option<EngageDestination>>,
    writes: AtomicUsize,
    /// The status write of this number is lost.
    lost_write: Mutex<Option<usize>>,
}

impl MemoryCluster {
    fn count(&self) -> Result<(), ClusterError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if *self.lost_write.lock().unwrap() == Some(number) {
            return Err(ClusterError::Write { what: "it".into(), problem: "gone".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl SecretSource for MemoryCluster {
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
        Ok(self.secrets.lock().unwrap().get(&key.name).cloned())
    }
}

#[async_trait]
impl Cluster for MemoryCluster {
    fn destination(&self, key: &ObjectKey) -> Option<Arc<EngageDestination>> {
        let destination = self.destination.lock().unwrap().clone();
        destination.filter(|destination| ObjectKey::of(destination) == *key).map(Arc::new)
    }

    fn studio_flow(&self, key: &ObjectKey) -> Option<Arc<StudioFlow>> {
        let flow = self.flow.lock().unwrap().clone();
        flow.filter(|flow| ObjectKey::of(flow) == *key).map(Arc::new)
    }

    fn referring_to(&self, flow: &ObjectKey) -> Vec<ObjectRef> {
        let destination = self.destination.lock().unwrap();
        let referring = destination.iter().filter(|destination| destination.refers_to(flow, None));
        referring.map(|destination| ObjectRef::Destination(ObjectKey::of(destination))).collect()
    }

    async fn config_map(&self, _: &ObjectKey) -> Result<Option<ConfigMapData>, ClusterError> {
        Ok(None)
    }

    fn may_act(&self) -> bool {
        true
    }

    async fn hold(&self, _: &StudioFlow) -> Result<(), ClusterError> {
        self.count()
    }

    async fn let_go(&self, _: &StudioFlow) -> Result<(), ClusterError> {
        self.count()
    }

    async fn write_flow_status(&self, _: &StudioFlow, status: &StudioFlowStatus) -> Result<(), ClusterError> {
        self.count()?;
        self.flow.lock().unwrap().as_mut().unwrap().status = Some(status.clone());
        Ok(())
    }

    async fn write_destination_status(
        &self,
        _: &EngageDestination,
        status: &EngageDestinationStatus,
    ) -> Result<(), ClusterError> {
        self.count()?;
        self.destination.lock().unwrap().as_mut().unwrap().status = Some(status.clone());
        Ok(())
    }

    async fn write_deliveries(&self, _: &ObjectKey, _: &DeliveriesStatus) -> Result<(), ClusterError> {
        Ok(())
    }

    fn programmed(&self, _: &EngageDestination) -> Programmed {
        Programmed::Yes
    }
}

struct World {
    simulator: Simulator,
    cluster: Arc<MemoryCluster>,
    context: Context,
}

impl World {
    async fn start() -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let cluster = Arc::new(MemoryCluster::default());
        let clients = TwilioClients::new(BaseUrls::parse(&simulator.twilio_base_url()).unwrap()).unwrap();
        let context = Context { settle: Duration::from_secs(3), ..Context::new(cluster.clone(), clients, "test") };
        let world = Self { simulator, cluster, context };
        world.secret("demo-auth-token");
        world.put_flow(read(STUDIO_FLOW));
        world
    }

    fn secret(&self, token: &str) {
        let mut secrets = self.cluster.secrets.lock().unwrap();
        let twilio = [("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"), ("TWILIO_AUTH_TOKEN", token)];
        let segment = [("SEGMENT_WEBHOOK_SECRET", "s"), ("SEGMENT_PROFILES_API_TOKEN", "t")];
        for (name, values) in [("twilio", twilio), ("segment", segment)] {
            let values = values.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
            secrets.insert(name.into(), SecretData::from_bytes(values));
        }
    }

    fn put_flow(&self, mut flow: StudioFlow) {
        let mut stored = self.cluster.flow.lock().unwrap();
        flow.metadata.generation = Some(stored.as_ref().map_or(1, |stored| stored.metadata.generation.unwrap() + 1));
        flow.status = stored.as_ref().and_then(|stored| stored.status.clone());
        *stored = Some(flow);
    }

    fn put_destination(&self, mut destination: EngageDestination) {
        let mut stored = self.cluster.destination.lock().unwrap();
        destination.metadata.generation =
            Some(stored.as_ref().map_or(1, |stored| stored.metadata.generation.unwrap() + 1));
        destination.status = stored.as_ref().and_then(|stored| stored.status.clone());
        *stored = Some(destination);
    }

    async fn reconcile_flow(&self) -> Result<Requeue, ReconcileError> {
        let flow = self.cluster.flow.lock().unwrap().clone().unwrap();
        studio_flow::reconcile(&flow, &self.context).await
    }

    async fn reconcile_destination(&self) -> Result<Requeue, ReconcileError> {
        let destination = self.cluster.destination.lock().unwrap().clone().unwrap();
        engage_destination::reconcile(&destination, &self.context).await
    }

    fn flow_status(&self) -> StudioFlowStatus {
        self.cluster.flow.lock().unwrap().as_ref().unwrap().status.clone().unwrap_or_default()
    }

    fn destination_status(&self) -> EngageDestinationStatus {
        self.cluster.destination.lock().unwrap().as_ref().unwrap().status.clone().unwrap_or_default()
    }

    fn flow_ready(&self) -> String {
        said(&self.flow_status().conditions)
    }

    fn destination_ready(&self) -> String {
        said(&self.destination_status().conditions)
    }

    /// Reconciles as a driver would until the flow is ready.
    async fn until_ready(&self) {
        for _ in 0..60 {
            let _ = self.reconcile_flow().await;
            if conditions::is_true(&self.flow_status().conditions, conditions::READY) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("not ready: {}", self.flow_ready());
    }

    fn revisions(&self) -> usize {
        self.simulator.state().flows.iter().map(|flow| flow.revisions.len()).sum()
    }
}

fn read<K: engage_operator::api::admission::Admissible>(manifest: &str) -> K {
    admit(serde_saphyr::from_str(manifest).unwrap()).unwrap()
}

fn said(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) -> String {
    conditions::find(conditions, conditions::READY)
        .map(|it| format!("{}/{}: {}", it.status, it.reason, it.message))
        .unwrap_or_default()
}

#[tokio::test]
async fn the_samples_become_ready() {
    let world = World::start().await;
    world.reconcile_flow().await.unwrap();
    assert_eq!(world.flow_ready(), "True/Ready: revision 1 is published");
    let flow = &world.simulator.state().flows[0];
    let flex = flow.revisions[0].definition["states"].as_array().unwrap()[2]["properties"].clone();
    assert_eq!(flex["workflow"], "WW00000000000000000000000000000001");
    assert_eq!(flex["channel"], "TC00000000000000000000000000000001");
    assert!(
        flow.revisions[0]
            .commit_message
            .as_deref()
            .unwrap()
            .starts_with("engage-operator test/marketing/connect-to-agent hash=")
    );
    for sample in [CONVERSATION, WELCOME, TASK] {
        *world.cluster.destination.lock().unwrap() = None;
        world.put_destination(read(sample));
        world.reconcile_destination().await.unwrap();
        assert!(world.destination_ready().starts_with("True/Ready: serves at "), "{}", world.destination_ready());
    }
    println!("{}", serde_json::to_string_pretty(&world.flow_status()).unwrap());
    println!("{}", serde_json::to_string_pretty(&world.destination_status()).unwrap());
    // At rest there are no writes anywhere.
    let writes = world.cluster.writes.load(Ordering::SeqCst);
    world.simulator.clear_requests();
    world.reconcile_flow().await.unwrap();
    world.reconcile_destination().await.unwrap();
    assert_eq!(world.cluster.writes.load(Ordering::SeqCst), writes);
    for request in world.simulator.requests() {
        println!("{:?}", request.operation);
    }
    assert_eq!(world.revisions(), 1);
}

#[tokio::test]
async fn an_edit_in_the_console_is_told_of_and_put_back() {
    let world = World::start().await;
    world.reconcile_flow().await.unwrap();
    let sid = world.flow_status().sid.unwrap();
    let mut edited: Value = (*world.simulator.state().flows[0].revisions[0].definition).clone();
    edited["states"][1]["properties"]["body"] = "Bye".into();
    world.simulator.edit_flow(&sid, Some(edited.clone()), "draft").unwrap();
    world.reconcile_flow().await.unwrap();
    assert!(world.flow_ready().contains("revision 2, a draft that somebody else saved"), "{}", world.flow_ready());
    assert_eq!(world.revisions(), 2);
    world.simulator.edit_flow(&sid, Some(edited), "published").unwrap();
    world.reconcile_flow().await.unwrap();
    assert_eq!(world.flow_ready(), "True/Ready: revision 4 is published");
    let drift = world.flow_status().drift.unwrap();
    assert_eq!((drift.revision, drift.widgets), (3, vec!["first_message".to_owned()]));
    assert!(drift.author_sid.is_some());
}

#[tokio::test]
async fn whatever_is_lost_there_is_one_flow() {
    let faults = || {
        vec![
            FaultKind::DropBefore,
            FaultKind::DropAfter,
            FaultKind::ErrorBefore { status: 503 },
            FaultKind::ErrorAfter { status: 500 },
            FaultKind::DropThenLateEffect { after_ms: 600 },
            FaultKind::Throttle { retry_after: Some(1) },
        ]
    };
    let lags = [
        None,
        Some(("flows.list", FaultKind::ListLag { ms: 1_000 })),
        Some(("flows.fetch", FaultKind::NotFoundAfterCreate { ms: 1_000 })),
    ];
    let mut cases = Vec::new();
    for fault in faults() {
        for lag in &lags {
            for lost in [None, Some(0), Some(1), Some(2)] {
                cases.push((fault.clone(), lag.clone(), lost));
            }
        }
    }
    let runs = cases.into_iter().map(|(fault, lag, lost)| async move {
        let world = World::start().await;
        let mut rules = vec![FaultRule::on("flows.create", fault.clone()).times(1)];
        if let Some((operation, lag)) = &lag {
            rules.push(FaultRule::on(operation, lag.clone()));
        }
        world.simulator.set_faults(rules);
        *world.cluster.lost_write.lock().unwrap() = lost;
        world.until_ready().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(world.simulator.state().flows.len(), 1, "{fault:?} {lag:?} {lost:?}");
        assert_eq!(world.revisions(), 1, "{fault:?} {lag:?} {lost:?}");
    });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn a_reader_that_lags_behind_causes_no_second_write() {
    let world = World::start().await;
    world.reconcile_flow().await.unwrap();
    world.simulator.set_faults(vec![FaultRule::on("flows.fetch", FaultKind::StaleRead { ms: 1_500 })]);
    let mut flow: StudioFlow = read(STUDIO_FLOW);
    flow.spec.definition.as_mut().unwrap()["description"] = "Another".into();
    world.put_flow(flow);
    for _ in 0..4 {
        world.reconcile_flow().await.unwrap();
        println!("{}", world.flow_ready());
    }
    assert_eq!(world.revisions(), 2);
    assert!(world.flow_ready().starts_with("True"), "{}", world.flow_ready());
}

#[tokio::test]
async fn what_is_wrong_with_a_flow_is_said_before_anything_is_written() {
    let world = World::start().await;
    let mut flow: StudioFlow = read(STUDIO_FLOW);
    flow.spec.references[0].workflow.as_mut().unwrap().friendly_name = "Assign to Nobody".into();
    world.put_flow(flow);
    world.reconcile_flow().await.unwrap();
    println!("{}", world.flow_ready());
    assert!(world.flow_ready().starts_with("False/ReferenceNotFound"));

    let mut flow: StudioFlow = read(STUDIO_FLOW);
    flow.spec.definition.as_mut().unwrap()["states"][2]["properties"]["timeout"] = 5.into();
    world.put_flow(flow);
    world.reconcile_flow().await.unwrap();
    println!("{}", world.flow_ready());
    assert!(world.flow_ready().contains("widget `send_to_flex`, properties/timeout"), "{}", world.flow_ready());
    assert_eq!(world.revisions(), 0);

    world.secret("wrong");
    world.reconcile_flow().await.unwrap();
    println!("{}", world.flow_ready());
    assert!(world.flow_ready().starts_with("False/CredentialsRejected"));
    assert_eq!(world.revisions(), 0);
}

#[tokio::test]
async fn a_revision_that_the_flow_never_had_leaves_what_is_published() {
    let world = World::start().await;
    world.until_ready().await;
    let mut pinned: StudioFlow = read(STUDIO_FLOW);
    pinned.spec.revision = Some(7);
    world.put_flow(pinned);
    // What was written a moment ago may not show yet.
    world.reconcile_flow().await.unwrap();
    assert!(world.flow_ready().starts_with("False/FlowNotReady"), "{}", world.flow_ready());
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    world.reconcile_flow().await.unwrap();
    let said = world.flow_ready();
    assert!(said.starts_with("False/RevisionNotFound") && said.contains("no revision 7"), "{said}");
    world.put_flow(read(STUDIO_FLOW));
    world.until_ready().await;
    assert_eq!(world.revisions(), 1);
}

#[tokio::test]
async fn a_flow_of_somebody_else_is_left_alone_and_a_deleted_one_is_made_anew() {
    let world = World::start().await;
    world.reconcile_flow().await.unwrap();
    // A cluster that has lost its status finds the flow again.
    world.cluster.flow.lock().unwrap().as_mut().unwrap().status = None;
    world.reconcile_flow().await.unwrap();
    assert_eq!(world.revisions(), 1);
    // Another resource does not take it.
    let before = world.cluster.flow.lock().unwrap().clone();
    let mut other: StudioFlow = read(STUDIO_FLOW);
    other.metadata.name = Some("another".into());
    *world.cluster.flow.lock().unwrap() = Some(other);
    world.reconcile_flow().await.unwrap();
    println!("{}", world.flow_ready());
    assert!(world.flow_ready().starts_with("False/NameTaken"));
    *world.cluster.flow.lock().unwrap() = before;
    // Deleted in the Console.
    let sid = world.flow_status().sid.unwrap();
    let url = format!("{}/v2/Flows/{sid}", world.simulator.twilio_base_url().replace("{product}", "studio"));
    let client = reqwest::Client::new();
    client.delete(url).basic_auth("AC00000000000000000000000000000001", Some("demo-auth-token")).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    world.until_ready().await;
    world.reconcile_flow().await.unwrap();
    assert_ne!(world.flow_status().sid.unwrap(), sid);
    assert_eq!(world.simulator.state().flows.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_destination_shows_before_a_customer_is_affected() {
    let world = World::start().await;
    world.put_destination(read(CONVERSATION));
    world.reconcile_destination().await.unwrap();
    println!("{}", world.destination_ready());
    assert!(world.destination_ready().starts_with("False/FlowNotReady"));
    world.reconcile_flow().await.unwrap();
    world.reconcile_destination().await.unwrap();
    assert!(world.destination_ready().starts_with("True/Ready"), "{}", world.destination_ready());

    let content = "HX00000000000000000000000000000001";
    world.simulator.set_sender_status("+5511900000002", "OFFLINE");
    world.simulator.set_template_approval(content, Some("paused"), None);
    world.put_destination(read(CONVERSATION));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.reconcile_destination().await.unwrap();
    println!("{}", world.destination_ready());
    assert!(world.destination_ready().starts_with("False/ContentNotApproved"));
    assert!(world.destination_ready().contains("+5511900000002 is OFFLINE"));

    world.simulator.set_sender_status("+5511900000002", "ONLINE");
    world.simulator.set_template_approval(content, Some("approved"), None);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.reconcile_destination().await.unwrap();
    assert!(world.destination_ready().starts_with("True/Ready"), "{}", world.destination_ready());

    world.secret("wrong");
    world.reconcile_destination().await.unwrap();
    println!("{}", world.destination_ready());
    assert!(world.destination_ready().starts_with("False/CredentialsRejected"));
}
