//! Any text as `when` and as a template, over any traits: it is refused or evaluated, and always ends.

#![no_main]

use engage_operator::delivery::{condition::When, template::Template};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (source, traits) = text.split_once('\0').unwrap_or((text, "{}"));
    let traits: Map<String, Value> = serde_json::from_str(traits).unwrap_or_default();
    if let Ok(when) = When::parse(source) {
        let _ = when.evaluate(&json!({"event": "Lead Qualified", "properties": {"n": 1}}), &traits);
    }
    if let Ok(template) = Template::parse(source) {
        let _ = template.render(&traits);
    }
});
