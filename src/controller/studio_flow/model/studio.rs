//! A Studio of one account, as small as it can be and still refuse nothing, lag and be edited.

use std::sync::LazyLock;

use serde_json::json;

use super::Tick;
use crate::{
    api::StudioFlow,
    controller::studio_flow::{
        live::{LiveFlow, LiveRevision},
        marker::Marker,
    },
    studio::{DefinitionHash, FlowDefinition},
    twilio::{
        sid::{AccountSid, FlowSid},
        studio::{Flow as Answer, FlowWrite},
    },
};

/// Meanings that occur: those of git, then those of other people.
pub const MEANINGS: u8 = 8;
/// The first meaning that is not git's.
pub const FOREIGN: u8 = 4;
pub const NAME: &str = "Agent";
/// What somebody else calls it.
pub const OTHER_NAME: &str = "Their agent";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flow {
    pub revisions: Vec<Revision>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision {
    pub name: String,
    pub meaning: u8,
    pub with_default: bool,
    pub published: bool,
    pub message: Option<String>,
    pub at: Tick,
}

type Known = (String, DefinitionHash, FlowDefinition);

/// Every definition that occurs, by meaning, without and with Studio's default.
static DEFINITIONS: LazyLock<Vec<[Known; 2]>> = LazyLock::new(|| {
    let known = |meaning: u8, with_default: bool| {
        let mut properties = json!({"body": meaning});
        if with_default {
            properties["message_type"] = json!("custom");
        }
        let definition = FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "hello"}]},
            {"name": "hello", "type": "send-message", "properties": properties}
        ]}))
        .unwrap();
        (definition.to_string(), definition.hash(), definition)
    };
    (0..MEANINGS).map(|meaning| [known(meaning, false), known(meaning, true)]).collect()
});

pub static MARKER: LazyLock<Marker> = LazyLock::new(|| {
    let spec = json!({"twilio": {"credentialsRef": {"name": "twilio"}}, "friendlyName": NAME, "definition": {}});
    Marker::new("test", &StudioFlow::new("agent", serde_json::from_value(spec).unwrap()))
});

pub static ACCOUNT: LazyLock<AccountSid> = LazyLock::new(|| format!("AC{:032}", 1).parse().unwrap());

pub fn definition(meaning: u8, with_default: bool) -> (FlowDefinition, DefinitionHash) {
    let (_, hash, definition) = &DEFINITIONS[usize::from(meaning)][usize::from(with_default)];
    (definition.clone(), hash.clone())
}

pub fn sid(flow: usize) -> FlowSid {
    format!("FW{flow:032}").parse().unwrap()
}

impl Revision {
    /// What a write makes.
    pub fn of(write: &FlowWrite, adds_defaults: bool, at: Tick) -> Self {
        let says = |forms: &[Known; 2]| forms.iter().position(|(text, ..)| *text == write.definition);
        let found = DEFINITIONS.iter().enumerate().find_map(|(meaning, forms)| Some((meaning, says(forms)?)));
        let (meaning, with_default) = found.expect("a definition of the model");
        Self {
            name: write.friendly_name.clone(),
            meaning: u8::try_from(meaning).unwrap(),
            with_default: with_default == 1 || adds_defaults,
            published: write.publish,
            message: Some(write.commit_message.clone()),
            at,
        }
    }

    fn live(&self, number: i64) -> LiveRevision {
        let (definition, hash) = definition(self.meaning, self.with_default);
        LiveRevision {
            number,
            friendly_name: self.name.clone(),
            published: self.published,
            definition,
            hash,
            by: MARKER.written_by(self.message.as_deref()),
            author: None,
            at: None,
            commit_message: self.message.clone(),
        }
    }
}

impl Flow {
    /// The revisions that a look shows: all, or those from before this tick.
    fn shown(&self, before: Option<Tick>) -> &[Revision] {
        let count = before.map_or(self.revisions.len(), |now| self.revisions.partition_point(|one| one.at < now));
        &self.revisions[..count]
    }

    pub fn revision(&self, number: i64, before: Option<Tick>) -> Option<LiveRevision> {
        let revision = self.shown(before).get(usize::try_from(number - 1).ok()?)?;
        Some(revision.live(number))
    }

    /// The flow as a look shows it; `None` where it shows none yet.
    pub fn live(&self, flow: usize, before: Option<Tick>) -> Option<LiveFlow> {
        let shown = self.shown(before);
        let published = (1_i64..).zip(shown).filter(|(_, one)| one.published).last();
        let (number, latest) = (1_i64..).zip(shown).last()?;
        Some(LiveFlow {
            sid: sid(flow),
            friendly_name: latest.name.clone(),
            webhook_url: None,
            latest: latest.live(number),
            published: published.map(|(number, revision)| revision.live(number)),
            in_question: Vec::new(),
            test_users: None,
        })
    }

    pub fn answer(&self, flow: usize) -> Answer {
        let latest = self.revisions.last().unwrap();
        let definition = definition(latest.meaning, latest.with_default).0;
        serde_json::from_value(json!({
            "sid": sid(flow),
            "friendly_name": latest.name,
            "definition": definition,
            "status": if latest.published { "published" } else { "draft" },
            "revision": self.revisions.len(),
            "commit_message": latest.message,
        }))
        .unwrap()
    }
}
