//! Functions: services, their environments, and the build that is deployed in one (`twilio_serverless_v1.json`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};
use crate::seed::{FunctionEnvironment, FunctionService};
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// `GET /v1/Services`.
pub fn services(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows = &account.seed.function_services;
    paging::list(world, call, rows.len(), |index| {
        let FunctionService { sid, unique_name, environments: _ } = &rows[index];
        json!({
            "sid": sid, "account_sid": account.sid(), "friendly_name": unique_name, "unique_name": unique_name,
            "include_credentials": true, "ui_editable": false, "domain_base": format!("{unique_name}-1234"),
            "date_created": LONG_AGO, "date_updated": LONG_AGO, "url": url(world, sid), "links": {},
        })
    })
}

/// `GET …/Environments`.
pub fn environments(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = of(&account.seed.function_services, call)?;
    let rows = &service.environments;
    paging::list(world, call, rows.len(), |index| {
        let FunctionEnvironment { sid, unique_name, domain_name, build_sid, functions: _ } = &rows[index];
        json!({
            "sid": sid, "account_sid": account.sid(), "service_sid": service.sid, "build_sid": build_sid,
            "unique_name": unique_name, "domain_suffix": unique_name, "domain_name": domain_name,
            "custom_domain_name": null, "date_created": LONG_AGO, "date_updated": LONG_AGO,
            "url": format!("{}/Environments/{sid}", url(world, &service.sid)), "links": {},
        })
    })
}

/// `GET …/Builds/{ZB}`.
pub fn build(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = of(&account.seed.function_services, call)?;
    let wanted = call.path_param("Sid");
    let deployed = service.environments.iter().find(|one| one.build_sid.as_deref() == Some(wanted));
    let functions: Vec<Value> = deployed
        .ok_or_else(|| call.not_found())?
        .functions
        .iter()
        .map(|one| {
            json!({
                "sid": one.sid.replacen("ZH", "ZN", 1), "account_sid": account.sid(), "service_sid": service.sid,
                "function_sid": one.sid, "date_created": LONG_AGO, "path": one.path, "visibility": one.visibility,
            })
        })
        .collect();
    Ok(call.ok(&json!({
        "sid": wanted, "account_sid": account.sid(), "service_sid": service.sid, "asset_versions": [],
        "function_versions": functions, "dependencies": [], "runtime": "node22", "status": "completed",
        "date_created": LONG_AGO, "date_updated": LONG_AGO,
        "url": format!("{}/Builds/{wanted}", url(world, &service.sid)), "links": {},
    })))
}

fn of<'a>(services: &'a [FunctionService], call: &Call) -> Result<&'a FunctionService, Failure> {
    let wanted = call.path_param("ServiceSid");
    services.iter().find(|one| one.sid == wanted).ok_or_else(|| call.not_found())
}

fn url(world: &World, sid: &str) -> String {
    format!("{}/v1/Services/{sid}", paging::origin(world, Product::Serverless))
}
