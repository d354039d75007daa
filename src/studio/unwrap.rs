//! A definition out of what people have at hand: the answer of Studio's API, the output of its command line, a Terraform
//! file, state or plan, or a JSON text within JSON. All of them hold it under a key `definition`, as an object or as text.

use serde_json::{Map, Value};

use super::{
    place::escaped,
    problem::{Problem, ProblemKind},
};

/// How deep a definition is looked for; a Terraform state with modules in modules has it at about twelve.
const MAX_DEPTH: usize = 24;

/// The one definition in a document, and the JSON pointer at which it was; empty for a document that is one itself.
pub(super) fn unwrap(document: Value) -> Result<(Map<String, Value>, String), Problem> {
    let document = match document {
        Value::String(text) => text_within(&text).unwrap_or(Value::String(text)),
        other => other,
    };
    if let Value::Object(fields) = document {
        return unwrap_fields(fields);
    }
    let mut found = Vec::new();
    search(&document, "", 0, &mut found);
    only(found)?.ok_or_else(|| Problem::of_the_flow("", ProblemKind::NotAnObject))
}

/// As [`unwrap`], for a document that is known to be an object. One with neither widgets nor a definition in it is given
/// back as it is: what it lacks is told by the checks.
pub(super) fn unwrap_fields(fields: Map<String, Value>) -> Result<(Map<String, Value>, String), Problem> {
    if fields.contains_key("states") {
        return Ok((fields, String::new()));
    }
    let document = Value::Object(fields);
    let mut found = Vec::new();
    search(&document, "", 0, &mut found);
    match (only(found)?, document) {
        (Some(found), _) => Ok(found),
        (None, Value::Object(fields)) => Ok((fields, String::new())),
        (None, _) => Err(Problem::of_the_flow("", ProblemKind::NotAnObject)),
    }
}

type Found = (Map<String, Value>, String);

fn only(mut found: Vec<Found>) -> Result<Option<Found>, Problem> {
    // A plan of Terraform's tells a resource both as it is and as it will be.
    let mut distinct: Vec<Found> = Vec::new();
    for one in found.drain(..) {
        if !distinct.iter().any(|(fields, _)| *fields == one.0) {
            distinct.push(one);
        }
    }
    if distinct.len() > 1 {
        let places = distinct.iter().take(5).map(|(_, pointer)| pointer.clone()).collect::<Vec<_>>().join(", ");
        return Err(Problem::of_the_flow("", ProblemKind::SeveralDefinitions(places)));
    }
    Ok(distinct.pop())
}

fn search(value: &Value, pointer: &str, depth: usize, found: &mut Vec<Found>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let pointer = format!("{pointer}/{}", escaped(key));
                match (key.as_str(), definition_in(field)) {
                    ("definition", Some(definition)) => found.push((definition, pointer)),
                    _ => search(field, &pointer, depth + 1, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, &format!("{pointer}/{index}"), depth + 1, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is under a key `definition`, if it has widgets.
fn definition_in(value: &Value) -> Option<Map<String, Value>> {
    let value = match value {
        Value::String(text) => text_within(text)?,
        other => other.clone(),
    };
    match value {
        Value::Object(fields) if fields.contains_key("states") => Some(fields),
        _ => None,
    }
}

/// The object or list that a text is the JSON of.
fn text_within(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow() -> Value {
        json!({"initial_state": "Trigger", "states": [{"name": "Trigger", "type": "trigger"}]})
    }

    #[test]
    fn a_definition_is_found_in_whatever_it_came_in() {
        let text = flow().to_string();
        let terraform = |attributes: Value| json!({"version": 4, "resources": [{"type": "twilio_studio_flow", "instances": [{"attributes": attributes}]}]});
        for (document, at) in [
            (flow(), ""),
            (json!(text), ""),
            (json!({"sid": "FW1", "definition": flow()}), "/definition"),
            (json!([{"sid": "FW1", "definition": flow()}]), "/0/definition"),
            (json!({"flows": [{"definition": text}], "meta": {"page": 0}}), "/flows/0/definition"),
            (terraform(json!({"definition": text})), "/resources/0/instances/0/attributes/definition"),
            (
                json!({"resource": {"twilio_studio_flow": {"a/b": {"definition": text}}}}),
                "/resource/twilio_studio_flow/a~1b/definition",
            ),
        ] {
            let (fields, pointer) = unwrap(document).unwrap();
            assert_eq!((Value::Object(fields), pointer.as_str()), (flow(), at));
        }
    }

    #[test]
    fn one_definition_told_twice_is_one_and_two_are_too_many() {
        let mut other = flow();
        other["description"] = json!("another");
        let twice = json!({"planned_values": {"definition": flow()}, "prior_state": {"definition": flow()}});
        assert_eq!(unwrap(twice).unwrap().1, "/planned_values/definition");
        let problem = unwrap(json!({"flows": [{"definition": flow()}, {"definition": other}]})).unwrap_err();
        let expected = "there are several definitions in it, at /flows/0/definition, /flows/1/definition: give one";
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn a_definition_within_a_definition_is_left_where_it_is() {
        let mut nested = flow();
        nested["states"][0]["properties"] = json!({"definition": flow()});
        assert_eq!(unwrap(nested.clone()).unwrap(), (nested.as_object().unwrap().clone(), String::new()));
    }
}
