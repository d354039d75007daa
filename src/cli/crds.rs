//! `engage-operator crds`.

use std::io::Write;

use clap::Args;

use crate::api::custom_resource_definitions;

/// Print the custom resource definitions, for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub struct Crds {}

impl Crds {
    #[expect(clippy::unused_self, reason = "every sub-command is executed alike")]
    pub fn execute(self) -> anyhow::Result<()> {
        let mut output = std::io::stdout().lock();
        for crd in custom_resource_definitions() {
            writeln!(output, "---")?;
            write!(output, "{}", serde_saphyr::to_string(&crd)?)?;
        }
        Ok(())
    }
}
