//! One event from its bytes to its outcome: `select → claim → enrich → plan → enroll → pace → start → send → record`.
//!
//! What always holds: nothing leaves for Twilio before a start is recorded; a delivery outlives the request that brought it;
//! whatever ends a delivery, a panic included, leaves the journal in a state that the next one can go on from.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use crate::{
    api::{ObjectKey, reasons::event as reason},
    delivery::{
        credentials::SecretCache,
        destination::{Action, ConversationAction, Destination, InteractionAction},
        journal::{Attempt, Claimed, Journal, JournalError, Key, Ticket, TicketError, Trace, machine},
        metrics::{DeliveryMetrics, InFlight},
        outcome::{Final, Outcome, Reason},
        pace::Pacer,
        plan::{self, Delivery},
        receipts::metrics::CallbackResult,
        recipients::Recipients,
        send::{Sending, THROTTLED},
        steps::Sent,
    },
    segment::{Event, SegmentCredentials, profile::ProfileClient},
    twilio::{
        CallbackUrls, E164, TwilioClient, TwilioClients, TwilioCredentials,
        interactions::TaskPlace,
        sid::{ContentSid, FlowSid},
    },
};

/// Deliveries under way at once, those that wait for an answer to settle included.
const MAX_IN_FLIGHT: usize = 4_096;
/// How long a delivery waits for another one to the same customer.
const RECIPIENT_PATIENCE: Duration = Duration::from_secs(2);
/// Least time for which an event that was put off may come again: Segment repeats for four hours.
const MIN_GIVE_UP: Duration = Duration::from_hours(5);

/// A destination as the gateway serves it.
#[derive(Debug)]
pub struct Route {
    pub key: ObjectKey,
    /// `metadata.uid`.
    pub uid: String,
    pub destination: Arc<Destination>,
    /// The flow of a conversation.
    pub flow: Option<FlowSid>,
    /// The template that is sent.
    pub content: Option<ContentSid>,
    /// The WhatsApp sender of the Messaging Service, where it is known.
    pub sender: Option<E164>,
    /// Where tasks go.
    pub task_place: Option<TaskPlace>,
}

/// What deliveries share.
#[derive(Debug)]
pub struct Engine {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) twilio: TwilioClients,
    pub(super) secrets: Arc<SecretCache>,
    pub(super) metrics: DeliveryMetrics,
    pub(super) recipients: Arc<Recipients>,
    pub(super) pacer: Pacer,
    pub(super) tasks: TaskTracker,
    /// Where Twilio tells what becomes of messages; absent where it cannot reach this gateway.
    pub(super) callbacks: Option<CallbackUrls>,
    pub(super) profiles: ProfileClient,
    permits: Arc<Semaphore>,
    suspects: mpsc::Sender<ObjectKey>,
}

/// Destinations named to be checked again that nobody has taken yet; more are named again by the next event.
const MAX_SUSPECTS: usize = 1_024;

/// The credentials of a destination, both sides.
pub(super) struct Credentials {
    pub twilio: TwilioClient,
    pub profiles_api_token: SecretString,
}

impl Engine {
    /// The engine, and the destinations that it finds to be other than they were checked.
    pub fn new(
        journal: Arc<dyn Journal>,
        twilio: TwilioClients,
        profiles: ProfileClient,
        secrets: Arc<SecretCache>,
        callbacks: Option<CallbackUrls>,
        metrics: DeliveryMetrics,
    ) -> (Arc<Self>, mpsc::Receiver<ObjectKey>) {
        let (suspects, suspected) = mpsc::channel(MAX_SUSPECTS);
        let engine = Arc::new(Self {
            journal,
            twilio,
            secrets,
            metrics,
            recipients: Arc::default(),
            pacer: Pacer::default(),
            tasks: TaskTracker::new(),
            callbacks,
            profiles,
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            suspects,
        });
        (engine, suspected)
    }

    /// The account is not as it was checked: whoever checks destinations should look at this one again.
    pub(super) fn suspect(&self, route: &Route) {
        let _ = self.suspects.try_send(route.key.clone());
    }

