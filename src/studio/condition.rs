//! The conditions of a split in a few words, for a picture and for a line of text: `= yes`, `contains stop`, `is blank`.

use serde_json::Value;

/// All conditions of a transition, which have to hold together; `None` where it has none.
pub fn conditions_in_words(transition: &Value) -> Option<String> {
    let conditions = transition.get("conditions")?.as_array().filter(|conditions| !conditions.is_empty())?;
    Some(conditions.iter().map(in_words).collect::<Vec<_>>().join(" and "))
}

fn in_words(condition: &Value) -> String {
    let text = |key| condition.get(key).and_then(Value::as_str).unwrap_or_default();
    let value = text("value");
    match text("type") {
        "" => match text("friendly_name") {
            "" if value.is_empty() => condition.to_string(),
            "" => value.to_owned(),
            name => name.to_owned(),
        },
        "equal_to" => format!("= {value}"),
        "not_equal_to" => format!("≠ {value}"),
        "less_than" => format!("< {value}"),
        "greater_than" => format!("> {value}"),
        "matches_any_of" => format!("any of {value}"),
        "does_not_match_any_of" => format!("none of {value}"),
        "is_blank" => "is blank".to_owned(),
        "is_not_blank" => "is not blank".to_owned(),
        other => format!("{} {value}", other.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_told_by_its_type_and_value() {
        let words = |conditions: Value| conditions_in_words(&json!({"conditions": conditions}));
        assert_eq!(words(json!([{"type": "equal_to", "value": "yes"}])).unwrap(), "= yes");
        let both = json!([{"type": "does_not_contain", "value": "stop"}, {"type": "is_not_blank", "value": ""}]);
        assert_eq!(words(both).unwrap(), "does not contain stop and is not blank");
        assert_eq!(words(json!([{"friendly_name": "a name"}])).unwrap(), "a name");
        assert_eq!(words(json!([])), None);
    }
}
