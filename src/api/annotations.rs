//! Names that the operator writes onto objects that others see too.

/// First word of every commit message that the operator leaves on a Studio revision; what follows is the flow's
/// marker `{cluster-id}/{namespace}/{name}`.
pub const COMMIT_MESSAGE_PREFIX: &str = "engage-operator";

/// Key under which the opening message of a conversation carries the id of the event that caused it.
pub const EVENT_ATTRIBUTE: &str = "engageEvent";

/// Attribute by which a task is known to be an event's: the event's unique name, which holds no personal data.
pub const TASK_ATTRIBUTE: &str = "engageTask";

/// Finalizer of a StudioFlow whose flow is to be deleted with it; it stays until that has been done.
pub const FLOW_FINALIZER: &str = "engage-operator.dev/studio-flow";

/// Annotation of a StudioFlow that ends the waiting of its deletion: `Now` deletes the flow whatever refers to it or runs in it,
/// `Retain` leaves it in the account and lets the resource go.
pub const DELETION: &str = "engage-operator.dev/deletion";

/// Annotation that has a resource looked at at once: each new value does so, whatever it is.
pub const RECONCILE_NOW: &str = "engage-operator.dev/reconcile-now";

/// Annotation of the gateway's Lease: the destinations that deliveries found to be other than they were checked.
pub const SUSPECTED: &str = "engage-operator.dev/suspected";

/// Annotation of a StudioFlow that says which revision of git it was applied from, for the commit message in Studio. Whatever
/// applies it fills it in, such as `${ARGOCD_APP_REVISION}`.
pub const SOURCE_REVISION: &str = "engage-operator.dev/source-revision";
