//! Content variables: what fills a template's placeholders. An empty value never leaves, since Twilio would put the
//! template's sample into the message to a customer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::template::Template;
use crate::api::reasons::event as reason;

/// Longest value, in characters: the tighter of the limits of the Messages and Conversations APIs (error 50541).
const MAX_VALUE: usize = 256;

/// How the placeholders of a template are filled.
#[derive(Debug)]
pub enum Variables {
    /// The first trait fills `{{1}}`, the second `{{2}}`, and so on.
    Positional(Vec<String>),
    /// Each placeholder has a template of its own.
    Named(BTreeMap<String, Template>),
}

/// Why an event's traits do not fill a template.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum VariableError {
    #[error("content variable {{{{{placeholder}}}}} is empty: the trait `{trait_name}` is missing")]
    MissingTrait { placeholder: String, trait_name: String },
    #[error(
        "content variable {{{{{placeholder}}}}} comes out empty; give its template a default, as in {{{{ … | default: 'there' }}}}"
    )]
    Empty { placeholder: String },
    #[error("content variable {{{{{placeholder}}}}} {problem}")]
    Invalid { placeholder: String, problem: &'static str },
    #[error("the template of content variable {{{{{placeholder}}}}} failed: {problem}")]
    Template { placeholder: String, problem: String },
}

impl VariableError {
    /// The reason that the event's outcome gives.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MissingTrait { .. } | Self::Empty { .. } => reason::MISSING_TRAIT,
            Self::Invalid { .. } => reason::INVALID_VARIABLE,
            Self::Template { .. } => reason::TEMPLATE_FAILED,
        }
    }
}

impl Variables {
    /// The placeholders that are filled, without braces.
    pub fn placeholders(&self) -> BTreeSet<String> {
        match self {
            Self::Positional(traits) => (1..=traits.len()).map(|position| position.to_string()).collect(),
            Self::Named(templates) => templates.keys().cloned().collect(),
        }
    }

    /// The traits that filling reads.
    pub fn traits(&self) -> BTreeSet<String> {
        match self {
            Self::Positional(traits) => traits.iter().cloned().collect(),
            Self::Named(templates) => templates.values().flat_map(|template| template.traits().clone()).collect(),
        }
    }

    /// `ContentVariables`: a JSON object of placeholder and text; `None` for a template without placeholders.
    pub fn fill(&self, traits: &Map<String, Value>) -> Result<Option<String>, VariableError> {
        let mut filled = Map::new();
        match self {
            Self::Positional(names) => {
                for (index, name) in names.iter().enumerate() {
                    let placeholder = (index + 1).to_string();
                    let value = traits.get(name).and_then(text_of).unwrap_or_default();
                    let value = clean(&placeholder, &value)?.ok_or_else(|| VariableError::MissingTrait {
                        placeholder: placeholder.clone(),
                        trait_name: name.clone(),
                    })?;
                    filled.insert(placeholder, Value::String(value));
                }
            }
            Self::Named(templates) => {
                for (placeholder, template) in templates {
                    let value = template
                        .render(traits)
                        .map_err(|problem| VariableError::Template { placeholder: placeholder.clone(), problem })?;
                    let value = clean(placeholder, &value)?
                        .ok_or_else(|| VariableError::Empty { placeholder: placeholder.clone() })?;
                    filled.insert(placeholder.clone(), Value::String(value));
                }
            }
        }
        Ok((!filled.is_empty()).then(|| Value::Object(filled).to_string()))
    }
}

/// A trait as it reads in a message; what is no text, number or truth value is not fit for one.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The value as WhatsApp takes it: line breaks, tabs and runs of spaces, which it refuses (error 21656), become one space.
/// `None` when nothing is left.
fn clean(placeholder: &str, value: &str) -> Result<Option<String>, VariableError> {
    let cleaned = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if cleaned.chars().count() > MAX_VALUE {
        return Err(VariableError::Invalid {
            placeholder: placeholder.to_owned(),
            problem: "is longer than 256 characters",
        });
    }
    if cleaned.chars().any(char::is_control) {
        return Err(VariableError::Invalid {
            placeholder: placeholder.to_owned(),
            problem: "has control characters in it",
        });
    }
    Ok((!cleaned.is_empty()).then_some(cleaned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn traits(json: &Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    fn positional() -> Variables {
        Variables::Positional(vec!["first_name".into(), "plan".into()])
    }

    #[test]
    fn traits_fill_placeholders_in_order() {
        let filled = positional().fill(&traits(&json!({"plan": 7, "first_name": " Ana\n  Maria "}))).unwrap();
        assert_eq!(filled.as_deref(), Some(r#"{"1":"Ana Maria","2":"7"}"#));
    }

    #[test]
    fn a_missing_trait_never_leaves_as_a_hole() {
        for hole in [
            json!({"first_name": "Ana"}),
            json!({"first_name": "Ana", "plan": null}),
            json!({"first_name": "Ana", "plan": " \t"}),
            json!({"first_name": "Ana", "plan": {"a": 1}}),
        ] {
            let error = positional().fill(&traits(&hole)).unwrap_err();
            assert_eq!(error.reason(), reason::MISSING_TRAIT, "{hole}");
            assert!(error.to_string().contains("`plan` is missing"), "{error}");
        }
    }

    #[test]
    fn an_empty_template_says_how_to_give_a_default() {
        let template = Template::parse("{{ profile.traits.first_name }}").unwrap();
        let variables = Variables::Named(BTreeMap::from([("1".to_owned(), template)]));
        let error = variables.fill(&Map::new()).unwrap_err();
        assert_eq!(error.reason(), reason::MISSING_TRAIT);
        assert!(error.to_string().starts_with("content variable {{1}} comes out empty"), "{error}");
    }

    #[test]
    fn a_value_that_whatsapp_would_refuse_is_refused_here() {
        let long = traits(&json!({"first_name": "é".repeat(257), "plan": "x"}));
        assert_eq!(positional().fill(&long).unwrap_err().reason(), reason::INVALID_VARIABLE);
        let control = traits(&json!({"first_name": "a\u{7}b", "plan": "x"}));
        assert_eq!(positional().fill(&control).unwrap_err().reason(), reason::INVALID_VARIABLE);
    }

    #[test]
    fn a_template_without_placeholders_sends_no_variables() {
        assert_eq!(Variables::Named(BTreeMap::new()).fill(&Map::new()).unwrap(), None);
    }
}
