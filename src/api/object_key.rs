//! How the operator names one object: its namespace and name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Namespace and name of a resource. Two kinds may share a key; the kind is always known from where the key is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    pub namespace: String,
    pub name: String,
}

impl ObjectKey {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of `resource`; an absent namespace is `default`, as `kubectl` has it.
    pub fn of<K: kube::ResourceExt>(resource: &K) -> Self {
        Self::new(resource.namespace().unwrap_or_else(|| "default".into()), resource.name_any())
    }

    /// Another object in the same namespace: references never cross namespaces.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Self {
        Self::new(self.namespace.clone(), name)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
