//! Reports a message's progress to its status callback (twilio.md 2.5). The initial status is never reported.

use std::sync::Arc;
use std::time::Duration;

use crate::twilio::{addresses, callbacks};
use crate::world::World;

use super::store::Message;

/// Sends the callbacks of one message, one step after the other.
pub async fn report(world: Arc<World>, message: Arc<Message>) {
    let Some(url) = message.status_callback.clone() else { return };
    let generation = world.generation();
    let mut statuses: Vec<&str> =
        message.timeline().iter().map(|(_, status)| *status).filter(|status| *status != "sending").collect();
    if world.options.reorder_callbacks {
        statuses.reverse();
    }
    let step = Duration::from_millis(world.options.message_step_ms);
    let wait = u64::try_from(message.starts_ms - message.created_ms).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(wait) + step).await;
    for status in statuses {
        tokio::time::sleep(step).await;
        let canceled = crate::lock::lock(&world.messages).get(&message.sid).is_some_and(|message| message.canceled);
        if world.generation() != generation || canceled {
            return;
        }
        let times = if world.options.duplicate_callbacks { 2 } else { 1 };
        for _ in 0..times {
            callbacks::send(&world, &message.sid, status, &url, parameters(&world, &message, status)).await;
        }
    }
}

fn parameters(world: &World, message: &Message, status: &str) -> Vec<(String, String)> {
    let account = world.account();
    let mut fields = vec![
        ("MessageSid", message.sid.clone()),
        ("MessageStatus", status.to_owned()),
        ("SmsSid", message.sid.clone()),
        ("SmsStatus", status.to_owned()),
        ("AccountSid", account.sid().to_owned()),
        ("From", message.sender.clone()),
        ("To", message.to.clone()),
        ("ApiVersion", "2010-04-01".to_owned()),
    ];
    if let super::store::Fate::Fails(code) = message.fate
        && matches!(status, "failed" | "undelivered")
    {
        fields.push(("ErrorCode", code.to_string()));
        fields.push(("ChannelStatusMessage", format!("Simulated failure {code}")));
    }
    if message.to.starts_with("whatsapp:") {
        let sender_sid = account.sender_sid(&message.sender).unwrap_or_default();
        fields.push(("ChannelInstallSid", sender_sid.to_owned()));
        fields.push(("ChannelPrefix", "whatsapp".to_owned()));
        fields.push(("ChannelToAddress", addresses::masked(addresses::number(&message.to))));
        match status {
            "sent" => fields.push(("StructuredMessage", message.content_sid.is_some().to_string())),
            "delivered" | "read" => fields.push(("EventType", status.to_uppercase())),
            _ => {}
        }
    }
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
