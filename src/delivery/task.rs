//! What a task says: the mark by which it is found again, what Flex shows of the customer, and the attributes of the spec.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::template::Template;
use crate::{
    api::{annotations::TASK_ATTRIBUTE, reasons::event as reason},
    delivery::{destination::NAME_TRAIT, outcome::Reason},
    twilio::E164,
};

/// Attributes that Flex sets on each task of an interaction.
const SET_BY_FLEX: [&str; 8] = [
    "channelType",
    "conversationSid",
    "customerAddress",
    "direction",
    "flexChannelInviteSid",
    "flexInteractionChannelSid",
    "flexInteractionSid",
    "initiatedBy",
];

/// Whether a spec may not set the attribute: what finds a task again, and what finds its conversation, stays ours and Flex's.
pub fn is_reserved(name: &str) -> bool {
    name == TASK_ATTRIBUTE || SET_BY_FLEX.contains(&name)
}

/// The attributes of an event's task. The spec's own win over `customerName` and `from`.
pub fn attributes(
    mark: &str,
    customer: &E164,
    traits: &Map<String, Value>,
    templates: &BTreeMap<String, Template>,
) -> Result<Value, Reason> {
    let mut attributes = Map::new();
    let name = traits.get(NAME_TRAIT).and_then(Value::as_str).filter(|name| !name.is_empty());
    attributes.insert("customerName".to_owned(), name.unwrap_or(customer.as_str()).into());
    attributes.insert("customerAddress".to_owned(), customer.whatsapp().into());
    attributes.insert("from".to_owned(), customer.as_str().into());
    for (name, template) in templates {
        let value = template.render(traits).map_err(|problem| {
            Reason::new(reason::TEMPLATE_FAILED, format!("the template of task attribute `{name}` failed: {problem}"))
        })?;
        if value.trim().is_empty() {
            let detail = format!(
                "task attribute `{name}` comes out empty; give its template a default, as in {{{{ … | default: 'none' }}}}"
            );
            return Err(Reason::new(reason::MISSING_TRAIT, detail));
        }
        attributes.insert(name.clone(), value.trim().into());
    }
    attributes.insert(TASK_ATTRIBUTE.to_owned(), mark.into());
    Ok(Value::Object(attributes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes_of(traits: &Value, templates: &[(&str, &str)]) -> Result<Value, Reason> {
        let templates =
            templates.iter().map(|(name, source)| ((*name).to_owned(), Template::parse(source).unwrap())).collect();
        attributes("engage-1", &"+5511987654321".parse().unwrap(), traits.as_object().unwrap(), &templates)
    }

    #[test]
    fn a_task_says_who_the_customer_is_and_what_the_spec_wants_it_to() {
        let said = attributes_of(&json!({"name": "Ana", "plan": "pro"}), &[("plan", "{{ profile.traits.plan }}")]);
        let expected = json!({
            "customerName": "Ana", "customerAddress": "whatsapp:+5511987654321", "from": "+5511987654321", "plan": "pro",
            "engageTask": "engage-1",
        });
        assert_eq!(said.unwrap(), expected);
        let nameless = attributes_of(&json!({}), &[("from", "a lead")]).unwrap();
        assert_eq!((&nameless["customerName"], &nameless["from"]), (&json!("+5511987654321"), &json!("a lead")));
    }

    #[test]
    fn an_attribute_that_comes_out_empty_says_how_to_give_a_default() {
        let reason = attributes_of(&json!({"plan": " "}), &[("plan", "{{ profile.traits.plan }}")]).unwrap_err();
        assert_eq!(reason.word, reason::MISSING_TRAIT);
        assert!(reason.detail.starts_with("task attribute `plan` comes out empty; give"), "{}", reason.detail);
    }
}
