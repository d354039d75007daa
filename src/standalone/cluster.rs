//! A folder as a cluster: the objects of the config folder with the status of the state folder, and who is to be told when
//! something of them changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::sync::{Notify, mpsc};

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus, conditions,
        secret::SecretData,
    },
    controller::{
        Cluster, ClusterError, Programmed,
        driver::{ObjectRef, Waker},
    },
    delivery::credentials::{SecretError, SecretSource},
    gateway::Routes,
    standalone::{
        folder::Objects,
        state::{StateFolder, Stored},
    },
};

/// The objects of a folder.
#[derive(Debug)]
pub struct FolderCluster {
    state: StateFolder,
    /// Held while an object is read, changed and stored, so that a status is never put onto a spec that was just replaced.
    changing: Mutex<()>,
    objects: RwLock<Current>,
    routes: Arc<Routes>,
    /// Something that the routing table is made of has changed.
    pub routes_changed: Notify,
    /// Objects to look at again.
    wake: Waker,
}

#[derive(Debug, Default)]
struct Current {
    destinations: BTreeMap<ObjectKey, Arc<EngageDestination>>,
    flows: BTreeMap<ObjectKey, Arc<StudioFlow>>,
    secrets: BTreeMap<ObjectKey, SecretData>,
}

impl FolderCluster {
    /// An empty cluster; objects to look at come out of the returned receiver.
    pub fn new(state: StateFolder, routes: Arc<Routes>) -> (Arc<Self>, mpsc::UnboundedReceiver<ObjectRef>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let objects = RwLock::default();
        (
            Arc::new(Self { state, changing: Mutex::default(), objects, routes, routes_changed: Notify::new(), wake }),
            woken,
        )
    }

    /// A panic while the lock was held cannot leave half a change: each is one assignment.
    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Current) -> T) -> T {
        change(&mut self.objects.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what the config folder holds now. Returns the objects to look at again: those that changed, and those whose
    /// Secrets did.
    pub fn take(&self, folder: Objects) -> std::io::Result<()> {
        let Objects { destinations, flows, secrets, problems, unusable } = folder;
        self.state.write_problems(&problems)?;
        let _turn = self.turn();
        let (changed_secrets, before_destinations, before_flows) = {
            let current = self.read();
            let changed: BTreeSet<String> = current
                .secrets
                .keys()
                .chain(secrets.keys())
                .filter(|key| !same(current.secrets.get(*key), secrets.get(*key)))
                .map(|key| key.namespace.clone())
                .collect();
            (changed, current.destinations.clone(), current.flows.clone())
        };
        let kept = |kind: &str| -> BTreeSet<ObjectKey> {
            unusable.iter().filter(|(of, _)| of == kind).map(|(_, key)| key.clone()).collect()
        };
        let destinations = self.admitted(destinations, before_destinations, &kept("EngageDestination"))?;
        let flows = self.admitted(flows, before_flows, &kept("StudioFlow"))?;
        let by_secret = |key: &ObjectKey| changed_secrets.contains(&key.namespace);
        let mut wake: BTreeSet<ObjectRef> = BTreeSet::new();
        wake.extend(flows.changed.iter().cloned().map(ObjectRef::Flow));
        wake.extend(flows.objects.keys().filter(|key| by_secret(key)).cloned().map(ObjectRef::Flow));
        wake.extend(destinations.changed.iter().cloned().map(ObjectRef::Destination));
        wake.extend(destinations.objects.keys().filter(|key| by_secret(key)).cloned().map(ObjectRef::Destination));
        // A flow that has come or gone concerns the destinations that may refer to it.
        let namespaces: BTreeSet<&str> = flows.changed.iter().map(|key| key.namespace.as_str()).collect();
        let near = destinations.objects.keys().filter(|key| namespaces.contains(key.namespace.as_str()));
        wake.extend(near.cloned().map(ObjectRef::Destination));
        self.change(|current| {
            *current = Current { destinations: destinations.objects, flows: flows.objects, secrets };
        });
        self.rebuild_routes();
        self.look_at(wake);
        Ok(())
    }

    /// Whether something that is in force is missing from `folder`: it was deleted, or its file is just being written.
    pub fn would_lose(&self, folder: &Objects) -> bool {
        let current = self.read();
        current.destinations.keys().any(|key| !folder.destinations.contains_key(key))
            || current.flows.keys().any(|key| !folder.flows.contains_key(key))
    }

    fn admitted<K: Stored>(
        &self,
        wanted: BTreeMap<ObjectKey, K>,
        mut before: BTreeMap<ObjectKey, Arc<K>>,
        unusable: &BTreeSet<ObjectKey>,
    ) -> std::io::Result<Admitted<K>> {
        let mut admitted = Admitted { objects: BTreeMap::new(), changed: BTreeSet::new() };
        for (key, object) in wanted {
            let object = match before.remove(&key) {
                Some(known) if known.spec() == object.spec() => known,
                _ => {
                    admitted.changed.insert(key.clone());
                    Arc::new(self.state.admit(object)?)
                }
            };
            admitted.objects.insert(key, object);
        }
        for (key, object) in before {
            admitted.changed.insert(key.clone());
            if unusable.contains(&key) {
                // Its new version cannot be used: the last good one stays, as it would on an API server.
                admitted.objects.insert(key, object);
            } else {
                self.state.remove::<K>(&key)?;
            }
        }
        Ok(admitted)
    }

    /// Makes the routing table anew from the objects as they are.
    pub fn rebuild_routes(&self) {
        let destinations: Vec<_> = self.read().destinations.values().cloned().collect();
        self.routes.replace(destinations.iter().map(AsRef::as_ref));
    }

    /// Has objects of this cluster looked at.
    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    fn look_at(&self, objects: impl IntoIterator<Item = ObjectRef>) {
        for object in objects {
            // Nobody listens any more when the process is shutting down.
            let _ = self.wake.send(object);
        }
    }

    fn of_state(what: &ObjectKey) -> impl FnOnce(std::io::Error) -> ClusterError + '_ {
        move |error| ClusterError::WriteStatus { what: what.to_string(), problem: error.to_string() }
    }
}

