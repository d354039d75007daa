//! The Profile API (segment.md 4): traits and identifiers of a profile, ten at a time unless asked for more. Values of
//! identifiers are matched exactly, and they are lower-case; what should have been percent-encoded and is not gives 500.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::account::Credential;
use crate::call::{Answer, Call, Failure};
use crate::lock::read;
use crate::seed::{Profile, SegmentWorkspace};
use crate::world::World;

const DEFAULT_LIMIT: usize = 10;
const SOURCE: &str = "simulated-source";
const UPDATED: &str = "2026-01-05T00:16:36Z";

/// The profiles of all spaces.
#[derive(Debug, Default)]
pub struct Profiles {
    spaces: HashMap<String, Space>,
}

#[derive(Debug, Default)]
struct Space {
    tokens: Vec<String>,
    profiles: HashMap<String, Arc<Profile>>,
}

impl Profiles {
    /// The profiles of a seed.
    pub fn new(workspace: &SegmentWorkspace) -> Self {
        let mut all = Self::default();
        for space in &workspace.spaces {
            all.spaces.insert(space.id.clone(), Space { tokens: space.tokens.clone(), profiles: HashMap::new() });
            for (key, profile) in &space.profiles {
                all.put(&space.id, key, profile.clone());
            }
        }
        all
    }

    /// Adds or replaces a profile (`user_id:lead-1`), to be found by its other identifiers too.
    pub fn put(&mut self, space: &str, key: &str, profile: Profile) {
        let space = self.spaces.entry(space.to_owned()).or_default();
        let profile = Arc::new(profile);
        for id in &profile.external_ids {
            space.profiles.insert(format!("{}:{}", id.kind, id.id.to_lowercase()), Arc::clone(&profile));
        }
        space.profiles.insert(key.to_owned(), profile);
    }

    /// Whether a token opens a space.
    pub fn admits(&self, space: &str, credential: &Credential) -> bool {
        self.spaces.get(space).is_some_and(|space| space.tokens.iter().any(|token| credential.is(token, "")))
    }

    fn get(&self, space: &str, key: &str) -> Option<Arc<Profile>> {
        self.spaces.get(space)?.profiles.get(key).cloned()
    }
}

/// Checks the token of a call and the space's rate limit.
pub fn authorize(world: &World, call: &Call, credential: Option<&Credential>) -> Result<(), Failure> {
    let space = call.path_param("Space");
    let admitted = credential.is_some_and(|credential| read(&world.profiles).admits(space, credential));
    if !admitted {
        return Err(Failure::plain(401, "The access token is not valid for this space."));
    }
    if !world.profile_limit.admit(space, world.now()) {
        return Err(Failure::plain(429, "Too many requests for this space."));
    }
    Ok(())
}

/// `GET …/traits`.
pub fn traits(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let profile = find(world, call)?;
    let verbose = call.query("verbose") == Some("true");
    let class = call.query("class");
    let of_class = |name: &String| match class {
        Some("audience") => profile.audiences.contains(name),
        Some(_) => profile.computed_traits.contains(name),
        None => true,
    };
    let wanted = Include::of(call);
    let rows: Vec<(&String, &Value)> =
        profile.traits.iter().filter(|(name, _)| wanted.admits(name) && of_class(name)).collect();
    let page = Page::of(call, rows.len())?;
    let mut shown = Map::new();
    for (name, value) in &rows[page.start..page.end] {
        let value = if verbose {
            json!({"value": value, "source_id": SOURCE, "updated_at": UPDATED})
        } else {
            Value::clone(value)
        };
        shown.insert(String::clone(name), value);
    }
    Ok(call.ok(&json!({"traits": shown, "cursor": page.cursor(call, rows.len())})))
}

/// `GET …/external_ids`.
pub fn external_ids(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    let profile = find(world, call)?;
    let (kind, id) = call.path_param("Profile").split_once(':').unwrap_or_default();
    let mut all = vec![(kind, id, UPDATED)];
    all.extend(profile.external_ids.iter().map(|one| (one.kind.as_str(), one.id.as_str(), one.created_at.as_str())));
    let wanted = Include::of(call);
    let mut seen = std::collections::HashSet::new();
    all.retain(|(kind, id, _)| wanted.admits(kind) && seen.insert((*kind, *id)));
    let page = Page::of(call, all.len())?;
    let data: Vec<Value> = all[page.start..page.end]
        .iter()
        .map(|(kind, id, created_at)| {
            json!({
                "source_id": SOURCE, "collection": "users", "id": id, "type": kind, "created_at": created_at,
                "encoding": "none", "first_message_id": "simulated-message",
            })
        })
        .collect();
    Ok(call.ok(&json!({"data": data, "cursor": page.cursor(call, all.len())})))
}

/// `GET …/metadata`.
pub fn metadata(world: &Arc<World>, call: &Call) -> Result<Answer, Failure> {
    find(world, call)?;
    Ok(call.ok(&json!({"metadata": {
        "created_at": UPDATED, "updated_at": UPDATED, "expires_at": null, "first_message_id": "simulated-message",
        "first_source_id": SOURCE, "last_message_id": "simulated-message", "last_source_id": SOURCE,
    }})))
}

fn find(world: &World, call: &Call) -> Result<Arc<Profile>, Failure> {
    let raw = call.path.split('/').nth(7).unwrap_or_default();
    let value = raw.split_once(':').map_or(raw, |(_, value)| value);
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()%".contains(&byte);
    if !value.bytes().all(is_safe) {
        return Err(Failure::plain(500, "The identifier is not percent-encoded."));
    }
    let found = read(&world.profiles).get(call.path_param("Space"), call.path_param("Profile"));
    found.ok_or_else(|| Failure::plain(404, "Profile was not found."))
}

struct Include<'c>(Option<Vec<&'c str>>);

impl<'c> Include<'c> {
    fn of(call: &'c Call) -> Self {
        Self(call.query("include").map(|names| names.split(',').map(str::trim).collect()))
    }

    fn admits(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(&name))
    }
}

struct Page {
    start: usize,
    end: usize,
    limit: usize,
}

impl Page {
    fn of(call: &Call, total: usize) -> Result<Self, Failure> {
        let limit = call.query("limit").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_LIMIT);
        let start = match call.query("next") {
            None | Some("") => 0,
            Some(next) => next
                .strip_prefix("map_")
                .and_then(|offset| offset.parse::<usize>().ok())
                .filter(|offset| *offset <= total)
                .ok_or_else(|| Failure::plain(400, "The cursor is not valid."))?,
        };
        Ok(Self { start, end: (start + limit).min(total), limit })
    }

    fn cursor(&self, call: &Call, total: usize) -> Value {
        let has_more = self.end < total;
        let next = if has_more { format!("map_{}", self.end) } else { String::new() };
        json!({"url": call.path, "has_more": has_more, "next": next, "limit": self.limit})
    }
}
