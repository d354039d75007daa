//! The state folder: each object as an API server would keep it, with the uid, generation and status that a file of the user
//! does not have. Written so that a crash leaves either the old or the new.

use std::{
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::{EngageDestination, ObjectKey, StudioFlow},
    standalone::folder::Problem,
};

/// Name space of the uids given here: the same object gets the same uid on every machine.
const UIDS: uuid::Uuid = uuid::uuid!("5f0c3e0a-41f6-4c0b-9d0e-3a1d4d5c9c11");

/// A kind that can be kept in the state folder.
pub trait Stored: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone {
    type Spec: PartialEq;
    type Status: Clone + PartialEq;

    fn spec(&self) -> &Self::Spec;
    fn status(&self) -> Option<&Self::Status>;
    fn set_status(&mut self, status: Option<Self::Status>);
}

macro_rules! stored {
    ($($kind:ty, $spec:ty, $status:ty;)+) => {$(
        impl Stored for $kind {
            type Spec = $spec;
            type Status = $status;

            fn spec(&self) -> &$spec {
                &self.spec
            }

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }

            fn set_status(&mut self, status: Option<$status>) {
                self.status = status;
            }
        }
    )+};
}

stored! {
    EngageDestination, crate::api::EngageDestinationSpec, crate::api::EngageDestinationStatus;
    StudioFlow, crate::api::StudioFlowSpec, crate::api::StudioFlowStatus;
}

