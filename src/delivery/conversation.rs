//! A conversation with a customer, step by step: the conversation, its webhook, the customer, the opening message. Each step
//! can be looked up, so a lost answer costs a look and never a second effect, and a delivery that was cut off is resumed.
//! The webhook comes before the customer, so that no reply can miss the flow.

use std::{future::Future, time::Duration};

use crate::{
    api::reasons::event as reason,
    delivery::{
        journal::TicketError,
        outcome::{Final, Reason},
        plan::ConversationDelivery,
        send::{MAX_ATTEMPTS, Sending, Sent, Settled},
    },
    twilio::{
        E164, TwilioError,
        conversations::{Conversation, NewConversationMessage, code},
        sid::{ConversationSid, FlowSid},
    },
};

/// Times a step that is safe to repeat is tried again while answers are lost.
const STEP_TRIES: u32 = 3;
const STEP_PAUSE: Duration = Duration::from_millis(400);

/// A step ended the delivery.
enum Stop {
    Sent(Sent),
    Ticket(TicketError),
}

impl From<TicketError> for Stop {
    fn from(error: TicketError) -> Self {
        Self::Ticket(error)
    }
}

type Step<T> = Result<T, Stop>;

impl Sending<'_> {
    /// Opens the conversation, or goes on with one that an earlier delivery of the event has begun.
    pub(super) async fn conversation(&mut self, plan: &ConversationDelivery) -> Result<Sent, TicketError> {
        match self.open(plan).await {
            Ok(sent) | Err(Stop::Sent(sent)) => Ok(sent),
            Err(Stop::Ticket(error)) => Err(error),
        }
    }

    async fn open(&mut self, plan: &ConversationDelivery) -> Step<Sent> {
        let begun = if self.ticket.attempts() > 0 { self.begun_before(plan).await? } else { None };
        let numbers = self.free_numbers(plan).await?;
        if numbers.is_empty() {
            return self.no_number_left(begun.as_ref().map(|conversation| &conversation.sid)).await;
        }
        if let Err(reason) = self.pace().await {
            return Ok(Sent::NotNow(reason));
        }
        self.start().await?;
        let (sid, resumed) = match begun {
            Some(conversation) => (conversation.sid, true),
            None => self.make_conversation(plan).await?,
        };
        // What is complete is left as it is, whoever completed it.
        if resumed && let Some(sid) = self.completed().await? {
            return Ok(Sent::sid(&sid));
        }
        self.attach_flow(&sid, &plan.flow, resumed).await?;
        self.add_customer(&sid, plan, &numbers).await?;
        match &plan.opening {
            Some(opening) => self.open_with(&sid, opening).await,
            None => Ok(Sent::sid(&sid)),
        }
    }

    /// What an earlier delivery of the event has made, or that it was completed.
    async fn begun_before(&mut self, plan: &ConversationDelivery) -> Step<Option<Conversation>> {
        let unique_name = &plan.conversation.unique_name;
        let Some(conversation) = self.read(self.twilio.conversation_by_unique_name(unique_name)).await? else {
            return Ok(None);
        };
        if conversation.is_closed() {
            return Err(self.closed(&conversation.sid).await);
        }
        Ok(Some(conversation))
    }

    /// A closed conversation takes nothing more. If the event's last step is done in it the event was sent; else it never will be.
    async fn closed(&self, sid: &ConversationSid) -> Stop {
        match self.completed().await {
            Ok(Some(sid)) => Stop::Sent(Sent::sid(&sid)),
            Ok(None) => Stop::Sent(Sent::rejected(Reason::new(
                reason::CONVERSATION_CLOSED,
                format!("conversation {sid} of this event was closed before it was complete"),
            ))),
            Err(stop) => stop,
        }
    }

    /// Our numbers that are not talking to the customer, in the order of the spec.
    async fn free_numbers(&self, plan: &ConversationDelivery) -> Step<Vec<E164>> {
        let conversations = self.read(self.twilio.conversations_of(&plan.customer)).await?;
        let busy: Vec<E164> = conversations
            .iter()
            .filter(|conversation| conversation.conversation_state.as_deref() != Some("closed"))
            .filter(|conversation| {
                conversation.conversation_unique_name.as_deref() != Some(&plan.conversation.unique_name)
            })
            .filter_map(|conversation| conversation.participant_messaging_binding.as_ref()?.proxy_address.as_deref())
            .filter_map(|number| number.parse().ok())
            .collect();
        Ok(plan.numbers.iter().filter(|number| !busy.contains(number)).cloned().collect())
    }

    /// Makes the conversation; its unique name makes that safe to repeat.
    async fn make_conversation(&self, plan: &ConversationDelivery) -> Step<(ConversationSid, bool)> {
        let mut tries = 0;
        loop {
            match self.twilio.create_conversation(&plan.conversation).await {
                Ok(conversation) => {
                    self.accepted();
                    return Ok((conversation.sid, tries > 0));
                }
                Err(error) if error.has_code(code::UNIQUE_NAME_TAKEN) => {
                    let unique_name = &plan.conversation.unique_name;
                    match self.read(self.twilio.conversation_by_unique_name(unique_name)).await? {
                        Some(conversation) if conversation.is_closed() => {
                            return Err(self.closed(&conversation.sid).await);
                        }
                        Some(conversation) => return Ok((conversation.sid, true)),
                        None => {}
                    }
                }
                Err(error) if error.had_no_effect() => return Err(Stop::Sent(self.refused(&error).await)),
                Err(error) if tries >= STEP_TRIES => return Err(self.lost(&error)),
                Err(_) => {}
            }
            tries += 1;
            if tries > STEP_TRIES {
                let reason = Reason::new(reason::TWILIO_CONFLICT, "the conversation exists and cannot be read");
                return Err(Stop::Sent(Sent::NotNow(reason)));
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    /// Lets replies start the flow, exactly once: two webhooks would answer the customer twice, and nothing at Twilio prevents
    /// them. So after a lost answer absence is believed only when it has settled.
    async fn attach_flow(&self, sid: &ConversationSid, flow: &FlowSid, resumed: bool) -> Step<()> {
        if resumed && self.attached(sid, flow).await? {
            return Ok(());
        }
        for _ in 0..STEP_TRIES {
            match self.twilio.add_studio_webhook(sid, flow).await {
                Ok(_) => return Ok(()),
                Err(error) if error.had_no_effect() => return Err(self.undone(sid, &error).await),
                Err(_) => {}
            }
            tokio::time::sleep(STEP_PAUSE).await;
            if self.attached(sid, flow).await? {
                return Ok(());
            }
            tokio::time::sleep(self.settle_time()).await;
            if self.attached(sid, flow).await? {
                return Ok(());
            }
        }
        let reason = Reason::new(reason::TWILIO_UNAVAILABLE, "the conversation's webhook cannot be added");
        Err(Stop::Sent(Sent::NotNow(reason)))
    }

    /// Whether the flow is attached; one too many is taken away.
    async fn attached(&self, sid: &ConversationSid, flow: &FlowSid) -> Step<bool> {
        let webhooks = self.read(self.twilio.conversation_webhooks(sid)).await?;
        let mut ours = webhooks.iter().filter(|webhook| webhook.starts(flow));
        let attached = ours.next().is_some();
        for surplus in ours {
            self.read(self.twilio.delete_conversation_webhook(sid, &surplus.sid)).await?;
        }
        Ok(attached)
    }

    /// Adds the customer by the first number that is still free; a pair of numbers is in one conversation only, which makes
    /// that safe to repeat.
    async fn add_customer(&self, sid: &ConversationSid, plan: &ConversationDelivery, numbers: &[E164]) -> Step<()> {
        for number in numbers {
            let mut tries = 0;
            loop {
                match self.twilio.add_participant(sid, &plan.customer, number).await {
                    Ok(_) => return Ok(()),
                    Err(error) if error.has_code(code::PARTICIPANT_EXISTS) => return Ok(()),
                    Err(error) if error.has_code(code::PAIR_IN_USE) => {
                        if error.to_string().contains(sid.as_str()) {
                            return Ok(());
                        }
                        // Another conversation took this number in between: the next one is tried.
                        break;
                    }
                    Err(error) if error.had_no_effect() => return Err(self.undone(sid, &error).await),
                    Err(error) if tries >= STEP_TRIES => return Err(self.lost(&error)),
                    Err(_) => {}
                }
                tries += 1;
                tokio::time::sleep(STEP_PAUSE).await;
                if !self.read(self.twilio.participants(sid)).await?.is_empty() {
                    return Ok(());
                }
            }
        }
        self.no_number_left(Some(sid)).await.map(drop)?;
        Ok(())
    }

    /// Sends the opening message; its attributes name the event, by which it is found after a lost answer.
    async fn open_with(&mut self, sid: &ConversationSid, opening: &NewConversationMessage) -> Step<Sent> {
        for _ in 0..MAX_ATTEMPTS {
            let error = match self.twilio.create_conversation_message(sid, opening).await {
                Ok(_) => return Ok(Sent::sid(sid)),
                Err(error) if error.had_no_effect() => return Err(self.undone(sid, &error).await),
                Err(error) => error,
            };
            tracing::warn!(event = %self.ticket.key(), %error, "looking for an opening message whose answer was lost");
            match self.settle().await {
                Settled::Present { sid } => return Ok(Sent::sid(&sid)),
                Settled::Absent => self.start().await?,
                Settled::Unknown(reason) => return Ok(Sent::Final(Final::Unknown { reason })),
            }
        }
        let detail = "the opening message was lost several times, each time without effect";
        Ok(Sent::NotNow(Reason::new(reason::TWILIO_UNAVAILABLE, detail)))
    }

    /// The conversation's SID if the event's last step is done in it.
    async fn completed(&self) -> Step<Option<String>> {
        use crate::delivery::observe::{ObserveError, Observed, observe};
        match observe(self.twilio, &self.ticket, &self.attempt).await {
            Ok(Observed::Present { sid }) => Ok(Some(sid)),
            Ok(Observed::Absent) => Ok(None),
            Err(ObserveError::Twilio(error)) => Err(Stop::Sent(self.refused(&error).await)),
            Err(ObserveError::Journal(error)) => Err(Stop::Ticket(TicketError::Journal(error))),
        }
    }

    /// Every number is talking to the customer: what was made for this event is taken away.
    async fn no_number_left(&self, made: Option<&ConversationSid>) -> Step<Sent> {
        if let Some(sid) = made {
            self.read(self.twilio.delete_conversation(sid)).await?;
        }
        let detail =
            "every number in spec.conversation.twilioNumber is in another open conversation with this customer";
        Err(Stop::Sent(Sent::suppressed(reason::CONVERSATION_ACTIVE, detail)))
    }

    /// A step was refused. If that is for good, what was made is taken away; else the next delivery goes on with it.
    async fn undone(&self, sid: &ConversationSid, error: &TwilioError) -> Stop {
        let sent = self.refused(error).await;
        if matches!(sent, Sent::Final(_))
            && !error.has_code(code::CLOSED)
            && let Err(error) = self.twilio.delete_conversation(sid).await
        {
            tracing::warn!(conversation = %sid, %error, "a half-made conversation was not taken away; it is at the next try");
            let reason = Reason::new(reason::TWILIO_UNAVAILABLE, "a half-made conversation could not be taken away");
            return Stop::Sent(Sent::NotNow(reason));
        }
        Stop::Sent(sent)
    }

    /// The answer of a step that is safe to repeat was lost once too often: the next delivery goes on.
    fn lost(&self, error: &TwilioError) -> Stop {
        tracing::warn!(event = %self.ticket.key(), %error, "a step of a conversation is put off");
        Stop::Sent(Sent::NotNow(Reason::new(reason::TWILIO_UNAVAILABLE, error.to_string())))
    }

    /// Does what changes nothing, or can be repeated freely; its failure puts the delivery off.
    async fn read<T>(&self, call: impl Future<Output = Result<T, TwilioError>>) -> Step<T> {
        match call.await {
            Ok(value) => Ok(value),
            Err(error) if error.had_no_effect() => Err(Stop::Sent(self.refused(&error).await)),
            Err(error) => Err(self.lost(&error)),
        }
    }
}
