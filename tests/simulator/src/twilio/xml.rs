//! The 2010 API without `.json` answers XML (twilio.md 1.3): the same data, with element names in `PascalCase`.

use serde_json::Value;

/// An XML document for a JSON answer; `element` names the resource, e.g. `Message`.
pub fn document(element: &str, value: &Value) -> String {
    let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse>");
    write(&mut text, element, value);
    text.push_str("</TwilioResponse>");
    text
}

fn write(text: &mut String, element: &str, value: &Value) {
    text.push('<');
    text.push_str(element);
    text.push('>');
    match value {
        Value::Null => {}
        Value::String(plain) => escape(text, plain),
        Value::Array(items) => {
            let single = element.strip_suffix('s').unwrap_or("Item");
            for item in items {
                write(text, single, item);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                write(text, &pascal(key), field);
            }
        }
        other => text.push_str(&other.to_string()),
    }
    text.push_str("</");
    text.push_str(element);
    text.push('>');
}

fn pascal(key: &str) -> String {
    key.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}

fn escape(text: &mut String, plain: &str) {
    for letter in plain.chars() {
        match letter {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_becomes_elements() {
        let text = document("Message", &json!({"sid": "SM1", "error_code": null, "body": "a<b", "num_media": "0"}));
        assert!(text.ends_with("<TwilioResponse><Message><Sid>SM1</Sid><ErrorCode></ErrorCode><Body>a&lt;b</Body><NumMedia>0</NumMedia></Message></TwilioResponse>"), "{text}");
    }
}
