//! Where the journal is read: by the admin port of a running gateway, or in its file.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::JournalFlags;
use crate::{
    api::{EngageDestination, ObjectKey},
    delivery::{
        desk::{Address, Desk, GIVE_UP, List, Listed, Names, Refusal, Resolve, Retried, Retry, Shown, Why},
        journal::{JournalChoice, JournalError},
    },
    gateway::local,
    standalone::state::{StateFolder, uid_of},
};

/// Time for a question: a list looks through the whole journal, a delivery up to eight, a removal that is lost `settle`.
const TIMEOUT: Duration = Duration::from_mins(3);

pub enum Source {
    Gateway { http: reqwest::Client, url: Url },
    File(Desk),
}

/// A question that was not answered, or answered with a refusal.
pub type Asked<T> = anyhow::Result<Result<T, Refusal>>;

impl JournalFlags {
    pub async fn open(&self) -> anyhow::Result<Source> {
        match (&self.state_dir, &self.journal) {
            (None, None) => Ok(Source::Gateway { http: client()?, url: self.admin_url.clone() }),
            (Some(folder), _) => {
                let found = folder.is_dir().then(|| StateFolder::open(folder)).transpose();
                let state = found.with_context(|| format!("--state-dir {}", folder.display()))?;
                let Some(state) = state else { bail!("--state-dir {}: there is no such folder", folder.display()) };
                let destinations = state.list::<EngageDestination>()?;
                let names = destinations.iter().map(|destination| (uid_of(destination), ObjectKey::of(destination)));
                file(&state.journal(), Names::of(names)).await
            }
            (None, Some(JournalChoice::File(path))) => file(path, Names::default()).await,
            (None, Some(JournalChoice::Memory)) => {
                bail!("--journal memory: it is in the memory of the gateway; ask for it by --admin-url")
            }
        }
    }
}

/// The journal in a file. It is never made here: one that is not there is a wrong path.
async fn file(path: &Path, names: Names) -> anyhow::Result<Source> {
    if !path.is_file() {
        bail!("there is no journal {}; --journal names another file", path.display());
    }
    let journal = JournalChoice::File(path.to_owned()).open().map_err(|error| match error {
        JournalError::Locked { path } => anyhow::anyhow!(
            "the journal {path} is in use by a running gateway: leave --state-dir and --journal out, and give --admin-url if its \
             admin port is not at http://127.0.0.1:9090"
        ),
        error => error.into(),
    })?;
    let names = names.or(Names::counted(journal.as_ref()).await?);
    Ok(Source::File(Desk::new(journal, names)))
}

fn client() -> reqwest::Result<reqwest::Client> {
    // A proxy would be asked for 127.0.0.1 of its own.
    reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

impl Source {
    pub async fn list(&self, list: &List) -> Asked<Listed> {
        match self {
            Self::Gateway { http, url } => ask(http, url, "list", list).await,
            Self::File(desk) => Ok(desk.list(list).await),
        }
    }

    pub async fn show(&self, address: &Address) -> Asked<Shown> {
        match self {
            Self::Gateway { http, url } => ask(http, url, "show", address).await,
            Self::File(desk) => Ok(desk.show(address).await),
        }
    }

    pub async fn resolve(&self, resolve: &Resolve) -> Asked<Shown> {
        match self {
            Self::Gateway { http, url } => ask(http, url, "resolve", resolve).await,
            Self::File(desk) => Ok(desk.resolve(resolve).await),
        }
    }

    pub async fn retry(&self, retry: &Retry) -> Asked<Retried> {
        match self {
            Self::Gateway { http, url } => ask(http, url, "retry", retry).await,
            Self::File(_) if retry.body.is_some() => Ok(Err(Refusal::new(
                Why::Invalid,
                "--event is delivered by a running gateway: leave --state-dir and --journal out",
            ))),
            Self::File(desk) => {
                let reopened = desk.reopen(retry, GIVE_UP).await;
                Ok(reopened.map(|event| Retried { outcome: None, reason: None, detail: None, event }))
            }
        }
    }
}

async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
    http: &reqwest::Client,
    url: &Url,
    what: &str,
    question: &Q,
) -> Asked<A> {
    let address = format!("{}/v1/journal/{what}", url.as_str().trim_end_matches('/'));
    let request = http.post(&address).header(local::HEADER, local::HEADER_VALUE).json(question);
    let response = match request.send().await {
        Err(error) if error.is_timeout() => {
            bail!("{address} gave no answer in time; what was asked for goes on: see `deliveries show`")
        }
        sent => sent.with_context(|| {
            format!(
                "no gateway answers at --admin-url {url}; in a cluster: kubectl port-forward deploy/engage-operator-gateway 9090. \
                 While none runs: --state-dir or --journal"
            )
        })?,
    };
    let status = response.status();
    let body = response.bytes().await.with_context(|| format!("the answer of {address} broke off"))?;
    if status.is_success() {
        let answer = serde_json::from_slice(&body);
        return Ok(Ok(answer.with_context(|| format!("the answer of {address} is of another version"))?));
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => Ok(Err(refusal)),
        Err(_) => bail!("{address} answered {status}: is it the admin port of a gateway of this version?"),
    }
}
