//! The least that a program in the same language and with the same libraries can do: an axum handler that checks the signature,
//! reads the event and sends the template by reqwest. No resources, no journal, no repetition that is recognised, no pace, no
//! outcome; `make bench` puts the gateway beside it.
//!
//!     bare 127.0.0.1:8080 http://127.0.0.1:9000/twilio/api

use std::{env, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "demo-auth-token";
const SECRET: &[u8] = b"demo-webhook-secret";

struct Sender {
    http: reqwest::Client,
    messages: String,
}

#[derive(Deserialize)]
struct Event {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    phone: String,
    first_name: String,
    plan: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let listen = arguments.next().context("first argument: the address to listen on")?;
    let twilio = arguments.next().context("second argument: the base URL of Twilio's API")?;
    let messages = format!("{twilio}/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    let sender = Arc::new(Sender { http: reqwest::Client::new(), messages });
    let routes = Router::new().route("/{*any}", post(receive)).with_state(sender);
    let listener = tokio::net::TcpListener::bind(&listen).await.with_context(|| format!("listen on {listen}"))?;
    Ok(axum::serve(listener, routes).await?)
}

async fn receive(State(sender): State<Arc<Sender>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_signed(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(Event { properties }) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    let variables = json!({"1": properties.first_name, "2": properties.plan}).to_string();
    let form = [
        ("MessagingServiceSid", "MG00000000000000000000000000000001"),
        ("ContentSid", "HX00000000000000000000000000000001"),
        ("ContentVariables", &variables),
        ("To", &format!("whatsapp:{}", properties.phone)),
    ];
    let request = sender.http.post(&sender.messages).basic_auth(ACCOUNT, Some(TOKEN)).form(&form);
    let sent = async { request.send().await?.error_for_status()?.bytes().await };
    if sent.await.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let given = headers.get("x-signature").and_then(|given| hex::decode(given).ok());
    let (Some(given), Ok(mut mac)) = (given, Hmac::<Sha1>::new_from_slice(SECRET)) else { return false };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}
