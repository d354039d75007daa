//! Revisions of a flow: by number, `LatestPublished` or `LatestRevision` (twilio.md 3.1, 3.3).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::clock::iso8601;
use crate::lock::lock;
use crate::twilio::paging;
use crate::world::World;

use super::flows::{url, visible};
use super::store::{Flow, Revision};

/// `GET …/Revisions`, newest first.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let flow = lock(&world.studio).flow(call.path_param("Sid")).cloned().ok_or_else(|| call.not_found())?;
    let rows: Vec<&Revision> =
        visible(&flow, call, world.now()).ok_or_else(|| call.not_found())?.iter().rev().collect();
    paging::list(world, call, rows.len(), |index| resource(world, &flow, rows[index], true))
}

/// `GET …/Revisions/{Revision}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let flow = lock(&world.studio).flow(call.path_param("Sid")).cloned().ok_or_else(|| call.not_found())?;
    let rows = visible(&flow, call, world.now()).ok_or_else(|| call.not_found())?;
    let wanted = call.path_param("Revision");
    let found = match wanted {
        "LatestRevision" => rows.last(),
        "LatestPublished" => rows.iter().rev().find(|revision| revision.status == "published"),
        number => {
            let number: usize = number
                .parse()
                .map_err(|_| Failure::bad(81021, "Revision must be an integer, LatestPublished or LatestRevision"))?;
            rows.iter().find(|revision| revision.revision == number)
        }
    };
    Ok(call.ok(&resource(world, &flow, found.ok_or_else(|| call.not_found())?, false)))
}

/// A revision as the API shows it: a flow without `warnings`, `webhook_url` and `links`.
fn resource(world: &World, flow: &Flow, shown: &Revision, in_list: bool) -> Value {
    let full = |value: Value| if in_list { Value::Null } else { value };
    json!({
        "sid": flow.sid,
        "account_sid": world.account().sid(),
        "author_sid": shown.author_sid,
        "friendly_name": shown.friendly_name,
        "definition": full(Value::clone(&shown.definition)),
        "status": shown.status,
        "revision": shown.revision,
        "commit_message": shown.commit_message,
        "valid": full(json!(true)),
        "errors": full(json!([])),
        "date_created": iso8601(shown.created_ms),
        "date_updated": null,
        "url": format!("{}/Revisions/{}", url(world, &flow.sid), shown.revision),
    })
}