/// The folder itself.
#[derive(Debug, Clone)]
pub struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// Opens the folder, or makes it.
    pub fn open(root: &Path) -> io::Result<Self> {
        // The journal in it holds numbers of customers.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        std::fs::create_dir_all(root.join("objects"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// Where the journal is when nothing else is said.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.redb")
    }

    /// Gives an object of the config folder what an API server gives: a uid, a generation that grows with each change of the
    /// spec, and the status and the finalizers it had.
    pub fn admit<K: Stored>(&self, mut object: K) -> io::Result<K> {
        let key = ObjectKey::of(&object);
        let before: Option<K> = self.read(&key)?;
        let uid = uid_of(&object);
        let before = before.filter(|before| before.uid().as_ref() == Some(&uid));
        let generation = match &before {
            Some(before) if before.spec() == object.spec() => before.meta().generation.unwrap_or(1),
            Some(before) => before.meta().generation.unwrap_or(1) + 1,
            None => 1,
        };
        let finalizers = before.as_ref().and_then(|before| before.meta().finalizers.clone());
        let created = before.as_ref().and_then(|before| before.meta().creation_timestamp.clone());
        let metadata = object.meta_mut();
        metadata.namespace = Some(key.namespace.clone());
        metadata.uid = Some(uid);
        metadata.generation = Some(generation);
        metadata.finalizers = finalizers;
        metadata.creation_timestamp = Some(created.unwrap_or_else(|| Time(this_second())));
        object.set_status(before.as_ref().and_then(|before| before.status().cloned()));
        self.write(&object)?;
        Ok(object)
    }

    /// The object as last written.
    pub fn read<K: Stored>(&self, key: &ObjectKey) -> io::Result<Option<K>> {
        match std::fs::read(self.path::<K>(key)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, by name; one that cannot be read is left out.
    pub fn list<K: Stored>(&self) -> io::Result<Vec<K>> {
        let mut objects = Vec::new();
        for namespace in folders(&self.folder::<K>())? {
            for file in folders(&namespace)? {
                if file.extension().is_some_and(|extension| extension == "json") {
                    objects.extend(serde_json::from_slice::<K>(&std::fs::read(&file)?).ok());
                }
            }
        }
        objects.sort_by_key(|object| ObjectKey::of(object));
        Ok(objects)
    }

    /// Writes an object durably. One that is stored as it is already is not written again.
    pub fn write<K: Stored>(&self, object: &K) -> io::Result<()> {
        let path = self.path::<K>(&ObjectKey::of(object));
        let json = serde_json::to_vec_pretty(object).map_err(io::Error::other)?;
        replace(&path, &json)
    }

    /// Marks an object that is held as deleted; it stays until it is let go.
    pub fn terminate<K: Stored>(&self, mut object: K) -> io::Result<K> {
        object.meta_mut().deletion_timestamp.get_or_insert_with(|| Time(this_second()));
        self.write(&object)?;
        Ok(object)
    }

    /// Takes an object out, as deleting it does.
    pub fn remove<K: Stored>(&self, key: &ObjectKey) -> io::Result<()> {
        match std::fs::remove_file(self.path::<K>(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Writes what is wrong in the config folder, for `get` to show.
    pub fn write_problems(&self, problems: &[Problem]) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(problems).map_err(io::Error::other)?;
        replace(&self.root.join("problems.json"), &json)
    }

    /// What was wrong in the config folder when it was last read.
    pub fn read_problems(&self) -> io::Result<Vec<String>> {
        match std::fs::read(self.root.join("problems.json")) {
            Ok(bytes) => {
                let problems: Vec<serde_json::Value> = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
                let text = |problem: &serde_json::Value, field: &str| {
                    problem.get(field).and_then(serde_json::Value::as_str).map(str::to_owned)
                };
                Ok(problems
                    .iter()
                    .map(|problem| {
                        ["file", "object", "message"]
                            .iter()
                            .filter_map(|field| text(problem, field))
                            .collect::<Vec<_>>()
                            .join(": ")
                    })
                    .collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn folder<K: Stored>(&self) -> PathBuf {
        self.root.join("objects").join(K::plural(&()).as_ref())
    }

    fn path<K: Stored>(&self, key: &ObjectKey) -> PathBuf {
        self.folder::<K>().join(&key.namespace).join(format!("{}.json", key.name))
    }
}

/// The uid that an object has, or gets here.
pub fn uid_of<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let own = || uuid::Uuid::new_v5(&UIDS, format!("{}/{}", K::kind(&()), ObjectKey::of(object)).as_bytes());
    object.meta().uid.as_ref().and_then(|uid| uid.parse().ok()).unwrap_or_else(own).to_string()
}

/// Now, in whole seconds, as such times are stored.
fn this_second() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Replaces a file so that a crash leaves the old or the new content, and the new one is on disk when this returns.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|before| before == content) {
        return Ok(());
    }
    let folder = path.parent().ok_or_else(|| io::Error::other("a file without a folder"))?;
    std::fs::create_dir_all(folder)?;
    let temporary = path.with_extension("tmp");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{StudioFlowSpec, StudioFlowStatus};

    fn flow(friendly_name: &str) -> StudioFlow {
        let spec: StudioFlowSpec = serde_json::from_value(serde_json::json!({
            "twilio": {"credentialsRef": {"name": "twilio"}}, "friendlyName": friendly_name, "definition": {}
        }))
        .unwrap();
        let mut flow = StudioFlow::new("agent", spec);
        flow.metadata.namespace = Some("marketing".into());
        flow
    }

    #[test]
    fn the_generation_grows_with_the_spec_and_the_status_stays() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let mut first = state.admit(flow("a")).unwrap();
        assert_eq!(first.metadata.generation, Some(1));
        first.status = Some(StudioFlowStatus { sid: Some("FW1".into()), ..StudioFlowStatus::default() });
        state.write(&first).unwrap();
        let same = state.admit(flow("a")).unwrap();
        assert_eq!(same, first);
        let changed = state.admit(flow("b")).unwrap();
        assert_eq!(changed.metadata.generation, Some(2));
        assert_eq!(changed.metadata.uid, first.metadata.uid);
        assert_eq!(changed.status, first.status);
        assert_eq!(state.list::<StudioFlow>().unwrap(), [changed]);
    }

    #[test]
    fn an_object_that_was_deleted_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let first = state.admit(flow("a")).unwrap();
        state.remove::<StudioFlow>(&ObjectKey::of(&first)).unwrap();
        state.remove::<StudioFlow>(&ObjectKey::of(&first)).unwrap();
        assert!(state.list::<StudioFlow>().unwrap().is_empty());
        assert_eq!(state.admit(flow("b")).unwrap().metadata.generation, Some(1));
    }
}
