//! `StudioFlow`: this Twilio Studio flow exists and stays as git says.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{
    ObjectKey, Period,
    annotations::{DELETION, FLOW_FINALIZER, RECONCILE_NOW},
    flow_lifecycle::{DriftPolicy, FlowAdoption, PendingWrite},
    references::{DefinitionSource, FlowReference, TwilioAccount},
};

/// A Twilio Studio flow kept as written here.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "engage-operator.dev",
    version = "v1alpha1",
    kind = "StudioFlow",
    plural = "studioflows",
    shortname = "sf",
    category = "engage",
    namespaced,
    status = "StudioFlowStatus",
    derive = "PartialEq",
    doc = "A Twilio Studio flow that exists, is published, and stays as written here: an edit made elsewhere is reported and put back.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "SID", type_ = "string", json_path = ".status.sid"),
    printcolumn(name = "Revision", type_ = "integer", json_path = ".status.revision"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.definition) != has(self.definitionFrom)").message(
        "a flow has exactly one definition: set either definition or definitionFrom"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct StudioFlowSpec {
    /// `true` leaves the flow in the account as it is: nothing is compared, written or deleted. It goes on serving
    /// customers. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// The Twilio account that has the flow.
    pub twilio: TwilioAccount,
    /// Name of the flow in Studio. A flow of this name that this operator did not make is left alone, and says so
    /// (`NameTaken`), unless `adopt` names it.
    #[schemars(length(min = 1, max = 256))]
    pub friendly_name: String,
    /// `true` publishes each change; `false` keeps the flow as a draft that serves nobody. Default: true.
    #[serde(default = "StudioFlowSpec::default_publish")]
    pub publish: bool,
    /// `true` saves each change as a draft first and publishes it once Studio has taken that: two revisions for each change, and
    /// nothing serves customers that Studio has not kept before. Default: false.
    #[serde(default)]
    pub staged: bool,
    /// What follows when somebody else edits the flow, as in the Console. `Correct` puts it back. `Report` writes nothing more
    /// until the definition here says the same or `overwriteRevision` names the edit. `Adopt` keeps the edit until the
    /// definition here changes. Each reports who saved which revision in `status.drift` and as the event `FlowEdited`.
    /// Default: Correct.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// Foreign revisions up to this number may be written over whatever `driftPolicy` says: somebody has seen them. Example: 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub overwrite_revision: Option<i64>,
    /// Serves this earlier revision of the flow's own history instead of the definition, until it is taken out again. Studio
    /// keeps every revision and changes none, so it is saved again as a new one. Example: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub revision: Option<i64>,
    /// Takes over a flow that the account has already, by SID or by its name there, instead of making one. `driftPolicy` says
    /// what becomes of what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<FlowAdoption>,
    /// Who meets the flow's newest draft instead of what is published: exactly these, in any order. Left out, they are not
    /// looked at; an empty list removes all. Example: `["+5511900000001"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub test_users: Option<Vec<String>>,
    /// The flow itself: the JSON of a Studio export, as it is. Account-specific ids in it are filled by `references`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub definition: Option<Map<String, Value>>,
    /// Where the definition is instead, for one that is kept as a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_from: Option<DefinitionSource>,
    /// What differs from account to account, looked up by name at each reconcile. A name that is not found, or that several
    /// things have, stops the write. No Secret can be referred to: whoever can open Studio reads a definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub references: Vec<FlowReference>,
    /// What whoever starts the flow by the API gives it, each as `{{flow.data.NAME}}` in the definition. Nothing is sent or checked at
    /// run time: where they are declared, the lint warns of a name in the definition that is not among them, since that is an empty
    /// text in front of a customer. Left out, nothing is declared; an empty list says that the flow is given nothing. Example:
    /// `[{"name": "order", "description": "number of the order, such as 1234"}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub parameters: Option<Vec<FlowParameter>>,
    /// What is taken for an error and what for a warning in the definition. Errors are not written to the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lint: Option<FlowLint>,
    /// What becomes of the flow in Studio when this resource is deleted. `Retain` leaves it there. `Delete` deletes it, as soon
    /// as no EngageDestination refers to it, no StudioFlow runs it and no execution of it goes on; what cannot be deleted within
    /// `deletionDeadline` is left there, and an event says so. The annotation `engage-operator.dev/deletion` ends the waiting:
    /// `Now` deletes at once, `Retain` lets go. Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How long a deletion may be held up, counted from the deletion of the resource; then the flow is left in the account and
    /// the resource goes. An execution may go on for thirty days. Default: 10m.
    #[serde(default = "StudioFlowSpec::default_deletion_deadline")]
    pub deletion_deadline: Period,
    /// How often the account is compared again when nothing has changed; at least 5s. Default: 10m.
    #[serde(default = "StudioFlowSpec::default_resync_interval")]
    pub resync_interval: Period,
}

/// Something that a flow is given when it is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowParameter {
    /// Its key among the `Parameters` of the execution, for example `order`.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// What it is, for whoever starts the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub description: Option<String>,
}

/// Rules of the lint that are taken otherwise than by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowLint {
    /// A severity for each rule by its code, as in `unreachable-widget: Ignore`. docs/lint.md lists the rules and their defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub severities: BTreeMap<String, LintSeverity>,
}

/// `Error` keeps the flow from being written, `Warning` is told of, `Ignore` is not looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LintSeverity {
    Error,
    Warning,
    Ignore,
}

/// What becomes of a flow whose resource is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}

/// An object of which the API server keeps everything. A schema for its values beside that, even one that allows all, would
/// have it prune what is nested.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// What the annotation [`DELETION`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionAsked {
    /// Delete the flow, whatever stands in the way.
    Now,
    /// Leave it in the account.
    Retain,
}

