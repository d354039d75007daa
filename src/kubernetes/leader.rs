//! One writer at a time, by Lease. What always holds: whoever believes to hold the lease has renewed it within the last ten
//! seconds of its own monotonic clock, and nobody takes it before it has stood still for fifteen seconds of theirs. Neither
//! a clock that is set nor an API server that is away can make two of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the lease must have stood still before another takes it.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long the holder goes on without having renewed it.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between two looks or renewals.
const RETRY: Duration = Duration::from_secs(2);
/// Time for one request; shorter than what is left of the deadline after two tries.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// What one process knows of its hold on the lease.
#[derive(Debug, Clone)]
pub struct Leadership {
    began: Instant,
    /// Milliseconds after `began` until which the lease is held for certain; zero for not at all.
    held_until: Arc<AtomicU64>,
}

impl Leadership {
    fn new() -> Self {
        Self { began: Instant::now(), held_until: Arc::default() }
    }

    /// Whether this process may write now.
    pub fn holds(&self) -> bool {
        self.began.elapsed() < Duration::from_millis(self.held_until.load(Ordering::Acquire))
    }

    fn renewed(&self, asked_at: Instant) {
        let until = asked_at.duration_since(self.began) + RENEW_DEADLINE;
        self.held_until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn given_up(&self) {
        self.held_until.store(0, Ordering::Release);
    }
}

/// A candidate for the lease.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    /// The lease as last seen in somebody else's hand, and since when it has not changed.
    seen: Option<(Option<String>, Instant)>,
}

impl Elector {
    pub fn new(client: Client, namespace: &str, name: &str, identity: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            leadership: Leadership::new(),
            seen: None,
        }
    }

    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until this process holds the lease. `false`: it was asked to end before.
    pub async fn acquire(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            if self.round().await {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.cancelled() => return false,
            }
        }
    }

    /// Renews the lease until it is lost or the process is asked to end; then gives it back. `true`: it was lost.
    pub async fn hold(mut self, shutdown: &CancellationToken) -> bool {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.cancelled() => {
                    self.leadership.given_up();
                    self.release().await;
                    return false;
                }
            }
            self.round().await;
            if !self.leadership.holds() {
                self.leadership.given_up();
                return true;
            }
        }
    }

    /// Renews or takes the lease if that is allowed; gives whether it is held.
    async fn round(&mut self) -> bool {
        let asked_at = Instant::now();
        match tokio::time::timeout(REQUEST_TIMEOUT, self.try_round()).await {
            Ok(Ok(true)) => self.leadership.renewed(asked_at),
            Ok(Ok(false)) => self.leadership.given_up(),
            // Until the deadline the lease is still ours.
            Ok(Err(error)) => tracing::warn!(lease = %self.name, %error, "the lease could not be read or written"),
            Err(_) => tracing::warn!(lease = %self.name, "the API server does not answer about the lease"),
        }
        self.leadership.holds()
    }

    async fn try_round(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let free = holder.is_empty() || holder == self.identity || self.has_stood_still(&lease);
        if !free {
            return Ok(false);
        }
        let transitions = spec.lease_transitions.unwrap_or(0) + i32::from(holder != self.identity);
        // The resource version makes this fail if anybody else has written in between.
        let mine =
            Lease { spec: Some(LeaseSpec { acquire_time: spec.acquire_time, ..self.spec(transitions) }), ..lease };
        won(self.api.replace(&self.name, &PostParams::default(), &mine).await)
    }

    fn has_stood_still(&mut self, lease: &Lease) -> bool {
        let version = lease.metadata.resource_version.clone();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() >= LEASE_DURATION,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// Gives the lease back, so that another need not wait.
    async fn release(&self) {
        let release = async {
            let Some(lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            let mut spec = lease.spec.clone().unwrap_or_default();
            if spec.holder_identity.as_deref() != Some(&self.identity) {
                return Ok(());
            }
            spec.holder_identity = Some(String::new());
            let free = Lease { spec: Some(spec), ..lease };
            self.api.replace(&self.name, &PostParams::default(), &free).await.map(drop)
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, release).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(lease = %self.name, %error, "the lease was not given back"),
            Err(_) => tracing::warn!(lease = %self.name, "the lease was not given back in time"),
        }
    }
}

/// A conflict means that another was faster.
fn won(result: kube::Result<Lease>) -> kube::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
        Err(error) => Err(error),
    }
}
