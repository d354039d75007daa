//! Lists in pages (twilio.md 1.5): the flat form of the 2010 API with relative URIs, and the `meta` form of every other
//! product with absolute URLs. A page is asked for by `PageToken`; `Page` alone leads nowhere.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Failure};
use crate::options::PageUrls;
use crate::tables::Product;
use crate::world::World;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes a query name or value, or a path segment.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// One page of `total` rows; `row` renders the one at a position.
pub fn list(world: &World, call: &Call, total: usize, row: impl Fn(usize) -> Value) -> Result<Answer, Failure> {
    let Some(rules) = &call.operation.page else { return Err(call.not_found()) };
    let asked = call.query("PageSize").and_then(|text| text.parse().ok());
    let size: usize = asked.unwrap_or(rules.default).min(rules.max);
    let start = match call.query("PageToken") {
        None => 0,
        Some(token) => position(token).ok_or_else(|| Failure::bad(20001, format!("Invalid PageToken {token}")))?,
    };
    let page = start / size;
    let end = (start + size).min(total);
    let rows: Vec<Value> = (start.min(total)..end).map(row).collect();
    let link = |start: usize| link(world, call, size, start / size, start);
    let next = (end < total).then(|| link(end));
    let previous = (start > 0).then(|| link(start.saturating_sub(size)));
    let current = link(start);
    let mut body = Map::new();
    if call.operation.product == Product::Api {
        body.insert(rules.key.clone(), Value::Array(rows));
        let last = if end > start { end - 1 } else { start };
        for (key, value) in [
            ("page", json!(page)),
            ("page_size", json!(size)),
            ("start", json!(start)),
            ("end", json!(last)),
            ("uri", json!(current)),
            ("first_page_uri", json!(link(0))),
            ("next_page_uri", json!(next)),
            ("previous_page_uri", json!(previous)),
        ] {
            body.insert(key.to_owned(), value);
        }
    } else {
        body.insert(rules.key.clone(), Value::Array(rows));
        let meta = json!({
            "page": page, "page_size": size, "first_page_url": link(0), "previous_page_url": previous,
            "url": current, "next_page_url": next, "key": rules.key,
        });
        body.insert("meta".to_owned(), meta);
    }
    Ok(call.ok(&body))
}

fn position(token: &str) -> Option<usize> {
    token.strip_prefix("PT")?.parse().ok()
}

fn link(world: &World, call: &Call, size: usize, page: usize, start: usize) -> String {
    let mut url = origin(world, call.operation.product);
    url.push_str(&call.path);
    let mut separator = '?';
    let mut add = |name: &str, value: &str| {
        url.push(separator);
        separator = '&';
        url.push_str(&encode(name));
        url.push('=');
        url.push_str(&encode(value));
    };
    for (name, value) in
        call.query.iter().filter(|(name, _)| !matches!(name.as_str(), "PageSize" | "Page" | "PageToken"))
    {
        add(name, value);
    }
    add("PageSize", &size.to_string());
    add("Page", &page.to_string());
    if start > 0 {
        add("PageToken", &format!("PT{start}"));
    }
    url
}

/// Where the absolute URLs of a product start; nothing for the relative ones of the 2010 API.
pub fn origin(world: &World, product: Product) -> String {
    match (product, world.options.page_urls) {
        (Product::Api, _) => String::new(),
        (_, PageUrls::Twilio) => format!("https://{}.twilio.com", product.name()),
        (_, PageUrls::Simulator) => {
            format!("{}/twilio/{}", world.base_url.get().map_or("", String::as_str), product.name())
        }
    }
}
