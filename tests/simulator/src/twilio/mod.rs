//! Twilio: one module per product, and the map from table rows to the functions that answer them.

pub mod addresses;
pub mod callbacks;
pub mod content;
pub mod conversations;
pub mod flex;
pub mod interactions;
pub mod messages;
pub mod messaging;
pub mod paging;
pub mod serverless;
pub mod signature;
pub mod studio;
pub mod taskrouter;
pub mod tasks;
pub mod templates;
pub mod xml;

use std::sync::Arc;

use crate::call::{Answer, Call, Failure};
use crate::segment::{profiles, tracking};
use crate::world::World;

use conversations::{lifecycle, lookup, messages as conversation_messages, participants, webhooks};
use studio::{executions, flows, revisions};

/// Answers one operation.
pub type Handler = fn(&Arc<World>, &Call) -> Result<Answer, Failure>;

/// The function behind a table row; `None` for a name that is not simulated.
pub fn handler(operation: &str) -> Option<Handler> {
    Some(match operation {
        "accounts.fetch" => account,
        "messages.create" => messages::create,
        "messages.list" => messages::list,
        "messages.fetch" => messages::fetch,
        "messages.update" => messages::update,
        "messages.delete" => messages::delete,
        "conversation_services.list" => lifecycle::services,
        "configuration.fetch" => lifecycle::configuration,
        "conversations.create" => lifecycle::create,
        "conversations.list" => lifecycle::list,
        "conversations.fetch" => lifecycle::fetch,
        "conversations.update" => lifecycle::update,
        "conversations.delete" => lifecycle::delete,
        "participants.create" => participants::create,
        "participants.list" => participants::list,
        "participants.fetch" => participants::fetch,
        "participants.update" => participants::update,
        "participants.delete" => participants::delete,
        "webhooks.create" => webhooks::create,
        "webhooks.list" => webhooks::list,
        "webhooks.fetch" => webhooks::fetch,
        "webhooks.update" => webhooks::update,
        "webhooks.delete" => webhooks::delete,
        "conversation_messages.create" => conversation_messages::create,
        "conversation_messages.list" => conversation_messages::list,
        "conversation_messages.fetch" => conversation_messages::fetch,
        "receipts.list" => conversation_messages::receipts,
        "participant_conversations.list" => lookup::list,
        "flows.create" => flows::create,
        "flows.list" => flows::list,
        "flows.validate" => flows::validate,
        "flows.fetch" => flows::fetch,
        "flows.update" => flows::update,
        "flows.delete" => flows::delete,
        "revisions.list" => revisions::list,
        "revisions.fetch" => revisions::fetch,
        "test_users.fetch" => flows::test_users,
        "test_users.update" => flows::set_test_users,
        "executions.create" => executions::create,
        "executions.list" => executions::list,
        "executions.fetch" => executions::fetch,
        "executions.update" => executions::update,
        "executions.delete" => executions::delete,
        "steps.list" => executions::steps,
        "content.fetch" => content::fetch,
        "content.list" => content::list,
        "content.approvals" => content::list_with_approvals,
        "content.search" => content::search,
        "content.search_approvals" => content::search_with_approvals,
        "approval.fetch" => content::fetch_approval,
        "services.list" => messaging::services,
        "services.fetch" => messaging::service,
        "phone_numbers.list" => messaging::phone_numbers,
        "channel_senders.list" => messaging::channel_senders,
        "channel_senders.fetch" => messaging::channel_sender,
        "senders.list" => messaging::senders,
        "senders.fetch" => messaging::sender,
        "function_services.list" => serverless::services,
        "environments.list" => serverless::environments,
        "builds.fetch" => serverless::build,
        "flex_configuration.fetch" => flex::configuration,
        "interactions.create" => interactions::create,
        "interactions.fetch" => flex::fetch,
        "interaction_channels.list" => flex::list_channels,
        "interaction_channels.fetch" => flex::fetch_channel,
        "interaction_channels.update" => flex::update_channel,
        "workspaces.list" => taskrouter::workspaces,
        "workspaces.fetch" => taskrouter::workspace,
        "workflows.list" => taskrouter::workflows,
        "workflows.fetch" => taskrouter::workflow,
        "task_channels.list" => taskrouter::channels,
        "task_channels.fetch" => taskrouter::channel,
        "tasks.list" => tasks::list,
        "tasks.fetch" => tasks::fetch,
        "task_queues.list" => taskrouter::queues,
        "task_queues.fetch" => taskrouter::queue,
        "profiles.traits" => profiles::traits,
        "profiles.external_ids" => profiles::external_ids,
        "profiles.metadata" => profiles::metadata,
        "tracking.batch" => tracking::batch,
        "tracking.track" | "tracking.identify" => tracking::single,
        _ => return None,
    })
}

/// `GET /2010-04-01/Accounts/{AC}.json`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a handler")]
fn account(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let account = world.account();
    Ok(call.ok(&serde_json::json!({
        "sid": account.sid(), "owner_account_sid": account.sid(), "friendly_name": "Simulated account",
        "status": "active", "type": "Full", "uri": format!("/2010-04-01/Accounts/{}.json", account.sid()),
    })))
}

#[cfg(test)]
mod tests {
    use crate::tables::tables;

    #[test]
    fn every_row_of_the_tables_is_answered() {
        for operation in tables().operations() {
            assert!(super::handler(&operation.name).is_some(), "{} has no handler", operation.name);
        }
    }
}
