//! How controllers know that a gateway runs: the gateway renews a Lease, and controllers look whether it still moves. Their
//! clocks are not compared, except at the first look. On the Lease the gateway also names the destinations whose account its
//! deliveries found to be other than it was checked: it may write nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{GATEWAY_LEASE, MANAGER};
use crate::api::{ObjectKey, annotations::SUSPECTED};

/// Time between two beats, and between two looks.
const BEAT: Duration = Duration::from_secs(5);
/// A gateway whose lease has not moved for this long does not run.
const SILENCE: Duration = Duration::from_secs(15);
/// A gateway that has given its lease back may be one that is restarted: so long is waited for the next, before every
/// destination is told that there is none.
const RESTART: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// Most destinations that one beat names; more are named again by their next events.
const MAX_SUSPECTED: usize = 50;

/// Renews the gateway's lease until `shutdown`, then takes its holder away.
pub async fn beat(
    client: Client,
    namespace: String,
    identity: String,
    mut suspected: mpsc::Receiver<ObjectKey>,
    shutdown: CancellationToken,
) {
    let api: Api<Lease> = Api::namespaced(client, &namespace);
    let mut named = None;
    loop {
        let mut keys = BTreeSet::new();
        while let Ok(key) = suspected.try_recv() {
            keys.insert(key);
        }
        if !keys.is_empty() {
            named = Some(Suspicion::of(keys).to_string());
        }
        write(&api, Some(identity.clone()), named.clone()).await;
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = shutdown.cancelled() => break,
        }
    }
    write(&api, None, named).await;
}

/// What the annotation says: the moment, so that the same names can be said again, and the destinations.
#[derive(Debug, PartialEq, Eq)]
struct Suspicion {
    at: Timestamp,
    destinations: Vec<ObjectKey>,
}

impl Suspicion {
    fn of(destinations: BTreeSet<ObjectKey>) -> Self {
        Self { at: Timestamp::now(), destinations: destinations.into_iter().take(MAX_SUSPECTED).collect() }
    }

    /// Reads the destinations; what is no name is left out.
    fn read(text: &str) -> Vec<ObjectKey> {
        let names = text.split_whitespace().skip(1).filter_map(|name| name.split_once('/'));
        names.take(MAX_SUSPECTED).map(|(namespace, name)| ObjectKey::new(namespace, name)).collect()
    }
}

impl std::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.at.fmt(f)?;
        self.destinations.iter().try_for_each(|key| write!(f, " {key}"))
    }
}

async fn write(api: &Api<Lease>, holder: Option<String>, suspected: Option<String>) {
    let annotations = suspected.map(|suspected| BTreeMap::from([(SUSPECTED.to_owned(), suspected)]));
    let lease = Lease {
        metadata: ObjectMeta { name: Some(GATEWAY_LEASE.into()), annotations, ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.unwrap_or_default()),
            lease_duration_seconds: i32::try_from(SILENCE.as_secs()).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    };
    let params = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(&lease);
    let written = api.patch(GATEWAY_LEASE, &params, &patch);
    match tokio::time::timeout(REQUEST_TIMEOUT, written).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(lease = GATEWAY_LEASE, %error, "the gateway's lease is not renewed"),
        Err(_) => tracing::warn!(lease = GATEWAY_LEASE, "the gateway's lease is not renewed in time"),
    }
}

/// Whether a gateway runs, as last looked.
#[derive(Debug, Clone, Default)]
pub struct GatewayPresence(Arc<AtomicBool>);

impl GatewayPresence {
    pub fn is_present(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Looks until it is dropped; `changed` is called whenever a gateway has come or gone, and `suspected` with each
    /// destination that it names anew.
    pub async fn follow(&self, client: Client, namespace: String, changed: impl Fn(), suspected: impl Fn(ObjectKey)) {
        let api: Api<Lease> = Api::namespaced(client, &namespace);
        // What the gateway named before the first look was checked since: everything is, at the start.
        let mut named: Option<Option<String>> = None;
        // When the lease was last seen to move.
        let mut seen: Option<(Option<MicroTime>, Instant)> = None;
        loop {
            let looked = tokio::time::timeout(REQUEST_TIMEOUT, api.get_opt(GATEWAY_LEASE)).await;
            // While the API server is away, nothing is known to have changed.
            if let Ok(Ok(lease)) = looked {
                let lease = lease.unwrap_or_default();
                let naming = lease.metadata.annotations.unwrap_or_default().remove(SUSPECTED);
                if named.as_ref().is_some_and(|named| *named != naming) {
                    Suspicion::read(naming.as_deref().unwrap_or_default()).into_iter().for_each(&suspected);
                }
                named = Some(naming);
                let spec = lease.spec.unwrap_or_default();
                let held = spec.holder_identity.is_some_and(|holder| !holder.is_empty());
                let renewed = spec.renew_time;
                let moved_at = match &seen {
                    Some((before, at)) if *before == renewed => *at,
                    Some(_) => Instant::now(),
                    None => Instant::now().checked_sub(age(renewed.as_ref())).unwrap_or_else(Instant::now),
                };
                seen = Some((renewed, moved_at));
                let patience = if held { SILENCE } else { RESTART };
                // Only one that was there can be one that is restarted.
                let present = (held || self.is_present()) && moved_at.elapsed() < patience;
                if self.0.swap(present, Ordering::AcqRel) != present {
                    changed();
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// How old a renewal is by our clock; at the first look there is nothing better.
fn age(renewed: Option<&MicroTime>) -> Duration {
    let age = renewed.map(|renewed| Timestamp::now().duration_since(renewed.0));
    age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suspected_is_read_as_it_was_named() {
        let keys = BTreeSet::from([ObjectKey::new("marketing", "welcome"), ObjectKey::new("sales", "lead")]);
        let text = Suspicion::of(keys.clone()).to_string();
        assert_eq!(Suspicion::read(&text), keys.into_iter().collect::<Vec<_>>());
        assert_eq!(Suspicion::read(""), []);
        assert_eq!(Suspicion::read("2026-01-01T00:00:00Z nonsense"), []);
    }
}
