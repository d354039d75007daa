//! A template by the Messages API: one POST, which nothing at Twilio makes safe to repeat. So an attempt whose answer was lost
//! is looked for, and only its proven absence allows another.

use crate::{
    api::reasons::event as reason,
    delivery::{
        journal::TicketError,
        outcome::{Final, Reason},
        send::{MAX_ATTEMPTS, Sending, Sent, Settled},
    },
    twilio::{TwilioError, messages::NewMessage},
};

impl Sending<'_> {
    /// Sends the template at most once.
    pub(super) async fn whatsapp(&mut self, message: &NewMessage) -> Result<Sent, TicketError> {
        for _ in 0..MAX_ATTEMPTS {
            if let Err(reason) = self.pace().await {
                return Ok(Sent::NotNow(reason));
            }
            self.start().await?;
            let error = match self.twilio.create_message(message).await {
                Ok(created) => {
                    self.accepted();
                    return Ok(Sent::sid(&created.sid));
                }
                Err(error) if error.had_no_effect() => return Ok(self.refused(&error).await),
                Err(error) => error,
            };
            tracing::warn!(event = %self.ticket.key(), %error, "looking for a message whose answer was lost");
            match (self.settle().await, error) {
                (Settled::Present { sid }, _) => return Ok(Sent::sid(&sid)),
                // Twilio said that it took the message, so that its list lacks it is no proof.
                (Settled::Absent, TwilioError::NotUnderstood { .. }) => {
                    let detail = "Twilio took the message with an answer that is not understood, and does not list it";
                    return Ok(Sent::Final(Final::Unknown { reason: Reason::new(reason::OUTCOME_UNKNOWN, detail) }));
                }
                (Settled::Absent, _) => {}
                (Settled::Unknown(reason), _) => return Ok(Sent::Final(Final::Unknown { reason })),
            }
        }
        let detail = "several attempts were lost, each without effect";
        Ok(Sent::NotNow(Reason::new(reason::TWILIO_UNAVAILABLE, detail)))
    }
}
