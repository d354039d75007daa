//! Content templates and their WhatsApp approval (twilio.md 4). The approval is a resource of its own, without
//! `/whatsapp` on the GET, and null for a template that was never submitted.

use std::sync::Arc;

use regex::RegexBuilder;
use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::seed::Template;
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// `GET /v1/Content/{HX}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let template = account.template(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    Ok(call.ok(&resource(world, &account, template)))
}

/// `GET /v1/Content`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows: Vec<&Template> = account.seed.content.iter().collect();
    paging::list(world, call, rows.len(), |index| resource(world, &account, rows[index]))
}

/// `GET /v1/ContentAndApprovals`: the approval is under `approval_requests`.
pub fn list_with_approvals(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows: Vec<&Template> = account.seed.content.iter().collect();
    paging::list(world, call, rows.len(), |index| with_approval(world, &account, rows[index]))
}

/// `GET /v2/Content`.
pub fn search(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows = named(&account, call)?;
    paging::list(world, call, rows.len(), |index| resource(world, &account, rows[index]))
}

/// `GET /v2/ContentAndApprovals`.
pub fn search_with_approvals(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows = named(&account, call)?;
    paging::list(world, call, rows.len(), |index| with_approval(world, &account, rows[index]))
}

/// The templates that `ContentName` finds. That it is a regular expression is documented, what it leaves open is not: here it
/// may match any part of a name, in any case.
fn named<'a>(account: &'a Account, call: &Call) -> Result<Vec<&'a Template>, Failure> {
    let Some(pattern) = call.query("ContentName") else { return Ok(account.seed.content.iter().collect()) };
    let pattern = RegexBuilder::new(pattern).case_insensitive(true).build();
    let pattern = pattern.map_err(|error| Failure::bad(20001, format!("Invalid ContentName: {error}")))?;
    Ok(account.seed.content.iter().filter(|template| pattern.is_match(&template.friendly_name)).collect())
}

/// `GET /v1/Content/{HX}/ApprovalRequests`.
pub fn fetch_approval(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let template = account.template(call.path_param("Sid")).ok_or_else(|| call.not_found())?;
    Ok(call.ok(&json!({
        "sid": template.sid,
        "account_sid": account.sid(),
        "whatsapp": approval(template),
        "url": format!("{}/ApprovalRequests", url(world, &template.sid)),
    })))
}

fn url(world: &World, sid: &str) -> String {
    format!("{}/v1/Content/{sid}", paging::origin(world, Product::Content))
}

fn resource(world: &World, account: &Account, template: &Template) -> Value {
    let url = url(world, &template.sid);
    json!({
        "sid": template.sid,
        "account_sid": account.sid(),
        "friendly_name": template.friendly_name,
        "language": template.language,
        "variables": template.variables,
        "types": template.types,
        "date_created": LONG_AGO,
        "date_updated": LONG_AGO,
        "links": {
            "approval_create": format!("{url}/ApprovalRequests/whatsapp"),
            "approval_fetch": format!("{url}/ApprovalRequests"),
        },
        "url": url,
    })
}

fn with_approval(world: &World, account: &Account, template: &Template) -> Value {
    let mut row = resource(world, account, template);
    if let Some(fields) = row.as_object_mut() {
        fields.remove("links");
        fields.remove("url");
        fields.insert("approval_requests".to_owned(), approval(template));
    }
    row
}

fn approval(template: &Template) -> Value {
    match &template.approval {
        None => Value::Null,
        Some(approval) => json!({
            "type": "whatsapp",
            "name": approval.name,
            "category": approval.category,
            "content_type": template.types.keys().next(),
            "status": approval.status,
            "rejection_reason": approval.rejection_reason,
            "allow_category_change": true,
        }),
    }
}
