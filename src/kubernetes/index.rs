//! The objects of one kind as the API server last told them. One that cannot be read disturbs no other: it stays as it was last
//! read, and where it never was, it is known by its name alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, NamespaceResourceScope},
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::api::ObjectKey;

/// Longest pause between two tries to reach an API server that is away: a gateway must not be long behind it.
const MAX_PAUSE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A watch that has failed and then not again for this long is whole.
const QUIET: Duration = Duration::from_secs(15);

/// Pauses between tries: growing, short, and never the same for all.
struct Reconnect(Duration);

impl Default for Reconnect {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Reconnect {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (self.0 * 2).min(MAX_PAUSE);
        Some(pause.mul_f64(rand::random_range(0.8..=1.2)))
    }
}

impl Backoff for Reconnect {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

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
    /// Those that are there and cannot be read as they are now.
    unreadable: RwLock<BTreeSet<ObjectKey>>,
    /// How many of the watched namespaces have been read.
    read: watch::Sender<usize>,
    /// How many watches are broken: for as long as there is one, changes go unseen.
    broken: AtomicUsize,
}

impl<K: Watched> Default for Index<K> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
            unreadable: RwLock::default(),
            read: watch::Sender::new(0),
            broken: AtomicUsize::new(0),
        }
    }
}

impl<K: Watched> Index<K> {
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The names of objects that cannot be read as they are now.
    pub fn unreadable(&self) -> BTreeSet<ObjectKey> {
        self.unreadable.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the objects of `namespaces` namespaces have been read once.
    pub async fn ready(&self, namespaces: usize) {
        let mut read = self.read.subscribe();
        // The sender lives as long as the index.
        let _ = read.wait_for(|read| *read >= namespaces).await;
    }

    /// Whether the API server tells of every change.
    pub fn is_complete(&self) -> bool {
        self.broken.load(Ordering::Acquire) == 0
    }

    /// Takes in what we have written ourselves, ahead of the watch that tells of it; not when that has told of something newer,
    /// or that the object is gone.
    pub fn put(&self, object: K) {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = objects.get_mut(&ObjectKey::of(&object))
            && known.uid() == object.uid()
            && is_newer(&object, known.as_ref())
        {
            *known = Arc::new(object);
        }
    }

    /// Takes in what the watch tells; whether it was not known already.
    fn learn(&self, object: K) -> bool {
        let key = ObjectKey::of(&object);
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let known = objects.get(&key).filter(|known| known.uid() == object.uid());
        if known.is_some_and(|known| !is_newer(&object, known.as_ref())) {
            return false;
        }
        objects.insert(key, Arc::new(object));
        true
    }

    fn remove(&self, key: &ObjectKey) {
        self.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.unreadable.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Follows the API server for as long as it is polled; `changed` is told of each object that came, changed or went, and
    /// `health` is called whenever a watch breaks or is whole again. While the server is away the objects stay as they are.
    pub async fn follow(&self, client: Client, namespaces: &[String], changed: impl Fn(&ObjectKey), health: impl Fn()) {
        let apis: Vec<(Option<String>, Api<DeserializeGuard<K>>)> = if namespaces.is_empty() {
            vec![(None, Api::all(client))]
        } else {
            namespaces.iter().map(|name| (Some(name.clone()), Api::namespaced(client.clone(), name))).collect()
        };
        let (changed, health) = (&changed, &health);
        let follow_one = |(namespace, api): (Option<String>, Api<DeserializeGuard<K>>)| async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).backoff(Reconnect::default()));
            let mut listed: Option<BTreeSet<ObjectKey>> = None;
            let (mut read_once, mut broken) = (false, false);
            loop {
                let next =
                    if broken { tokio::time::timeout(QUIET, events.next()).await } else { Ok(events.next().await) };
                // A watch that goes on where it was says nothing until something changes; one that is broken says so often.
                let Ok(next) = next else {
                    broken = false;
                    self.broken.fetch_sub(1, Ordering::AcqRel);
                    health();
                    continue;
                };
                let Some(event) = next else { return };
                // A watch that starts again by listing is whole again when the list is; one that goes on, at its next event.
                let is_broken = match &event {
                    Err(_) => true,
                    Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => broken,
                    Ok(_) => false,
                };
                match (broken, is_broken) {
                    (false, true) => drop(self.broken.fetch_add(1, Ordering::AcqRel)),
                    (true, false) => {
                        self.broken.fetch_sub(1, Ordering::AcqRel);
                        health();
                    }
                    _ => {}
                }
                broken = is_broken;
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
                        let known = self.all().into_iter().map(|object| ObjectKey::of(object.as_ref()));
                        let gone = known.chain(self.unreadable()).filter(|key| {
                            namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
                                && !listed.contains(key)
                        });
                        for key in gone.collect::<BTreeSet<_>>() {
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
                        health();
                    }
                }
            }
        };
        stream::iter(apis).map(follow_one).buffer_unordered(usize::MAX).collect::<Vec<()>>().await;
    }

    fn take(&self, object: DeserializeGuard<K>) -> bool {
        let key = key_of(&object);
        let mut unreadable = self.unreadable.write().unwrap_or_else(PoisonError::into_inner);
        match object.0 {
            Ok(mut object) => {
                object.managed_fields_mut().clear();
                let mended = unreadable.remove(&key);
                self.learn(object) || mended
            }
            Err(invalid) => {
                tracing::error!(kind = %K::kind(&()), object = %key, error = %invalid.error, "an object cannot be read");
                unreadable.insert(key)
            }
        }
    }
}

fn key_of<K: Watched>(object: &DeserializeGuard<K>) -> ObjectKey {
    ObjectKey::of(object)
}

/// Whether `object` was written after `known`, of which it is another version. Where that cannot be told, it counts as newer.
fn is_newer(object: &impl Resource, known: &impl Resource) -> bool {
    match (version(object), version(known)) {
        (Some(object), Some(known)) => object > known,
        _ => true,
    }
}

/// Resource versions grow with each write to an object.
fn version(object: &impl Resource) -> Option<u64> {
    object.meta().resource_version.as_deref()?.parse().ok()
}
