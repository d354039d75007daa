//! Who is spoken to: where events come from, how a phone is found in them, and who has consented.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::references::SegmentCredentialsRef;

/// Where events come from, and where missing traits are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentSpace {
    /// Secret with the webhook's shared secret or token, and the Profile API token.
    pub credentials_ref: SegmentCredentialsRef,
    /// Id of the Segment space, `spa_…`. Default: the one that the event names in `context.personas.space_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub space_id: Option<String>,
    /// Region of the Segment workspace, `US` or `EU`; it decides which Profile API is asked. Default: US.
    #[serde(default)]
    pub region: SegmentRegion,
}

/// Region of a Segment workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SegmentRegion {
    #[default]
    #[serde(rename = "US")]
    Us,
    #[serde(rename = "EU")]
    Eu,
}

/// How the recipient's phone number is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// Trait that holds the number. It is looked for in the event first, then in the profile. Default: `phone`.
    #[serde(default = "Phone::default_trait", rename = "trait")]
    #[schemars(length(min = 1, max = 256))]
    pub trait_name: String,
    /// Region by which a number without a country code is read, as two letters: `BR` reads `(11) 98765-4321` as
    /// `+5511987654321`. Absent: only numbers with a country code are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]{2}$')").message(
        "defaultRegion is two capital letters of ISO 3166-1, such as BR or US"
    ))]
    #[schemars(length(max = 2))]
    pub default_region: Option<String>,
}

impl Phone {
    fn default_trait() -> String {
        "phone".into()
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self { trait_name: Self::default_trait(), default_region: None }
    }
}

/// Who may be messaged: by a trait, or by the subscription that the event tells of. Whoever may not is suppressed as `NoConsent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.trait) != has(self.subscription)").message(
        "consent is known by one thing: set either trait or subscription"
    )
)]
pub struct Consent {
    /// Trait that must be `true` (or the text `true`); when it is absent or anything else the event is suppressed.
    #[serde(default, rename = "trait", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub trait_name: Option<String>,
    /// The WhatsApp subscription of the number that is messaged, as the event itself tells it: in `external_ids` or
    /// `context.externalIds` (`channelType` and `isSubscribed`), or in `context.messaging_subscriptions`. `OptIn` messages
    /// who is subscribed and nobody else; `OptOut` also those of whom the event says nothing. Segment puts no
    /// subscription into an event by itself, and none can be asked for: what makes the events has to bring it. An event that
    /// nothing proves, as in a batch without the token of `SEGMENT_WEBHOOK_TOKEN`, is answered 503 with `NotProven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SubscriptionConsent")]
    pub subscription: Option<SubscriptionConsent>,
}

/// Whom a subscription status lets be messaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubscriptionConsent {
    OptIn,
    OptOut,
}
