//! A folder as a cluster: the objects of the config folder with the status of the state folder, and who is to be told when
//! something of them changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use tokio::sync::{Notify, mpsc};

use crate::{
    api::{
        EngageDestination, EngageDestinationStatus, ObjectKey, StudioFlow, StudioFlowStatus,
        annotations::FLOW_FINALIZER, conditions, engage_destination::DeliveriesStatus, secret::SecretData,
    },
    controller::{
        Cluster, ClusterError, ConfigMapData, Programmed,
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
    /// An object that was being deleted is gone; the folder may have it anew.
    pub gone: Notify,
    /// Objects to look at again.
    wake: Waker,
}

#[derive(Debug, Default)]
struct Current {
    /// Whether the folder has been read since the start.
    read: bool,
    destinations: BTreeMap<ObjectKey, Arc<EngageDestination>>,
    flows: BTreeMap<ObjectKey, Arc<StudioFlow>>,
    secrets: BTreeMap<ObjectKey, SecretData>,
    config_maps: BTreeMap<ObjectKey, ConfigMapData>,
}

impl FolderCluster {
    /// An empty cluster; objects to look at come out of the returned receiver.
    pub fn new(state: StateFolder, routes: Arc<Routes>) -> (Arc<Self>, mpsc::UnboundedReceiver<ObjectRef>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let cluster = Self {
            state,
            changing: Mutex::default(),
            objects: RwLock::default(),
            routes,
            routes_changed: Notify::new(),
            gone: Notify::new(),
            wake,
        };
        (Arc::new(cluster), woken)
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

    /// Takes in what the config folder holds now, and has the objects looked at that changed, or whose Secrets or
    /// `ConfigMap`s did.
    pub fn take(&self, folder: Objects) -> std::io::Result<()> {
        let Objects { destinations, flows, secrets, config_maps, problems, unusable } = folder;
        self.state.write_problems(&problems)?;
        let _turn = self.turn();
        let (touched, destinations_before, flows_before) = {
            let current = self.read();
            let same_text = |a: Option<&ConfigMapData>, b: Option<&ConfigMapData>| a == b;
            let mut touched = differing(&current.secrets, &secrets, same);
            touched.extend(differing(&current.config_maps, &config_maps, same_text));
            (touched, self.before(&current, &current.destinations)?, self.before(&current, &current.flows)?)
        };
        let kept = |kind: &str| -> BTreeSet<ObjectKey> {
            unusable.iter().filter(|(of, _)| of == kind).map(|(_, key)| key.clone()).collect()
        };
        let destinations = self.admitted(destinations, destinations_before, &kept("EngageDestination"))?;
        let flows = self.admitted(flows, flows_before, &kept("StudioFlow"))?;
        let is_touched = |key: &ObjectKey| touched.contains(&key.namespace);
        let mut wake: BTreeSet<ObjectRef> = BTreeSet::new();
        wake.extend(flows.changed.iter().cloned().map(ObjectRef::Flow));
        wake.extend(flows.objects.keys().filter(|key| is_touched(key)).cloned().map(ObjectRef::Flow));
        wake.extend(destinations.changed.iter().cloned().map(ObjectRef::Destination));
        wake.extend(destinations.objects.keys().filter(|key| is_touched(key)).cloned().map(ObjectRef::Destination));
        // A flow that has come, changed or gone concerns what may refer to it.
        let namespaces: BTreeSet<&str> = flows.changed.iter().map(|key| key.namespace.as_str()).collect();
        let near = destinations.objects.keys().filter(|key| namespaces.contains(key.namespace.as_str()));
        wake.extend(near.cloned().map(ObjectRef::Destination));
        let parents =
            flows.objects.iter().filter(|(_, flow)| flows.changed.iter().any(|changed| flow.runs(changed, None)));
        wake.extend(parents.map(|(key, _)| ObjectRef::Flow(key.clone())));
        self.change(|current| {
            let (destinations, flows) = (destinations.objects, flows.objects);
            *current = Current { read: true, destinations, flows, secrets, config_maps };
        });
        self.rebuild_routes();
        self.look_at(wake);
        Ok(())
    }

    /// The objects of a kind as they were; at the start those that an earlier run has stored.
    fn before<K: Stored>(
        &self,
        current: &Current,
        objects: &BTreeMap<ObjectKey, Arc<K>>,
    ) -> std::io::Result<Before<K>> {
        if current.read {
            return Ok(Before { objects: objects.clone(), known: true });
        }
        let stored = self.state.list::<K>()?;
        let objects = stored.into_iter().map(|object| (ObjectKey::of(&object), Arc::new(object))).collect();
        Ok(Before { objects, known: false })
    }

    /// Whether something that is in force is missing from `folder`: it was deleted, or its file is just being written.
    pub fn would_lose(&self, folder: &Objects) -> bool {
        let current = self.read();
        current.destinations.keys().any(|key| !folder.destinations.contains_key(key))
            || current.flows.iter().any(|(key, flow)| !is_terminating(flow.as_ref()) && !folder.flows.contains_key(key))
    }

    fn admitted<K: Stored>(
        &self,
        wanted: BTreeMap<ObjectKey, K>,
        before: Before<K>,
        unusable: &BTreeSet<ObjectKey>,
    ) -> std::io::Result<Admitted<K>> {
        let Before { objects: mut before, known: looked_at } = before;
        let mut admitted = Admitted { objects: BTreeMap::new(), changed: BTreeSet::new() };
        for (key, object) in wanted {
            let known = before.remove(&key);
            let object = match known {
                Some(known)
                    if looked_at && known.spec() == object.spec() && known.annotations() == object.annotations() =>
                {
                    known
                }
                // It has to be gone before it can be there anew.
                Some(known) if is_terminating(known.as_ref()) => {
                    admitted.changed.insert(key.clone());
                    known
                }
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
            } else if object.finalizers().is_empty() {
                self.state.remove::<K>(&key)?;
            } else {
                let terminating = self.state.terminate(K::clone(&object))?;
                admitted.objects.insert(key, Arc::new(terminating));
            }
        }
        Ok(admitted)
    }

    /// Makes the routing table anew from the objects as they are.
    pub fn rebuild_routes(&self) {
        let destinations: Vec<_> = self.read().destinations.values().cloned().collect();
        self.routes.replace(destinations.iter().map(AsRef::as_ref), BTreeSet::new());
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

    fn set_held(&self, flow: &StudioFlow, held: bool) -> Result<(), ClusterError> {
        let key = ObjectKey::of(flow);
        let _turn = self.turn();
        let Some(current) = self.studio_flow(&key) else {
            return Err(ClusterError::Conflict { what: format!("StudioFlow `{key}`") });
        };
        if !held && is_terminating(current.as_ref()) {
            self.state.remove::<StudioFlow>(&key).map_err(Self::of_state(&key))?;
            self.change(|objects| objects.flows.remove(&key));
            self.gone.notify_one();
            return Ok(());
        }
        let mut updated = StudioFlow::clone(&current);
        updated.metadata.finalizers = held.then(|| vec![FLOW_FINALIZER.to_owned()]);
        self.state.write(&updated).map_err(Self::of_state(&key))?;
        self.change(|objects| objects.flows.insert(key, Arc::new(updated)));
        Ok(())
    }

    fn of_state(what: &ObjectKey) -> impl FnOnce(std::io::Error) -> ClusterError + '_ {
        move |error| ClusterError::Write { what: what.to_string(), problem: error.to_string() }
    }
}

/// The objects of a kind as they were before the folder was read.
struct Before<K> {
    objects: BTreeMap<ObjectKey, Arc<K>>,
    /// Whether this process has had them looked at.
    known: bool,
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

fn is_terminating(object: &impl ResourceExt) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// The namespaces in which one of these objects is other than it was.
fn differing<T>(
    before: &BTreeMap<ObjectKey, T>,
    now: &BTreeMap<ObjectKey, T>,
    same: impl Fn(Option<&T>, Option<&T>) -> bool,
) -> BTreeSet<String> {
    let keys = before.keys().chain(now.keys()).filter(|key| !same(before.get(*key), now.get(*key)));
    keys.map(|key| key.namespace.clone()).collect()
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

    fn referring_to(&self, flow: &ObjectKey) -> Vec<ObjectRef> {
        let current = self.read();
        let sid = current.flows.get(flow).and_then(|flow| flow.status.as_ref()?.sid.as_deref());
        let destinations = current.destinations.iter().filter(|(_, destination)| destination.refers_to(flow, sid));
        let destinations = destinations.map(|(key, _)| ObjectRef::Destination(key.clone()));
        let parents = current.flows.iter().filter(|(_, parent)| parent.runs(flow, sid));
        destinations.chain(parents.map(|(key, _)| ObjectRef::Flow(key.clone()))).collect()
    }

    async fn config_map(&self, key: &ObjectKey) -> Result<Option<ConfigMapData>, ClusterError> {
        Ok(self.read().config_maps.get(key).cloned())
    }

    /// The journal of the state folder belongs to one process.
    fn may_act(&self) -> bool {
        true
    }

    async fn hold(&self, flow: &StudioFlow) -> Result<(), ClusterError> {
        self.set_held(flow, true)
    }

    async fn let_go(&self, flow: &StudioFlow) -> Result<(), ClusterError> {
        self.set_held(flow, false)
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
        self.look_at(self.referring_to(&key));
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
        let mut status = status.clone();
        // These are not the reconcilers' and may be newer than what they have read.
        status.deliveries = current.status.as_ref().and_then(|current| current.deliveries.clone());
        let updated = EngageDestination { status: Some(status.clone()), ..EngageDestination::clone(&current) };
        self.state.write(&updated).map_err(Self::of_state(&key))?;
        let before = current.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        log_ready("EngageDestination", &key, before, &status.conditions);
        self.change(|objects| objects.destinations.insert(key, Arc::new(updated)));
        self.routes_changed.notify_one();
        Ok(())
    }

    async fn write_deliveries(&self, key: &ObjectKey, deliveries: &DeliveriesStatus) -> Result<(), ClusterError> {
        let _turn = self.turn();
        let Some(current) = self.destination(key) else {
            return Err(ClusterError::Conflict { what: format!("EngageDestination `{key}`") });
        };
        let mut updated = EngageDestination::clone(&current);
        updated.status.get_or_insert_default().deliveries = Some(deliveries.clone());
        self.state.write(&updated).map_err(Self::of_state(key))?;
        self.change(|objects| objects.destinations.insert(key.clone(), Arc::new(updated)));
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