impl StudioFlow {
    /// How somebody has ended the waiting of its deletion. A value that is neither asks for nothing.
    pub fn deletion_asked(&self) -> Option<DeletionAsked> {
        match self.annotation(DELETION)? {
            "Now" => Some(DeletionAsked::Now),
            "Retain" => Some(DeletionAsked::Retain),
            _ => None,
        }
    }

    /// The value by which somebody has asked for it to be looked at.
    pub fn reconcile_asked(&self) -> Option<&str> {
        self.annotation(RECONCILE_NOW)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether it runs that StudioFlow as a subflow: names it, or runs its SID in the account, if it has one.
    pub fn runs(&self, subflow: &ObjectKey, sid: Option<&str>) -> bool {
        let key = ObjectKey::of(self);
        let mut named = self.spec.references.iter().filter_map(|reference| reference.subflow.as_ref());
        let mut running = self.status.iter().flat_map(|status| &status.subflows);
        named.any(|named| key.sibling(&named.name) == *subflow) || running.any(|it| Some(it.as_str()) == sid)
    }

    /// Whether the resource stays until its flow is deleted.
    pub fn is_held(&self) -> bool {
        self.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FLOW_FINALIZER)
    }
}

impl StudioFlowSpec {
    const fn default_publish() -> bool {
        true
    }

    const fn default_deletion_deadline() -> Period {
        Period::minutes(10)
    }

    const fn default_resync_interval() -> Period {
        Period::minutes(10)
    }
}

/// What the operator last saw and did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StudioFlowStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SID of the flow, `FW…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Account that has the flow, `AC…`. A flow is never carried to another account: there it is made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// Latest revision, draft or published, that this operator wrote or agreed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Revision that serves customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_revision: Option<i64>,
    /// SHA-256 of the canonical form of the definition last written or agreed with, ids filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<String>,
    /// SHA-256 of the canonical form of what Studio made of that definition. It differs from `definitionHash` where Studio
    /// adds defaults of its own, which is no edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_hash: Option<String>,
    /// When the operator last wrote to the flow or saw a new revision of it, RFC 3339. What is read shortly after may be older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write_time: Option<String>,
    /// Since when the account could not be asked, RFC 3339; absent while it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked_since: Option<String>,
    /// Value of the annotation `engage-operator.dev/reconcile-now` when the flow was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile: Option<String>,
    /// Address that starts the flow for a number or sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Set from just before the flow is created until its SID is recorded: an interrupted create is looked up by this
    /// intent, never repeated blindly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_create: Option<PendingCreate>,
    /// Set from just before the flow is written to until the answer is recorded: a write whose answer was lost is looked for,
    /// and what it went over is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_write: Option<PendingWrite>,
    /// SIDs of the flows that it runs as subflows, in the draft or the published revision: their deletion waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subflows: Vec<String>,
    /// The revision that somebody else saved and that is kept until the definition changes (`driftPolicy: Adopt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_revision: Option<i64>,
    /// The last edit that somebody else made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<FlowDrift>,
    /// What a look at the definition found, at most twenty: the errors for which it is not written, or else the warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lint: Vec<LintFinding>,
    /// `Ready` sums up; `Accepted`, `ResolvedRefs` and `Synced` say at which step it stands, `Reconciling` and `Stalled` whether
    /// waiting or acting helps.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Something in the definition that deserves a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintFinding {
    /// The rule, such as `failed-to-enqueue-ends`; docs/lint.md says more of each.
    pub code: String,
    /// `Error` or `Warning`.
    pub severity: LintSeverity,
    /// Name of the widget that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widget: Option<String>,
    /// JSON pointer from the top of the definition, such as `/states/3/transitions/0/next`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// A create that was begun and whose answer is not recorded yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingCreate {
    /// Account in which the flow is being made.
    pub account_sid: String,
    /// Friendly name sent with the create; the flow is found again by it and by our marker.
    pub friendly_name: String,
    /// When the create was begun, RFC 3339.
    pub since: String,
}

/// A revision that somebody else wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowDrift {
    /// Number of the foreign revision; Studio keeps it, and `spec.revision` can serve it again.
    pub revision: i64,
    /// `US…` SID of its author, where the account tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_sid: Option<String>,
    /// When it was written, as Studio says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What its author wrote about it, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_message: Option<String>,
    /// The name that it gives the flow, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// Names of the widgets that differ, at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub widgets: Vec<String>,
    /// The revision of ours that went over it unseen: it was saved between our look and our write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwritten_by: Option<i64>,
    /// The revision as which it was saved again after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_as: Option<i64>,
}

impl fmt::Display for FlowDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, author_sid, at, commit_message, friendly_name, widgets, overwritten_by, restored_as } =
            self;
        write!(f, "somebody else")?;
        if let Some(author) = author_sid {
            write!(f, " ({author})")?;
        }
        write!(f, " saved revision {revision}")?;
        if let Some(at) = at {
            write!(f, " at {at}")?;
        }
        if let Some(message) = commit_message {
            write!(f, " (\"{message}\")")?;
        }
        if let Some(name) = friendly_name {
            write!(f, ", which calls the flow `{name}`")?;
        }
        if !widgets.is_empty() {
            write!(f, ", in which these widgets differ from what is written here: {}", widgets.join(", "))?;
        }
        match (overwritten_by, restored_as) {
            (Some(by), Some(restored)) => {
                write!(f, "; revision {by} went over it unseen, so it was saved again as revision {restored}")
            }
            (Some(by), None) => write!(f, "; revision {by} went over it unseen, saved a moment later"),
            (None, _) => Ok(()),
        }
    }
}
