//! `ParticipantConversations` (twilio.md 6.6): every conversation an address or identity takes part in, closed ones
//! included; there is no filter by proxy address or state.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::{Answer, Call, Failure};
use crate::clock::iso8601;
use crate::lock::lock;
use crate::twilio::paging;
use crate::world::World;

use super::lifecycle::{timers, url};
use super::participants::binding;
use super::store::{Conversation, Participant};

/// `GET /v1/ParticipantConversations`.
pub fn list(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let now = world.now();
    let (address, identity) = (call.query("Address"), call.query("Identity"));
    if address.is_some() == identity.is_some() {
        return Err(Failure::bad(50451, "Exactly one of Address and Identity must be given"));
    }
    let mut store = lock(&world.conversations);
    let sids = match address {
        Some(address) => store.with_address(address),
        None => store.sids().to_vec(),
    };
    let mut rows: Vec<(Conversation, Participant)> = Vec::new();
    for sid in sids {
        store.settle(&sid, now);
        let Some(conversation) = store.get(&sid) else { continue };
        let is_meant = |one: &&Participant| {
            now - one.created_ms >= call.reads.list_lag_ms
                && address.is_none_or(|address| one.address.as_deref() == Some(address))
                && identity.is_none_or(|identity| one.identity.as_deref() == Some(identity))
        };
        if let Some(participant) = conversation.participants.iter().find(is_meant) {
            rows.push((conversation.clone(), participant.clone()));
        }
    }
    drop(store);
    let account = world.account();
    paging::list(world, call, rows.len(), |index| resource(world, &account, &rows[index].0, &rows[index].1))
}

fn resource(world: &World, account: &Account, conversation: &Conversation, participant: &Participant) -> Value {
    let url = url(world, &conversation.sid);
    json!({
        "account_sid": account.sid(),
        "chat_service_sid": account.seed.conversations.service_sid,
        "participant_sid": participant.sid,
        "participant_user_sid": null,
        "participant_identity": participant.identity,
        "participant_messaging_binding": binding(participant),
        "conversation_sid": conversation.sid,
        "conversation_unique_name": conversation.unique_name,
        "conversation_friendly_name": conversation.friendly_name,
        "conversation_attributes": conversation.attributes,
        "conversation_state": conversation.state,
        "conversation_timers": timers(conversation),
        "conversation_date_created": iso8601(conversation.created_ms),
        "conversation_date_updated": iso8601(conversation.updated_ms),
        "conversation_created_by": "system",
        "links": {"participant": format!("{url}/Participants/{}", participant.sid), "conversation": url},
    })
}
