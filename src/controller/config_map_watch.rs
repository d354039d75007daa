//! Notices that the `ConfigMap` which a flow is defined in has changed. Nothing tells of that, since the right to watch one
//! would be the right to read them all; so it is looked at now and then.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::{
    api::{ObjectKey, references::ConfigMapKeyRef},
    controller::{Cluster, driver::ObjectRef, studio_flow::dereference::config_map_text},
};

/// Time between two looks, give or take a tenth.
const LOOK: Duration = Duration::from_secs(30);

/// One key of a ConfigMap as it was before a reconcile; `None` for an object without one.
pub struct ConfigMapWatch(Option<Watched>);

struct Watched {
    owner: ObjectKey,
    reference: ConfigMapKeyRef,
    before: Option<u64>,
}

impl ConfigMapWatch {
    /// Looks at it, to be called before the reconcile that reads it: what changes during that is noticed too.
    pub async fn begin(object: &ObjectRef, cluster: &dyn Cluster) -> Self {
        let ObjectRef::Flow(owner) = object else { return Self(None) };
        let source = cluster.studio_flow(owner).and_then(|flow| flow.spec.definition_from.clone());
        let Some(source) = source else { return Self(None) };
        let (owner, reference) = (owner.clone(), source.config_map_key_ref);
        let before = look(&owner, &reference, cluster).await;
        Self(Some(Watched { owner, reference, before }))
    }

    /// Ends when it is there and not as it was.
    pub async fn changed(&self, cluster: &dyn Cluster) {
        let Some(Watched { owner, reference, before }) = &self.0 else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.9..=1.1))).await;
            let now = look(owner, reference, cluster).await;
            if now.is_some() && now != *before {
                return;
            }
        }
    }
}

/// A digest of the text, if it can be read.
async fn look(owner: &ObjectKey, reference: &ConfigMapKeyRef, cluster: &dyn Cluster) -> Option<u64> {
    let text = config_map_text(owner, reference, cluster).await.ok()?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Some(hasher.finish())
}
