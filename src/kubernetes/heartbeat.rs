//! How controllers know that a gateway runs: the gateway renews a Lease, and controllers look whether it still moves. Their
//! clocks are not compared, except at the first look.

use std::{
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
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{GATEWAY_LEASE, MANAGER};

/// Time between two beats, and between two looks.
const BEAT: Duration = Duration::from_secs(5);
/// A gateway whose lease has not moved for this long does not run.
const SILENCE: Duration = Duration::from_secs(15);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// Renews the gateway's lease until `shutdown`, then takes its holder away.
pub async fn beat(client: Client, namespace: String, identity: String, shutdown: CancellationToken) {
    let api: Api<Lease> = Api::namespaced(client, &namespace);
    loop {
        write(&api, Some(identity.clone())).await;
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = shutdown.cancelled() => break,
        }
    }
    write(&api, None).await;
}

async fn write(api: &Api<Lease>, holder: Option<String>) {
    let lease = Lease {
        metadata: ObjectMeta { name: Some(GATEWAY_LEASE.into()), ..ObjectMeta::default() },
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

    /// Looks until it is dropped; `changed` is called whenever a gateway has come or gone.
    pub async fn follow(&self, client: Client, namespace: String, changed: impl Fn()) {
        let api: Api<Lease> = Api::namespaced(client, &namespace);
        // When the lease was last seen to move.
        let mut seen: Option<(Option<MicroTime>, Instant)> = None;
        loop {
            let looked = tokio::time::timeout(REQUEST_TIMEOUT, api.get_opt(GATEWAY_LEASE)).await;
            // While the API server is away, nothing is known to have changed.
            if let Ok(Ok(lease)) = looked {
                let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
                let held = spec.holder_identity.is_some_and(|holder| !holder.is_empty());
                let renewed = spec.renew_time;
                let moved_at = match &seen {
                    Some((before, at)) if *before == renewed => *at,
                    Some(_) => Instant::now(),
                    None => Instant::now().checked_sub(age(renewed.as_ref())).unwrap_or_else(Instant::now),
                };
                seen = Some((renewed, moved_at));
                let present = held && moved_at.elapsed() < SILENCE;
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
