//! The two custom resources, as a person writes them and as the API server stores them.
//!
//! Every doc comment on a field becomes the text of `kubectl explain`, so it is written for that reader. The types here
//! are the wire shape: optional fields where the YAML has options. What a rule allows is checked once, by
//! [`admission`], with the very schema and CEL rules that the API server uses.

// The lint takes the columns of a CRD for one attribute written twice.
#![allow(clippy::duplicated_attributes)]

pub mod admission;
pub mod annotations;
pub mod conditions;
pub mod duration;
pub mod engage_destination;
pub mod flow_lifecycle;
pub mod gate;
pub mod object_key;
pub mod reasons;
pub mod references;
pub mod secret;
pub mod studio_flow;

pub use duration::Period;
pub use engage_destination::{EngageDestination, EngageDestinationSpec, EngageDestinationStatus};
pub use object_key::ObjectKey;
pub use studio_flow::{StudioFlow, StudioFlowSpec, StudioFlowStatus};

/// API group of both kinds.
pub const GROUP: &str = "engage-operator.dev";
/// The only version served today.
pub const VERSION: &str = "v1alpha1";

/// The custom resource definitions of both kinds, in the order in which they are printed and installed.
pub fn custom_resource_definitions()
-> [k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition; 2] {
    use kube::CustomResourceExt;
    [EngageDestination::crd(), StudioFlow::crd()]
}
