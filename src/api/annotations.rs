//! Names that the operator writes onto objects outside its own cluster view.

/// First word of every commit message that the operator leaves on a Studio revision; what follows is the flow's
/// marker `{cluster-id}/{namespace}/{name}`.
pub const COMMIT_MESSAGE_PREFIX: &str = "engage-operator";

/// Key under which the opening message of a conversation carries the id of the event that caused it.
pub const EVENT_ATTRIBUTE: &str = "engageEvent";
