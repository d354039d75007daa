//! Any JSON as an event, through everything that a delivery does before its first byte leaves: it is planned, suppressed or
//! rejected, and what is planned has no hole and no number that is not one.

#![no_main]

use std::sync::OnceLock;

use engage_operator::{
    delivery::{
        destination::Destination,
        plan::{Resolved, plan, select},
    },
    segment::Event,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fn destinations() -> &'static [Destination] {
    static DESTINATIONS: OnceLock<Vec<Destination>> = OnceLock::new();
    DESTINATIONS.get_or_init(|| {
        let sid = |prefix: &str| format!("{prefix}{}", "0".repeat(32));
        let common = json!({
            "twilio": {"credentialsRef": {"name": "twilio"}}, "segment": {"credentialsRef": {"name": "segment"}},
            "when": "event.event == 'Lead Qualified' || traits.plan != 'free'", "phone": {"defaultRegion": "BR"},
        });
        let variables = json!({"1": "{{ profile.traits.first_name | default: 'there' }}", "2": "{{ profile.traits.plan }}"});
        let whatsapp = json!({"whatsapp": {"messagingServiceSid": sid("MG"), "contentSid": sid("HX"), "contentVariables": variables}});
        let conversation = json!({"conversation": {"flowSid": sid("FW"), "twilioNumber": ["+5511900000001"],
            "openingMessage": {"contentSid": sid("HX"), "contentVariables": variables}}});
        let compile = |action: Value| {
            let mut spec = common.clone();
            spec.as_object_mut().expect("an object").extend(action.as_object().expect("an object").clone());
            Destination::compile(&serde_json::from_value(spec).expect("a spec")).expect("a destination")
        };
        vec![compile(whatsapp), compile(conversation)]
    })
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(event) = Event::parse(text) else { return };
    let flow = format!("FW{}", "0".repeat(32)).parse().expect("a SID");
    let content = format!("HX{}", "0".repeat(32)).parse().expect("a SID");
    for destination in destinations() {
        let _ = select(destination, &event, "2026-01-01T00:00:00Z".parse().expect("a time"));
        let traits: Map<String, Value> = destination
            .traits
            .iter()
            .filter_map(|name| Some((name.clone(), event.trait_value(name)?.clone())))
            .collect();
        let found = Resolved { flow: Some(&flow), content: Some(&content), task_place: None };
        if let Ok(delivery) = plan(destination, "uid", &event, &traits, found) {
            let number = delivery.recipient().as_str();
            assert!(number.starts_with('+') && number[1..].bytes().all(|byte| byte.is_ascii_digit()), "{number}");
            for request in delivery.requests("AC") {
                for (name, value) in request.form {
                    assert!(!value.is_empty(), "{name} is empty");
                    if name == "ContentVariables" {
                        let values: Map<String, Value> = serde_json::from_str(&value).expect("a JSON object");
                        assert!(values.values().all(|value| value.as_str().is_some_and(|text| !text.trim().is_empty())), "{value}");
                    }
                }
            }
        }
    }
});
