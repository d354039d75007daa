//! What became of events and messages, asked of the gateway by the controller: the gateway has no right to write a status,
//! and needs none for this. What it says is cut to its bounds before it reaches the API server.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{StatusCode, header};
use url::Url;

use crate::{
    api::engage_destination::DeliveriesStatus, controller::deliveries::DeliverySource, delivery::tally::Tally,
};

const INTERVAL: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read: about a kilobyte for each of thirty thousand destinations.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Most words that are counted by.
const MAX_WORDS: usize = 16;
/// Longest word or time, and longest detail, in bytes.
const MAX_WORD: usize = 64;
const MAX_DETAIL: usize = 1_024;

/// The admin listener of the gateway.
#[derive(Debug)]
pub struct GatewayDeliveries {
    http: reqwest::Client,
    url: String,
}

impl GatewayDeliveries {
    /// The gateway whose admin listener is at `admin`.
    pub fn at(admin: &Url) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, url: format!("{}/deliveries", admin.as_str().trim_end_matches('/')) })
    }
}

#[async_trait]
impl DeliverySource for GatewayDeliveries {
    async fn read(&self, known: Option<&str>) -> Result<Option<(String, Vec<Tally>)>, String> {
        let mut request = self.http.get(&self.url);
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, format!("\"{known}\""));
        }
        let mut response = request.send().await.map_err(|error| error.to_string())?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            status => return Err(format!("the gateway answered {status}")),
        }
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let version = tag.trim_matches('"').to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err("the gateway's answer is too large".into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut tallies: Vec<Tally> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        tallies.retain(|tally| is_bounded(&tally.deliveries));
        Ok(Some((version, tallies)))
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}

/// Whether it is no more than a gateway of ours would say.
fn is_bounded(DeliveriesStatus { since, outcomes, messages, last_failure, refused_since }: &DeliveriesStatus) -> bool {
    let word = |word: &String| word.len() <= MAX_WORD;
    let counts = [outcomes, messages].iter().all(|counts| counts.len() <= MAX_WORDS && counts.keys().all(word));
    let failure = last_failure
        .as_ref()
        .is_none_or(|failure| word(&failure.reason) && word(&failure.at) && failure.detail.len() <= MAX_DETAIL);
    counts && failure && word(since) && refused_since.as_ref().is_none_or(word)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        api::ObjectKey,
        delivery::{outcome::Outcome, tally::Tallies},
        gateway::{admin, serve::serve, service::listen},
    };

    #[tokio::test]
    async fn the_controller_reads_what_the_gateway_has_counted_and_at_rest_nothing() {
        let tallies = Arc::new(Tallies::default());
        let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let gateway = tokio::spawn(serve(listener, admin::deliveries(Arc::clone(&tallies)), CancellationToken::new()));
        let source = GatewayDeliveries::at(&url).unwrap();
        tallies.outcome(&ObjectKey::new("ns", "a"), &Outcome::rejected("NoPhone", "none"));
        let (version, read) = source.read(None).await.unwrap().unwrap();
        assert_eq!(read, tallies.all().1);
        assert_eq!(source.read(Some(&version)).await.unwrap(), None);
        // What no gateway of ours says goes no further.
        tallies.outcome(&ObjectKey::new("ns", "b"), &Outcome::rejected(&"x".repeat(65), ""));
        let (_, read) = source.read(Some(&version)).await.unwrap().unwrap();
        assert_eq!(read.iter().map(|tally| tally.destination.name.as_str()).collect::<Vec<_>>(), ["a"]);
        gateway.abort();
        assert!(source.read(None).await.is_err());
    }
}
