//! The config folder: any number of YAML files with any number of documents each. What is wrong in one document is reported
//! with its file and field and disturbs no other.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::{
        EngageDestination, GROUP, ObjectKey, StudioFlow, VERSION,
        admission::{Admissible, admit},
        secret::SecretData,
    },
    controller::ConfigMapData,
};

/// Largest file that is read.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Something in the folder that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub file: PathBuf,
    /// Kind and name of the object, where the document says so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// All objects of a folder.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    pub destinations: BTreeMap<ObjectKey, EngageDestination>,
    pub flows: BTreeMap<ObjectKey, StudioFlow>,
    pub secrets: BTreeMap<ObjectKey, SecretData>,
    pub config_maps: BTreeMap<ObjectKey, ConfigMapData>,
    pub problems: Vec<Problem>,
    /// Objects that are there and cannot be used: what is known of them from before stays in force.
    pub unusable: Vec<(String, ObjectKey)>,
}

/// Reads the folder and its sub-folders. Hidden files and folders are left out: a mounted ConfigMap keeps its versions there.
pub fn read(folder: &Path) -> std::io::Result<Objects> {
    let mut objects = Objects::default();
    for file in files(folder)? {
        objects.read_file(folder, &file);
    }
    Ok(objects)
}

/// The files that [`read`] reads, in their order.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    Ok(files)
}

/// Reads one file, whatever its name ends in.
pub fn read_file(file: &Path) -> std::io::Result<Objects> {
    std::fs::metadata(file)?;
    let mut objects = Objects::default();
    objects.read_file(Path::new(""), file);
    Ok(objects)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        // Follows links, as a mounted ConfigMap is made of them.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if metadata.is_dir() {
            collect(&path, files)?;
        } else if matches!(extension, "yaml" | "yml" | "json") {
            files.push(path);
        }
    }
    Ok(())
}

impl Objects {
    fn read_file(&mut self, folder: &Path, file: &Path) {
        let shown = file.strip_prefix(folder).unwrap_or(file).to_owned();
        match text(file).and_then(|text| documents(&text)) {
            Ok(documents) => {
                for document in documents {
                    self.read_document(&shown, document);
                }
            }
            Err(message) => self.problems.push(Problem { file: shown, object: None, message }),
        }
    }

    fn read_document(&mut self, file: &Path, document: Value) {
        if document.is_null() {
            return;
        }
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let object = (!kind.is_empty() && !name.is_empty()).then(|| format!("{kind} {name}"));
        let result = if name.is_empty() {
            Err("metadata.name is missing".to_owned())
        } else {
            let namespace = Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
            let key = ObjectKey::new(namespace.unwrap_or_else(|| "default".into()), name);
            if is_name(&key.namespace) && is_name(&key.name) {
                self.take(&api_version, &kind, key, document)
            } else {
                Err("metadata.name and metadata.namespace are lower-case letters, digits, `-` and `.`".to_owned())
            }
        };
        if let Err(message) = result {
            self.problems.push(Problem { file: file.to_owned(), object, message });
        }
    }

    fn take(&mut self, api_version: &str, kind: &str, key: ObjectKey, document: Value) -> Result<(), String> {
        let ours = format!("{GROUP}/{VERSION}");
        match (api_version, kind) {
            (version, "EngageDestination") if version == ours => {
                let admitted = self.admitted(kind, &key, document)?;
                insert_once(&mut self.destinations, key, admitted)
            }
            (version, "StudioFlow") if version == ours => {
                let admitted = self.admitted(kind, &key, document)?;
                insert_once(&mut self.flows, key, admitted)
            }
            ("v1", "Secret") => insert_once(&mut self.secrets, key, secret_of(document)?),
            ("v1", "ConfigMap") => insert_once(&mut self.config_maps, key, config_map_of(document)?),
            // Part of what is applied to a cluster, and of no use here.
            ("v1", "Namespace") => Ok(()),
            _ => Err(format!(
                "apiVersion `{api_version}` and kind `{kind}` are not used here; known are EngageDestination and \
                 StudioFlow of {ours}, and Secret and ConfigMap of v1"
            )),
        }
    }

    fn admitted<K: Admissible>(&mut self, kind: &str, key: &ObjectKey, document: Value) -> Result<K, String> {
        admit(document).map_err(|rejections| {
            self.unusable.push((kind.to_owned(), key.clone()));
            rejections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })
    }
}

