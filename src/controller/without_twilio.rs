//! Whole reconciles where Twilio is not there, or is not even asked.

use std::{sync::Arc, time::Duration};

use crate::{
    api::{EngageDestination, StudioFlow, admission::admit, conditions},
    controller::{Context, Disposition, engage_destination, fake_cluster::FakeCluster, studio_flow},
    twilio::{BaseUrls, TwilioClients},
};

const STUDIO_FLOW: &str = include_str!("../../manifests/samples/studioflow-connect-to-agent.yaml");
const DESTINATION: &str = include_str!("../../manifests/samples/engagedestination-lead-welcome.yaml");

fn destination() -> EngageDestination {
    admit(serde_saphyr::from_str(DESTINATION).unwrap()).unwrap()
}

fn flow() -> StudioFlow {
    admit(serde_saphyr::from_str(STUDIO_FLOW).unwrap()).unwrap()
}

/// Nothing listens on port 1.
fn context(cluster: &Arc<FakeCluster>) -> Context {
    let clients = TwilioClients::new(BaseUrls::parse("http://127.0.0.1:1/{product}").unwrap()).unwrap();
    Context::new(Arc::clone(cluster) as _, clients, "test")
}

#[tokio::test]
async fn a_missing_secret_is_looked_for_again_soon_and_the_status_is_written_once() {
    let cluster = Arc::new(FakeCluster::default());
    let mut destination = destination();
    let requeue = engage_destination::reconcile(&destination, &context(&cluster)).await.unwrap();
    assert!(requeue.after <= Duration::from_secs(15));
    let status = cluster.destination_writes.lock().unwrap().pop().unwrap();
    assert_eq!(conditions::find(&status.conditions, conditions::READY).unwrap().reason, "SecretNotFound");
    assert_eq!(status.url.as_deref(), Some("http://0.0.0.0:8080/v1/destinations/marketing/lead-welcome"));
    destination.status = Some(status);
    engage_destination::reconcile(&destination, &context(&cluster)).await.unwrap();
    assert!(cluster.destination_writes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_account_that_cannot_be_asked_is_tried_again_and_shown_meanwhile() {
    let cluster = Arc::new(FakeCluster::with_secrets());
    let error = engage_destination::reconcile(&destination(), &context(&cluster)).await.unwrap_err();
    assert_eq!((error.reason(), error.disposition()), ("ApiUnavailable", Disposition::Retry));
    let status = cluster.destination_writes.lock().unwrap().pop().unwrap();
    let ready = conditions::find(&status.conditions, conditions::READY).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "CheckFailed"));
    assert!(conditions::is_true(&status.conditions, conditions::RECONCILING));
}

#[tokio::test]
async fn no_create_is_begun_while_names_cannot_be_looked_up() {
    let cluster = Arc::new(FakeCluster::with_secrets());
    let error = studio_flow::reconcile(&flow(), &context(&cluster)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    let writes = cluster.flow_writes.lock().unwrap();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].pending_create, None);
    assert!(conditions::is_true(&writes[0].conditions, conditions::RECONCILING));
}

#[tokio::test]
async fn a_definition_that_is_wrong_is_told_without_asking_anybody() {
    let cluster = Arc::new(FakeCluster::default());
    let mut flow = flow();
    flow.spec.definition.as_mut().unwrap()["initial_state"] = "Nowhere".into();
    studio_flow::reconcile(&flow, &context(&cluster)).await.unwrap();
    let status = cluster.flow_writes.lock().unwrap().pop().unwrap();
    let ready = conditions::find(&status.conditions, conditions::READY).unwrap();
    assert_eq!(ready.reason, "DefinitionInvalid");
    assert_eq!(
        ready.message,
        "spec.definition: no widget is called `Nowhere`: `initial_state` is the name of the trigger widget (at /initial_state) \
         [unknown-initial-state]"
    );
    assert!(conditions::is_true(&status.conditions, conditions::STALLED));
}

#[tokio::test]
async fn a_definition_comes_from_a_config_map_and_what_is_wrong_with_it_is_said_there() {
    let mut flow = flow();
    let inline = serde_json::to_string(&flow.spec.definition.take()).unwrap();
    let source = serde_json::json!({"configMapKeyRef": {"name": "flows", "key": "agent.json"}});
    flow.spec.definition_from = serde_json::from_value(source).unwrap();
    let holding = |text: &str| FakeCluster {
        config_map: Some([("agent.json".to_owned(), text.to_owned())].into()),
        ..FakeCluster::with_secrets()
    };
    let other_key = FakeCluster { config_map: Some([("b".to_owned(), inline.clone())].into()), ..holding("") };
    for (cluster, condition, reason, message) in [
        (FakeCluster::with_secrets(), conditions::RESOLVED_REFS, "ConfigMapNotFound", "no ConfigMap `flows`"),
        (other_key, conditions::RESOLVED_REFS, "ConfigMapKeyMissing", "ConfigMap `flows` has no key `agent.json`"),
        (holding("{"), conditions::ACCEPTED, "DefinitionInvalid", "ConfigMap `flows`, key `agent.json`: not the JSON"),
        (holding("{}"), conditions::ACCEPTED, "DefinitionInvalid", "spec.definitionFrom: "),
        // The definition is whole: only the account is not there.
        (holding(&inline), conditions::RESOLVED_REFS, "ApiUnavailable", ""),
    ] {
        let cluster = Arc::new(cluster);
        let _ = studio_flow::reconcile(&flow, &context(&cluster)).await;
        let status = cluster.flow_writes.lock().unwrap().pop().unwrap();
        let found = conditions::find(&status.conditions, condition).unwrap();
        assert_eq!(found.reason, reason);
        assert!(found.message.contains(message), "{}", found.message);
        let accepted = conditions::find(&status.conditions, conditions::ACCEPTED).unwrap();
        assert_eq!(accepted.status == "True", reason == "ApiUnavailable", "{accepted:?}");
    }
}

#[tokio::test]
async fn of_a_suspended_flow_nothing_is_asked() {
    let cluster = Arc::new(FakeCluster::default());
    let mut flow = flow();
    flow.spec.suspend = true;
    studio_flow::reconcile(&flow, &context(&cluster)).await.unwrap();
    let status = cluster.flow_writes.lock().unwrap().pop().unwrap();
    let ready = conditions::find(&status.conditions, conditions::READY).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Suspended"));
    assert!(conditions::find(&status.conditions, conditions::STALLED).is_none());
    flow.status = Some(status);
    studio_flow::reconcile(&flow, &context(&cluster)).await.unwrap();
    assert!(cluster.flow_writes.lock().unwrap().is_empty());
}
