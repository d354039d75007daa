//! A request that changes something, as a value: what is sent and what `preview` prints are the same.

use crate::twilio::{BaseUrls, Product};

/// A POST of a form, before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub product: Product,
    pub path: String,
    /// In the order in which they are sent.
    pub form: Vec<(&'static str, String)>,
}

impl Request {
    /// Where it goes.
    pub fn url(&self, bases: &BaseUrls) -> String {
        format!("{}{}", bases.of(self.product), self.path)
    }
}