    /// A request was refused because the destination is not served.
    pub fn refused(&self, destination: &ObjectKey) {
        self.metrics.tallies.refused(destination);
    }

    /// Counts what came of a callback.
    pub fn callback(&self, result: CallbackResult) {
        self.metrics.receipts.callback(result);
    }

    /// Counts an event as received, before anything is known of it.
    pub fn received(&self, route: &Route) -> InFlight {
        self.metrics.received(&route.key)
    }

    /// Brings one event to its outcome, or as far as `patience` lets it; what is under way by then goes on by itself.
    /// `proven` is whether the event's own phone and traits may be believed.
    pub async fn handle(
        self: &Arc<Self>,
        route: &Arc<Route>,
        event: Event,
        proven: bool,
        patience: Duration,
    ) -> Outcome {
        let now = Timestamp::now();
        if let Some(suppressed) = plan::select(&route.destination, &event, now) {
            return self.already_ended(route, &event).await.unwrap_or(Outcome::Final(suppressed));
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Outcome::retry(reason::OVERLOADED, "too many deliveries are under way");
        };
        let (answer, receiver) = tokio::sync::oneshot::channel();
        let (engine, task_route) = (Arc::clone(self), Arc::clone(route));
        self.tasks.spawn(async move {
            let outcome = engine.run(&task_route, &event, proven, permit).await;
            // The request has its answer already: what became of the event is counted apart.
            if let Err(outcome) = answer.send(outcome) {
                engine.metrics.ended_late(&task_route.key, &outcome);
            }
        });
        match tokio::time::timeout(patience, receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::retry(reason::INTERNAL, "the delivery was cut off"),
            Err(_) => Outcome::retry(reason::STILL_SENDING, "the delivery goes on; its outcome is in the next answer"),
        }
    }

    /// Runs a delivery so that a panic ends it like any other failure.
    async fn run(
        self: &Arc<Self>,
        route: &Arc<Route>,
        event: &Event,
        proven: bool,
        _permit: OwnedSemaphorePermit,
    ) -> Outcome {
        let outcome = AssertUnwindSafe(self.deliver(route, event, proven)).catch_unwind().await;
        if let Ok(outcome) = outcome {
            log(route, event, &outcome);
            outcome
        } else {
            tracing::error!(destination = %route.key, message_id = %event.message_id, "a delivery panicked");
            self.resume_after_panic(route, event).await;
            Outcome::retry(reason::INTERNAL, "the delivery failed by a defect of this program; please report it")
        }
    }

    async fn deliver(self: &Arc<Self>, route: &Arc<Route>, event: &Event, proven: bool) -> Outcome {
        let credentials = match self.credentials(route).await {
            Ok(credentials) => credentials,
            Err(problem) => return Outcome::retry(reason::CREDENTIALS_UNREADABLE, problem),
        };
        let limits = route.destination.limits;
        let give_up = limits.max_age.max(MIN_GIVE_UP);
        let ticket = match Ticket::claim(&self.journal, key(route, event), give_up, limits.dedupe_window).await {
            Ok(Claimed::Granted(ticket)) => ticket,
            Ok(Claimed::InFlight) => {
                return Outcome::retry(reason::IN_FLIGHT, "an earlier delivery of it is under way");
            }
            Ok(Claimed::Ended(outcome)) => return Outcome::Duplicate(outcome),
            Err(error) => return journal_failed(&error),
        };
        // Who has nothing to look for is told at once that there is no room, before anybody is asked for traits.
        let (account, sender) = (credentials.twilio.account(), sender_of(route));
        let of_conversations = !matches!(route.destination.action, Action::Whatsapp(_));
        if ticket.attempts() == 0 && self.pacer.is_full(account, &sender, limits.rate, of_conversations) {
            return settle_ticket(ticket, Outcome::Retry(Reason::new(reason::THROTTLED, THROTTLED))).await;
        }
        let traits = match self.enrich(route, event, proven, &credentials).await {
            Ok(traits) => traits,
            Err(outcome) => return settle_ticket(ticket, outcome).await,
        };
        let found = plan::Resolved {
            flow: route.flow.as_ref(),
            content: route.content.as_ref(),
            task_place: route.task_place.as_ref(),
        };
        let planned = plan::plan(&route.destination, &route.uid, event, &traits, found);
        let mut delivery = match planned {
            Ok(delivery) => delivery,
            Err(outcome) => return settle_ticket(ticket, Outcome::Final(outcome)).await,
        };
        // An attempt that was believed lost and showed after all: its callback named the event.
        if matches!(delivery, Delivery::Whatsapp(_))
            && ticket.attempts() > 0
            && let Ok(Some(sid)) = self.journal.receipts().message_of(ticket.key()).await
        {
            return settle_ticket(ticket, Outcome::Final(Final::Sent { sid })).await;
        }
        self.follow(route, event, &credentials.twilio, &mut delivery);
        self.send(route, event, &credentials.twilio, ticket, delivery).await
    }

