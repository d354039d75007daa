//! The two roles on a real Kubernetes API server. One file an intent.

mod admission;
mod admission_limits;
mod availability;
mod config_maps;
mod control_plane;
mod crashes;
mod deletion;
mod deliveries;
mod destinations;
mod drain;
mod events;
mod explain;
mod flows;
mod gate;
mod install;
mod leadership;
mod perturbed;
mod scale;
mod secrets;
mod suspicion;
mod whole_path;
mod world;

use std::time::Duration;

/// Longer than anything takes that needs no waiting for a lease, also on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Longer than a lease has to stand still before another controller takes it, and what follows.
const AFTER_A_TAKEOVER: Duration = Duration::from_mins(1);
