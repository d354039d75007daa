//! Reads flows from files: a definition, whatever it came in, or StudioFlow manifests with the definition inline or in a
//! ConfigMap beside them. Nothing else of a cluster is needed or asked for.

use std::{
    collections::BTreeMap,
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    api::{GROUP, ObjectKey, StudioFlow, VERSION, admission::admit, references::ConfigMapKeyRef},
    standalone::folder,
    studio::FlowDefinition,
};

/// The name under which standard input is given and told of.
const STDIN: &str = "-";

/// A flow as it was given.
#[derive(Debug, Clone)]
pub struct Given {
    pub place: Place,
    /// What is written as its definition: wrapped still, perhaps, and perhaps none at all.
    pub document: Value,
    /// The manifest it is in.
    pub resource: Option<Box<StudioFlow>>,
}

/// Where a flow is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    /// The StudioFlow in the file.
    pub object: Option<ObjectKey>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file =
            if self.file == Path::new(STDIN) { "standard input".into() } else { self.file.display().to_string() };
        f.write_str(&file)?;
        self.object.as_ref().map_or(Ok(()), |object| write!(f, ": StudioFlow {object}"))
    }
}

/// A flow that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct SourceError {
    pub place: Place,
    pub message: String,
}

impl Given {
    /// The definition, out of what it came in.
    pub fn definition(&self) -> Result<FlowDefinition, SourceError> {
        let definition = FlowDefinition::parse(self.document.clone());
        definition.map_err(|problem| SourceError { place: self.place.clone(), message: problem.to_string() })
    }
}

/// The one flow of a file; of several the one that is called `name`.
pub fn read_one(path: &Path, name: Option<&str>) -> Result<Given, SourceError> {
    let error = |message: String| SourceError { place: Place { file: path.to_owned(), object: None }, message };
    let mut flows = read(path)?;
    // A definition alone has no name that it could be asked for by.
    if flows.len() == 1 && flows[0].place.object.is_none() {
        return Ok(flows.swap_remove(0));
    }
    let is_called = |flow: &Given| flow.place.object.as_ref().is_some_and(|object| Some(object.name.as_str()) == name);
    if name.is_some() {
        let found = flows.iter().position(is_called).map(|at| flows.swap_remove(at));
        return found.ok_or_else(|| error(format!("no StudioFlow in it is called `{}`", name.unwrap_or_default())));
    }
    match (flows.pop(), flows.len()) {
        (Some(flow), 0) => Ok(flow),
        (_, more) => Err(error(format!("there are {} flows in it: say which by --name", more + 1))),
    }
}

/// All flows of a file, or of a folder and its sub-folders; at least one. In a folder, what is no flow is passed over.
pub fn read(path: &Path) -> Result<Vec<Given>, SourceError> {
    let at = |file: &Path| Place { file: file.to_owned(), object: None };
    let unreadable = |error: std::io::Error| SourceError { place: at(path), message: error.to_string() };
    if path == Path::new(STDIN) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        let documents = documents(&text).map_err(|message| SourceError { place: at(path), message })?;
        let config_maps = ConfigMaps::of(documents.iter());
        return flows(path, documents, &config_maps, false);
    }
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        let documents = load(path)?;
        // A ConfigMap is often a file of its own beside the manifest.
        let mut beside = Vec::new();
        if documents.iter().any(|document| document.pointer("/spec/definitionFrom").is_some()) {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            for entry in std::fs::read_dir(folder).map_err(unreadable)?.flatten() {
                let path = entry.path();
                let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
                beside.extend(is_yaml.then(|| load(&path).ok()).flatten().unwrap_or_default());
            }
        }
        // Of two ConfigMaps of one name the one in the file itself is meant.
        let config_maps = ConfigMaps::of(beside.iter().chain(&documents));
        return flows(path, documents, &config_maps, false);
    }
    let files = folder::files(path).map_err(unreadable)?;
    let files = files.into_iter().map(|file| Ok((load(&file)?, file))).collect::<Result<Vec<_>, SourceError>>()?;
    let config_maps = ConfigMaps::of(files.iter().flat_map(|(documents, _)| documents));
    let mut found = Vec::new();
    for (documents, file) in files {
        found.extend(flows(&file, documents, &config_maps, true)?);
    }
    if found.is_empty() {
        return Err(SourceError { place: at(path), message: "there is no flow in this folder".into() });
    }
    Ok(found)
}

