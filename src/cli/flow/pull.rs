//! `engage-operator flow pull`: a flow of the account as a manifest for git.

mod names;

use clap::Args;
use serde_json::{Value, json};

use super::{
    Failure,
    account::{self, Which},
    print,
};
use crate::{
    api::{GROUP, VERSION},
    cli::upstream::TwilioFlags,
    studio::{
        FlowDefinition,
        lint::{self, known::Known, severities::Severities},
    },
};

/// Rules whose findings keep a flow from being written down.
const SECRETS: [&str; 2] = ["credential", "sip-password"];
/// Longest name of a resource that every part of Kubernetes takes.
const MAX_NAME: usize = 63;

/// Take a flow out of the account, as a StudioFlow manifest on standard output.
///
/// The SIDs that its widgets have become references by name, so that the manifest suits other accounts too; each was looked up
/// again and led to the same SID. What has no name that leads to it stays as it is, and is told of on standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
The account is that of TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN, or with TWILIO_API_KEY and TWILIO_API_SECRET. Nothing in it is
changed.

Examples:

  engage-operator flow pull 'Connect to agent' > connect-to-agent.yaml
  engage-operator flow pull FW0123456789abcdef0123456789abcdef --revision 12 --adopt

Exit codes: 0 written; 1 the flow holds what looks like a credential, and nothing is written; 2 an error.")]
pub struct Pull {
    /// SID or friendly name of the flow.
    flow: String,

    /// `published`, `latest` (which may be a draft), or the number of a revision.
    #[arg(long, default_value = "published")]
    revision: Which,

    /// Name of the resource. Default: made of the friendly name.
    #[arg(long)]
    name: Option<String>,

    /// Namespace of the resource.
    #[arg(long)]
    namespace: Option<String>,

    /// Name of the Secret with the credentials.
    #[arg(long, default_value = "twilio")]
    secret: String,

    /// Have the resource take over this very flow, by `adopt`. Else it makes a flow of its own.
    #[arg(long)]
    adopt: bool,

    #[command(flatten)]
    twilio: TwilioFlags,
}

impl Pull {
    pub fn execute(self) -> anyhow::Result<()> {
        let (manifest, notes) = account::wait(self.pull())?;
        let manifest = serde_saphyr::to_string(&manifest)?;
        print(&manifest)?;
        for note in notes {
            eprintln!("note: {note}");
        }
        Ok(())
    }

    async fn pull(&self) -> Result<(Value, Vec<String>), Failure> {
        let account = account::open(&self.twilio)?;
        let missing = || Failure::Account(format!("account {} has no flow `{}`", account.sid(), self.flow));
        let sid = account::flow_of(&account, &self.flow).await?.ok_or_else(missing)?;
        let flow = account::revision(&account, &sid, self.revision).await?.ok_or_else(|| {
            Failure::Account(match self.revision {
                Which::Published => format!("flow {sid} was never published: give --revision latest"),
                Which::Latest => format!("account {} has no flow {sid}", account.sid()),
                Which::Number(number) => format!("flow {sid} has no revision {number}"),
            })
        })?;
        let written = FlowDefinition::parse(flow.definition.unwrap_or_default());
        let mut definition = written
            .map_err(|finding| Failure::Account(format!("what Studio shows of flow {sid} is no flow: {finding}")))?;
        let secrets = secrets(&definition);
        if !secrets.is_empty() {
            let listed = secrets.join("\n  ");
            return Err(Failure::Found(format!(
                "flow {sid} is not written, since git is no place for this:\n  {listed}"
            )));
        }
        let named = names::named(&mut definition, &account).await?;
        let friendly_name = flow.friendly_name.unwrap_or_else(|| sid.to_string());
        let mut metadata = json!({"name": self.name.clone().unwrap_or_else(|| resource_name(&friendly_name))});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let mut spec = json!({"twilio": {"credentialsRef": {"name": self.secret}}, "friendlyName": friendly_name});
        if self.adopt {
            spec["adopt"] = json!({"sid": sid.as_str()});
        }
        if flow.status.is_none_or(|status| status != "published") {
            spec["publish"] = json!(false);
        }
        if !named.references.is_empty() {
            spec["references"] = named.references.into();
        }
        spec["definition"] = Value::Object(definition.fields().clone());
        let manifest = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "StudioFlow", "metadata": metadata, "spec": spec,
        });
        Ok((manifest, named.notes))
    }
}

/// What looks like a credential, and where.
pub(super) fn secrets(definition: &FlowDefinition) -> Vec<String> {
    let found = lint::lint(definition, &Known::default(), &Severities::default());
    found.iter().filter(|finding| SECRETS.contains(&finding.code)).map(ToString::to_string).collect()
}

/// A name for a resource, or for what is in one.
fn resource_name(friendly_name: &str) -> String {
    let mut name = String::new();
    for char in friendly_name.chars().flat_map(char::to_lowercase) {
        if char.is_ascii_alphanumeric() {
            name.push(char);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_NAME);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "flow".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_can_have_the_name_that_is_made_for_it() {
        for (friendly, name) in [
            ("Connect to agent", "connect-to-agent"),
            ("  É: (v2) ", "v2"),
            ("日本", "flow"),
            (&"a b".repeat(40), &"a-b".repeat(40)[..MAX_NAME]),
        ] {
            assert_eq!(resource_name(friendly), name, "{friendly}");
        }
    }
}
