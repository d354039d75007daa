//! What a test can do to the world besides calling the APIs: the same functions serve the Rust methods and the control
//! API.

use std::sync::Arc;

use serde_json::Value;

use crate::clock::Millis;
use crate::lock::{lock, write};
use crate::seed::{Approval, Profile, Template};
use crate::twilio::conversations::store::State as ConversationState;
use crate::twilio::studio::store::Revision;
use crate::world::World;

/// A Console edit: a new revision with an author of its own and whatever commit message they give. Without a definition the
/// newest one is saved again. Returns its number; `None` when there is no such flow.
pub fn edit_flow(
    world: &World,
    flow_sid: &str,
    definition: Option<Value>,
    status: &str,
    commit_message: Option<&str>,
) -> Option<usize> {
    let now = world.now();
    let mut studio = lock(&world.studio);
    let flow = studio.flow_mut(flow_sid)?;
    let latest = flow.latest()?.clone();
    flow.revisions.push(Revision {
        revision: latest.revision + 1,
        status: status.to_owned(),
        definition: definition.map_or(latest.definition, Arc::new),
        commit_message: commit_message.map(str::to_owned),
        author_sid: Some("US000000000000000000000000000000c0".to_owned()),
        created_ms: now,
        friendly_name: latest.friendly_name,
    });
    Some(latest.revision + 1)
}

/// Makes `token` the primary auth token; the old ones stay valid when `keep_old`.
pub fn rotate_auth_token(world: &World, token: &str, keep_old: bool) {
    world.change_account(|account| {
        if !keep_old {
            account.seed.auth_tokens.clear();
        }
        account.seed.auth_tokens.retain(|old| old != token);
        account.seed.auth_tokens.insert(0, token.to_owned());
    });
}

/// Adds a template, or replaces the one of its SID.
pub fn put_template(world: &World, template: Template) {
    world.change_account(|account| account.put_template(template));
}

/// Deletes a template; false when there is none.
pub fn remove_template(world: &World, content_sid: &str) -> bool {
    world.change_account(|account| account.remove_template(content_sid))
}

/// Gives the reason why a template was rejected; false when it was never submitted.
pub fn set_rejection_reason(world: &World, content_sid: &str, reason: &str) -> bool {
    world.change_account(|account| {
        let approval = account.template(content_sid).and_then(|template| template.approval.clone());
        let Some(approval) = approval else { return false };
        account.set_approval(content_sid, Some(Approval { rejection_reason: reason.to_owned(), ..approval }))
    })
}

/// Sets a template's WhatsApp approval, or takes it away; false when there is no such template.
pub fn set_approval(world: &World, content_sid: &str, status: Option<&str>, category: Option<&str>) -> bool {
    world.change_account(|account| {
        let Some(template) = account.template(content_sid) else { return false };
        let approval = status.map(|status| {
            let previous = template.approval.clone();
            let previous = previous.unwrap_or_else(|| Approval {
                name: template.friendly_name.clone(),
                category: "MARKETING".to_owned(),
                status: String::new(),
                rejection_reason: String::new(),
            });
            let category = category.map_or(previous.category, str::to_owned);
            Approval { status: status.to_owned(), category, ..previous }
        });
        account.set_approval(content_sid, approval)
    })
}

/// Sets a sender's status (`ONLINE`, `OFFLINE`, …); false when there is no such sender.
pub fn set_sender_status(world: &World, number: &str, status: &str) -> bool {
    world.change_account(|account| {
        let mut senders = account.seed.whatsapp_senders.iter_mut();
        senders.find(|sender| sender.number == number).map(|sender| status.clone_into(&mut sender.status)).is_some()
    })
}

/// Lets the channels of the next interactions fail, each with a code.
pub fn fail_interactions(world: &World, codes: &[u32]) {
    lock(&world.flex).failing = codes.iter().copied().collect();
}

/// Gives the account's conversations another default service than Flex's, or back.
pub fn set_default_service(world: &World, service_sid: &str) {
    world.change_account(|account| service_sid.clone_into(&mut account.seed.conversations.service_sid));
}

/// Adds or replaces a profile.
pub fn put_profile(world: &World, space: &str, key: &str, profile: Profile) {
    write(&world.profiles).put(space, key, profile);
}

/// Closes a conversation named by SID or unique name; false when there is none.
pub fn close_conversation(world: &World, sid_or_name: &str) -> bool {
    let mut store = lock(&world.conversations);
    let Some(sid) = store.sid_of(sid_or_name) else { return false };
    store.set_state(&sid, ConversationState::Closed);
    true
}

/// Moves the simulated time forward.
pub fn advance_clock(world: &World, seconds: u32) {
    world.clock.advance(Millis::from(seconds) * 1000);
}
