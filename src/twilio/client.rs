//! The HTTP client of one account: authentication, encoding, time-outs, paging, and the class of each failure.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::twilio::{
    budget::Budget,
    credentials::TwilioCredentials,
    error::{ApiError, TwilioError},
    request::Request,
};

/// Whole time of one call. Shorter than the eight seconds for which a request of Segment waits for its delivery.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(7);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer that is read; a page of 50 flows with their definitions stays below it.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Most pages of one list that are followed.
const MAX_PAGES: usize = 200;

/// A product of Twilio, each with a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    Api,
    Conversations,
    Studio,
    Content,
    Messaging,
    FlexApi,
    TaskRouter,
    Serverless,
}

impl Product {
    /// The word that replaces `{product}` in the base URL.
    pub const fn host_label(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Conversations => "conversations",
            Self::Studio => "studio",
            Self::Content => "content",
            Self::Messaging => "messaging",
            Self::FlexApi => "flex-api",
            Self::TaskRouter => "taskrouter",
            Self::Serverless => "serverless",
        }
    }
}

/// Where Twilio's products are found: a URL with the literal `{product}` in it.
#[derive(Debug, Clone)]
pub struct BaseUrls(Arc<str>);

/// A base URL that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseUrlError {
    #[error("`{0}` lacks the literal {{product}}, which stands for api, conversations, studio and so on")]
    NoProduct(String),
    #[error("`{0}` is not a URL: {1}")]
    NotAUrl(String, url::ParseError),
    #[error("`{0}` is neither http nor https")]
    Scheme(String),
}

impl Default for BaseUrls {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl BaseUrls {
    /// Twilio's own hosts.
    pub const DEFAULT: &'static str = "https://{product}.twilio.com";
    const PLACEHOLDER: &'static str = "{product}";

    /// Takes a URL with `{product}` in it. A trailing slash is ignored.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        if !text.contains(Self::PLACEHOLDER) {
            return Err(BaseUrlError::NoProduct(text.to_owned()));
        }
        let url = Url::parse(&text.replace(Self::PLACEHOLDER, "api"))
            .map_err(|error| BaseUrlError::NotAUrl(text.to_owned(), error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BaseUrlError::Scheme(text.to_owned()));
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }

    pub(super) fn of(&self, product: Product) -> String {
        self.0.replace(Self::PLACEHOLDER, product.host_label())
    }
}

/// Makes the clients of all accounts; they share one pool of connections.
#[derive(Debug, Clone)]
pub struct TwilioClients {
    http: reqwest::Client,
    bases: BaseUrls,
}

impl TwilioClients {
    /// A pool of connections to the products under `bases`. Redirects are not followed: credentials go to no other host.
    pub fn new(bases: BaseUrls) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("engage-operator/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(256)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { http, bases })
    }

    /// The client of the account that `credentials` open.
    pub fn with(&self, credentials: Arc<TwilioCredentials>) -> TwilioClient {
        TwilioClient { shared: self.clone(), credentials, budget: None }
    }
}

/// The client of one account.
#[derive(Debug, Clone)]
pub struct TwilioClient {
    shared: TwilioClients,
    credentials: Arc<TwilioCredentials>,
    /// What its requests have to stay within, where they can wait.
    budget: Option<Arc<Budget>>,
}

