//! A running simulator, and everything a test can ask of it or do to it without HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::actions;
use crate::faults::FaultRule;
use crate::log::LogEntry;
use crate::options::Options;
use crate::seed::{Profile, Template};
use crate::server;
use crate::snapshot::{State, snapshot};
use crate::twilio::conversations::inbound::{self, Reply};
use crate::world::World;

/// Twilio and Segment on one loopback address. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Simulator {
    /// Listens, and serves on the current tokio runtime.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = server::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(options).map_err(std::io::Error::other)?);
        // Nobody else has this world yet, so the cell is empty.
        let _ = world.base_url.set(format!("http://{address}"));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server::serve(Arc::clone(&world), listener, stopped));
        Ok(Self { world, address, stop })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// E.g. `http://127.0.0.1:4010`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The value for `--twilio-base-url`; it holds the literal `{product}`.
    pub fn twilio_base_url(&self) -> String {
        format!("{}/twilio/{{product}}", self.base_url())
    }

    /// The value for `--segment-profiles-base-url`; `/v1/spaces/…` follows.
    pub fn profiles_base_url(&self) -> String {
        format!("{}/segment/profiles", self.base_url())
    }

    /// The value for `--segment-tracking-base-url`; `/v1/batch` follows.
    pub fn tracking_base_url(&self) -> String {
        format!("{}/segment/tracking", self.base_url())
    }

    /// Back to the seed: nothing sent, no faults, an empty log, SIDs from the start.
    pub fn reset(&self) {
        self.world.reset();
    }

    /// The request log, oldest first, as far back as it is kept.
    pub fn requests(&self) -> Vec<LogEntry> {
        self.world.log.since(0)
    }

    /// The requests of one operation (a row of the tables, e.g. `messages.create`), oldest first.
    pub fn requests_of(&self, operation: &str) -> Vec<LogEntry> {
        let mut entries = self.requests();
        entries.retain(|entry| entry.operation == Some(operation));
        entries
    }

    /// Forgets the request log.
    pub fn clear_requests(&self) {
        self.world.log.clear();
    }

    /// Replaces the fault rules and restarts their draws.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.world.faults.set(rules);
    }

    /// Removes all fault rules.
    pub fn clear_faults(&self) {
        self.world.faults.set(Vec::new());
    }

    /// The fault rules, and how often each has fired.
    pub fn faults(&self) -> Vec<(FaultRule, u64)> {
        self.world.faults.rules()
    }

    /// Everything as it is now.
    pub fn state(&self) -> State {
        snapshot(&self.world)
    }

    /// A customer writes to one of our senders. Numbers may be bare (`+55…`) or with their channel. When it returns,
    /// the Studio executions it started have run as far as they can.
    pub fn customer_reply(&self, from: &str, to: &str, body: &str) -> Reply {
        inbound::reply(&self.world, from, to, body)
    }

    /// A customer writes into a known conversation (SID or unique name). `None`: no such open conversation, or no such
    /// participant.
    pub fn customer_reply_in(&self, conversation: &str, address: &str, body: &str) -> Option<Reply> {
        inbound::reply_in(&self.world, conversation, address, body)
    }

    /// Adds or replaces a profile; `key` is `id_type:value`, the value in lower case.
    pub fn put_profile(&self, space: &str, key: &str, profile: Profile) {
        actions::put_profile(&self.world, space, key, profile);
    }

    /// Sets a template's WhatsApp approval status (and category), or with `None` takes the approval away. False when
    /// there is no such template.
    pub fn set_template_approval(&self, content_sid: &str, status: Option<&str>, category: Option<&str>) -> bool {
        actions::set_approval(&self.world, content_sid, status, category)
    }

    /// Gives the reason why a template was rejected. False when it was never submitted.
    pub fn set_rejection_reason(&self, content_sid: &str, reason: &str) -> bool {
        actions::set_rejection_reason(&self.world, content_sid, reason)
    }

    /// Adds a template, or replaces the one of its SID.
    pub fn put_template(&self, template: Template) {
        actions::put_template(&self.world, template);
    }

    /// Deletes a template. False when there is no such template.
    pub fn remove_template(&self, content_sid: &str) -> bool {
        actions::remove_template(&self.world, content_sid)
    }

    /// Sets the status of a WhatsApp sender, e.g. `OFFLINE`. False when there is no such sender.
    pub fn set_sender_status(&self, number: &str, status: &str) -> bool {
        actions::set_sender_status(&self.world, number, status)
    }

    /// Lets the channels of the next interactions fail, each with a code, whatever their participants.
    pub fn fail_interactions(&self, codes: &[u32]) {
        actions::fail_interactions(&self.world, codes);
    }

    /// Sets the default conversation service of the account, `IS…`.
    pub fn set_default_service(&self, service_sid: &str) {
        actions::set_default_service(&self.world, service_sid);
    }

    /// A Console edit: a new revision (`status` is `draft` or `published`) with its own author and no commit message.
    /// Without a definition the newest one is saved again. Returns the revision's number; `None`: no such flow.
    pub fn edit_flow(&self, flow_sid: &str, definition: Option<Value>, status: &str) -> Option<usize> {
        actions::edit_flow(&self.world, flow_sid, definition, status, None)
    }

    /// As [`Simulator::edit_flow`], with what its author says about it.
    pub fn edit_flow_saying(&self, flow_sid: &str, definition: Value, status: &str, message: &str) -> Option<usize> {
        actions::edit_flow(&self.world, flow_sid, Some(definition), status, Some(message))
    }

    /// Makes `token` the primary auth token, which also signs callbacks; the old ones stay valid when `keep_old`.
    pub fn rotate_auth_token(&self, token: &str, keep_old: bool) {
        actions::rotate_auth_token(&self.world, token, keep_old);
    }

    /// Closes a conversation named by SID or unique name. False when there is none.
    pub fn close_conversation(&self, conversation: &str) -> bool {
        actions::close_conversation(&self.world, conversation)
    }

    /// Moves the simulated time forward: timers run out, messages progress, sessions end.
    pub fn advance_clock(&self, seconds: u32) {
        actions::advance_clock(&self.world, seconds);
    }

    /// Stops listening and closes every connection.
    pub fn shutdown(self) {
        self.stop.send_replace(true);
    }
}
