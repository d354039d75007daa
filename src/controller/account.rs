//! What resources ask about a Twilio account, each through the answers that are [shared](super::shared_read).

use std::{collections::BTreeSet, sync::Arc};

use super::shared_read::{Asker, Shared};
pub use super::shared_read::{Freshness, Look};
use crate::{
    studio::{
        FlowDefinition,
        content::{Body, placeholders},
    },
    twilio::{
        E164, TwilioClient, TwilioClients, TwilioCredentials, TwilioError,
        budget::Budgets,
        content::{Content, WhatsAppApproval},
        flex::FlexConfiguration,
        messaging::WhatsAppSender,
        serverless::{DeployedFunction, Environment},
        sid::{AccountSid, ContentSid, FlowSid, MessagingServiceSid},
        studio::Revision,
        taskrouter::{TaskChannel, Workflow, Workspace},
    },
};

/// A content template with its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub sid: ContentSid,
    pub name: Option<String>,
    pub language: Option<String>,
    pub placeholders: BTreeSet<String>,
    pub bodies: Vec<Body>,
    /// As Twilio words it; `None` when it was never submitted.
    pub approval: Option<String>,
    pub rejection_reason: Option<String>,
}

impl Template {
    fn of(content: Content, approval: Option<WhatsAppApproval>) -> Self {
        let types = content.types.iter().flatten();
        let placeholders = types.clone().flat_map(|(_, fields)| placeholders(fields)).collect();
        let bodies = types.map(|(kind, fields)| Body::read(kind, fields)).collect();
        let WhatsAppApproval { status: approval, rejection_reason } = approval.unwrap_or_default();
        let Content { sid, friendly_name: name, language, types: _, approval_requests: _ } = content;
        Self { sid, name, language, placeholders, bodies, approval, rejection_reason }
    }

    fn listed(mut content: Content) -> Self {
        let approval = content.approval_requests.take();
        Self::of(content, approval)
    }
}

/// A flow as far as a destination cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowFacts {
    /// `None` when no revision was ever published.
    pub published: Option<PublishedFlow>,
}

/// The revision that serves customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedFlow {
    pub revision: Option<i64>,
    /// Whether a message in a conversation starts it.
    pub connects_conversations: bool,
}

/// A flow as far as one that runs it cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubflowFacts {
    /// Whether a revision of it is published.
    pub published: bool,
    /// How many widgets that revision has, or the newest where none is published.
    pub widgets: usize,
    /// Whether it runs other flows itself.
    pub runs_subflows: bool,
}

/// Things of an account that are looked up by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Listing {
    /// Of this workspace.
    TaskQueues(String),
    MessagingServices,
    ConversationServices,
    FunctionServices,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: Option<String>,
    pub sid: String,
}

/// A flow as the list of them shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRow {
    pub sid: FlowSid,
    pub name: Option<String>,
}

/// The answers of all accounts.
#[derive(Clone)]
pub struct Accounts {
    twilio: TwilioClients,
    budgets: Budgets,
    answers: Arc<Answers>,
}

struct Answers {
    services: Shared<MessagingServiceSid, Option<Arc<[E164]>>>,
    templates: Shared<ContentSid, Arc<[Template]>>,
    named_templates: Shared<String, Arc<[Template]>>,
    all_templates: Shared<(), Arc<[Template]>>,
    senders: Shared<(), Arc<[WhatsAppSender]>>,
    flows: Shared<(FlowSid, Option<i64>), Option<FlowFacts>>,
    flex: Shared<(), Option<Arc<FlexConfiguration>>>,
    conversations: Shared<(), Option<Arc<str>>>,
    workspaces: Shared<(), Arc<[Workspace]>>,
    workflows: Shared<String, Arc<[Workflow]>>,
    task_channels: Shared<String, Arc<[TaskChannel]>>,
    listings: Shared<Listing, Arc<[Entry]>>,
    environments: Shared<String, Arc<[Environment]>>,
    functions: Shared<(String, String), Arc<[DeployedFunction]>>,
    subflows: Shared<FlowSid, Option<SubflowFacts>>,
    all_flows: Shared<(), Arc<[FlowRow]>>,
}

impl Accounts {
    pub fn new(twilio: TwilioClients) -> Self {
        let answers = Answers {
            services: Shared::new(),
            templates: Shared::new(),
            named_templates: Shared::new(),
            all_templates: Shared::new(),
            senders: Shared::new(),
            flows: Shared::new(),
            flex: Shared::new(),
            conversations: Shared::new(),
            workspaces: Shared::new(),
            workflows: Shared::new(),
            task_channels: Shared::new(),
            listings: Shared::new(),
            environments: Shared::new(),
            functions: Shared::new(),
            subflows: Shared::new(),
            all_flows: Shared::new(),
        };
        Self { twilio, budgets: Budgets::default(), answers: Arc::new(answers) }
    }

