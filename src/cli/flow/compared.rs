//! A manifest beside what the account has, and the patch that takes an edit of the Console into git.

use json_patch::{PatchOperation, RemoveOperation, jsonptr::PointerBuf};

use super::{Failure, print, pull, source::Given};
use crate::{
    api::references::FlowReference,
    controller::studio_flow::validate::Filling,
    studio::{
        FlowDefinition,
        patch::{patch, within},
    },
};

/// A StudioFlow and its flow.
pub struct Compared {
    pub given: Given,
    /// The definition as it is written.
    pub written: FlowDefinition,
    /// What each reference of the manifest leads to.
    pub values: Vec<Filling>,
    /// The definition with that filled in.
    pub desired: FlowDefinition,
    /// What serves in the account, if anything does.
    pub live: Option<FlowDefinition>,
}

impl Compared {
    /// Prints the patch of the manifest after which it says what the account has.
    pub fn print_patch(&self) -> anyhow::Result<()> {
        let at = |message: &str| Failure::Account(format!("{}: {message}", self.given.place));
        let Some(live) = &self.live else {
            return Err(at("the account has nothing yet that the manifest could be patched with").into());
        };
        if self.given.document.as_object() != Some(self.written.fields()) {
            return Err(at("the definition is inside of something else, such as an answer of Studio's API, which \
                           cannot be patched: write the definition alone")
            .into());
        }
        let secrets = pull::secrets(live);
        if !secrets.is_empty() {
            let listed = secrets.join("\n  ");
            return Err(
                Failure::Found(format!("no patch is written, since git is no place for this:\n  {listed}")).into()
            );
        }
        let mut patch = patch(&self.written, &self.desired, live);
        let spec = self.given.resource.as_deref().map(|flow| &flow.spec);
        let inline = spec.is_some_and(|spec| spec.definition.is_some());
        if inline {
            patch = within(patch, &["spec", "definition"]);
        } else {
            eprintln!("note: the patch is one of the definition, which is in a ConfigMap");
        }
        let references = spec.map(|spec| spec.references.as_slice()).unwrap_or_default();
        // From the last, so that each index is still that of its reference.
        for (index, (reference, value)) in references.iter().zip(&self.values).enumerate().rev() {
            if still_fits(reference, value, live) {
                continue;
            }
            let widget = &reference.widget;
            eprintln!(
                "note: spec.references[{index}] is about widget `{widget}`, which has something else in the account"
            );
            if inline {
                let pointer = PointerBuf::from_tokens(["spec", "references", &index.to_string()]);
                patch.0.push(PatchOperation::Remove(RemoveOperation { path: pointer }));
            } else {
                eprintln!("note: take spec.references[{index}] out of the StudioFlow");
            }
        }
        print(&(serde_json::to_string_pretty(&patch).map_err(std::io::Error::from).map_err(Failure::Output)? + "\n"))?;
        let is_same = patch.0.is_empty();
        if is_same { Ok(()) } else { Err(Failure::Different.into()) }
    }
}

/// Whether what a reference fills in is what the account has there.
fn still_fits(reference: &FlowReference, value: &Filling, live: &FlowDefinition) -> bool {
    let mut filled = live.clone();
    let result = value.fill(&mut filled, reference);
    result.is_ok() && filled == *live
}