/// Whether a name is one that Kubernetes takes (RFC 1123). Names become paths in the state folder.
fn is_name(name: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 253
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

fn insert_once<T>(objects: &mut BTreeMap<ObjectKey, T>, key: ObjectKey, object: T) -> Result<(), String> {
    if objects.contains_key(&key) {
        return Err(format!("`{key}` is in the folder twice; the first one, by file name, is used"));
    }
    objects.insert(key, object);
    Ok(())
}

/// The text of a file of bearable size.
pub fn text(file: &Path) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("the file has {size} bytes; at most {MAX_FILE} are read"));
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// The documents of a file. An error names the place but does not quote it: it may be a Secret's.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple(text).map_err(|error| {
        let place = error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
        format!("not YAML{}", place.unwrap_or_default())
    })
}

fn config_map_of(document: Value) -> Result<ConfigMapData, String> {
    let config_map: ConfigMap = serde_json::from_value(document)
        .map_err(|error| format!("not a ConfigMap, whose `data` holds text by key: {error}"))?;
    Ok(config_map.data.unwrap_or_default())
}

fn secret_of(document: Value) -> Result<SecretData, String> {
    // What is wrong may be a value, so the error is not repeated.
    let secret: Secret = serde_json::from_value(document)
        .map_err(|_| "not a Secret: `data` holds base64 text by key, `stringData` plain text".to_owned())?;
    let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
    let text = secret.string_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    Ok(SecretData::from_bytes(data.chain(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(yaml: &str) -> Objects {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), yaml).unwrap();
        read(folder.path()).unwrap()
    }

    const DESTINATION: &str = "
apiVersion: engage-operator.dev/v1alpha1
kind: EngageDestination
metadata: {name: welcome, namespace: marketing}
spec:
  twilio: {credentialsRef: {name: twilio}}
  segment: {credentialsRef: {name: segment}}
  whatsapp: {messagingServiceSid: MG00000000000000000000000000000001, contentSid: HX00000000000000000000000000000001}
";

    #[test]
    fn a_folder_holds_what_a_cluster_would() {
        let secret = "
---
apiVersion: v1
kind: Secret
metadata: {name: twilio, namespace: marketing}
data: {A: Zm9v}
stringData: {B: \" bar\\n\"}
";
        let objects = read_one(&format!("{DESTINATION}{secret}---\n"));
        assert_eq!(objects.problems, []);
        assert!(objects.destinations.contains_key(&ObjectKey::new("marketing", "welcome")));
        let secret = &objects.secrets[&ObjectKey::new("marketing", "twilio")];
        assert_eq!(secrecy::ExposeSecret::expose_secret(&secret.value("A").unwrap()), "foo");
        assert_eq!(secrecy::ExposeSecret::expose_secret(&secret.value("B").unwrap()), "bar");
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_with_its_field() {
        for (from, to, message) in [
            ("twilio: {credentialsRef: {name: twilio}}", "twillio: {}", "spec.twillio: unknown field"),
            ("contentSid: HX0", "contentSID: HX0", "did you mean `contentSid`?"),
            ("contentSid: HX", "contentSid: FX", "contentSid is HX followed by 32 hexadecimal digits"),
            ("  whatsapp:", "  conversation: {twilioNumber: ['+5511900000001']}\n  whatsapp:", "exactly one thing"),
            ("kind: EngageDestination", "kind: EngageDestinations", "known are EngageDestination and StudioFlow"),
            ("name: welcome, ", "", "metadata.name is missing"),
            ("name: welcome,", "name: ../../welcome,", "lower-case letters, digits"),
        ] {
            let objects = read_one(&DESTINATION.replace(from, to));
            let problems: Vec<String> = objects.problems.iter().map(ToString::to_string).collect();
            assert!(problems.len() == 1 && problems[0].contains(message), "{to}: {problems:?}");
            assert!(objects.destinations.is_empty(), "{to}");
        }
    }

    #[test]
    fn a_malformed_file_names_the_place_and_quotes_nothing() {
        let objects = read_one("apiVersion: v1\nkind: Secret\nstringData: {A: hunter2, B: [\n");
        let problem = objects.problems[0].to_string();
        assert!(problem.contains("not YAML at line"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn one_bad_document_does_not_disturb_the_others() {
        let bad = DESTINATION.replace("name: welcome", "name: bad").replace("contentSid: HX", "contentSid: FX");
        let objects = read_one(&format!("{bad}---{DESTINATION}---{DESTINATION}"));
        assert_eq!(objects.destinations.len(), 1);
        assert_eq!(objects.problems.len(), 2);
        assert_eq!(objects.unusable, [("EngageDestination".to_owned(), ObjectKey::new("marketing", "bad"))]);
    }
}
