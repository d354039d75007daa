//! From the wire to a [`Call`]: which product and row, which parameters, whose credential. Nothing is changed here, so
//! a request can be logged whatever becomes of it.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use crate::account::Credential;
use crate::call::{Call, Failure, not_found};
use crate::faults::ReadFaults;
use crate::form;
use crate::segment::tracking;
use crate::tables::{BodyKind, Match, Operation, Product, tables};
use crate::world::World;

/// A request as received.
#[derive(Debug)]
pub struct Received {
    /// Product.
    pub product: Product,
    /// HTTP method.
    pub method: String,
    /// Path below the product.
    pub path: String,
    /// Query string as received.
    pub query: String,
    /// Basic credential.
    pub credential: Option<Credential>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `X-Twilio-Webhook-Enabled: true`.
    pub webhook_enabled: bool,
    /// Body.
    pub body: Bytes,
}

/// A request whose row was looked for.
#[derive(Debug)]
pub enum Parsed {
    /// With a row; the failure, if any, is what is wrong with its form.
    Call(Box<Call>, Result<(), Failure>),
    /// Without.
    Stray(Failure),
}

impl Received {
    /// Takes what matters from the headers.
    pub fn new(product: Product, method: &str, path: &str, query: &str, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name| headers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
        Self {
            product,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            credential: text(AUTHORIZATION).and_then(Credential::from_header),
            content_type: text(CONTENT_TYPE).map(str::to_ascii_lowercase),
            webhook_enabled: headers.get("x-twilio-webhook-enabled").is_some_and(|value| value == "true"),
            body,
        }
    }

    /// The row's name, if there is one; faults are drawn by it before anything else is looked at.
    pub fn find(&self, world: &World) -> Match {
        tables().find(self.product, &self.method, &self.table_path(world))
    }

    /// The 2010 API without `.json` answers XML.
    pub fn wants_xml(&self) -> bool {
        self.product == Product::Api && self.path.strip_suffix(".json").is_none()
    }

    /// The path as the tables write it: without `.json`, and in the default conversation service.
    fn table_path(&self, world: &World) -> String {
        match self.product {
            Product::Api => self.path.strip_suffix(".json").unwrap_or(&self.path).to_owned(),
            Product::Conversations => {
                let account = world.account();
                let service = format!("/v1/Services/{}/", account.seed.conversations.service_sid);
                self.path.strip_prefix(&service).map_or_else(|| self.path.clone(), |rest| format!("/v1/{rest}"))
            }
            _ => self.path.clone(),
        }
    }

    /// Parses query and body for a row.
    pub fn parse(&self, world: &World, found: Match, reads: ReadFaults) -> Parsed {
        let (operation, path_params) = match found {
            Match::Found(operation, path_params) => (operation, path_params),
            Match::WrongMethod => return Parsed::Stray(Failure::plain(405, "Method not allowed for this resource")),
            Match::NoSuchPath => return Parsed::Stray(not_found(self.product, &self.path)),
        };
        let mut call = Call {
            operation,
            path_params,
            path: self.path.clone(),
            query: Vec::new(),
            form: Vec::new(),
            json: None,
            webhook_enabled: self.webhook_enabled,
            reads,
        };
        let outcome = self.fill(world, operation, &mut call);
        Parsed::Call(Box::new(call), outcome)
    }

    fn fill(&self, world: &World, operation: &Operation, call: &mut Call) -> Result<(), Failure> {
        let malformed = |reason: String| Failure::bad(20001, reason);
        call.query = form::parse(self.query.as_bytes()).map_err(malformed)?;
        match operation.body {
            BodyKind::None => Ok(()),
            BodyKind::Form => {
                self.check_content_type(world, "application/x-www-form-urlencoded")?;
                call.form = form::parse(&self.body).map_err(malformed)?;
                Ok(())
            }
            BodyKind::Json => {
                self.check_content_type(world, "application/json")?;
                let parsed = serde_json::from_slice::<Value>(&self.body);
                let mut body = parsed.map_err(|error| malformed(format!("The body is not JSON: {error}")))?;
                if self.product == Product::Tracking {
                    tracking::add_write_key(&mut body, self.credential.as_ref());
                }
                call.json = Some(body);
                Ok(())
            }
        }
    }

    fn check_content_type(&self, world: &World, wanted: &str) -> Result<(), Failure> {
        let given = self.content_type.as_deref().unwrap_or_default();
        let kind = given.split(';').next().unwrap_or_default().trim();
        let tolerated = kind == "text/plain" && world.options.tolerate_text_plain;
        if kind == wanted || tolerated || (kind.is_empty() && self.body.is_empty()) {
            return Ok(());
        }
        Err(Failure::plain(415, format!("Content-Type is '{kind}', and this operation takes {wanted}")))
    }
}
