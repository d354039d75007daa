//! What the lint has to know of the content templates that a flow sends. Those that it names were looked up with its other references. Those
//! whose SID stands in it are looked for in the list of all that the account has, which is asked for once for all flows.

use std::collections::BTreeSet;

use crate::{
    controller::{
        account::{Account, Template},
        studio_flow::{error::FlowError, validate::Filling},
    },
    studio::{
        FlowDefinition,
        content::{ContentTemplate, Templates},
    },
    twilio::sid::ContentSid,
};

/// The templates that `definition` sends, as far as they can be known. Nothing is asked for when none stands there by its SID alone.
pub async fn known(definition: &FlowDefinition, values: &[Filling], account: &Account) -> Result<Templates, FlowError> {
    let mut known: Templates = values
        .iter()
        .filter_map(|value| match value {
            Filling::Template(template) => Some(entry(template)),
            Filling::Text(_) | Filling::Function(_) => None,
        })
        .collect();
    let sids: BTreeSet<ContentSid> = definition.content_templates().filter_map(|sid| sid.parse().ok()).collect();
    let unknown: Vec<ContentSid> = sids.into_iter().filter(|sid| !known.contains_key(sid.as_str())).collect();
    if unknown.is_empty() {
        return Ok(known);
    }
    match account.templates().await {
        Ok(listed) => {
            known.extend(unknown.iter().map(|sid| (sid.to_string(), None)));
            known.extend(listed.iter().filter(|template| unknown.contains(&template.sid)).map(entry));
        }
        Err(source) if source.is_transient() => {
            return Err(FlowError::LookUp { doing: "list the content templates", source });
        }
        // A key that may not read templates can still keep flows.
        Err(error) => tracing::debug!(%error, "the content templates of the flow are not looked at"),
    }
    Ok(known)
}

fn entry(template: &Template) -> (String, Option<ContentTemplate>) {
    let Template { sid, name, language: _, placeholders, bodies, approval, rejection_reason: _ } = template;
    let content = ContentTemplate {
        name: name.clone().unwrap_or_else(|| sid.to_string()),
        bodies: bodies.clone(),
        placeholders: placeholders.clone(),
        approval: approval.clone(),
    };
    (sid.to_string(), Some(content))
}
