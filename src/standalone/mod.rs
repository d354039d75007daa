//! Without Kubernetes: a folder of YAML is the source of resources, and a state folder takes their status. The same
//! reconcilers, gateway and delivery run on top.

pub mod cluster;
pub mod folder;
pub mod run;
pub mod state;
mod watch;