    /// `enroll → pace → start → send → record` for what was planned; pacing, starting and sending are the action's.
    async fn send(
        self: &Arc<Self>,
        route: &Arc<Route>,
        event: &Event,
        twilio: &TwilioClient,
        ticket: Ticket,
        delivery: Delivery,
    ) -> Outcome {
        let account = twilio.account();
        let Some(_turn) = self.recipients.turn(account, delivery.recipient(), RECIPIENT_PATIENCE).await else {
            let outcome = Outcome::retry(reason::RECIPIENT_BUSY, "another delivery to the same customer is under way");
            return settle_ticket(ticket, outcome).await;
        };
        if let Some(outcome) = self.enroll(route, event, delivery.recipient(), &ticket).await {
            return settle_ticket(ticket, outcome).await;
        }
        let limits = route.destination.limits;
        let attempt = Attempt {
            at: super::journal::now(),
            settle: limits.settle,
            on_unknown: limits.on_unknown,
            trace: trace_of(&delivery, event),
        };
        let sender = sender_of(route);
        let mut sending = Sending { engine: self, route, twilio, sender: &sender, ticket, attempt, turn: None };
        let sent = match &delivery {
            Delivery::Whatsapp(message) => sending.whatsapp(message).await,
            Delivery::Conversation(conversation) => sending.conversation(conversation).await,
            Delivery::Interaction(interaction) => sending.interaction(interaction).await,
        };
        let ticket = sending.ticket;
        match sent {
            Ok(Sent::Final(outcome)) => settle_ticket(ticket, Outcome::Final(outcome)).await,
            Ok(Sent::NotNow(reason)) => settle_ticket(ticket, Outcome::Retry(reason)).await,
            Err(error) => ticket_failed(&error),
        }
    }

    pub(super) async fn credentials(&self, route: &Route) -> Result<Credentials, String> {
        let Destination { segment, .. } = &*route.destination;
        let twilio = self.twilio_client(route).await?;
        let secret = self.secrets.get(&route.key.sibling(&segment.name)).await.map_err(|error| error.to_string())?;
        let segment = SegmentCredentials::read(segment, &secret).map_err(|error| error.to_string())?;
        Ok(Credentials { twilio, profiles_api_token: segment.profiles_api_token })
    }

    /// The client of the destination's account.
    pub(super) async fn twilio_client(&self, route: &Route) -> Result<TwilioClient, String> {
        let Destination { twilio, .. } = &*route.destination;
        let secret = self.secrets.get(&route.key.sibling(&twilio.name)).await.map_err(|error| error.to_string())?;
        let credentials = TwilioCredentials::read(twilio, &secret).map_err(|error| error.to_string())?;
        Ok(self.twilio.with(Arc::new(credentials)))
    }

    /// Reads a Secret again whose value was refused.
    pub(super) async fn refresh_secret(&self, route: &Route, name: &str) {
        let key = route.key.sibling(name);
        if let Err(error) = self.secrets.refresh(&key).await {
            tracing::warn!(secret = %key, %error, "Secret not read again");
        }
    }

