//! The part of Liquid that flows need here: `{{path | filter}}` with `default`, `upcase`, `downcase`, `strip` and
//! `to_json`. A path that leads nowhere is empty, as in Studio.

use serde_json::Value;

/// Renders a text.
pub fn render(text: &str, context: &Value) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((expression, tail)) = after.split_once("}}") else { break };
        rendered.push_str(before);
        rendered.push_str(&evaluate(expression, context));
        rest = tail;
    }
    rendered.push_str(rest);
    rendered
}

fn evaluate(expression: &str, context: &Value) -> String {
    let mut pieces = expression.split('|').map(str::trim);
    let mut value = look_up(pieces.next().unwrap_or_default(), context);
    for filter in pieces {
        let (name, argument) = filter.split_once(':').map_or((filter, ""), |(name, rest)| (name, rest.trim()));
        value = match name.trim() {
            "default" if is_blank(&value) => literal(argument).unwrap_or_else(|| look_up(argument, context)),
            "upcase" => Value::String(text(&value).to_uppercase()),
            "downcase" => Value::String(text(&value).to_lowercase()),
            "strip" => Value::String(text(&value).trim().to_owned()),
            "to_json" => Value::String(value.to_string()),
            _ => value,
        };
    }
    text(&value)
}

fn look_up(path: &str, context: &Value) -> Value {
    literal(path).unwrap_or_else(|| {
        path.split('.').try_fold(context, |value, key| value.get(key)).cloned().unwrap_or(Value::Null)
    })
}

fn literal(text: &str) -> Option<Value> {
    let quoted = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    quoted('\'').or_else(|| quoted('"')).map(|inner| Value::String(inner.to_owned()))
}

fn is_blank(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str().is_some_and(str::is_empty)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_and_filters_are_rendered() {
        let context = json!({"trigger": {"conversation": {"Body": "Hi", "Author": "whatsapp:+1"}}, "n": 3});
        let cases = [
            ("{{trigger.conversation.Body}}!", "Hi!"),
            ("{{ trigger.conversation.Body | upcase }} {{n}}", "HI 3"),
            ("{{nowhere.at.all}}|{{nowhere | default: 'x'}}", "|x"),
            ("{\"a\":{{trigger.conversation.Author | to_json}}}", "{\"a\":\"whatsapp:+1\"}"),
            ("open {{ brace", "open {{ brace"),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template, &context), expected);
        }
    }
}
