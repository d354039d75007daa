//! The traits that a destination reads: from the event where it may be believed, else from the profile. Where neither has the
//! phone, an identifier of the event stands in for it, under the same rule.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    api::reasons::event as reason,
    delivery::{
        destination::{ConsentBy, Destination, NAME_TRAIT},
        engine::{Credentials, Engine, Route},
        outcome::Outcome,
    },
    segment::{
        Event,
        profile::{ProfileError, Traits},
    },
};

impl Engine {
    /// The traits that are known of the event's user. `proven` is whether what the event brings may be believed: consent that is
    /// found nowhere else is not decided without.
    pub(super) async fn enrich(
        &self,
        route: &Route,
        event: &Event,
        proven: bool,
        credentials: &Credentials,
    ) -> Result<Traits, Outcome> {
        let destination = &*route.destination;
        if !proven && matches!(destination.consent, Some(ConsentBy::Subscription(_))) {
            let detail = "spec.consent.subscription rests on what the event says, and nothing proves this event: set the \
                          token of SEGMENT_WEBHOOK_TOKEN in the mapping's headers, or turn batching off";
            return Err(Outcome::retry(reason::NOT_PROVEN, detail));
        }
        let (mut traits, missing) = brought(destination, event, proven);
        let identifier = event.phone_identifier().filter(|_| proven);
        let has_phone = identifier.is_some() || !missing.contains(&destination.phone_trait);
        // The name is for the agent's screen, and the phone may be had already; no event is refused for want of these.
        let needed = missing
            .iter()
            .any(|name| name != NAME_TRAIT && !(*name == destination.phone_trait && identifier.is_some()));
        match self.profile(route, event, &missing, credentials).await {
            Ok(profile) => traits.extend(profile),
            Err(NotRead::Here(_)) if !needed => {}
            Err(NotRead::NoProfile(_)) if has_phone => {}
            Err(NotRead::Here(outcome) | NotRead::NoProfile(outcome) | NotRead::Failed(outcome)) => {
                return Err(outcome);
            }
        }
        if let Some(number) = identifier
            && traits.get(&destination.phone_trait).is_none_or(is_blank)
        {
            traits.insert(destination.phone_trait.clone(), number.clone());
        }
        Ok(traits)
    }

    /// The traits `missing` as the profile has them.
    async fn profile(
        &self,
        route: &Route,
        event: &Event,
        missing: &BTreeSet<String>,
        credentials: &Credentials,
    ) -> Result<Traits, NotRead> {
        if missing.is_empty() {
            return Ok(Traits::new());
        }
        let destination = &route.destination;
        let Some(user) = event.user() else {
            let missing = missing.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!("the event names no user to read {missing} of");
            return Err(NotRead::Here(Outcome::rejected(reason::NO_USER, detail)));
        };
        let space = destination.space_id.as_deref().or_else(|| event.space_id()).filter(|id| is_space_id(id));
        let Some(space) = space else {
            let detail = "neither spec.segment.spaceId nor the event names the space to read the profile in";
            return Err(NotRead::Here(Outcome::rejected(reason::NO_SPACE, detail)));
        };
        let token = &credentials.profiles_api_token;
        match self.profiles.traits(destination.region, token, space, &user, missing).await {
            Ok(profile) => {
                let profile = profile.iter().filter(|(name, value)| missing.contains(*name) && !value.is_null());
                Ok(profile.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Err(ProfileError::NotFound) => Err(NotRead::NoProfile(profile_failed(&ProfileError::NotFound))),
            Err(error) => {
                if matches!(error, ProfileError::TokenRefused) {
                    self.refresh_secret(route, &destination.segment.name).await;
                }
                Err(NotRead::Failed(profile_failed(&error)))
            }
        }
    }
}

/// Why the profile was not read, with what becomes of the event if it cannot do without.
enum NotRead {
    /// The event does not say whose it is.
    Here(Outcome),
    NoProfile(Outcome),
    Failed(Outcome),
}

/// The traits that the event brings, and the names of those that it does not. A phone that is blank is looked for elsewhere.
fn brought(destination: &Destination, event: &Event, proven: bool) -> (Traits, BTreeSet<String>) {
    let mut traits = Traits::new();
    let mut missing = BTreeSet::new();
    for name in &destination.traits {
        let value = event.trait_value(name).filter(|_| proven);
        match value.filter(|value| *name != destination.phone_trait || !is_blank(value)) {
            Some(value) => drop(traits.insert(name.clone(), value.clone())),
            None => drop(missing.insert(name.clone())),
        }
    }
    (traits, missing)
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A space id becomes part of a path, so it may only hold what such ids are made of.
fn is_space_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn profile_failed(error: &ProfileError) -> Outcome {
    let detail = error.to_string();
    match error {
        ProfileError::NotFound => Outcome::rejected(reason::NO_PROFILE, detail),
        ProfileError::Throttled => Outcome::retry(reason::PROFILE_API_THROTTLED, detail),
        ProfileError::Unavailable(_) => Outcome::retry(reason::PROFILE_API_UNAVAILABLE, detail),
        ProfileError::TokenRefused | ProfileError::Refused(_) | ProfileError::NotUnderstood(_) => {
            Outcome::retry(reason::PROFILE_API_REFUSED, detail)
        }
    }
}