struct Admitted<K> {
    objects: BTreeMap<ObjectKey, Arc<K>>,
    changed: BTreeSet<ObjectKey>,
}

/// A line about what a person would want to know.
fn log_ready(kind: &str, key: &ObjectKey, before: &[Condition], after: &[Condition]) {
    if let Some(ready) = conditions::ready_changed(before, after) {
        let (status, reason, message) = (&ready.status, &ready.reason, &ready.message);
        if *status == conditions::Truth::True.as_str() {
            tracing::info!(kind, object = %key, ready = status, reason, message, "status");
        } else {
            tracing::warn!(kind, object = %key, ready = status, reason, message, "status");
        }
    }
}

fn same(a: Option<&SecretData>, b: Option<&SecretData>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is_same(b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[async_trait]
impl SecretSource for FolderCluster {
    async fn secret(&self, key: &ObjectKey) -> Result<Option<SecretData>, SecretError> {
        Ok(self.read().secrets.get(key).cloned())
    }
}

#[async_trait]
impl Cluster for FolderCluster {
    fn destination(&self, key: &ObjectKey) -> Option<Arc<EngageDestination>> {
        self.read().destinations.get(key).cloned()
    }

    fn studio_flow(&self, key: &ObjectKey) -> Option<Arc<StudioFlow>> {
        self.read().flows.get(key).cloned()
    }

    async fn write_flow_status(&self, flow: &StudioFlow, status: &StudioFlowStatus) -> Result<(), ClusterError> {
        let key = ObjectKey::of(flow);
        let _turn = self.turn();
        let Some(current) = self.studio_flow(&key) else {
            return Err(ClusterError::Conflict { what: format!("StudioFlow `{key}`") });
        };
        if current.status.as_ref() == Some(status) {
            return Ok(());
        }
        let updated = StudioFlow { status: Some(status.clone()), ..StudioFlow::clone(&current) };
        self.state.write(&updated).map_err(Self::of_state(&key))?;
        let before = current.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        log_ready("StudioFlow", &key, before, &status.conditions);
        self.change(|objects| objects.flows.insert(key.clone(), Arc::new(updated)));
        let referring: Vec<ObjectRef> = self
            .read()
            .destinations
            .iter()
            .filter(|(_, destination)| destination.refers_to(&key))
            .map(|(destination, _)| ObjectRef::Destination(destination.clone()))
            .collect();
        self.look_at(referring);
        Ok(())
    }

    async fn write_destination_status(
        &self,
        destination: &EngageDestination,
        status: &EngageDestinationStatus,
    ) -> Result<(), ClusterError> {
        let key = ObjectKey::of(destination);
        let _turn = self.turn();
        let Some(current) = self.destination(&key) else {
            return Err(ClusterError::Conflict { what: format!("EngageDestination `{key}`") });
        };
        if current.status.as_ref() == Some(status) {
            return Ok(());
        }
        let updated = EngageDestination { status: Some(status.clone()), ..EngageDestination::clone(&current) };
        self.state.write(&updated).map_err(Self::of_state(&key))?;
        let before = current.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        log_ready("EngageDestination", &key, before, &status.conditions);
        self.change(|objects| objects.destinations.insert(key, Arc::new(updated)));
        self.routes_changed.notify_one();
        Ok(())
    }

    fn programmed(&self, destination: &EngageDestination) -> Programmed {
        let table = self.routes.current();
        match table.get(&ObjectKey::of(destination)) {
            Some(served) if served.route.is_some() && served.generation == destination.metadata.generation => {
                Programmed::Yes
            }
            _ => Programmed::NotYet,
        }
    }
}
