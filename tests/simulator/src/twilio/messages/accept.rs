//! Whether a message is accepted, and what becomes of it: the synchronous errors of twilio.md 2.1 and 10.3, and the
//! fate of what passes.

use crate::account::Account;
use crate::call::{Call, Failure};
use crate::clock::{Millis, parse_instant};
use crate::seed::{MessagingService, Template};
use crate::sids::is_sid;
use crate::twilio::addresses;
use crate::twilio::templates::{self, Variables};
use crate::world::World;

use super::store::{Fate, Message};

/// Accepts or refuses one message.
pub fn accept(world: &World, account: &Account, call: &Call) -> Result<Message, Failure> {
    let to = call.param("To").unwrap_or_default();
    check_recipient(account, to)?;
    let sender = Sender::of(account, call, to)?;
    let content = Content::of(account, call)?;
    let now = world.now();
    let starts_ms = starts(call, sender.service.is_some(), now)?;
    let status_callback = call.param("StatusCallback").map(str::to_owned);
    Ok(Message {
        sid: world.sids.make(if call.param("MediaUrl").is_some() { "MM" } else { "SM" }),
        to: to.to_owned(),
        from: sender.written,
        fate: fate(world, account, to, &sender.address, &content),
        sender: sender.address,
        messaging_service_sid: sender.service.map(|service| service.sid.clone()),
        body: content.text,
        content_sid: content.template.map(|template| template.sid.clone()),
        content_variables: call.param("ContentVariables").map(str::to_owned),
        media: call.params("MediaUrl").len(),
        status_callback: status_callback.or_else(|| sender.service.and_then(|service| service.status_callback.clone())),
        created_ms: now,
        starts_ms,
        step_ms: Millis::try_from(world.options.message_step_ms).unwrap_or(20),
        canceled: false,
    })
}

fn check_recipient(account: &Account, to: &str) -> Result<(), Failure> {
    let number = addresses::number(to);
    let invalid = || Failure::bad(21211, format!("The 'To' number {to} is not a valid phone number."));
    if !addresses::is_e164(number) || number == "+15005550001" {
        return Err(invalid());
    }
    match account.seed.recipients.get(number).and_then(|behaviour| behaviour.strip_prefix("sync_")) {
        Some(code) => {
            let code = code.parse().unwrap_or(20001);
            Err(Failure::bad(code, format!("The message to {to} is refused ({code})")))
        }
        None => Ok(()),
    }
}

struct Sender<'a> {
    written: Option<String>,
    address: String,
    service: Option<&'a MessagingService>,
}

impl<'a> Sender<'a> {
    fn of(account: &'a Account, call: &Call, to: &str) -> Result<Self, Failure> {
        // One of Segment's own senders puts the service's SID into `From` (segment.md 7.1).
        let from = call.param("From");
        let service_sid = call.param("MessagingServiceSid").or_else(|| from.filter(|from| is_sid(from, "MG")));
        let from = from.filter(|from| !is_sid(from, "MG"));
        let on_whatsapp = to.starts_with("whatsapp:");
        let Some(sid) = service_sid else {
            let from = from.unwrap_or_default();
            check_sender(account, from, on_whatsapp)?;
            return Ok(Self { written: Some(from.to_owned()), address: from.to_owned(), service: None });
        };
        let unknown = || Failure::new(404, 21701, format!("The Messaging Service {sid} does not exist"));
        let service = account.service(sid).ok_or_else(unknown)?;
        let channels = service.senders.iter().map(|sender| sender.sender.as_str());
        let mut pool = channels.chain(service.phone_numbers.iter().map(String::as_str)).peekable();
        if pool.peek().is_none() {
            return Err(Failure::bad(21704, format!("The Messaging Service {sid} contains no senders")));
        }
        let capable = |address: &&str| match from {
            Some(from) => *address == from,
            None if on_whatsapp => account.is_whatsapp_sender(address),
            None => address.starts_with('+'),
        };
        let address = pool.find(capable).ok_or_else(|| {
            Failure::bad(21703, format!("The Messaging Service {sid} has no sender capable of reaching {to}"))
        })?;
        Ok(Self { written: from.map(str::to_owned), address: address.to_owned(), service: Some(service) })
    }
}

