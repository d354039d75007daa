//! Every reason that outsiders see: in conditions, in the answer to Segment, in metrics and logs. One word each, stable.

/// Reasons of conditions.
pub mod condition {
    pub const READY: &str = "Ready";
    pub const VALID: &str = "Valid";
    pub const INVALID_SPEC: &str = "InvalidSpec";
    pub const RESOLVED: &str = "Resolved";
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    pub const SECRET_UNREADABLE: &str = "SecretUnreadable";
    pub const SECRET_KEY_MISSING: &str = "SecretKeyMissing";
    pub const SECRET_KEY_INVALID: &str = "SecretKeyInvalid";
    pub const VERIFYING: &str = "Verifying";
    pub const VERIFIED: &str = "Verified";
    pub const NOT_ENFORCED: &str = "NotEnforced";
    pub const CHECK_FAILED: &str = "CheckFailed";
    pub const SUSPENDED: &str = "Suspended";
    pub const PROGRAMMED: &str = "Programmed";
    pub const PENDING: &str = "Pending";
    pub const NO_GATEWAY: &str = "NoGateway";
    pub const MEMORY_JOURNAL: &str = "MemoryJournal";
    pub const CALLBACKS_UNVERIFIABLE: &str = "CallbacksUnverifiable";

    pub const CREDENTIALS_REJECTED: &str = "CredentialsRejected";
    pub const MESSAGING_SERVICE_NOT_FOUND: &str = "MessagingServiceNotFound";
    pub const NO_WHATSAPP_SENDER: &str = "NoWhatsAppSender";
    pub const SEVERAL_WHATSAPP_SENDERS: &str = "SeveralWhatsAppSenders";
    pub const SENDER_NOT_FOUND: &str = "SenderNotFound";
    pub const SENDER_OFFLINE: &str = "SenderOffline";
    pub const CONTENT_NOT_FOUND: &str = "ContentNotFound";
    pub const CONTENT_AMBIGUOUS: &str = "ContentAmbiguous";
    pub const CONTENT_NOT_APPROVED: &str = "ContentNotApproved";
    pub const CONTENT_VARIABLES_MISMATCH: &str = "ContentVariablesMismatch";
    pub const FLOW_NOT_FOUND: &str = "FlowNotFound";
    pub const FLOW_NOT_READY: &str = "FlowNotReady";
    pub const FLOW_NOT_PUBLISHED: &str = "FlowNotPublished";
    pub const FLOW_TRIGGER_MISSING: &str = "FlowTriggerMissing";
    pub const FLOW_IN_OTHER_ACCOUNT: &str = "FlowInOtherAccount";

    pub const FLEX_NOT_SET_UP: &str = "FlexNotSetUp";
    pub const NOT_FLEX_SERVICE: &str = "NotFlexService";
    pub const WORKSPACE_NOT_FOUND: &str = "WorkspaceNotFound";
    pub const WORKFLOW_NOT_FOUND: &str = "WorkflowNotFound";
    pub const TASK_CHANNEL_NOT_FOUND: &str = "TaskChannelNotFound";

    pub const SYNCED: &str = "Synced";
    pub const DRAFT: &str = "Draft";
    pub const DEFINITION_INVALID: &str = "DefinitionInvalid";
    pub const LINT_WARNINGS: &str = "LintWarnings";
    pub const REFERENCE_NOT_FOUND: &str = "ReferenceNotFound";
    pub const REFERENCE_AMBIGUOUS: &str = "ReferenceAmbiguous";
    pub const SUBFLOW_CYCLE: &str = "SubflowCycle";
    pub const SUBFLOW_NESTED: &str = "SubflowNested";
    pub const TOO_MANY_WIDGETS: &str = "TooManyWidgets";
    pub const CONFIG_MAP_NOT_FOUND: &str = "ConfigMapNotFound";
    pub const CONFIG_MAP_UNREADABLE: &str = "ConfigMapUnreadable";
    pub const CONFIG_MAP_KEY_MISSING: &str = "ConfigMapKeyMissing";
    pub const DELETION_BLOCKED: &str = "DeletionBlocked";
    pub const FLOW_DELETED: &str = "FlowDeleted";
    pub const FLOW_KEPT: &str = "FlowKept";
    pub const NAME_TAKEN: &str = "NameTaken";
    /// Of an event when somebody else has saved a revision, and of the condition while nothing is written because of it.
    pub const FLOW_EDITED: &str = "FlowEdited";
    pub const EDIT_KEPT: &str = "EditKept";
    pub const PINNED: &str = "Pinned";
    pub const NOTHING_TO_ADOPT: &str = "NothingToAdopt";
    pub const SEVERAL_TO_ADOPT: &str = "SeveralToAdopt";
    pub const REVISION_NOT_FOUND: &str = "RevisionNotFound";
    pub const WRITE_INTERRUPTED: &str = "WriteInterrupted";
    pub const CREATE_INTERRUPTED: &str = "CreateInterrupted";
    pub const RATE_LIMITED: &str = "RateLimited";
    pub const API_UNAVAILABLE: &str = "ApiUnavailable";
    pub const API_REFUSED: &str = "ApiRefused";
}