/// All documents of a file, or of a folder and its sub-folders, each with its file.
pub fn documents_of(path: &Path) -> Result<Vec<(PathBuf, Value)>, SourceError> {
    let unreadable = |error: std::io::Error| SourceError {
        place: Place { file: path.to_owned(), object: None },
        message: error.to_string(),
    };
    let is_folder = std::fs::metadata(path).map_err(unreadable)?.is_dir();
    let files = if is_folder { folder::files(path).map_err(unreadable)? } else { vec![path.to_owned()] };
    let mut found = Vec::new();
    for file in files {
        found.extend(load(&file)?.into_iter().map(|document| (file.clone(), document)));
    }
    Ok(found)
}

fn load(file: &Path) -> Result<Vec<Value>, SourceError> {
    let error = |message: String| SourceError { place: Place { file: file.to_owned(), object: None }, message };
    documents(&folder::text(file).map_err(error)?).map_err(error)
}

/// JSON is read as such, so that its numbers and the place of a mistake in it are its own.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let documents = if text.trim_start().starts_with(['{', '[', '"']) {
        serde_json::from_str(text).map(|document| vec![document]).or_else(|error| {
            folder::documents(text)
                .map_err(|_| format!("not JSON at line {}, column {}: {error}", error.line(), error.column()))
        })?
    } else {
        folder::documents(text)?
    };
    let items = |document: Value| match document {
        Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        other => vec![other],
    };
    Ok(documents.into_iter().filter(|document| !document.is_null()).flat_map(items).collect())
}

fn flows(
    file: &Path,
    documents: Vec<Value>,
    config_maps: &ConfigMaps,
    only_flows: bool,
) -> Result<Vec<Given>, SourceError> {
    let ours = format!("{GROUP}/{VERSION}");
    let mut found = Vec::new();
    let (mut manifests, count) = (false, documents.len());
    for document in documents {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version == ours && kind == "StudioFlow" {
            found.push(manifest(file, document, config_maps)?);
        } else if api_version.is_empty() || kind.is_empty() {
            let is_flow =
                FlowDefinition::parse(document.clone()).is_ok_and(|flow| flow.fields().contains_key("states"));
            if is_flow || (count == 1 && !only_flows) {
                found.push(Given { place: Place { file: file.to_owned(), object: None }, document, resource: None });
            }
            continue;
        }
        manifests = true;
    }
    if found.is_empty() && !only_flows {
        let message = if manifests {
            format!("none of the resources in it is a StudioFlow of {ours}")
        } else {
            "there is no flow in it: give the JSON of a Studio export, or a StudioFlow".to_owned()
        };
        return Err(SourceError { place: Place { file: file.to_owned(), object: None }, message });
    }
    Ok(found)
}

fn manifest(file: &Path, document: Value, config_maps: &ConfigMaps) -> Result<Given, SourceError> {
    let place = Place { file: file.to_owned(), object: Some(key_of(&document)) };
    let resource = admit(document).map_err(|rejections| {
        let message = rejections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        SourceError { place, message }
    })?;
    of_resource(file, resource, config_maps)
}

/// The flow of a manifest that was admitted.
pub fn of_resource(file: &Path, resource: StudioFlow, config_maps: &ConfigMaps) -> Result<Given, SourceError> {
    let owner = ObjectKey::of(&resource);
    let place = Place { file: file.to_owned(), object: Some(owner.clone()) };
    let error = |message: String| SourceError { place: place.clone(), message };
    let document = match (&resource.spec.definition, &resource.spec.definition_from) {
        (Some(fields), _) => Value::Object(fields.clone()),
        (None, Some(source)) => config_maps
            .definition(&owner, &source.config_map_key_ref)
            .map_err(|message| error(format!("spec.definitionFrom: {message}")))?,
        (None, None) => return Err(error("spec: set either definition or definitionFrom".into())),
    };
    Ok(Given { place, document, resource: Some(Box::new(resource)) })
}

/// The name of a resource.
pub fn key_of(document: &Value) -> ObjectKey {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let namespace = text("/metadata/namespace").unwrap_or_else(|| "default".into());
    ObjectKey::new(namespace, text("/metadata/name").unwrap_or_default())
}

/// The texts of ConfigMaps that are at hand.
#[derive(Debug, Default)]
pub struct ConfigMaps(BTreeMap<ObjectKey, Value>);