impl TwilioClient {
    /// The same client, whose requests stay within `budget`.
    #[must_use]
    pub fn within(self, budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// The account that this client works in.
    pub fn account(&self) -> &crate::twilio::sid::AccountSid {
        &self.credentials.account
    }

    /// Whether what Twilio calls back about this account's messages can be proven to be Twilio's.
    pub fn proves_callbacks(&self) -> bool {
        self.credentials.auth_token.is_some()
    }

    /// Reads one thing.
    pub async fn get<T: DeserializeOwned>(&self, product: Product, path: &str) -> Result<T, TwilioError> {
        self.send(self.request(Method::GET, product, path)).await
    }

    /// Reads one thing, with query parameters.
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        product: Product,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, TwilioError> {
        self.send(self.request(Method::GET, product, path).query(query)).await
    }

    /// Creates or changes one thing.
    pub async fn post<T: DeserializeOwned>(
        &self,
        product: Product,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<T, TwilioError> {
        self.send(self.request(Method::POST, product, path).form(form)).await
    }

    /// Sends a request that was made before.
    pub async fn perform<T: DeserializeOwned>(&self, request: &Request) -> Result<T, TwilioError> {
        let Request { product, path, form } = request;
        self.send(self.request(Method::POST, *product, path).form(form)).await
    }

    /// Deletes one thing.
    pub async fn delete(&self, product: Product, path: &str) -> Result<(), TwilioError> {
        self.exchange(self.request(Method::DELETE, product, path)).await.map(drop)
    }

    /// Reads a whole list: every page, each `next_page_url` moved onto the configured base (Twilio names its own hosts in it).
    /// The rows are under the name that `meta.key` tells.
    pub async fn list<T: DeserializeOwned>(
        &self,
        product: Product,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, TwilioError> {
        let mut rows = Vec::new();
        let mut request = self.request(Method::GET, product, path).query(query);
        for _ in 0..MAX_PAGES {
            let mut page: Value = self.send(request).await?;
            let not_understood =
                |problem: &str| TwilioError::NotUnderstood { status: 200, problem: problem.to_owned() };
            let key = page
                .pointer("/meta/key")
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| not_understood("a list without meta.key"))?;
            let page_rows =
                page.get_mut(&key).map(Value::take).ok_or_else(|| not_understood("a list without its rows"))?;
            let page_rows: Vec<T> =
                serde_json::from_value(page_rows).map_err(|error| not_understood(&error.to_string()))?;
            rows.extend(page_rows);
            let Some(next) = page.pointer("/meta/next_page_url").and_then(Value::as_str) else { return Ok(rows) };
            let next = path_and_query_below(next, path).ok_or_else(|| not_understood("a next page of another list"))?;
            request = self.request(Method::GET, product, &next);
        }
        Err(TwilioError::NotUnderstood { status: 200, problem: format!("a list of more than {MAX_PAGES} pages") })
    }

    fn request(&self, method: Method, product: Product, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.shared.bases.of(product));
        self.shared
            .http
            .request(method, url)
            .basic_auth(self.credentials.user.expose_secret(), Some(self.credentials.password.expose_secret()))
            .header(header::ACCEPT, "application/json")
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, TwilioError> {
        self.exchange(request).await?.read()
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Answer, TwilioError> {
        let Some(budget) = &self.budget else { return exchange(request).await };
        let leave = budget.leave().await?;
        let result = exchange(request).await;
        leave.tell(&result);
        result
    }

    /// Reads one thing, and the time at which Twilio says it answered.
    pub async fn get_timed<T: DeserializeOwned>(
        &self,
        product: Product,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(T, Option<Timestamp>), TwilioError> {
        let answer = self.exchange(self.request(Method::GET, product, path).query(query)).await?;
        Ok((answer.read()?, answer.date))
    }
}

/// The part of `next` from `path` on: what is asked of the configured base.
fn path_and_query_below(next: &str, path: &str) -> Option<String> {
    let (before_query, query) = next.split_once('?')?;
    before_query.ends_with(path).then(|| format!("{path}?{query}"))
}

/// A successful answer.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    /// When it was given, by Twilio's clock.
    date: Option<Timestamp>,
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T, TwilioError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| TwilioError::NotUnderstood { status: self.status.as_u16(), problem: error.to_string() })
    }
}

async fn exchange(request: RequestBuilder) -> Result<Answer, TwilioError> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let status = response.status();
    let header = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(header::RETRY_AFTER).and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
    let date = header(header::DATE).and_then(|value| rfc2822::parse(value).ok()).map(|date| date.timestamp());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let problem = format!("more than {MAX_ANSWER} bytes");
                return Err(TwilioError::NotUnderstood { status: status.as_u16(), problem });
            }
            Ok(None) => break,
            // A definite refusal stays one even if its text is cut off.
            Err(_) if status.is_client_error() => break,
            Err(error) => return Err(TwilioError::AnswerLost(describe(&error))),
        }
    }
    if status.is_success() {
        Ok(Answer { status, body, date })
    } else {
        Err(TwilioError::Answered(ApiError::read(status.as_u16(), retry_after, &body)))
    }
}

/// A failure to connect or to build the request means that nothing left; any other may have come after it did.
fn failure(error: &reqwest::Error) -> TwilioError {
    let text = describe(error);
    if error.is_connect() || error.is_builder() { TwilioError::NotSent(text) } else { TwilioError::AnswerLost(text) }
}

/// The error with its causes and without the URL, whose path names the account.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { String::new() };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if text.is_empty() { "the connection failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_asked_of_the_configured_base() {
        let next = "https://conversations.twilio.com/v1/ParticipantConversations?Address=x&PageToken=PA1&Page=1";
        assert_eq!(
            path_and_query_below(next, "/v1/ParticipantConversations").as_deref(),
            Some("/v1/ParticipantConversations?Address=x&PageToken=PA1&Page=1")
        );
        assert_eq!(path_and_query_below(next, "/v1/Other"), None);
    }

    #[test]
    fn a_base_without_product_is_refused_with_its_reason() {
        let error = BaseUrls::parse("https://api.twilio.com").unwrap_err().to_string();
        assert!(error.contains("{product}"), "{error}");
        assert!(BaseUrls::parse("ftp://{product}.twilio.com").is_err());
        assert!(BaseUrls::parse(BaseUrls::DEFAULT).is_ok());
    }
}