/// Reasons of the outcome of one event.
pub mod event {
    // suppressed
    pub const NOT_TRACK: &str = "NotTrack";
    pub const AUDIENCE_EXITED: &str = "AudienceExited";
    pub const TOO_OLD: &str = "TooOld";
    pub const CONDITION_FALSE: &str = "ConditionFalse";
    pub const CONDITION_NOT_EVALUABLE: &str = "ConditionNotEvaluable";
    pub const NO_CONSENT: &str = "NoConsent";
    pub const CONVERSATION_ACTIVE: &str = "ConversationActive";
    pub const OWN_OUTCOME: &str = "OwnOutcome";

    // duplicate
    pub const SAME_ENTRY: &str = "SameEntry";

    // rejected
    pub const MALFORMED_EVENT: &str = "MalformedEvent";
    pub const NO_USER: &str = "NoUser";
    pub const NO_SPACE: &str = "NoSpace";
    pub const NO_PROFILE: &str = "NoProfile";
    pub const NO_PHONE: &str = "NoPhone";
    pub const INVALID_PHONE: &str = "InvalidPhone";
    pub const MISSING_TRAIT: &str = "MissingTrait";
    pub const INVALID_VARIABLE: &str = "InvalidVariable";
    pub const TEMPLATE_FAILED: &str = "TemplateFailed";
    pub const RECIPIENT_INVALID: &str = "RecipientInvalid";
    pub const RECIPIENT_OPTED_OUT: &str = "RecipientOptedOut";
    pub const NOT_ON_WHATSAPP: &str = "NotOnWhatsApp";
    pub const CONVERSATION_CLOSED: &str = "ConversationClosed";
    pub const INTERACTION_FAILED: &str = "InteractionFailed";
    pub const RETRIES_ENDED: &str = "RetriesEnded";
    pub const DECIDED_BY_HAND: &str = "DecidedByHand";

    // retry
    pub const IN_FLIGHT: &str = "InFlight";
    pub const ENTRY_IN_FLIGHT: &str = "EntryInFlight";
    pub const RECIPIENT_BUSY: &str = "RecipientBusy";
    pub const STILL_SENDING: &str = "StillSending";
    pub const NOT_ATTEMPTED: &str = "NotAttempted";
    pub const REOPENED: &str = "Reopened";
    pub const THROTTLED: &str = "Throttled";
    pub const TWILIO_UNREACHABLE: &str = "TwilioUnreachable";
    pub const TWILIO_UNAVAILABLE: &str = "TwilioUnavailable";
    pub const TWILIO_CREDENTIALS_REJECTED: &str = "TwilioCredentialsRejected";
    pub const TWILIO_FORBIDDEN: &str = "TwilioForbidden";
    pub const TWILIO_NOT_FOUND: &str = "TwilioNotFound";
    pub const TWILIO_REFUSED: &str = "TwilioRefused";
    pub const TWILIO_CONFLICT: &str = "TwilioConflict";
    pub const NOT_PROVEN: &str = "NotProven";
    pub const PROFILE_API_UNAVAILABLE: &str = "ProfileApiUnavailable";
    pub const PROFILE_API_THROTTLED: &str = "ProfileApiThrottled";
    pub const PROFILE_API_REFUSED: &str = "ProfileApiRefused";
    pub const CREDENTIALS_UNREADABLE: &str = "CredentialsUnreadable";
    pub const JOURNAL_FULL: &str = "JournalFull";
    pub const JOURNAL_FAILED: &str = "JournalFailed";
    pub const OVERLOADED: &str = "Overloaded";
    pub const INTERNAL: &str = "Internal";

    // unknown
    pub const OUTCOME_UNKNOWN: &str = "OutcomeUnknown";
}

/// Reasons for which a whole request is refused before any event in it is looked at.
pub mod request {
    pub const BAD_SIGNATURE: &str = "BadSignature";
    pub const MALFORMED: &str = "Malformed";
    pub const UNKNOWN_DESTINATION: &str = "UnknownDestination";
    pub const NOT_KNOWN_YET: &str = "NotKnownYet";
    pub const UNREADABLE: &str = "Unreadable";
    pub const TOO_LARGE: &str = "TooLarge";
    pub const TOO_SLOW: &str = "TooSlow";
}

/// Reasons for which a message that Twilio took failed later.
pub mod receipt {
    pub const OUTSIDE_WINDOW: &str = "OutsideWindow";
    pub const WITHHELD_BY_META: &str = "WithheldByMeta";
    pub const EXCLUDED_BY_META: &str = "ExcludedByMeta";
    pub const CONTENT_REFUSED: &str = "ContentRefused";
    pub const TEMPLATE_REFUSED: &str = "TemplateRefused";
    pub const LIMIT_EXCEEDED: &str = "LimitExceeded";
    pub const SENDER_BLOCKED: &str = "SenderBlocked";
    pub const CHANNEL_FAILED: &str = "ChannelFailed";
    pub const OTHER: &str = "Other";
}