    /// Believes no answer any more that was given until now: a delivery has met an account that is not as it was checked.
    pub fn forget(&self) {
        let Answers {
            services,
            templates,
            named_templates,
            all_templates,
            senders,
            flows,
            flex,
            conversations,
            workspaces,
            workflows,
            task_channels,
            listings,
            environments,
            functions,
            subflows,
            all_flows,
        } = &*self.answers;
        services.forget();
        templates.forget();
        named_templates.forget();
        all_templates.forget();
        senders.forget();
        flows.forget();
        flex.forget();
        conversations.forget();
        workspaces.forget();
        workflows.forget();
        task_channels.forget();
        listings.forget();
        environments.forget();
        functions.forget();
        subflows.forget();
        all_flows.forget();
    }

    /// The account that `credentials` open.
    pub fn open(&self, credentials: TwilioCredentials, freshness: Freshness) -> Account {
        let asker = Asker::of(&credentials);
        let budget = self.budgets.of(&credentials.account);
        let client = self.twilio.with(Arc::new(credentials)).within(budget);
        Account { client, asker, freshness, answers: Arc::clone(&self.answers) }
    }
}

/// One account, asked with one set of credentials.
#[derive(Clone)]
pub struct Account {
    client: TwilioClient,
    asker: Asker,
    freshness: Freshness,
    answers: Arc<Answers>,
}

impl Account {
    pub fn sid(&self) -> &AccountSid {
        self.client.account()
    }

    /// The client, for what is not shared.
    pub const fn client(&self) -> &TwilioClient {
        &self.client
    }

    /// The WhatsApp senders of a Messaging Service; `None` when there is no such service.
    pub async fn senders_of_service(&self, sid: &MessagingServiceSid) -> Look<Option<Arc<[E164]>>> {
        let ask = async {
            match self.client.messaging_service(sid).await? {
                Some(_) => Ok(Some(self.client.whatsapp_senders_of(sid).await?.into())),
                None => Ok(None),
            }
        };
        self.answers.services.read(self.asker, self.freshness, sid.clone(), ask).await
    }

    /// The template of that SID with its approval, if there is one.
    pub async fn template(&self, sid: &ContentSid) -> Look<Arc<[Template]>> {
        let ask = async {
            let Some(content) = self.client.content(sid).await? else { return Ok([].into()) };
            let approval = self.client.whatsapp_approval(sid).await?;
            Ok([Template::of(content, approval)].into())
        };
        self.answers.templates.read(self.asker, self.freshness, sid.clone(), ask).await
    }

    /// The templates of that name, in all languages. Before there is said to be none all of the account's are looked through,
    /// and are what is given: Twilio's search by name is another's idea of a name, and a person is told what there is.
    pub async fn templates_named(&self, friendly_name: &str) -> Look<Arc<[Template]>> {
        let name = friendly_name.to_owned();
        let ask = async { Ok(listed(self.client.contents_named(friendly_name).await?)) };
        let named = self.answers.named_templates.read(self.asker, self.freshness, name, ask).await?;
        if !named.is_empty() {
            return Ok(named);
        }
        self.templates().await
    }

    /// Every template of the account.
    pub async fn templates(&self) -> Look<Arc<[Template]>> {
        let ask = async { Ok(listed(self.client.contents().await?)) };
        self.answers.all_templates.read(self.asker, self.freshness, (), ask).await
    }

    /// Every WhatsApp sender of the account.
    pub async fn senders(&self) -> Look<Arc<[WhatsAppSender]>> {
        let ask = async { Ok(self.client.whatsapp_senders().await?.into()) };
        self.answers.senders.read(self.asker, self.freshness, (), ask).await
    }

    /// What serves customers of a flow; `None` when there is no such flow. An answer from before `published`, the revision
    /// that is known to have been published since, is not shared.
    pub async fn flow(&self, sid: &FlowSid, published: Option<i64>) -> Look<Option<FlowFacts>> {
        let ask = async {
            let Some(published) = self.client.flow_revision(sid, Revision::LatestPublished).await? else {
                return Ok(self.client.flow(sid).await?.map(|_| FlowFacts { published: None }));
            };
            let definition = published.definition.as_ref().and_then(serde_json::Value::as_object);
            let connects_conversations = definition.is_some_and(|fields| {
                FlowDefinition::observed(fields.clone()).trigger_connects("incomingConversationMessage")
            });
            let published = PublishedFlow { revision: published.revision, connects_conversations };
            Ok(Some(FlowFacts { published: Some(published) }))
        };
        self.answers.flows.read(self.asker, self.freshness, (sid.clone(), published), ask).await
    }

    /// What a flow that runs this one has to know of it; `None` when there is no such flow.
    pub async fn subflow(&self, sid: &FlowSid) -> Look<Option<SubflowFacts>> {
        let ask = async {
            let published = self.client.flow_revision(sid, Revision::LatestPublished).await?;
            let is_published = published.is_some();
            let shown = match published {
                Some(published) => Some(published),
                None => self.client.flow(sid).await?,
            };
            Ok(shown.map(|flow| {
                let definition = flow.definition.as_ref().and_then(serde_json::Value::as_object).cloned();
                let definition = FlowDefinition::observed(definition.unwrap_or_default());
                let (widgets, runs_subflows) = (definition.widgets(), definition.runs_subflows());
                SubflowFacts { published: is_published, widgets, runs_subflows }
            }))
        };
        self.answers.subflows.read(self.asker, self.freshness, sid.clone(), ask).await
    }

