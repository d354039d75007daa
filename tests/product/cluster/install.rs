//! The files in `crds/` and the samples, applied as the documents say, with `kubectl`.

use serde_json::Value;

use super::world::{Cluster, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_crds_install_and_again_without_a_change_and_the_samples_are_admitted() {
    let Some(cluster) = Cluster::without_crds().await else { return };
    for _ in 0..2 {
        cluster.kubectl(&["apply", "--server-side", "-f", "crds/"]).unwrap();
        let wait = ["wait", "--for=condition=Established", "--timeout=30s", "-f", "crds/"];
        cluster.kubectl(&wait).unwrap();
        for crd in ["engagedestinations.engage-operator.dev", "studioflows.engage-operator.dev"] {
            let crd: Value =
                serde_json::from_str(&cluster.kubectl(&["get", "crd", crd, "-o", "json"]).unwrap()).unwrap();
            let conditions = crd["status"]["conditions"].as_array().unwrap();
            let is = |type_: &str, status: &str| {
                conditions.iter().any(|condition| condition["type"] == type_ && condition["status"] == status)
            };
            assert!(is("NamesAccepted", "True") && is("Established", "True"), "{conditions:?}");
            assert!(!is("NonStructuralSchema", "True"), "{conditions:?}");
            assert_eq!(crd["metadata"]["generation"], 1);
        }
    }
    // Also without --server-side: they fit into the annotation that it needs.
    cluster.kubectl(&["apply", "-f", "crds/"]).unwrap();
    eventually("both kinds are served", async || cluster.kubectl(&["get", "engage"]).is_ok()).await;
    let samples = ["apply", "--server-side", "--validate=strict", "-f", "manifests/samples"];
    let applied = cluster.kubectl(&samples).unwrap();
    assert_eq!(applied.lines().count(), 6, "{applied}");
    let names = cluster.kubectl(&["get", "engage", "-o", "name"]).unwrap();
    assert_eq!(names.lines().count(), 4, "{names}");
}