impl ConfigMaps {
    /// Those among documents.
    pub fn of<'a>(documents: impl Iterator<Item = &'a Value>) -> Self {
        let is_config_map = |document: &&Value| document.get("kind").is_some_and(|kind| kind == "ConfigMap");
        let config_maps = documents.filter(is_config_map);
        Self(config_maps.map(|document| (key_of(document), document["data"].clone())).collect())
    }

    /// The definition that `owner` refers to.
    fn definition(&self, owner: &ObjectKey, reference: &ConfigMapKeyRef) -> Result<Value, String> {
        let ConfigMapKeyRef { name, key } = reference;
        let data = self.0.get(&ObjectKey::new(owner.namespace.clone(), name.clone()));
        let text = data.and_then(|data| data.get(key)?.as_str());
        let text = text.ok_or_else(|| format!("no ConfigMap `{name}` with key `{key}` is in this file or folder"))?;
        serde_json::from_str(text)
            .map_err(|error| format!("ConfigMap `{name}`, key `{key}`: not the JSON of a Studio export: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = r#"{"initial_state": "Trigger", "states": [{"name": "Trigger", "type": "trigger"}]}"#;
    const FLOW: &str = "
apiVersion: engage-operator.dev/v1alpha1
kind: StudioFlow
metadata: {name: agent, namespace: marketing}
spec:
  twilio: {credentialsRef: {name: twilio}}
  friendlyName: Agent
";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read_file(text: &str) -> Result<Vec<Given>, String> {
        let folder = folder(&[("flow.yaml", text)]);
        let shown = format!("{}/", folder.path().display());
        read(&folder.path().join("flow.yaml")).map_err(|error| error.to_string().replace(&shown, ""))
    }

    fn is_the_flow(given: &Given) {
        assert_eq!(given.definition().unwrap().to_string(), DEFINITION.replace(": ", ":").replace(", ", ","));
    }

    #[test]
    fn a_definition_an_answer_and_a_manifest_are_the_same_flow() {
        let inline = format!("{FLOW}  definition: {DEFINITION}");
        let config_map =
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flows, namespace: marketing}\ndata: {agent: ";
        let beside = format!(
            "{FLOW}  definitionFrom: {{configMapKeyRef: {{name: flows, key: agent}}}}\n---\n{config_map}{}}}\n",
            Value::from(DEFINITION)
        );
        for text in [DEFINITION, &format!(r#"{{"sid": "FW1", "definition": {DEFINITION}}}"#), &inline, &beside] {
            let given = read_file(text).unwrap();
            assert_eq!(given.len(), 1);
            is_the_flow(&given[0]);
        }
    }

    #[test]
    fn a_config_map_may_be_another_file_of_the_folder() {
        let flow = format!("{FLOW}  definitionFrom: {{configMapKeyRef: {{name: flows, key: agent}}}}\n");
        let config_map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: flows, namespace: marketing}}\ndata: {{agent: {}}}\n",
            Value::from(DEFINITION)
        );
        let folder = folder(&[("a.yaml", &flow), ("b.yaml", &config_map), ("c.txt", "no")]);
        is_the_flow(&read(&folder.path().join("a.yaml")).unwrap()[0]);
        let found = read(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place.object, Some(ObjectKey::new("marketing", "agent")));
    }

    #[test]
    fn what_cannot_be_read_names_the_file_and_the_field() {
        for (text, message) in [
            ("{\"states\": [}", "flow.yaml: not JSON at line 1, column 13"),
            ("kind: ConfigMap\napiVersion: v1\n", "flow.yaml: none of the resources in it is a StudioFlow"),
            (
                &FLOW.replace("friendlyName", "friendyName"),
                "flow.yaml: StudioFlow marketing/agent: spec.friendyName: unknown field",
            ),
            (
                &format!("{FLOW}  definitionFrom: {{configMapKeyRef: {{name: flows, key: agent}}}}\n"),
                "flow.yaml: StudioFlow marketing/agent: spec.definitionFrom: no ConfigMap `flows` with key `agent` is in this",
            ),
            ("", "flow.yaml: there is no flow in it"),
        ] {
            let error = read_file(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn one_of_several_flows_is_asked_for_by_name() {
        let inline = format!("{FLOW}  definition: {DEFINITION}\n");
        let text = format!("{inline}---{}", inline.replace("name: agent", "name: other"));
        let folder = folder(&[("flow.yaml", &text)]);
        let path = folder.path().join("flow.yaml");
        assert_eq!(read_one(&path, Some("other")).unwrap().place.object.unwrap().name, "other");
        assert!(read_one(&path, None).unwrap_err().message.contains("2 flows in it: say which by --name"));
        assert!(read_one(&path, Some("gone")).unwrap_err().message.contains("called `gone`"));
    }
}
