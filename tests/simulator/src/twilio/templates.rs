//! Content templates at sending time: the rules for variables (twilio.md 2.1), the placeholders of a template, and the
//! text a customer sees.

use serde_json::{Map, Value};

use crate::call::Failure;
use crate::seed::Template;

/// Variables of one send, in the order written.
pub type Variables = Map<String, Value>;

/// Parses `ContentVariables`: 92007 when it is not a JSON object, 21656 when a key or a value breaks a rule. Numbers
/// and booleans are tolerated.
pub fn parse_variables(text: &str) -> Result<Variables, Failure> {
    let not_json = || Failure::bad(92007, "The ContentVariables parameter is not a JSON string");
    let parsed: Value = serde_json::from_str(text).map_err(|_| not_json())?;
    let Value::Object(variables) = parsed else { return Err(not_json()) };
    match variables.iter().find_map(|(key, value)| broken_rule(key, value)) {
        Some(reason) => Err(Failure::bad(21656, format!("The ContentVariables parameter is invalid: {reason}"))),
        None => Ok(variables),
    }
}

fn broken_rule(key: &str, value: &Value) -> Option<String> {
    if key.is_empty() || key.contains(['{', '}']) {
        return Some(format!("placeholder '{key}' is not well formed"));
    }
    match value {
        Value::Null => Some(format!("the value of '{key}' is null")),
        Value::Array(_) | Value::Object(_) => Some(format!("the value of '{key}' is not a string")),
        Value::String(text) if text.is_empty() => Some(format!("the value of '{key}' is empty")),
        Value::String(text) if text.contains(['\n', '\r', '\t']) => {
            Some(format!("the value of '{key}' contains a newline or a tab"))
        }
        Value::String(text) if text.contains("     ") => {
            Some(format!("the value of '{key}' contains more than 4 consecutive spaces"))
        }
        _ => None,
    }
}

/// The first variable the template has no placeholder for.
pub fn surplus<'v>(template: &Template, variables: &'v Variables) -> Option<&'v str> {
    if variables.is_empty() {
        return None;
    }
    let known = placeholders(template);
    variables.keys().map(String::as_str).find(|key| !known.iter().any(|name| name == key))
}

/// The placeholders of every text in the template, each once.
pub fn placeholders(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for part in template.types.values() {
        collect(part, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            scan(text, |piece| {
                if let Piece::Placeholder(name) = piece
                    && !found.iter().any(|known| known == name)
                {
                    found.push(name.to_owned());
                }
            });
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, found)),
        _ => {}
    }
}

/// The rendered text, and the first placeholder that has neither a value nor a sample.
pub fn render(template: &Template, variables: &Variables) -> (String, Option<String>) {
    let body = template.types.values().find_map(|part| part.get("body")?.as_str()).unwrap_or_default();
    let mut text = String::with_capacity(body.len() + 32);
    let mut unfilled = None;
    scan(body, |piece| match piece {
        Piece::Text(plain) => text.push_str(plain),
        Piece::Placeholder(name) => match variables.get(name).or_else(|| template.variables.get(name)) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value) => text.push_str(&value.to_string()),
            None => unfilled = unfilled.take().or_else(|| Some(name.to_owned())),
        },
    });
    (text, unfilled)
}

enum Piece<'t> {
    Text(&'t str),
    Placeholder(&'t str),
}

fn scan<'t>(text: &'t str, mut visit: impl FnMut(Piece<'t>)) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        visit(Piece::Text(before));
        visit(Piece::Placeholder(name.trim()));
        rest = tail;
    }
    visit(Piece::Text(rest));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<u32> {
        parse_variables(text).err().and_then(|failure| failure.code)
    }

    #[test]
    fn variables_follow_the_rules_of_the_error_dictionary() {
        assert_eq!(code(r#"{"1":"Ana","2":3,"3":true,"4":"a    b"}"#), None);
        for not_json in ["", "Ana", "[1]", "\"{}\""] {
            assert_eq!(code(not_json), Some(92007), "{not_json}");
        }
        for broken in [
            r#"{"1":null}"#,
            r#"{"1":""}"#,
            r#"{"1":"a\nb"}"#,
            r#"{"1":"a\tb"}"#,
            r#"{"1":"a     b"}"#,
            r#"{"":"x"}"#,
            r#"{"{{1}}":"x"}"#,
        ] {
            assert_eq!(code(broken), Some(21656), "{broken}");
        }
    }

    #[test]
    fn a_template_is_rendered_with_values_then_samples() {
        let seed = crate::seed::Seed::demo();
        let template = &seed.content[0];
        let variables = parse_variables(r#"{"1":"Ana"}"#).unwrap();
        let (text, unfilled) = render(template, &variables);
        assert_eq!(text, "Hi Ana, thanks for your interest in the starter plan. Would you like to talk to us?");
        assert_eq!(unfilled, None);
        assert_eq!(placeholders(template), ["1", "2"]);
        assert_eq!(surplus(template, &parse_variables(r#"{"3":"x"}"#).unwrap()), Some("3"));
    }
}