fn check_sender(account: &Account, from: &str, to_is_whatsapp: bool) -> Result<(), Failure> {
    let known = if to_is_whatsapp {
        account.is_whatsapp_sender(from)
    } else {
        account.seed.phone_numbers.iter().any(|number| number == from)
    };
    if known {
        return Ok(());
    }
    Err(Failure::bad(63007, format!("Twilio could not find a Channel with the specified From address {from}")))
}

struct Content<'a> {
    template: Option<&'a Template>,
    text: String,
    unfilled: Option<String>,
}

impl<'a> Content<'a> {
    fn of(account: &'a Account, call: &Call) -> Result<Self, Failure> {
        let variables = match call.param("ContentVariables") {
            Some(_) if call.param("ContentSid").is_none() => {
                return Err(Failure::bad(21654, "The ContentSid parameter is required with ContentVariables"));
            }
            Some(text) => templates::parse_variables(text)?,
            None => Variables::new(),
        };
        let Some(sid) = call.param("ContentSid") else {
            let text = call.param("Body").unwrap_or_default().to_owned();
            return Ok(Self { template: None, text, unfilled: None });
        };
        let unknown = || Failure::bad(21655, format!("The ContentSid {sid} is invalid"));
        let template = account.template(sid).ok_or_else(unknown)?;
        if let Some(name) = templates::surplus(template, &variables) {
            let reason = format!("The ContentVariables parameter is invalid: the template has no placeholder '{name}'");
            return Err(Failure::bad(21656, reason));
        }
        let (text, unfilled) = templates::render(template, &variables);
        Ok(Self { template: Some(template), text, unfilled })
    }
}

fn starts(call: &Call, has_service: bool, now: Millis) -> Result<Millis, Failure> {
    match (call.param("ScheduleType"), call.param("SendAt").and_then(parse_instant)) {
        (None, None) => Ok(now),
        (Some(_), Some((at, _))) if has_service && at > now => Ok(at),
        (Some(_), Some(_)) if has_service => Err(Failure::bad(20001, "SendAt is not in the future")),
        (Some(_), Some(_)) => Err(Failure::bad(20001, "Scheduling needs a MessagingServiceSid")),
        _ => Err(Failure::bad(20001, "ScheduleType and SendAt go together")),
    }
}

fn fate(world: &World, account: &Account, to: &str, sender: &str, content: &Content) -> Fate {
    match account.seed.recipients.get(addresses::number(to)).map(String::as_str) {
        Some("blocked") => return Fate::Blocked,
        Some("read") => return Fate::Read,
        Some(other) => {
            if let Some(code) = other.strip_prefix("async_").and_then(|code| code.parse().ok()) {
                return Fate::Fails(code);
            }
        }
        None => {}
    }
    if !to.starts_with("whatsapp:") {
        return Fate::Delivered;
    }
    whatsapp_error(world, content.template, content.unfilled.is_some(), to, sender).map_or(Fate::Delivered, Fate::Fails)
}

/// Why WhatsApp will not take it, if so: free-form text or a template without approval outside the 24-hour window
/// (twilio.md 4.3, 10.3).
pub fn whatsapp_error(
    world: &World,
    template: Option<&Template>,
    has_hole: bool,
    to: &str,
    sender: &str,
) -> Option<u32> {
    if has_hole {
        return Some(63028);
    }
    let approval = template.and_then(|template| template.approval.as_ref()).map(|approval| approval.status.as_str());
    match approval {
        Some("approved") => None,
        Some("rejected") => Some(63040),
        Some("paused") => Some(63041),
        Some("disabled") => Some(63042),
        _ if world.has_session(to, sender) => None,
        _ => Some(63016),
    }
}
