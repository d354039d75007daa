//! What a controller may run into that no unit of it sees: it ends between two writes, it starts with a view of the cluster that is
//! older than what was done, or it never hears of what came and went. Whatever it is, there is one flow in the end, and no
//! revision more than there were changes.

use std::time::{Duration, Instant};

use engage_simulator::{FaultKind, FaultRule, Options, Simulator};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Namespace, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{
    SOON,
    gate::{Gate, Stop},
    world::{Cluster, Role},
};
use crate::harness::{flow, merge, sid};

/// A namespace with a controller and an account of its own, so that many of them go on side by side.
struct Run<'a> {
    cluster: &'a Cluster,
    namespace: String,
    sim: Simulator,
}

impl<'a> Run<'a> {
    async fn new(cluster: &'a Cluster, namespace: &str) -> Self {
        let apply = PatchParams::apply("test").force();
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        namespaces.patch(namespace, &apply, &Patch::Apply(&object)).await.unwrap();
        let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
        let values = json!({"TWILIO_ACCOUNT_SID": sid("AC", 1), "TWILIO_AUTH_TOKEN": "demo-auth-token"});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "twilio"}, "stringData": values});
        secrets.patch("twilio", &apply, &Patch::Apply(&secret)).await.unwrap();
        let sim = Simulator::start(Options::default()).await.unwrap();
        Self { cluster, namespace: namespace.to_owned(), sim }
    }

    fn flows(&self) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("engage-operator.dev", "v1alpha1", "StudioFlow"));
        Api::namespaced_with(self.cluster.client.clone(), &self.namespace, &resource)
    }

    async fn controller(&self, gate: Option<&Gate>) -> Role {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let _ = leases.delete(engage_operator::kubernetes::CONTROLLER_LEASE, &DeleteParams::default()).await;
        let kubeconfig = gate.map_or_else(|| self.cluster.plane.kubeconfig(), Gate::kubeconfig);
        self.cluster.controller_of(&self.namespace, &kubeconfig, &self.sim.twilio_base_url())
    }

    /// Applies the flow in the form of that change.
    async fn apply(&self, change: usize, policy: &str) {
        let mut flow = flow();
        merge(&mut flow, &json!({"metadata": {"namespace": self.namespace}, "spec": {"deletionPolicy": policy}}));
        flow["spec"]["definition"]["description"] = json!(format!("Change {change}"));
        let params = PatchParams::apply("test").force();
        self.flows().patch("connect-to-agent", &params, &Patch::Apply(&flow)).await.unwrap();
    }

    async fn get(&self) -> Option<Value> {
        let found = self.flows().get_opt("connect-to-agent").await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// What a controller is shown now.
    async fn list(&self) -> String {
        let path = format!("/apis/engage-operator.dev/v1alpha1/namespaces/{}/studioflows", self.namespace);
        self.cluster.client.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
    }

    /// A minute passes, as long as what was written may stay unseen, for what the resource remembers.
    async fn a_minute_passes(&self) {
        let Some(object) = self.get().await else { return };
        let mut status = json!({});
        let earlier = |time: &Value| {
            let time = time.as_str()?.parse::<jiff::Timestamp>().unwrap();
            Some((time - Duration::from_mins(1)).to_string())
        };
        if let Some(time) = earlier(&object["status"]["lastWriteTime"]) {
            status["lastWriteTime"] = json!(time);
        }
        for begun in ["pendingCreate", "pendingWrite"] {
            if let Some(time) = earlier(&object["status"][begun]["since"]) {
                status[begun] = json!({"since": time});
            }
        }
        let patch = json!({"status": status});
        let flows = self.flows();
        flows.patch_status("connect-to-agent", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    /// Whether the resource is ready in its newest form, or gone if that is what is wanted.
    async fn is_settled(&self, deleted: bool) -> bool {
        let Some(object) = self.get().await else { return deleted };
        let ready = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut ready = ready.filter(|it| it["type"] == "Ready" && it["status"] == "True");
        !deleted && ready.any(|it| it["observedGeneration"] == object["metadata"]["generation"])
    }

    async fn settle(&self, deleted: bool, or: impl Fn() -> bool) {
        let begin = Instant::now();
        while !or() && !self.is_settled(deleted).await {
            assert!(begin.elapsed() < SOON, "{}: {:?}\n{}", self.namespace, self.get().await, self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn log(&self) -> String {
        self.cluster.log(&self.namespace)
    }

    /// How many revisions each flow of the account has, and what the newest published one says.
    fn account(&self) -> Vec<(usize, String)> {
        let flows = self.sim.state().flows;
        let published = |flow: &engage_simulator::Flow| {
            flow.latest_published().map(|it| it.definition["description"].as_str().unwrap_or_default().to_owned())
        };
        flows.iter().map(|flow| (flow.revisions.len(), published(flow).unwrap_or_default())).collect()
    }
}

/// Where the controller is ended.
#[derive(Debug, Clone, Copy)]
enum Crash {
    Nowhere,
    /// Before or after a write to the API server. Each write to Twilio follows one, so that this is before it too.
    AtKubernetes(Stop),
    /// After a write to Twilio has taken effect, and before its answer.
    AtTwilio(&'static str),
}

/// Makes, changes and deletes a flow, with one crash on the way; gives how many writes to the API server there were.
async fn life_of_a_flow(cluster: &Cluster, namespace: String, crash: Crash) -> usize {
    let run = Run::new(cluster, &namespace).await;
    let gate = Gate::start(cluster.client.clone()).await;
    match crash {
        Crash::Nowhere => {}
        Crash::AtKubernetes(stop) => gate.stop_at(stop),
        Crash::AtTwilio(operation) => {
            run.sim.set_faults(vec![FaultRule::on(operation, FaultKind::Latency { ms: 60_000 })]);
        }
    }
    let has_crashed = || match crash {
        Crash::Nowhere => false,
        Crash::AtKubernetes(_) => gate.has_stopped(),
        Crash::AtTwilio(operation) => !run.sim.requests_of(operation).is_empty(),
    };
    let mut controller = Some(run.controller(Some(&gate)).await);
    let mut crashed = false;
    for step in 1..=3 {
        let deleted = step == 3;
        if deleted {
            run.flows().delete("connect-to-agent", &DeleteParams::default()).await.unwrap();
        } else {
            run.apply(step, "Delete").await;
        }
        run.settle(deleted, || !crashed && has_crashed()).await;
        if deleted && !crashed && matches!(crash, Crash::AtKubernetes(_)) {
            // The resource can be seen to be gone before the write that lets it go has come back.
            run.cluster.until(&format!("{crash:?}"), SOON, &has_crashed).await;
        }
        if !crashed && has_crashed() {
            crashed = true;
            controller.take().unwrap().kill();
            run.sim.clear_faults();
            run.a_minute_passes().await;
            controller = Some(run.controller(None).await);
            run.settle(deleted, || false).await;
        }
        let expected = if deleted { Vec::new() } else { vec![(step, format!("Change {step}"))] };
        assert_eq!(run.account(), expected, "{crash:?}, step {step}\n{}", run.log());
    }
    drop(controller);
    assert_eq!(crashed, !matches!(crash, Crash::Nowhere), "{crash:?} was not come to");
    gate.writes()
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_before_or_after_any_write_it_comes_to_one_flow_and_to_no_revision_too_many() {
    let Some(cluster) = Cluster::start().await else { return };
    let writes = life_of_a_flow(&cluster, "nowhere".into(), Crash::Nowhere).await;
    assert!(writes >= 6, "{writes}");
    let stops = (0..writes).flat_map(|write| [false, true].map(|takes_effect| Stop { write, takes_effect }));
    let crashes = stops.map(Crash::AtKubernetes);
    let crashes = crashes.chain(["flows.create", "flows.update", "flows.delete"].map(Crash::AtTwilio));
    let runs = crashes.enumerate().map(|(n, crash)| life_of_a_flow(&cluster, format!("crash-{n}"), crash));
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_with_an_old_view_of_the_cluster_it_writes_nothing_that_was_decided_on_it() {
    let Some(cluster) = Cluster::start().await else { return };
    // As it was before the flow was made, and as it was before the flow was changed.
    let runs = [1, 2].map(async |seen_at| {
        let run = Run::new(&cluster, &format!("old-view-{seen_at}")).await;
        let gate = Gate::start(cluster.client.clone()).await;
        // Before the flow is made there is no controller yet; before it is changed one has made it.
        run.apply(1, "Retain").await;
        let mut old = run.list().await;
        let controller = run.controller(None).await;
        run.settle(false, || false).await;
        if seen_at == 2 {
            old = run.list().await;
        }
        run.apply(2, "Retain").await;
        run.settle(false, || false).await;
        assert_eq!(run.account(), [(2, "Change 2".to_owned())]);
        controller.kill();
        gate.show(old.into());
        run.sim.clear_requests();
        let _restarted = run.controller(Some(&gate)).await;
        run.cluster.until("it looks at the account", SOON, || !run.sim.requests().is_empty()).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(run.account(), [(2, "Change 2".to_owned())], "seen at {seen_at}\n{}", run.log());
        gate.open();
        run.apply(3, "Retain").await;
        run.settle(false, || false).await;
        assert_eq!(run.account(), [(3, "Change 3".to_owned())], "seen at {seen_at}\n{}", run.log());
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_went_unseen_leaves_one_flow_as_it_is_in_the_end() {
    let Some(cluster) = Cluster::start().await else { return };
    let run = Run::new(&cluster, "unseen").await;
    let gate = Gate::start(cluster.client.clone()).await;
    let _controller = run.controller(Some(&gate)).await;
    run.apply(1, "Retain").await;
    run.settle(false, || false).await;
    gate.blind();
    // Gone, and there again as another object, which was changed and changed back.
    run.flows().delete("connect-to-agent", &DeleteParams::default()).await.unwrap();
    for change in [2, 3, 2] {
        run.apply(change, "Retain").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(run.account(), [(1, "Change 1".to_owned())]);
    gate.open();
    run.settle(false, || false).await;
    assert_eq!(run.account(), [(2, "Change 2".to_owned())], "{}", run.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_view_of_a_deletion_does_not_delete_what_is_there_anew() {
    let Some(cluster) = Cluster::start().await else { return };
    let run = Run::new(&cluster, "old-deletion").await;
    let gate = Gate::start(cluster.client.clone()).await;
    let controller = run.controller(None).await;
    run.apply(1, "Delete").await;
    run.settle(false, || false).await;
    // The deletion cannot be carried out, is called off, and the resource is there anew with the same flow.
    run.sim.set_faults(vec![FaultRule::on("flows.delete", FaultKind::ErrorBefore { status: 503 })]);
    run.flows().delete("connect-to-agent", &DeleteParams::default()).await.unwrap();
    cluster.until("it tries to delete", SOON, || !run.sim.requests_of("flows.delete").is_empty()).await;
    let old = run.list().await;
    let retain = json!({"metadata": {"annotations": {"engage-operator.dev/deletion": "Retain"}}});
    run.flows().patch("connect-to-agent", &PatchParams::default(), &Patch::Merge(&retain)).await.unwrap();
    run.settle(true, || false).await;
    run.apply(1, "Delete").await;
    run.settle(false, || false).await;
    controller.kill();
    run.sim.clear_faults();
    run.sim.clear_requests();
    gate.show(old.into());
    let _restarted = run.controller(Some(&gate)).await;
    cluster.until("it looks at the account", SOON, || !run.sim.requests().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(run.account(), [(1, "Change 1".to_owned())], "{}", run.log());
    assert!(run.sim.requests_of("flows.delete").is_empty());
}
