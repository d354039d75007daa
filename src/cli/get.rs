//! `engage-operator get`: what `kubectl get` shows, read from a state folder. The columns are those of the CRDs.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::table::{Output, age, print};
use crate::{
    api::{EngageDestination, ObjectKey, StudioFlow},
    standalone::state::{StateFolder, Stored},
};

/// Show the resources of `run` and their status, as `kubectl get` would.
///
/// Exit code 1 when a resource that was named does not exist.
#[derive(Debug, Args)]
pub struct Get {
    /// What to show: `engagedestinations` (`ed`), `studioflows` (`sf`), or all.
    #[arg(value_name = "KIND", default_value = "all")]
    kind: String,

    /// Only the resource of this name.
    name: Option<String>,

    /// Only resources of this namespace.
    #[arg(short, long)]
    namespace: Option<String>,

    /// The state folder of `run`.
    #[arg(long, env = "ENGAGE_STATE_DIR", value_name = "DIR")]
    state_dir: PathBuf,

    /// How to show them; `wide` adds the message of the condition Ready.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl Get {
    pub fn execute(self) -> anyhow::Result<()> {
        let state = StateFolder::open(&self.state_dir)
            .with_context(|| format!("the state folder {} cannot be read", self.state_dir.display()))?;
        let kinds = [
            (EngageDestination::crd(), self.objects::<EngageDestination>(&state)?),
            (StudioFlow::crd(), self.objects::<StudioFlow>(&state)?),
        ];
        let all = self.kind == "all";
        if !all && !kinds.iter().any(|(crd, _)| is_called(crd, &self.kind)) {
            bail!("unknown kind `{}`; there are engagedestinations (ed), studioflows (sf) and all", self.kind);
        }
        let mut output = std::io::stdout().lock();
        let mut shown = 0;
        for (crd, objects) in kinds.iter().filter(|(crd, _)| all || is_called(crd, &self.kind)) {
            if objects.is_empty() {
                continue;
            }
            match self.output {
                Output::Json => {
                    for object in objects {
                        writeln!(output, "{}", serde_json::to_string_pretty(object)?)?;
                    }
                }
                Output::Yaml => {
                    for object in objects {
                        write!(output, "---\n{}", serde_saphyr::to_string(object)?)?;
                    }
                }
                Output::Table | Output::Wide => {
                    if shown > 0 {
                        writeln!(output)?;
                    }
                    table(&mut output, crd, objects, self.output == Output::Wide)?;
                }
            }
            shown += objects.len();
        }
        if let (0, Some(name)) = (shown, &self.name) {
            bail!("there is no resource `{name}` in {}", self.state_dir.display());
        }
        let problems = state.read_problems()?;
        let mut errors = std::io::stderr().lock();
        if shown == 0 && problems.is_empty() {
            writeln!(errors, "No resources found in {}.", self.state_dir.display())?;
        }
        for problem in problems {
            writeln!(errors, "not used: {problem}")?;
        }
        Ok(())
    }

    fn objects<K: Stored>(&self, state: &StateFolder) -> anyhow::Result<Vec<Value>> {
        let mut objects = Vec::new();
        for object in state.list::<K>()? {
            let key = ObjectKey::of(&object);
            let wanted = self.name.as_ref().is_none_or(|name| *name == key.name)
                && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace);
            if wanted {
                objects.push(serde_json::to_value(&object)?);
            }
        }
        Ok(objects)
    }
}

fn is_called(crd: &CustomResourceDefinition, word: &str) -> bool {
    let names = &crd.spec.names;
    let word = word.to_lowercase();
    names.plural == word
        || names.kind.to_lowercase() == word
        || names.short_names.iter().flatten().any(|short| *short == word)
}

fn table(output: &mut impl Write, crd: &CustomResourceDefinition, objects: &[Value], wide: bool) -> anyhow::Result<()> {
    let columns: Vec<_> = crd.spec.versions[0]
        .additional_printer_columns
        .iter()
        .flatten()
        .filter(|column| wide || column.priority.unwrap_or(0) == 0)
        .map(|column| Ok((column, JsonPath::parse(&format!("${}", column.json_path))?)))
        .collect::<anyhow::Result<_>>()?;
    let mut rows = vec![
        ["NAMESPACE".to_owned(), "NAME".to_owned()]
            .into_iter()
            .chain(columns.iter().map(|(column, _)| column.name.to_uppercase()))
            .collect::<Vec<_>>(),
    ];
    for object in objects {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = columns.iter().map(|(column, path)| {
            let value = path.query(object).first();
            match (value, column.type_.as_str()) {
                (Some(Value::String(time)), "date") => age(time),
                (Some(Value::String(text)), _) => text.clone(),
                (Some(value), _) => value.to_string(),
                (None, _) => String::new(),
            }
        });
        rows.push([text("/metadata/namespace"), text("/metadata/name")].into_iter().chain(cells).collect());
    }
    print(output, &rows)?;
    Ok(())
}
