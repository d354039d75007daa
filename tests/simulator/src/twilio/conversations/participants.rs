//! Participants (twilio.md 6.3): one open conversation per pair of address and proxy address.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::clock::iso8601;
use crate::lock::lock;
use crate::twilio::{addresses, paging};
use crate::world::World;

use super::lifecycle::url;
use super::store::{Conversation, Participant};
use super::{admit, events, named, open};

/// `POST …/Participants`.
pub fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let account = world.account();
    let binding = Binding::of(&account, call)?;
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, now)?;
    admit(world, &conversation.sid)?;
    let sid = conversation.sid.clone();
    let taken = |participant: &Participant| binding.identity.is_some() && participant.identity == binding.identity;
    if conversation.participants.iter().any(taken) {
        return Err(Failure::new(409, 50433, "Participant with this identity already exists in the conversation"));
    }
    if binding.address.is_some() && conversation.messaging_service_sid.is_none() {
        return Err(Failure::bad(50373, "The conversation has no Messaging Service for a non-chat participant"));
    }
    if let (Some(address), Some(proxy)) = (&binding.address, &binding.proxy_address)
        && let Some(holder) = store.holder_of_pair(address, proxy, now)
    {
        let message =
            format!("A binding for this participant and proxy address already exists in Conversation {holder}");
        return Err(Failure::new(409, 50416, message));
    }
    let participant = Participant {
        sid: world.sids.make("MB"),
        identity: binding.identity,
        address: binding.address,
        proxy_address: binding.proxy_address,
        attributes: call.param("Attributes").unwrap_or("{}").to_owned(),
        role_sid: call.param("RoleSid").map(str::to_owned),
        created_ms: now,
    };
    store.add_participant(&sid, participant.clone());
    let conversation = store.get_mut(&sid).ok_or_else(|| call.not_found())?;
    conversation.updated_ms = now;
    let changed = conversation.clone();
    drop(store);
    if call.webhook_enabled {
        events::participant_added(world, &changed, &participant);
    }
    Ok(call.created(&participant.sid, &resource(world, &account, &sid, &participant)))
}

/// `GET …/Participants`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    let conversation = named(&mut lock(&world.conversations), call, world.now())?.clone();
    let rows = &conversation.participants;
    paging::list(world, call, rows.len(), |index| resource(world, &account, &conversation.sid, &rows[index]))
}

/// `GET …/Participants/{SidOrIdentity}`.
pub fn fetch(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let conversation = named(&mut lock(&world.conversations), call, world.now())?.clone();
    let participant = find(&conversation, call)?;
    Ok(call.ok(&resource(world, &world.account(), &conversation.sid, participant)))
}

/// `POST …/Participants/{SidOrIdentity}`.
pub fn update(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, world.now())?;
    admit(world, &conversation.sid)?;
    let sid = find(conversation, call)?.sid.clone();
    let participants = &mut conversation.participants;
    let participant = participants.iter_mut().find(|one| one.sid == sid).ok_or_else(|| call.not_found())?;
    if let Some(attributes) = call.param("Attributes") {
        attributes.clone_into(&mut participant.attributes);
    }
    if let Some(role) = call.param("RoleSid") {
        participant.role_sid = Some(role.to_owned());
    }
    let participant = participant.clone();
    Ok(call.created(&sid, &resource(world, &world.account(), &conversation.sid, &participant)))
}

/// `DELETE …/Participants/{SidOrIdentity}`.
pub fn delete(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let mut store = lock(&world.conversations);
    let conversation = open(&mut store, call, world.now())?;
    admit(world, &conversation.sid)?;
    let (conversation_sid, sid) = (conversation.sid.clone(), find(conversation, call)?.sid.clone());
    store.remove_participant(&conversation_sid, &sid);
    Ok(Answer::removed(&sid))
}

fn find<'c>(conversation: &'c Conversation, call: &Call) -> Result<&'c Participant, Failure> {
    let name = call.path_param("Sid");
    let is_named = |one: &&Participant| one.sid == name || one.identity.as_deref() == Some(name);
    conversation.participants.iter().find(is_named).ok_or_else(|| call.not_found())
}

struct Binding {
    identity: Option<String>,
    address: Option<String>,
    proxy_address: Option<String>,
}

impl Binding {
    fn of(account: &Account, call: &Call) -> Result<Self, Failure> {
        let given = |name: &str| call.param(name).map(str::to_owned);
        let address = given("MessagingBinding.Address");
        let proxy_address = given("MessagingBinding.ProxyAddress");
        match (given("Identity"), address, proxy_address) {
            (Some(identity), None, None) => Ok(Self { identity: Some(identity), address: None, proxy_address: None }),
            (None, Some(address), Some(proxy)) => {
                check_pair(account, &address, &proxy)?;
                Ok(Self { identity: None, address: Some(address), proxy_address: Some(proxy) })
            }
            (None, Some(_), None) => Err(Failure::bad(50412, "The proxy address is missing")),
            (None, None, _) => Err(Failure::bad(50411, "The address is missing")),
            (Some(_), _, _) => Err(Failure::bad(20001, "Identity and MessagingBinding exclude each other")),
        }
    }
}

fn check_pair(account: &Account, address: &str, proxy: &str) -> Result<(), Failure> {
    let valid = |text: &str| addresses::is_e164(addresses::number(text));
    if address.is_empty() {
        return Err(Failure::bad(50411, "The address is empty"));
    }
    if proxy.is_empty() {
        return Err(Failure::bad(50412, "The proxy address is empty"));
    }
    if !valid(address) {
        return Err(Failure::bad(50407, format!("Invalid messaging binding address {address}")));
    }
    if !valid(proxy) {
        return Err(Failure::bad(50408, format!("Invalid messaging binding proxy address {proxy}")));
    }
    if address == proxy {
        return Err(Failure::bad(50409, "The address equals the proxy address"));
    }
    if addresses::channel(address) != addresses::channel(proxy) {
        return Err(Failure::bad(50414, "The address and the proxy address are of different types"));
    }
    match addresses::channel(proxy) {
        "whatsapp" if !account.is_whatsapp_sender(proxy) => {
            Err(Failure::bad(50415, format!("The proxy address {proxy} is not a WhatsApp-enabled sender")))
        }
        "sms" if !account.seed.phone_numbers.iter().any(|number| number == proxy) => {
            Err(Failure::bad(50413, format!("The account may not use the proxy address {proxy}")))
        }
        _ => Ok(()),
    }
}

/// A participant as the API shows it.
pub fn resource(world: &World, account: &Account, conversation_sid: &str, participant: &Participant) -> Value {
    json!({
        "sid": participant.sid,
        "account_sid": account.sid(),
        "conversation_sid": conversation_sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "messaging_binding": binding(participant),
        "role_sid": participant.role_sid,
        "last_read_message_index": null,
        "last_read_timestamp": null,
        "date_created": iso8601(participant.created_ms),
        "date_updated": iso8601(participant.created_ms),
        "url": format!("{}/Participants/{}", url(world, conversation_sid), participant.sid),
    })
}

/// The binding, or null for a chat participant.
pub fn binding(participant: &Participant) -> Value {
    match &participant.address {
        Some(address) => json!({
            "type": addresses::channel(address), "address": address, "proxy_address": participant.proxy_address,
        }),
        None => Value::Null,
    }
}
