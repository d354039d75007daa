//! Messaging services with their senders, and the v2 Senders API (twilio.md 5).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::seed::{ChannelSender, MessagingService, WhatsappSender};
use crate::tables::Product;
use crate::twilio::paging;
use crate::world::World;

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// `GET /v1/Services`.
pub fn services(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows = &account.seed.messaging_services;
    paging::list(world, call, rows.len(), |index| service_resource(world, &account, &rows[index]))
}

/// `GET /v1/Services/{MG}`.
pub fn service(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    Ok(call.ok(&service_resource(world, &account, of(&account, call)?)))
}

/// `GET …/PhoneNumbers`: no WhatsApp senders here.
pub fn phone_numbers(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = of(&account, call)?;
    let rows = &service.phone_numbers;
    paging::list(world, call, rows.len(), |index| {
        let sid = format!("PN{:032x}", index + 1);
        json!({
            "sid": sid, "account_sid": account.sid(), "service_sid": service.sid, "phone_number": rows[index],
            "country_code": "US", "capabilities": ["Voice", "SMS", "MMS"], "date_created": LONG_AGO,
            "date_updated": LONG_AGO, "url": format!("{}/PhoneNumbers/{sid}", url(world, &service.sid)),
        })
    })
}

/// `GET …/ChannelSenders`: the key is `senders`, and not every row is a WhatsApp sender.
pub fn channel_senders(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = of(&account, call)?;
    let rows = &service.senders;
    paging::list(world, call, rows.len(), |index| channel_sender_resource(world, &account, service, &rows[index]))
}

/// `GET …/ChannelSenders/{XE}`.
pub fn channel_sender(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let service = of(&account, call)?;
    let found = service.senders.iter().find(|one| one.sid == call.path_param("Sid"));
    Ok(call.ok(&channel_sender_resource(world, &account, service, found.ok_or_else(|| call.not_found())?)))
}

/// `GET /v2/Channels/Senders?Channel=whatsapp`.
pub fn senders(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let rows: &[WhatsappSender] =
        if call.query("Channel") == Some("whatsapp") { &account.seed.whatsapp_senders } else { &[] };
    paging::list(world, call, rows.len(), |index| sender_resource(world, &rows[index]))
}

/// `GET /v2/Channels/Senders/{XE}`.
pub fn sender(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let found = account.seed.whatsapp_senders.iter().find(|one| one.sid == call.path_param("Sid"));
    Ok(call.ok(&sender_resource(world, found.ok_or_else(|| call.not_found())?)))
}

fn of<'a>(account: &'a Account, call: &Call) -> Result<&'a MessagingService, Failure> {
    account.service(call.path_param("ServiceSid")).ok_or_else(|| call.not_found())
}

fn url(world: &World, sid: &str) -> String {
    format!("{}/v1/Services/{sid}", paging::origin(world, Product::Messaging))
}

fn service_resource(world: &World, account: &Account, service: &MessagingService) -> Value {
    let url = url(world, &service.sid);
    json!({
        "sid": service.sid, "account_sid": account.sid(), "friendly_name": service.friendly_name,
        "status_callback": service.status_callback, "inbound_request_url": null, "inbound_method": "POST",
        "fallback_url": null, "fallback_method": "POST", "use_inbound_webhook_on_number": false,
        "validity_period": 36000, "sticky_sender": true, "smart_encoding": true, "mms_converter": true,
        "area_code_geomatch": true, "scan_message_content": "inherit", "synchronous_validation": false,
        "usecase": "undeclared", "us_app_to_person_registered": false, "date_created": LONG_AGO,
        "date_updated": LONG_AGO,
        "links": {
            "phone_numbers": format!("{url}/PhoneNumbers"), "short_codes": format!("{url}/ShortCodes"),
            "alpha_senders": format!("{url}/AlphaSenders"), "channel_senders": format!("{url}/ChannelSenders"),
        },
        "url": url,
    })
}

fn channel_sender_resource(world: &World, account: &Account, service: &MessagingService, one: &ChannelSender) -> Value {
    json!({
        "sid": one.sid, "account_sid": account.sid(), "messaging_service_sid": service.sid, "sender": one.sender,
        "sender_type": one.sender_type, "country_code": null, "date_created": LONG_AGO, "date_updated": LONG_AGO,
        "url": format!("{}/ChannelSenders/{}", url(world, &service.sid), one.sid),
    })
}

fn sender_resource(world: &World, one: &WhatsappSender) -> Value {
    let offline = json!([{"code": "63001", "message": "Simulated: the sender is offline", "more_info": "https://www.twilio.com/docs/errors/63001"}]);
    json!({
        "sid": one.sid,
        "status": one.status,
        "sender_id": format!("whatsapp:{}", one.number),
        "configuration": {"waba_id": null, "verification_method": null, "verification_code": null, "voice_application_sid": null},
        "webhook": {"callback_url": null, "callback_method": null, "fallback_url": null, "fallback_method": null, "status_callback_url": null, "status_callback_method": null},
        "profile": null,
        "properties": {"quality_rating": "HIGH", "messaging_limit": "10K Customers/24hr"},
        "offline_reasons": if one.status == "OFFLINE" { offline } else { Value::Null },
        "compliance": null,
        "url": format!("{}/v2/Channels/Senders/{}", paging::origin(world, Product::Messaging), one.sid),
    })
}
