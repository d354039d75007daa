//! Where a definition names its widgets: the `next` of a transition, the `initial_state`, and `widgets.NAME` within Liquid.
//! Outside of Liquid the words are the customer's text and no mention.

use std::ops::Range;

use serde_json::Value;

use super::liquid::{Tag, tags_before_a_mistake};

const WIDGETS: &str = "widgets";

/// The names of widgets that a text mentions, and where they stand in it.
pub fn mentions(text: &str) -> Vec<(Range<usize>, &str)> {
    let paths = tags_before_a_mistake(text).into_iter().flat_map(Tag::paths);
    let names = paths.filter_map(|path| match *path.steps() {
        [WIDGETS, name, ..] => Some(name),
        _ => None,
    });
    // A step of a path is a part of the text.
    let place = |name: &str| name.as_ptr().addr() - text.as_ptr().addr();
    names.map(|name| (place(name)..place(name) + name.len(), name)).collect()
}

/// The text with each mention renamed as `rename` has it; those it gives nothing for stay.
pub fn with_mentions(text: &str, rename: &dyn Fn(&str) -> Option<String>) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut copied = 0;
    for (place, name) in mentions(text) {
        if let Some(new) = rename(name) {
            renamed.push_str(&text[copied..place.start]);
            renamed.push_str(&new);
            copied = place.end;
        }
    }
    renamed + &text[copied..]
}

/// What a widget mentions: the JSON pointer within the widget, and the name.
pub fn mentions_of(state: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let _ = relabelled(state, "", &mut |pointer, name| {
        found.push((pointer.to_owned(), name.to_owned()));
        None
    });
    found
}

/// A widget with each mention renamed as `rename` has it, given the JSON pointer and the name. Its own name stays.
pub fn relabelled(value: &Value, pointer: &str, rename: &mut dyn FnMut(&str, &str) -> Option<String>) -> Value {
    match value {
        Value::String(text) if is_next(pointer) => rename(pointer, text).map_or_else(|| value.clone(), Value::from),
        Value::String(text) if text.contains(WIDGETS) => {
            let renames = std::cell::RefCell::new(rename);
            Value::from(with_mentions(text, &|name| (renames.borrow_mut())(pointer, name)))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| relabelled(item, &format!("{pointer}/{index}"), rename)).collect()
        }
        Value::Object(fields) => {
            let relabel = |(key, field): (&String, &Value)| {
                (key.clone(), relabelled(field, &format!("{pointer}/{}", super::place::escaped(key)), rename))
            };
            Value::Object(fields.iter().map(relabel).collect())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether a pointer within a widget is that of `/transitions/N/next`.
pub fn is_next(pointer: &str) -> bool {
    let index = pointer.strip_prefix("/transitions/").and_then(|rest| rest.strip_suffix("/next"));
    index.is_some_and(|index| !index.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_widget_is_mentioned_in_liquid_only() {
        let found = |text| mentions(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(found("{{widgets.ask.inbound.Body}} and {% if widgets.call-1.parsed.ok %}"), ["ask", "call-1"]);
        assert_eq!(found(r#"{{ widgets["ask me"].x | append: widgets['b'].y }}"#), ["ask me", "b"]);
        assert_eq!(found("see widgets.ask, {widgets.ask} or {{ my.widgets.ask }} or {{widgets.}}"), Vec::<&str>::new());
        assert_eq!(found("{{widgets.ask"), Vec::<&str>::new());
    }

    #[test]
    fn a_name_is_renamed_as_a_whole() {
        let rename = |name: &str| (name == "ask").then(|| "question".to_owned());
        let text = "ask {{widgets.ask.x}} {{widgets.ask_2.x}}{{widgets['ask']}}";
        assert_eq!(
            with_mentions(text, &rename),
            "ask {{widgets.question.x}} {{widgets.ask_2.x}}{{widgets['question']}}"
        );
    }
}
