//! `engage-operator crds`.

use std::{io::Write, path::PathBuf};

use clap::Args;

use crate::api::custom_resource_definitions;

/// Print the custom resource definitions, for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub struct Crds {
    /// Write each to a file of this folder instead, named after its plural.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

impl Crds {
    pub fn execute(self) -> anyhow::Result<()> {
        for crd in custom_resource_definitions() {
            let yaml = serde_saphyr::to_string(&crd)?;
            match &self.output_dir {
                Some(folder) => std::fs::write(folder.join(format!("{}.yaml", crd.spec.names.plural)), yaml)?,
                None => write!(std::io::stdout().lock(), "---\n{yaml}")?,
            }
        }
        Ok(())
    }
}
