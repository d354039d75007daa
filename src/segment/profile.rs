//! The Profile API, <https://segment.com/docs/unify/profile-api/>: the traits of one user, only those that are needed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use moka::future::Cache;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::{
    api::engage_destination::SegmentRegion,
    segment::{RegionalUrls, event::User},
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long traits are reused. Long enough for the several events of one journey step, short enough that consent withdrawn
/// a moment ago counts.
const CACHE_TTL: Duration = Duration::from_secs(5);
const CACHE_ENTRIES: u64 = 10_000;
/// Reads under way at once; the API allows 100 a second to a space and answers within 200 ms.
const CONCURRENCY: usize = 64;
/// Traits asked for in one page: the API's maximum.
const PAGE_SIZE: &str = "200";
const MAX_PAGES: usize = 10;

/// Traits by name.
pub type Traits = Map<String, Value>;

/// Why a profile could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProfileError {
    #[error("Segment has no profile for this user")]
    NotFound,
    #[error("the Profile API could not be reached: {0}")]
    Unavailable(String),
    #[error("the Profile API is asked too often")]
    Throttled,
    #[error("the Profile API refused the token; check SEGMENT_PROFILES_API_TOKEN and the space")]
    TokenRefused,
    #[error("the Profile API answered {0}")]
    Refused(u16),
    #[error("the Profile API answered with a body that is not understood: {0}")]
    NotUnderstood(String),
}

/// Where the Profile API is found.
pub fn base_urls() -> RegionalUrls {
    RegionalUrls::new("https://profiles.segment.com", "https://profiles.euw1.segment.com")
}

/// Reads profiles for all destinations.
#[derive(Debug, Clone)]
pub struct ProfileClient {
    http: reqwest::Client,
    bases: RegionalUrls,
    cache: Cache<CacheKey, Arc<Traits>>,
    permits: Arc<Semaphore>,
}

/// One read of one user's traits. The token is part of it, as a digest, so that nobody is served what another's token read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    token: [u8; 32],
    region: SegmentRegion,
    space: String,
    user: User,
    traits: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    traits: Option<Traits>,
    #[serde(default)]
    cursor: Option<Cursor>,
}

#[derive(Debug, Default, Deserialize)]
struct Cursor {
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    next: Option<String>,
}

impl ProfileClient {
    pub fn new(bases: RegionalUrls) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("engage-operator/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(CONCURRENCY)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            http,
            bases,
            cache: Cache::builder().max_capacity(CACHE_ENTRIES).time_to_live(CACHE_TTL).build(),
            permits: Arc::new(Semaphore::new(CONCURRENCY)),
        })
    }

    /// The traits of that user among `names`; those that the profile lacks are left out. Failures are not remembered.
    pub async fn traits(
        &self,
        region: SegmentRegion,
        token: &SecretString,
        space: &str,
        user: &User,
        names: &BTreeSet<String>,
    ) -> Result<Arc<Traits>, ProfileError> {
        let key = CacheKey {
            token: Sha256::digest(token.expose_secret()).into(),
            region,
            space: space.to_owned(),
            user: user.clone(),
            traits: names.clone(),
        };
        self.cache
            .try_get_with(key, self.read(region, token, space, user, names))
            .await
            .map_err(|error| (*error).clone())
    }

    async fn read(
        &self,
        region: SegmentRegion,
        token: &SecretString,
        space: &str,
        user: &User,
        names: &BTreeSet<String>,
    ) -> Result<Arc<Traits>, ProfileError> {
        let unavailable = |error: &dyn std::fmt::Display| ProfileError::Unavailable(error.to_string());
        let _permit = self.permits.acquire().await.map_err(|error| unavailable(&error))?;
        let url = self.url(region, space, user)?;
        let include = names.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let mut traits = Traits::new();
        let mut next = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = vec![("include", include.as_str()), ("limit", PAGE_SIZE)];
            if !next.is_empty() {
                query.push(("next", &next));
            }
            let response = self
                .http
                .get(url.clone())
                .query(&query)
                .basic_auth(token.expose_secret(), Some(""))
                .send()
                .await
                .map_err(|error| unavailable(&error.without_url()))?;
            match response.status() {
                status if status.is_success() => {}
                StatusCode::NOT_FOUND => return Err(ProfileError::NotFound),
                StatusCode::TOO_MANY_REQUESTS => return Err(ProfileError::Throttled),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ProfileError::TokenRefused),
                status if status.is_server_error() => return Err(unavailable(&format_args!("it answered {status}"))),
                status => return Err(ProfileError::Refused(status.as_u16())),
            }
            let body = response.bytes().await.map_err(|error| unavailable(&error.without_url()))?;
            let page: Page =
                serde_json::from_slice(&body).map_err(|error| ProfileError::NotUnderstood(error.to_string()))?;
            traits.extend(page.traits.unwrap_or_default());
            match page.cursor.unwrap_or_default() {
                Cursor { has_more: true, next: Some(cursor) } if !cursor.is_empty() => next = cursor,
                Cursor { .. } => break,
            }
        }
        Ok(Arc::new(traits))
    }

    /// The address of a user's traits. Identifiers are matched in lower case; every other character than a letter or digit is
    /// percent-encoded, since the API answers 500 to some that are not.
    fn url(&self, region: SegmentRegion, space: &str, user: &User) -> Result<url::Url, ProfileError> {
        let (kind, id) = match user {
            User::Id(id) => ("user_id", id),
            User::Anonymous(id) => ("anonymous_id", id),
        };
        let text = format!(
            "{}/v1/spaces/{}/collections/users/profiles/{kind}:{}/traits",
            self.bases.of(region),
            encode(space),
            encode(&id.to_lowercase())
        );
        text.parse().map_err(|error: url::ParseError| ProfileError::Unavailable(error.to_string()))
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_lower_case_and_percent_encoded() {
        let client = ProfileClient::new(base_urls()).unwrap();
        let user = User::Id("A+b/C:d é".into());
        let url = client.url(SegmentRegion::Eu, "spa_1", &user).unwrap();
        assert_eq!(
            url.as_str(),
            "https://profiles.euw1.segment.com/v1/spaces/spa_1/collections/users/profiles/user_id:a%2Bb%2Fc%3Ad%20%C3%A9/traits"
        );
    }
}
