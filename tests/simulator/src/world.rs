//! Everything one simulator knows. Each product has its own lock, held while its data is read or changed and never
//! across an await; the hot paths (messages, profiles) render outside of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use crate::account::Account;
use crate::clock::{Clock, Millis};
use crate::faults::Faults;
use crate::limits::RateLimit;
use crate::lock::{lock, read, write};
use crate::log::RequestLog;
use crate::options::Options;
use crate::segment::profiles::Profiles;
use crate::segment::tracking::Tracker;
use crate::sids::Sids;
use crate::twilio::callbacks::CallbackLog;
use crate::twilio::conversations::store::Conversations;
use crate::twilio::flex::Flex;
use crate::twilio::messages::store::Messages;
use crate::twilio::studio::store::Studio;

/// A simulated world.
#[derive(Debug)]
pub struct World {
    /// How it was started.
    pub options: Options,
    /// Address once it listens, e.g. `http://127.0.0.1:4010`.
    pub base_url: OnceLock<String>,
    /// Time.
    pub clock: Clock,
    /// Identifiers.
    pub sids: Sids,
    /// Request identifiers, counted apart so that reads do not change the SIDs of what is created.
    pub request_ids: Sids,
    /// Requests so far.
    pub log: RequestLog,
    /// Fault rules.
    pub faults: Faults,
    /// Status callbacks sent.
    pub callbacks: CallbackLog,
    /// Client for what the simulator itself sends.
    pub http: reqwest::Client,
    /// Messages of the 2010 API.
    pub messages: Mutex<Messages>,
    /// Conversations.
    pub conversations: Mutex<Conversations>,
    /// Flows and executions.
    pub studio: Mutex<Studio>,
    /// Interactions and tasks.
    pub flex: Mutex<Flex>,
    /// Segment profiles.
    pub profiles: RwLock<Profiles>,
    /// Events sent to the Tracking API.
    pub tracked: Mutex<Tracker>,
    /// Conversations limiter.
    pub conversation_limit: RateLimit,
    /// Profile API limiter.
    pub profile_limit: RateLimit,
    account: RwLock<Arc<Account>>,
    sessions: Mutex<HashMap<(String, String), Millis>>,
    generation: AtomicU64,
}

/// How long after a customer's message free-form messages may be sent to them.
const SESSION_MS: Millis = 24 * 3_600_000;

impl World {
    /// A world at its start.
    pub fn new(options: Options) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(std::time::Duration::from_secs(5))
            .timeout(std::time::Duration::from_secs(15))
            .build()?;
        Ok(Self {
            base_url: OnceLock::new(),
            clock: Clock::default(),
            sids: Sids::new(options.rng_seed),
            request_ids: Sids::new(!options.rng_seed),
            log: RequestLog::new(options.log_capacity),
            faults: Faults::new(options.rng_seed),
            callbacks: CallbackLog::new(options.log_capacity),
            http,
            messages: Mutex::default(),
            conversations: Mutex::default(),
            studio: Mutex::default(),
            flex: Mutex::default(),
            profiles: RwLock::new(Profiles::new(&options.seed.segment)),
            tracked: Mutex::default(),
            conversation_limit: RateLimit::new(options.conversation_limit),
            profile_limit: RateLimit::new(options.profile_limit),
            account: RwLock::new(Arc::new(Account::new(options.seed.clone()))),
            sessions: Mutex::default(),
            generation: AtomicU64::new(0),
            options,
        })
    }

    /// Back to the seed: no messages, no conversations, no faults, no log, SIDs from the start.
    pub fn reset(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        *write(&self.account) = Arc::new(Account::new(self.options.seed.clone()));
        *write(&self.profiles) = Profiles::new(&self.options.seed.segment);
        *lock(&self.messages) = Messages::default();
        *lock(&self.conversations) = Conversations::default();
        *lock(&self.studio) = Studio::default();
        *lock(&self.flex) = Flex::default();
        *lock(&self.tracked) = Tracker::default();
        lock(&self.sessions).clear();
        self.callbacks.clear();
        self.log.clear();
        self.faults.set(Vec::new());
        self.clock.restart();
        self.sids.restart();
    }

    /// A number that changes with every reset, so that late work for an older world is not done.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The account as it is now.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&read(&self.account))
    }

    /// Changes the account.
    pub fn change_account<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(Arc::make_mut(&mut write(&self.account)))
    }

    /// The simulated now.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The customer wrote to the sender: free-form messages are allowed for 24 hours.
    pub fn open_session(&self, customer: &str, sender: &str) {
        let now = self.now();
        lock(&self.sessions).insert((customer.to_owned(), sender.to_owned()), now);
    }

    /// Whether the customer wrote to the sender in the last 24 hours.
    pub fn has_session(&self, customer: &str, sender: &str) -> bool {
        let key = (customer.to_owned(), sender.to_owned());
        let now = self.now();
        lock(&self.sessions).get(&key).is_some_and(|at| now - at < SESSION_MS)
    }
}
