//! `list`: what needs a person, and whatever else is asked for, the newest first.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Desk, Refusal, Why, show::When};
use crate::{
    delivery::journal::{
        Entry, Key, Query, State, UnixMillis,
        page::{Place, Standing},
    },
    segment::MessageId,
};

/// Most events of one page.
pub const MAX_LIMIT: usize = 10_000;
/// Events of a page where nothing else is said.
const LIMIT: usize = 100;
/// What is shown where nothing else is said: what a person has to decide, what failed, and what waits.
const NEEDS_SOMEBODY: [Standing; 4] = [Standing::Unknown, Standing::Rejected, Standing::Open, Standing::Started];

/// Which events are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Standing>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// First seen at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What a page before gave as `continue`.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// One event of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub destination: String,
    pub message_id: String,
    pub outcome: Standing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub attempts: u32,
    pub first_seen: When,
    /// When an event that waits is given up, or one that ended forgotten.
    pub expires: When,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub deliveries: Vec<Row>,
    /// Asks for the page after this one; absent when there is none.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Desk {
    pub async fn list(&self, list: &List) -> Result<Listed, Refusal> {
        let page = self.journal.page(self.query(list)?).await?;
        let oldest = page.entries.last().filter(|_| page.more);
        let after = oldest.map(|(key, entry)| place_to_text(&(entry.first_seen, key.clone())));
        let deliveries = page.entries.iter().map(|(key, entry)| self.row(key, entry)).collect();
        Ok(Listed { deliveries, after })
    }

    fn query(&self, list: &List) -> Result<Query, Refusal> {
        let limit = list.limit.unwrap_or(LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Refusal::new(Why::Invalid, format!("a page has 1 to {MAX_LIMIT} events, not {limit}")));
        }
        let destinations = match (&list.destination, &list.namespace) {
            (Some(destination), _) => Some([self.names.uid(destination)?].into()),
            (None, Some(namespace)) => Some(self.names.uids_in(namespace).into_iter().collect()),
            (None, None) => None,
        };
        let before = list.after.as_deref().map(|text| {
            let invalid = || Refusal::new(Why::Invalid, "`continue` is not what a page before has given");
            place_of_text(text).ok_or_else(invalid)
        });
        let standings = if list.outcomes.is_empty() { NEEDS_SOMEBODY.as_slice() } else { &list.outcomes };
        Ok(Query {
            destinations,
            standings: standings.iter().copied().collect(),
            reasons: list.reasons.iter().cloned().collect(),
            since: list.since,
            before: before.transpose()?,
            most: limit,
        })
    }

    pub(super) fn row(&self, key: &Key, entry: &Entry) -> Row {
        let (reason, sid) = match &entry.state {
            State::Open { reason } => (Some(reason), None),
            State::Final { outcome } => (outcome.reason(), outcome.sid()),
            State::Claimed { .. } | State::Started { .. } => (None, None),
        };
        let detail = reason.map(|reason| reason.detail.clone());
        Row {
            destination: self.names.name(&key.destination),
            message_id: key.message_id.to_string(),
            outcome: Standing::of(&entry.state),
            sid: sid.map(ToOwned::to_owned),
            reason: reason.map(|reason| reason.word.clone()),
            detail: detail.filter(|detail| !detail.is_empty()),
            attempts: entry.attempts,
            first_seen: When(entry.first_seen),
            expires: When(entry.expires),
        }
    }
}

fn place_to_text((at, Key { destination, message_id }): &Place) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::json!([at, destination, message_id]).to_string())
}

fn place_of_text(text: &str) -> Option<Place> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let (at, destination, message_id): (UnixMillis, String, String) = serde_json::from_slice(&json).ok()?;
    Some((at, Key { destination, message_id: MessageId::parse(&message_id).ok()? }))
}
