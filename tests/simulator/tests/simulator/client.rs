//! A client for the tests: Basic credentials, forms, JSON answers.

use engage_simulator::{Options, Simulator};
use serde_json::{Value, json};

pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub const SERVICE: &str = "MG00000000000000000000000000000001";
pub const CONTENT: &str = "HX00000000000000000000000000000001";
pub const CUSTOMER: &str = "whatsapp:+5511987654321";
pub const SENDER: &str = "whatsapp:+5511900000001";

pub struct Client {
    pub sim: Simulator,
    pub http: reqwest::Client,
    pub user: String,
    pub password: String,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Value,
}

impl Answered {
    pub fn code(&self) -> (u16, u64) {
        (self.status, self.body["code"].as_u64().unwrap_or(0))
    }

    pub fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_else(|| panic!("no text {key} in {}", self.body)).to_owned()
    }
}

pub async fn start() -> Client {
    start_with(Options::default()).await
}

pub async fn start_with(options: Options) -> Client {
    let sim = Simulator::start(options).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Client { sim, http, user: ACCOUNT.to_owned(), password: "demo-auth-token".to_owned() }
}

impl Client {
    pub fn url(&self, product: &str, path: &str) -> String {
        format!("{}{path}", self.sim.twilio_base_url().replace("{product}", product))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        let response = request.basic_auth(&self.user, Some(&self.password)).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
        Answered { status, body }
    }

    pub async fn post(&self, product: &str, path: &str, form: &[(&str, &str)]) -> Answered {
        self.send(self.http.post(self.url(product, path)).form(form)).await
    }

    pub async fn get(&self, product: &str, path: &str) -> Answered {
        self.send(self.http.get(self.url(product, path))).await
    }

    pub async fn delete(&self, product: &str, path: &str) -> Answered {
        self.send(self.http.delete(self.url(product, path))).await
    }

    pub fn messages_path() -> String {
        format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    }

    /// Posts a message; what is given replaces the defaults, an empty value removes one.
    pub async fn message(&self, changes: &[(&str, &str)]) -> Answered {
        let mut form = vec![("To", CUSTOMER), ("MessagingServiceSid", SERVICE), ("ContentSid", CONTENT)];
        for (name, value) in changes {
            form.retain(|(existing, _)| existing != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        self.post("api", &Self::messages_path(), &form).await
    }

    /// A conversation with the customer and, if given, a studio webhook.
    pub async fn conversation(&self, name: &str, flow: Option<&str>) -> String {
        let made = self.post("conversations", "/v1/Conversations", &[("UniqueName", name)]).await;
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("/v1/Conversations/{}", made.text("sid"));
        if let Some(flow) = flow {
            let form = [("Target", "studio"), ("Configuration.FlowSid", flow)];
            assert_eq!(self.post("conversations", &format!("{path}/Webhooks"), &form).await.status, 201);
        }
        let form = [("MessagingBinding.Address", CUSTOMER), ("MessagingBinding.ProxyAddress", SENDER)];
        assert_eq!(self.post("conversations", &format!("{path}/Participants"), &form).await.status, 201);
        made.text("sid")
    }
}