    /// Every flow of the account, none of them seen before this was asked: on it depends whether one more is made.
    pub async fn flows_as_of_now(&self) -> Look<Arc<[FlowRow]>> {
        let ask = || async {
            let rows = self.client.flows().await?;
            Ok(rows.into_iter().map(|row| FlowRow { sid: row.sid, name: row.friendly_name }).collect())
        };
        self.answers.all_flows.read_as_of_now(self.asker, (), ask).await
    }

    /// Flex's configuration; `None` when the account has no Flex.
    pub async fn flex(&self) -> Look<Option<Arc<FlexConfiguration>>> {
        let ask = async { Ok(self.client.flex_configuration().await?.map(Arc::new)) };
        self.answers.flex.read(self.asker, self.freshness, (), ask).await
    }

    /// SID of the workspace that Flex works in; `None` when the account has no Flex.
    pub async fn flex_workspace(&self) -> Look<Option<Arc<str>>> {
        let flex = self.flex().await?;
        Ok(flex.and_then(|flex| flex.taskrouter_workspace_sid.as_deref().map(Into::into)))
    }

    /// SID of the service of conversations that are made without naming one.
    pub async fn default_conversations_service(&self) -> Look<Option<Arc<str>>> {
        let ask = async {
            let configuration = self.client.conversations_configuration().await?;
            Ok(configuration.default_chat_service_sid.map(Into::into))
        };
        self.answers.conversations.read(self.asker, self.freshness, (), ask).await
    }

    pub async fn workspaces(&self) -> Look<Arc<[Workspace]>> {
        let ask = async { Ok(self.client.workspaces().await?.into()) };
        self.answers.workspaces.read(self.asker, self.freshness, (), ask).await
    }

    pub async fn workflows(&self, workspace: &str) -> Look<Arc<[Workflow]>> {
        let ask = async { Ok(self.client.workflows(workspace).await?.into()) };
        self.answers.workflows.read(self.asker, self.freshness, workspace.to_owned(), ask).await
    }

    pub async fn task_channels(&self, workspace: &str) -> Look<Arc<[TaskChannel]>> {
        let ask = async { Ok(self.client.task_channels(workspace).await?.into()) };
        self.answers.task_channels.read(self.asker, self.freshness, workspace.to_owned(), ask).await
    }

    pub async fn task_queues(&self, workspace: &str) -> Look<Arc<[Entry]>> {
        let ask = async {
            let rows = self.client.task_queues(workspace).await?;
            Ok(rows.into_iter().map(|row| Entry { name: row.friendly_name, sid: row.sid }).collect())
        };
        self.list(Listing::TaskQueues(workspace.to_owned()), ask).await
    }

    pub async fn messaging_services(&self) -> Look<Arc<[Entry]>> {
        let ask = async {
            let rows = self.client.messaging_services().await?;
            Ok(rows.into_iter().map(|row| Entry { name: row.friendly_name, sid: row.sid.to_string() }).collect())
        };
        self.list(Listing::MessagingServices, ask).await
    }

    pub async fn conversation_services(&self) -> Look<Arc<[Entry]>> {
        let ask = async {
            let rows = self.client.conversation_services().await?;
            Ok(rows.into_iter().map(|row| Entry { name: row.friendly_name, sid: row.sid }).collect())
        };
        self.list(Listing::ConversationServices, ask).await
    }

    /// The Functions services of the account, by their unique names.
    pub async fn function_services(&self) -> Look<Arc<[Entry]>> {
        let ask = async {
            let rows = self.client.function_services().await?;
            Ok(rows.into_iter().map(|(name, sid)| Entry { name, sid }).collect())
        };
        self.list(Listing::FunctionServices, ask).await
    }

    async fn list(
        &self,
        listing: Listing,
        ask: impl Future<Output = Result<Arc<[Entry]>, TwilioError>>,
    ) -> Look<Arc<[Entry]>> {
        self.answers.listings.read(self.asker, self.freshness, listing, ask).await
    }

    /// The environments of a Functions service.
    pub async fn environments(&self, service: &str) -> Look<Arc<[Environment]>> {
        let ask = async { Ok(self.client.environments(service).await?.into()) };
        self.answers.environments.read(self.asker, self.freshness, service.to_owned(), ask).await
    }

    /// The functions of a build of a Functions service.
    pub async fn functions_of_build(&self, service: &str, build: &str) -> Look<Arc<[DeployedFunction]>> {
        let key = (service.to_owned(), build.to_owned());
        let ask = async { Ok(self.client.functions_of_build(service, build).await?.into()) };
        self.answers.functions.read(self.asker, self.freshness, key, ask).await
    }
}

fn listed(contents: Vec<Content>) -> Arc<[Template]> {
    contents.into_iter().map(Template::listed).collect()
}
