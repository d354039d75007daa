//! The objects of one kind as the API server last told them. An object that cannot be read is skipped and disturbs no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, PoisonError, RwLock},
};

use futures::{StreamExt, stream};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, NamespaceResourceScope},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::api::ObjectKey;

/// A namespaced kind that is watched.
pub trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// The objects of one kind.
#[derive(Debug)]
pub struct Index<K> {
    objects: RwLock<BTreeMap<ObjectKey, Arc<K>>>,
    /// How many of the watched namespaces have been read.
    read: watch::Sender<usize>,
}

impl<K: Watched> Default for Index<K> {
    fn default() -> Self {
        Self { objects: RwLock::default(), read: watch::Sender::new(0) }
    }
}

impl<K: Watched> Index<K> {
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits until the objects of `namespaces` namespaces have been read once.
    pub async fn ready(&self, namespaces: usize) {
        let mut read = self.read.subscribe();
        // The sender lives as long as the index.
        let _ = read.wait_for(|read| *read >= namespaces).await;
    }

    /// Takes an object in unless a newer one is there already: our own writes arrive before the watch tells of them.
    pub fn put(&self, object: K) -> bool {
        let key = ObjectKey::of(&object);
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let known = objects.get(&key);
        let same_object = known.is_some_and(|known| known.uid() == object.uid());
        if same_object
            && known.and_then(|known| version(known.as_ref())) >= version(&object)
            && version(&object).is_some()
        {
            return false;
        }
        objects.insert(key, Arc::new(object));
        true
    }

    fn remove(&self, key: &ObjectKey) -> bool {
        self.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key).is_some()
    }

    /// Follows the API server for as long as it is polled; `changed` is told of each object that came, changed or went. While
    /// the server is away the objects stay as they are.
    pub async fn follow(&self, client: Client, namespaces: &[String], changed: impl Fn(&ObjectKey)) {
        let apis: Vec<(Option<String>, Api<DeserializeGuard<K>>)> = if namespaces.is_empty() {
            vec![(None, Api::all(client))]
        } else {
            namespaces.iter().map(|name| (Some(name.clone()), Api::namespaced(client.clone(), name))).collect()
        };
        let changed = &changed;
        let follow_one = |(namespace, api): (Option<String>, Api<DeserializeGuard<K>>)| async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
            let mut listed: Option<BTreeSet<ObjectKey>> = None;
            let mut read_once = false;
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init) => listed = Some(BTreeSet::new()),
                    Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                        let key = key_of(&object);
                        if let Some(listed) = &mut listed {
                            listed.insert(key.clone());
                        }
                        if self.take(object) {
                            changed(&key);
                        }
                    }
                    Ok(watcher::Event::InitDone) => {
                        let listed = listed.take().unwrap_or_default();
                        let gone = self.all().into_iter().map(|object| ObjectKey::of(object.as_ref())).filter(|key| {
                            namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
                                && !listed.contains(key)
                        });
                        for key in gone.collect::<Vec<_>>() {
                            self.remove(&key);
                            changed(&key);
                        }
                        if !read_once {
                            read_once = true;
                            self.read.send_modify(|read| *read += 1);
                        }
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        let key = key_of(&object);
                        self.remove(&key);
                        changed(&key);
                    }
                    Err(error) => {
                        tracing::warn!(kind = %K::kind(&()), %error, "the API server does not tell of changes");
                    }
                }
            }
        };
        stream::iter(apis).map(follow_one).buffer_unordered(usize::MAX).collect::<Vec<()>>().await;
    }

    fn take(&self, object: DeserializeGuard<K>) -> bool {
        match object.0 {
            Ok(mut object) => {
                object.managed_fields_mut().clear();
                self.put(object)
            }
            Err(invalid) => {
                tracing::error!(
                    kind = %K::kind(&()),
                    object = %invalid.metadata.name.as_deref().unwrap_or_default(),
                    error = %invalid.error,
                    "an object cannot be read and is skipped"
                );
                false
            }
        }
    }
}

fn key_of<K: Watched>(object: &DeserializeGuard<K>) -> ObjectKey {
    ObjectKey::of(object)
}

/// Resource versions grow with each write to an object.
fn version(object: &impl Resource) -> Option<u64> {
    object.meta().resource_version.as_deref()?.parse().ok()
}
