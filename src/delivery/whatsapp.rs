//! Performs the steps of a template by the Messages API.

use crate::{
    delivery::{
        journal::TicketError,
        seeded::{Bug, is_seeded},
        send::Sending,
        steps::{
            Answer, Sent,
            whatsapp::{Progress, Step},
        },
    },
    twilio::messages::NewMessage,
};

impl Sending<'_> {
    /// Sends the template at most once.
    pub(super) async fn whatsapp(&mut self, message: &NewMessage) -> Result<Sent, TicketError> {
        let (mut progress, mut step) = Progress::begin();
        loop {
            step = match step {
                Step::Pace => Progress::paced(self.pace().await),
                Step::Start => {
                    if !is_seeded(Bug::SendBeforeStart) {
                        self.start().await?;
                    }
                    progress.started()
                }
                Step::Post => {
                    let posted = self.post(message).await;
                    if is_seeded(Bug::SendBeforeStart) {
                        self.start().await?;
                    }
                    progress.posted(posted)
                }
                Step::Settle => progress.settled(self.settle().await),
                Step::End(sent) => return Ok(sent),
            };
        }
    }

    async fn post(&mut self, message: &NewMessage) -> Answer<String> {
        self.leaves();
        let created = self.twilio.create_message(message).await;
        if created.is_ok() {
            self.accepted();
        }
        self.answer("message", created.map(|created| created.sid)).await
    }
}