    /// An event that is no longer looked at may have come to its end before: then that is its answer.
    async fn already_ended(&self, route: &Route, event: &Event) -> Option<Outcome> {
        match self.journal.find(&key(route, event)).await {
            Ok(Some(entry)) => match entry.state {
                machine::State::Final { outcome } => Some(Outcome::Duplicate(outcome)),
                _ => None,
            },
            Ok(None) | Err(_) => None,
        }
    }

    /// Waits until every delivery has ended, for as long as `patience`; gives how many have not. What they have started is in
    /// the journal and is looked for at the next start.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.tasks.close();
        let _ = tokio::time::timeout(patience, self.tasks.wait()).await;
        self.tasks.len()
    }

    /// Runs something that belongs to the delivery path until it ends or the process drains.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }
}

fn key(route: &Route, event: &Event) -> Key {
    Key { destination: route.uid.clone(), message_id: event.message_id.clone() }
}

/// Whose pace is kept. A Messaging Service goes by the number that it sends from, which a conversation may talk from as well.
fn sender_of(route: &Route) -> String {
    match &route.destination.action {
        Action::Whatsapp(action) => {
            route.sender.as_ref().map_or_else(|| action.messaging_service.to_string(), ToString::to_string)
        }
        Action::Conversation(ConversationAction { numbers, .. })
        | Action::Interaction(InteractionAction { numbers, .. }) => {
            numbers.first().map(ToString::to_string).unwrap_or_default()
        }
    }
}

fn trace_of(delivery: &Delivery, event: &Event) -> Trace {
    match delivery {
        Delivery::Whatsapp(message) => {
            Trace::Message { to: message.to.clone(), messaging_service: message.messaging_service.clone() }
        }
        Delivery::Conversation(conversation) => Trace::Conversation {
            unique_name: conversation.conversation.unique_name.clone(),
            event: event.message_id.to_string(),
            opening: conversation.opening.is_some(),
        },
        Delivery::Interaction(interaction) => Trace::Interaction {
            unique_name: interaction.conversation.unique_name.clone(),
            workspace: interaction.interaction.place.workspace.clone(),
            asked: false,
        },
    }
}

/// Records an outcome; only what is recorded is answered.
pub(super) async fn settle_ticket(ticket: Ticket, outcome: Outcome) -> Outcome {
    let recorded = match &outcome {
        Outcome::Final(outcome) => ticket.finish(outcome.clone()).await,
        Outcome::Retry(reason) => ticket.release(reason.clone()).await,
        Outcome::Duplicate(_) => Ok(()),
    };
    match recorded {
        Ok(()) => outcome,
        Err(error) => ticket_failed(&error),
    }
}

fn ticket_failed(error: &TicketError) -> Outcome {
    match error {
        TicketError::Lost => Outcome::retry(reason::IN_FLIGHT, "the event is in other hands"),
        TicketError::Journal(error) => journal_failed(error),
    }
}

pub(super) fn journal_failed(error: &JournalError) -> Outcome {
    let word = if matches!(error, JournalError::Full(_)) { reason::JOURNAL_FULL } else { reason::JOURNAL_FAILED };
    Outcome::Retry(Reason::new(word, error.to_string()))
}

/// One line for each event that came to an end; successes are as visible as failures.
fn log(route: &Route, event: &Event, outcome: &Outcome) {
    let (word, detail) = outcome.reason().map_or(("", ""), |reason| (reason.word.as_str(), reason.detail.as_str()));
    let sid = outcome.sid().unwrap_or_default();
    let outcome_word = outcome.kind().as_str();
    match outcome {
        Outcome::Final(Final::Sent { .. } | Final::Suppressed { .. } | Final::Duplicate { .. })
        | Outcome::Duplicate(_) => {
            tracing::info!(destination = %route.key, message_id = %event.message_id, outcome = outcome_word, sid, reason = word, detail, "event");
        }
        Outcome::Final(Final::Rejected { .. } | Final::Unknown { .. }) | Outcome::Retry(_) => {
            tracing::warn!(destination = %route.key, message_id = %event.message_id, outcome = outcome_word, sid, reason = word, detail, "event");
        }
    }
}
