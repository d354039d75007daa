//! Performs the steps of a task for an agent.

use std::collections::BTreeSet;

use crate::{
    api::annotations::TASK_ATTRIBUTE,
    delivery::{
        fault::Fault,
        journal::{TicketError, Trace},
        plan::{InteractionDelivery, is_unique_name, unique_name},
        send::Sending,
        steps::{
            Answer, Sent,
            interaction::{Asked, Channel, Progress, Step, Task, standing},
            places::{Place, places},
        },
    },
    twilio::{
        TwilioClient, TwilioError,
        conversations::ParticipantConversation,
        interactions::{InteractionChannel, code},
        sid::{ConversationSid, InteractionSid, WorkspaceSid},
    },
};

impl Sending<'_> {
    /// Brings an agent the event's task, or goes on where an earlier delivery of the event was left.
    pub(super) async fn interaction(&mut self, plan: &InteractionDelivery) -> Result<Sent, TicketError> {
        let (mut progress, mut step) = Progress::begin(self.ticket.attempts(), self.attempt.settle);
        let workspace = &plan.interaction.place.workspace;
        let name = &plan.conversation.unique_name;
        loop {
            step = match step {
                Step::FindTask { after } => {
                    tokio::time::sleep(after).await;
                    progress.task_found(self.find_task(workspace, name).await)
                }
                Step::Find => progress.found(self.find(name).await),
                Step::FindPlaces => progress.places_found(self.find_places(plan).await?),
                Step::Pace => {
                    let turn = match progress.number() {
                        Some(number) => self.pace_conversation(number).await,
                        None => self.pace().await,
                    };
                    progress.paced(turn)
                }
                Step::Start { asks } => {
                    if let Trace::Interaction { asked, .. } = &mut self.attempt.trace {
                        *asked = asks;
                    }
                    self.start().await?;
                    progress.started()
                }
                Step::Create { after } => {
                    tokio::time::sleep(after).await;
                    progress.created(self.create(&plan.conversation).await)
                }
                Step::Add { sid, number } => {
                    self.leaves();
                    progress.added(self.add(&sid, &plan.customer, &number).await)
                }
                Step::FindCustomer { sid, after } => {
                    tokio::time::sleep(after).await;
                    progress.customer_found(self.find_customer(&sid).await)
                }
                Step::Ask { sid } => {
                    self.leaves();
                    progress.asked(self.ask(plan, &sid).await)
                }
                Step::Settle => progress.settled(self.settle().await),
                Step::Watch { interaction, after } => {
                    tokio::time::sleep(after).await;
                    let channel = channel_of(self.twilio, &interaction, None).await;
                    progress.watched(interaction, self.answer("interaction", channel).await)
                }
                Step::Withdraw { interaction } => progress.withdrawn(self.withdraw(&interaction).await),
                Step::TakeAway { sid, after, then } => {
                    tokio::time::sleep(after).await;
                    progress.taken_away(then, self.delete(&sid).await)
                }
                Step::FindRemains { after, then } => {
                    tokio::time::sleep(after).await;
                    Progress::remains_found(then, self.find(name).await)
                }
                Step::End(sent) => return Ok(sent),
            };
        }
    }

    pub(super) async fn find_task(&self, workspace: &WorkspaceSid, mark: &str) -> Answer<Option<Task>> {
        self.answer("task", task_of(self.twilio, workspace, mark).await).await
    }

    /// The conversations of events that have not ended are no places for another's task.
    async fn find_places(&self, plan: &InteractionDelivery) -> Result<Answer<Vec<Place>>, TicketError> {
        let own = &plan.conversation.unique_name;
        let listed = match self.twilio.conversations_of(&plan.customer).await {
            Ok(listed) => listed,
            Err(error) => return Ok(self.answer("conversations", Err(error)).await),
        };
        let is_an_events = |row: &ParticipantConversation| {
            row.conversation_unique_name.as_ref().is_some_and(|name| name != own && is_unique_name(name))
        };
        let unfinished = if listed.iter().any(is_an_events) {
            let keys = self.ticket.journal().unended().await?;
            keys.iter().map(|key| unique_name(&key.destination, &key.message_id)).collect()
        } else {
            BTreeSet::new()
        };
        Ok(Answer::Done(places(&plan.numbers, &listed, own, &unfinished)))
    }

    async fn ask(&self, plan: &InteractionDelivery, sid: &ConversationSid) -> Answer<Asked> {
        let asked = match self.twilio.create_interaction(&plan.interaction, sid.as_str()).await {
            Ok(interaction) => {
                self.accepted();
                Ok(Asked::Made(Task { interaction: interaction.sid, channel: Channel::Setup }))
            }
            Err(error) if error.has_code(code::DUPLICATE) => Ok(Asked::Mapped),
            Err(error) if error.has_code(code::CONVERSATION_CLOSED) || error.has_code(code::NO_PARTICIPANTS) => {
                Ok(Asked::Unusable)
            }
            Err(error) => Err(error),
        };
        self.answer("interaction", asked).await
    }

    pub(super) async fn withdraw(&self, interaction: &InteractionSid) -> Answer<()> {
        let withdrawn = async {
            for channel in self.twilio.interaction_channels(interaction).await?.unwrap_or_default() {
                self.twilio.withdraw_interaction(interaction, &channel.sid).await?;
            }
            Ok(())
        };
        self.answer("interaction", withdrawn.await).await
    }
}

/// The task in `workspace` that carries `mark`; of several the one that counts.
pub(super) async fn task_of(
    twilio: &TwilioClient,
    workspace: &WorkspaceSid,
    mark: &str,
) -> Result<Option<Task>, TwilioError> {
    let mut found = Vec::new();
    for task in twilio.tasks_with(workspace, TASK_ATTRIBUTE, mark).await? {
        let interaction = task.attribute("flexInteractionSid").and_then(|sid| sid.parse::<InteractionSid>().ok());
        let interaction = interaction.ok_or_else(|| TwilioError::NotUnderstood {
            status: 200,
            problem: format!("task {} of an interaction does not name it", task.sid),
        })?;
        let conversation = task.attribute("conversationSid").and_then(|sid| sid.parse().ok());
        let channel = channel_of(twilio, &interaction, conversation.as_ref()).await?;
        found.push(Task { interaction, channel });
    }
    Ok(standing(found))
}

/// How the channel of an interaction stands. What was closed with its conversation still there is over; what lost its conversation was
/// taken away.
async fn channel_of(
    twilio: &TwilioClient,
    interaction: &InteractionSid,
    conversation: Option<&ConversationSid>,
) -> Result<Channel, TwilioError> {
    // Twilio forgets an interaction half a year after it was last used.
    let Some(channels) = twilio.interaction_channels(interaction).await? else { return Ok(Channel::Over) };
    let Some(InteractionChannel { sid: _, status, error_code, error_message: _ }) = channels.into_iter().next() else {
        return Ok(Channel::Setup);
    };
    Ok(match status.as_deref() {
        Some("setup") | None => Channel::Setup,
        Some("failed") => Channel::Failed(Fault::of_channel(interaction, error_code)),
        Some("inactive") => Channel::Withdrawn,
        Some("closed") => match conversation {
            Some(conversation) if twilio.conversation(conversation).await?.is_none() => Channel::Withdrawn,
            _ => Channel::Over,
        },
        // `pause`, `transfer`, and whatever Twilio may call it yet.
        Some(_) => Channel::Active,
    })
}
