//! Performs the steps of a conversation with a customer.

use crate::{
    delivery::{
        journal::{TicketError, Trace},
        observe::{ObserveError, event_of, observe},
        outcome::Reason,
        plan::ConversationDelivery,
        send::Sending,
        steps::{
            Answer, Sent,
            conversation::{Added, Created, Found, Numbers, Progress, Step, Visited, Wish, numbers},
            leftover,
        },
    },
    twilio::{
        E164, TwilioError,
        conversations::{NewConversation, code},
        sid::{ConversationSid, FlowSid},
    },
};

impl Sending<'_> {
    /// Opens the conversation, or goes on with one that an earlier delivery of the event has begun.
    pub(super) async fn conversation(&mut self, plan: &ConversationDelivery) -> Result<Sent, TicketError> {
        let own = self.attempt.trace.clone();
        let wish = Wish { opening: plan.opening.is_some(), on_active: plan.on_active, settle: self.attempt.settle };
        let (mut progress, mut step) = Progress::begin(self.ticket.attempts(), wish);
        loop {
            step = match step {
                Step::Find => progress.found(self.find(&plan.conversation.unique_name).await),
                Step::FindNumbers => progress.numbers_found(self.find_numbers(plan).await),
                Step::Visit { sid } => progress.visited(self.visit(&sid).await?),
                Step::Pace => {
                    let turn = match progress.number() {
                        Some(number) => self.pace_conversation(number).await,
                        // A conversation that is there already is only written into.
                        None => self.pace().await,
                    };
                    progress.paced(turn)
                }
                Step::Start { reused } => {
                    self.attempt.trace = match reused {
                        Some(conversation) => {
                            Trace::Reused { conversation, event: self.ticket.key().message_id.to_string() }
                        }
                        None => own.clone(),
                    };
                    self.start().await?;
                    progress.started()
                }
                Step::Create { after } => {
                    tokio::time::sleep(after).await;
                    progress.created(self.create(&plan.conversation).await)
                }
                Step::FindCompletion => progress.completion_found(self.find_completion().await?),
                Step::FindWebhooks { sid, after } => {
                    tokio::time::sleep(after).await;
                    progress.webhooks_found(self.find_webhooks(&sid, &plan.flow).await)
                }
                Step::RemoveWebhook { sid, webhook } => {
                    let removed = self.twilio.delete_conversation_webhook(&sid, &webhook).await;
                    progress.webhook_removed(self.answer("webhook", removed).await)
                }
                Step::Attach { sid } => {
                    self.leaves();
                    let attached = self.twilio.add_studio_webhook(&sid, &plan.flow).await;
                    progress.attached(self.answer("webhook", attached.map(drop)).await)
                }
                Step::Add { sid, number } => {
                    self.leaves();
                    progress.added(self.add(&sid, &plan.customer, &number).await)
                }
                Step::FindCustomer { sid, after } => {
                    tokio::time::sleep(after).await;
                    progress.customer_found(self.find_customer(&sid).await)
                }
                Step::Open { sid } => match &plan.opening {
                    Some(opening) => {
                        self.leaves();
                        let opened = self.twilio.create_conversation_message(&sid, opening).await;
                        if let Ok(message) = &opened {
                            self.ticket.opened(message);
                        }
                        progress.opened(self.answer("opening message", opened.map(drop)).await)
                    }
                    None => progress.opened(Answer::Done(())),
                },
                Step::Settle => progress.settled(self.settle().await),
                Step::TakeAway { sid, after, then } => {
                    tokio::time::sleep(after).await;
                    progress.taken_away(then, self.delete(&sid).await)
                }
                Step::FindRemains { after, then } => {
                    tokio::time::sleep(after).await;
                    progress.remains_found(then, self.find(&plan.conversation.unique_name).await)
                }
                Step::End(sent) => return Ok(sent),
            };
        }
    }

    /// Ends an event that is given up for `reason`, and takes away what was half-made for it.
    pub(super) async fn leftover(&mut self, left: &Trace, reason: Reason) -> Result<Sent, TicketError> {
        let (unique_name, workspace) = match left {
            Trace::Conversation { unique_name, .. } => (unique_name, None),
            Trace::Interaction { unique_name, workspace, .. } => (unique_name, Some(workspace)),
            // A message leaves nothing half-made.
            Trace::Message { .. } | Trace::Reused { .. } => return Ok(Sent::rejected(reason)),
        };
        let (mut progress, mut step) = match workspace {
            Some(_) => leftover::Progress::begin_with_task(reason, self.attempt.settle),
            None => leftover::Progress::begin(reason, self.attempt.settle),
        };
        loop {
            step = match step {
                leftover::Step::FindTask => {
                    let found = match workspace {
                        Some(workspace) => self.find_task(workspace, unique_name).await,
                        None => Answer::Done(None),
                    };
                    progress.task_found(found)
                }
                leftover::Step::Withdraw { interaction } => progress.withdrawn(self.withdraw(&interaction).await),
                leftover::Step::Find => progress.found(self.find(unique_name).await),
                leftover::Step::FindCompletion => progress.completion_found(self.find_completion().await?),
                leftover::Step::Start => {
                    self.start().await?;
                    progress.started()
                }
                leftover::Step::TakeAway { sid } => progress.taken_away(self.delete(&sid).await),
                leftover::Step::FindRemains { after } => {
                    tokio::time::sleep(after).await;
                    progress.remains_found(self.find(unique_name).await)
                }
                leftover::Step::End(sent) => return Ok(sent),
            };
        }
    }

    pub(super) async fn find(&self, unique_name: &str) -> Answer<Option<Found>> {
        let found = self.twilio.conversation_by_unique_name(unique_name).await;
        let found = found.map(|conversation| {
            conversation.map(|conversation| Found { closed: conversation.is_closed(), sid: conversation.sid })
        });
        self.answer("conversation", found).await
    }

    async fn find_numbers(&self, plan: &ConversationDelivery) -> Answer<Numbers> {
        let listed = self.twilio.conversations_of(&plan.customer).await;
        let found = listed.map(|listed| numbers(&plan.numbers, &listed, &plan.conversation.unique_name));
        self.answer("conversations", found).await
    }

    /// What another event has brought into its conversation. One without opening message is known by the journal alone.
    async fn visit(&self, sid: &ConversationSid) -> Result<Answer<Visited>, TicketError> {
        let (journal, key) = (self.ticket.journal(), self.ticket.key());
        let is_recorded = journal.attributed_to(sid.as_str()).await?.is_some();
        let visited = match self.twilio.conversation_messages(sid).await {
            Ok(messages) => {
                let events: Vec<String> = messages.iter().filter_map(event_of).collect();
                Ok(if events.iter().any(|event| event == key.message_id.as_str()) {
                    Visited::Messaged
                } else if is_recorded || !events.is_empty() {
                    Visited::Whole
                } else {
                    Visited::HalfMade
                })
            }
            // The list still has it.
            Err(error) if error.is_not_found() => Ok(Visited::HalfMade),
            Err(error) => Err(error),
        };
        Ok(self.answer("messages", visited).await)
    }

    pub(super) async fn create(&mut self, conversation: &NewConversation) -> Answer<Created> {
        if let Err(fault) = self.changes_conversations().await {
            return Answer::Refused(fault);
        }
        let created = match self.twilio.create_conversation(conversation).await {
            Ok(conversation) => {
                self.accepted();
                Ok(Created::Made(conversation.sid))
            }
            Err(error) if error.has_code(code::UNIQUE_NAME_TAKEN) => Ok(Created::NameTaken),
            Err(error) => Err(error),
        };
        self.answer("conversation", created).await
    }

    pub(super) async fn delete(&mut self, sid: &ConversationSid) -> Answer<()> {
        if let Err(fault) = self.changes_conversations().await {
            return Answer::Refused(fault);
        }
        let deleted = self.twilio.delete_conversation(sid).await;
        self.answer("conversation", deleted).await
    }

    async fn find_completion(&self) -> Result<Answer<Option<String>>, TicketError> {
        let completion: Result<_, TwilioError> = match observe(self.twilio, &self.ticket, &self.attempt).await {
            Ok(observed) => Ok(observed.present()),
            Err(ObserveError::Twilio(error)) => Err(error),
            Err(ObserveError::Journal(error)) => return Err(error.into()),
        };
        Ok(self.answer("conversation", completion).await)
    }

    /// The SIDs of the webhooks that start the flow.
    async fn find_webhooks(&self, sid: &ConversationSid, flow: &FlowSid) -> Answer<Vec<String>> {
        let webhooks = self.twilio.conversation_webhooks(sid).await;
        let ours = webhooks.map(|webhooks| {
            webhooks.into_iter().filter(|webhook| webhook.starts(flow)).map(|webhook| webhook.sid).collect()
        });
        self.answer("webhooks", ours).await
    }

    pub(super) async fn find_customer(&self, sid: &ConversationSid) -> Answer<bool> {
        let participants = self.twilio.participants(sid).await;
        self.answer("participants", participants.map(|participants| !participants.is_empty())).await
    }

    pub(super) async fn add(&self, sid: &ConversationSid, customer: &E164, number: &E164) -> Answer<Added> {
        let added = match self.twilio.add_participant(sid, customer, number).await {
            Ok(_) => Ok(Added::In),
            Err(error) if error.has_code(code::PARTICIPANT_EXISTS) => Ok(Added::In),
            // Twilio names the conversation that has the pair.
            Err(error) if error.has_code(code::PAIR_IN_USE) && error.to_string().contains(sid.as_str()) => {
                Ok(Added::In)
            }
            Err(error) if error.has_code(code::PAIR_IN_USE) => Ok(Added::PairTaken),
            Err(error) => Err(error),
        };
        self.answer("customer", added).await
    }
}
