//! What a handler gets ([`Call`]) and what it gives back ([`Answer`] or [`Failure`]). Rendering for the wire, JSON or
//! XML, Twilio's error shape or Segment's, is done in one place after the handler.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::faults::ReadFaults;
use crate::form::{Pairs, first};
use crate::tables::{Operation, Product};

/// One request, already matched to a row of the tables.
#[derive(Debug)]
pub struct Call {
    /// The row of the table.
    pub operation: &'static Operation,
    /// Decoded path parameters.
    pub path_params: Vec<(&'static str, String)>,
    /// The path below the product, as received; errors and `url` fields quote it.
    pub path: String,
    /// Decoded query.
    pub query: Pairs,
    /// Decoded form body.
    pub form: Pairs,
    /// Parsed JSON body.
    pub json: Option<Value>,
    /// `X-Twilio-Webhook-Enabled: true` was sent.
    pub webhook_enabled: bool,
    /// Faults that change what a read returns.
    pub reads: ReadFaults,
}

impl Call {
    /// A form parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    /// Every value of a repeated form parameter.
    pub fn params(&self, name: &str) -> Vec<String> {
        self.form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// A path parameter; empty when the row has none of this name.
    pub fn path_param(&self, name: &str) -> &str {
        self.path_params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
    }

    /// 404/20404 for the resource this call names: product APIs quote the path without the version, the 2010 API the
    /// whole path (twilio.md 1.6).
    pub fn not_found(&self) -> Failure {
        not_found(self.operation.product, &self.path)
    }

    /// A successful answer with the row's status.
    pub fn ok<T: Serialize>(&self, body: &T) -> Answer {
        Answer::json(self.operation.success, body)
    }

    /// A successful create: the row's status, and the SID for the request log.
    pub fn created<T: Serialize>(&self, sid: &str, body: &T) -> Answer {
        Answer { effect: Some(sid.to_owned()), ..self.ok(body) }
    }
}

/// 404/20404 for a path.
pub fn not_found(product: Product, path: &str) -> Failure {
    let shown = if product == Product::Api {
        path
    } else {
        path.get(1..).and_then(|rest| rest.find('/')).map_or(path, |slash| &path[slash + 1..])
    };
    Failure::new(404, 20404, format!("The requested resource {shown} was not found"))
}

/// An answer with a body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON text; empty for 204.
    pub body: Bytes,
    /// SID of what was created or changed, for the request log.
    pub effect: Option<String>,
}

impl Answer {
    /// A JSON answer.
    pub fn json<T: Serialize>(status: u16, body: &T) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, body: Bytes::from(body), effect: None }
    }

    /// 204 for a removed resource.
    pub fn removed(sid: &str) -> Self {
        Self { status: 204, body: Bytes::new(), effect: Some(sid.to_owned()) }
    }
}

/// An error answer. For Segment only status and message are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// Twilio's code; absent where the reference gives none.
    pub code: Option<u32>,
    /// For people.
    pub message: String,
    /// Studio's validation errors.
    pub details: Option<Box<Value>>,
    /// Seconds, as a `Retry-After` header.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// An error with a code.
    pub fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into(), details: None, retry_after: None }
    }

    /// An error without a code (`code` and `more_info` may be absent: twilio.md 1.6).
    pub fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: None, message: message.into(), details: None, retry_after: None }
    }

    /// 400 with a code.
    pub fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// The body in the product's shape.
    pub fn body(&self, product: Option<Product>) -> Value {
        match product {
            Some(Product::Profiles | Product::Tracking) => self.segment_body(),
            _ => self.twilio_body(),
        }
    }

    fn twilio_body(&self) -> Value {
        let mut body = serde_json::Map::new();
        if let Some(code) = self.code {
            body.insert("code".to_owned(), json!(code));
        }
        body.insert("message".to_owned(), json!(self.message));
        if let Some(code) = self.code {
            body.insert("more_info".to_owned(), json!(format!("https://www.twilio.com/docs/errors/{code}")));
        }
        body.insert("status".to_owned(), json!(self.status));
        if let Some(details) = &self.details {
            body.insert("details".to_owned(), Value::clone(details));
        }
        Value::Object(body)
    }

    fn segment_body(&self) -> Value {
        let code = match self.status {
            401 => "authentication_error",
            404 => "not_found",
            400 => "validation_error",
            429 => "rate_limit_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({"error": {"code": code, "message": self.message}})
    }
}
