//! The account that a command asks, opened with what the environment has. Nothing is written to it.

use std::collections::BTreeMap;

use super::Failure;
use crate::{
    api::{references::TwilioCredentialsRef, secret::SecretData},
    cli::upstream::TwilioFlags,
    controller::{
        account::{Account, Accounts, Freshness},
        names,
    },
    twilio::{
        TwilioClients, TwilioCredentials, TwilioError,
        sid::FlowSid,
        studio::{Flow, Revision},
    },
};

/// What opens an account, under the names that Twilio's own tools have for it.
const VARIABLES: [&str; 4] = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"];
const HOW: &str = "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET, in \
                   the environment";

/// Opens the account of the environment.
pub fn open(flags: &TwilioFlags) -> Result<Account, Failure> {
    let given: BTreeMap<String, Vec<u8>> = VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?.into_bytes())))
        .collect();
    let reference = TwilioCredentialsRef { name: "environment".to_owned(), keys: None };
    let credentials = TwilioCredentials::read(&reference, &SecretData::from_bytes(given));
    let credentials = credentials.map_err(|_| Failure::Usage(HOW))?;
    let bases = flags.bases().map_err(|error| Failure::Account(format!("--twilio-base-url: {error}")))?;
    let clients = TwilioClients::new(bases).map_err(|error| Failure::Account(error.to_string()))?;
    Ok(Accounts::new(clients).open(credentials, Freshness::RECENT))
}

/// Which revision of a flow is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Published,
    Latest,
    Number(i64),
}

impl std::str::FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "published" => Ok(Self::Published),
            "latest" => Ok(Self::Latest),
            number => number.parse().map(Self::Number).map_err(|_| "published, latest, or the number of a revision"),
        }
    }
}

/// The one flow of that SID or friendly name; of a list, so without its definition.
pub async fn flow_of(account: &Account, wanted: &str) -> Result<Option<FlowSid>, Failure> {
    if let Ok(sid) = wanted.parse() {
        return Ok(Some(sid));
    }
    let flows = account.client().flows().await.map_err(failed("list the flows"))?;
    let rows = flows.iter().map(|flow| (flow.friendly_name.as_deref(), flow.sid.as_str()));
    match names::exactly_one("flow", wanted, &format!("account {}", account.sid()), rows) {
        Ok(sid) => Ok(flows.into_iter().map(|flow| flow.sid).find(|found| found.as_str() == sid)),
        Err(unfound) if unfound.ambiguous => Err(Failure::Account(format!("{}, or give its SID", unfound.message))),
        Err(_) => Ok(None),
    }
}

/// A revision of the flow, with its definition.
pub async fn revision(account: &Account, sid: &FlowSid, which: Which) -> Result<Option<Flow>, Failure> {
    let client = account.client();
    let read = match which {
        Which::Published => client.flow_revision(sid, Revision::LatestPublished).await,
        Which::Latest => client.flow(sid).await,
        Which::Number(number) => client.flow_revision(sid, Revision::Number(number)).await,
    };
    read.map_err(failed("read the flow"))
}

pub fn failed(doing: &'static str) -> impl FnOnce(TwilioError) -> Failure {
    move |error| Failure::Account(format!("cannot {doing}: {error}"))
}

/// Does what has to be waited for.
pub fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Output)?;
    runtime.block_on(work)
}
