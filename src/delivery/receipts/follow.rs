//! Following messages: before one is made Twilio is asked to tell of it, and what it tells is counted once.

use std::time::Duration;

use super::{
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
    /// Has Twilio tell what becomes of the message, where what it tells can be believed. A message of a conversation has no
    /// callback of its own.
    pub(in crate::delivery) fn follow(
        &self,
        route: &Route,
        event: &Event,
        twilio: &TwilioClient,
        delivery: &mut Delivery,
    ) {
        let (Some(callbacks), Delivery::Whatsapp(message)) = (&self.callbacks, delivery) else { return };
        if !twilio.proves_callbacks() {
            return;
        }
        message.status_callback = Some(callbacks.of(&route.key, event.message_id.as_str()));
        let subject = route.destination.outcomes.as_ref().and_then(|_| Subject::of(event));
        let expected = Expected { destination: route.key.to_string(), content: message.content.to_string(), subject };
        let remember = route.destination.limits.dedupe_window.max(MIN_REMEMBER);
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
        let receipt = Receipt { message: message.clone(), status, error_code };
        let key = Key { destination: route.uid.clone(), message_id: event.clone() };
        let (told, announced) = match self.journal.receipts().take(key, receipt).await? {
            Taken::Advanced { told, announced } => (told, announced),
            Taken::Repeated => return Ok(CallbackResult::Repeated),
            Taken::Unknown => return Ok(CallbackResult::UnknownEvent),
        };
        if announced == Announced::NoRoom {
            tracing::error!(destination = %route.key, message_id = %event, "Segment will not be told: too much waits");
            self.metrics.receipts.told(&route.key, ToldResult::NoRoom, 1);
        }
        if let Some(status) = told {
            self.metrics.receipts.status(&route.key, status, error_code);
            let failure = (status == Status::Failed).then(|| late_failure(error_code));
            self.metrics.tallies.message(&route.key, status, failure.as_ref());
            if failure.as_ref().is_some_and(|failure| failure.word == receipt::TEMPLATE_REFUSED) {
                self.suspect(route);
            }
            let word = status.as_str();
            if let Some(Reason { word: reason, detail }) = &failure {
                tracing::warn!(destination = %route.key, message_id = %event, sid = message, status = word, reason, detail, "message");
            } else {
                tracing::info!(destination = %route.key, message_id = %event, sid = message, status = word, "message");
            }
        }
        Ok(CallbackResult::New)
    }
}

fn late_failure(error_code: Option<u32>) -> Reason {
    let (word, sentence) = reason::late(error_code);
    let code = error_code.map(|code| format!(" (Twilio's error {code})")).unwrap_or_default();
    Reason::new(word, format!("a message was not delivered{code}: {sentence}"))
}
