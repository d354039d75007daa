//! How a simulator is started.

use std::net::{Ipv4Addr, SocketAddr};

use crate::seed::Seed;

/// Options of [`crate::Simulator::start`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account.
    pub seed: Seed,
    /// Seed of SIDs and faults.
    pub rng_seed: u64,
    /// How many requests (and callbacks) the log keeps.
    pub log_capacity: usize,
    /// How many messages are kept; the oldest are forgotten first, so that a load test does not fill the memory.
    pub message_capacity: usize,
    /// Time between two states of a message, and before each callback.
    pub message_step_ms: u64,
    /// Send the callbacks of a message in reverse order.
    pub reorder_callbacks: bool,
    /// Send every callback twice.
    pub duplicate_callbacks: bool,
    /// Which host the absolute `next_page_url` names.
    pub page_urls: PageUrls,
    /// How long an interaction channel stays in `setup`.
    pub interaction_setup_ms: u64,
    /// Mutating Conversations actions per second and conversation (create/delete: per service); Twilio's is 30.
    pub conversation_limit: Option<u32>,
    /// Profile API requests per second and space; Segment's is 100.
    pub profile_limit: Option<u32>,
    /// Accept `text/plain` for a form body, as one of Segment's own senders writes it.
    pub tolerate_text_plain: bool,
}

/// Which host a page URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageUrls {
    /// `https://conversations.twilio.com/…`, as Twilio answers: a client must put it on its own base again.
    Twilio,
    /// The simulator's own address.
    Simulator,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            rng_seed: 1,
            log_capacity: 20_000,
            message_capacity: 500_000,
            message_step_ms: 20,
            reorder_callbacks: false,
            duplicate_callbacks: false,
            page_urls: PageUrls::Twilio,
            interaction_setup_ms: 50,
            conversation_limit: None,
            profile_limit: None,
            tolerate_text_plain: false,
        }
    }
}
