//! Following messages: before one is made Twilio is asked to tell of it, or a look at it is prepared. What is learned of it, in
//! either way, is counted once.

use std::time::Duration;

use super::{
    look,
    metrics::{CallbackResult, ToldResult},
    progress::{Receipt, Status},
    reason,
    record::{Expected, Subject},
    store::{Announced, Taken},
};
use crate::{
    api::reasons::receipt,
    delivery::{
        engine::{Engine, Route},
        journal::{JournalError, Key},
        outcome::Reason,
        plan::Delivery,
    },
    segment::{Event, MessageId},
    twilio::{StatusCallback, TwilioClient},
};

/// Least time for which receipts are waited for: Twilio tries to deliver for ten hours, and customers read the next morning.
const MIN_REMEMBER: Duration = Duration::from_hours(24);

impl Engine {
    /// Has Twilio tell what becomes of the message, where what it tells can be believed. An opening message has no callback of
    /// its own, and is looked at once it was sent.
    pub(in crate::delivery) fn follow(
        &self,
        route: &Route,
        event: &Event,
        twilio: &TwilioClient,
        delivery: &mut Delivery,
    ) {
        let (content, is_opening, least) = match delivery {
            Delivery::Whatsapp(message) => {
                let Some(callbacks) = self.callbacks.as_ref().filter(|_| twilio.proves_callbacks()) else { return };
                message.status_callback = Some(callbacks.of(&route.key, event.message_id.as_str()));
                (&message.content, false, MIN_REMEMBER)
            }
            Delivery::Conversation(conversation) => {
                let Some(opening) = &conversation.opening else { return };
                (&opening.content, true, look::END)
            }
            // Nothing is sent to the customer.
            Delivery::Interaction(_) => return,
        };
        let subject = route.destination.outcomes.as_ref().and_then(|_| Subject::of(event));
        let expected =
            Expected { destination: route.key.to_string(), content: content.to_string(), subject, is_opening };
        let remember = route.destination.limits.dedupe_window.max(least);
        let key = Key { destination: route.uid.clone(), message_id: event.message_id.clone() };
        self.journal.receipts().expect(key, expected, remember);
    }

    /// Takes in what Twilio tells of a message of this event. When it returns, it is on record.
    pub async fn take_callback(
        &self,
        route: &Route,
        event: MessageId,
        callback: StatusCallback,
    ) -> Result<CallbackResult, JournalError> {
        let Some(status) = Status::of_word(&callback.status) else { return Ok(CallbackResult::Ignored) };
        let StatusCallback { message, status: _, error_code } = callback;
        let receipt = Receipt { message, status, error_code, seen: None };
        let key = Key { destination: route.uid.clone(), message_id: event.clone() };
        let taken = self.journal.receipts().take(key, receipt.clone()).await?;
        self.learned(route, &event, &receipt, taken);
        Ok(match taken {
            Taken::Advanced { .. } => CallbackResult::New,
            Taken::Repeated => CallbackResult::Repeated,
            Taken::Unknown => CallbackResult::UnknownEvent,
        })
    }

    /// Counts and logs what was learned of a message, once it is on record.
    pub(super) fn learned(&self, route: &Route, event: &MessageId, receipt: &Receipt, taken: Taken) {
        let Taken::Advanced { told, announced } = taken else { return };
        if announced == Announced::NoRoom {
            tracing::error!(destination = %route.key, message_id = %event, "Segment will not be told: too much waits");
            self.metrics.receipts.told(&route.key, ToldResult::NoRoom, 1);
        }
        let Some(status) = told else { return };
        let Receipt { message: sid, status: _, error_code, seen } = receipt;
        self.metrics.receipts.status(&route.key, status, *error_code);
        let failure = (status == Status::Failed).then(|| late_failure(*error_code));
        self.metrics.tallies.message(&route.key, status, failure.as_ref());
        if failure.as_ref().is_some_and(|failure| failure.word == receipt::TEMPLATE_REFUSED) {
            self.suspect(route);
        }
        let word = status.as_str();
        let conversation = seen.as_ref().map(|seen| seen.conversation.as_str()).unwrap_or_default();
        if let Some(Reason { word: reason, detail }) = &failure {
            tracing::warn!(destination = %route.key, message_id = %event, sid, conversation, status = word, reason, detail, "message");
        } else {
            tracing::info!(destination = %route.key, message_id = %event, sid, conversation, status = word, "message");
        }
    }
}

fn late_failure(error_code: Option<u32>) -> Reason {
    let (word, sentence) = reason::late(error_code);
    let code = error_code.map(|code| format!(" (Twilio's error {code})")).unwrap_or_default();
    Reason::new(word, format!("a message was not delivered{code}: {sentence}"))
}
