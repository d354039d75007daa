//! Lengths, patterns, types, required and unknown fields: each limit in `crds/` refuses what is beyond it, on the API server
//! and where there is none; and of whatever else is put into a field, both say the same.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    admission::{admit_offline, schemas, tasks_by_sid},
    world::Cluster,
};
use crate::harness::{by_name, conversation, destination, flow, interaction, merge, whatsapp};

/// Objects that between them have every field of both specs.
fn full() -> Vec<Value> {
    let common = json!({
        "suspend": true, "verification": "Warn", "resyncInterval": "1h", "when": "true", "consent": {"trait": "opt_in"},
        "phone": {"trait": "phone", "defaultRegion": "BR"},
        "delivery": {"rate": 1, "maxAge": "1h", "dedupeWindow": "1d", "settle": "9s", "onUnknownOutcome": "Park",
            "onSameEntry": "Send", "entryCoolDown": "2m"},
        "segment": {"spaceId": "spa_1", "region": "EU", "credentialsRef": {
            "keys": {"profilesApiToken": "a", "webhookSecret": "b", "webhookToken": "c"}}},
        "outcomes": {"credentialsRef": {"name": "segment", "keys": {"writeKey": "d"}}},
        "twilio": {"credentialsRef": {
            "keys": {"accountSid": "a", "authToken": "b", "apiKey": "c", "apiSecret": "d"}}},
    });
    let with_action = |action: Value, change: Value| {
        let mut spec = common.clone();
        merge(&mut spec, &action);
        merge(&mut spec, &change);
        destination("full", &spec)
    };
    let content = json!({"friendlyName": "lead_welcome", "language": "en"});
    let mut by_position = whatsapp();
    by_position["whatsapp"].as_object_mut().unwrap().remove("contentVariables");
    let mut by_sid = conversation();
    by_sid["conversation"].as_object_mut().unwrap().remove("flowRef");
    let mut flow = flow();
    merge(
        &mut flow["spec"],
        &json!({"publish": true, "suspend": true, "deletionPolicy": "Delete", "twilio": {"credentialsRef": {
            "keys": {"accountSid": "a", "authToken": "b", "apiKey": "c", "apiSecret": "d"}}}}),
    );
    merge(&mut flow["spec"]["references"][0], &json!({"workflow": {"workspace": "w"}}));
    merge(&mut flow["spec"]["references"][1], &json!({"taskChannel": {"workspace": "w"}}));
    let reference = |names: Value| {
        let mut reference = json!({"widget": "send_to_flex", "property": "workflow"});
        merge(&mut reference, &names);
        reference
    };
    flow["spec"]["references"].as_array_mut().unwrap().extend([
        reference(json!({"taskQueue": {"friendlyName": "a", "workspace": "w"}})),
        reference(json!({"subflow": {"name": "a"}})),
        reference(json!({"content": content})),
        reference(json!({"messagingService": {"friendlyName": "a"}})),
        reference(json!({"conversationService": {"friendlyName": "a"}})),
        reference(json!({"twilioFunction": {"service": "a", "environment": "b", "path": "/c"}})),
        reference(json!({"value": "a"})),
    ]);
    merge(
        &mut flow["spec"],
        &json!({"staged": true, "driftPolicy": "Report", "overwriteRevision": 3, "revision": 2,
            "deletionDeadline": "1h", "lint": {"severities": {"failure-ends": "Warning"}},
            "parameters": [{"name": "order", "description": "its number"}],
            "testUsers": ["+5511900000001"], "adopt": {"friendlyName": "a"}}),
    );
    let mut from_config_map = flow.clone();
    from_config_map["spec"]["adopt"] = json!({"sid": crate::harness::sid("FW", 1)});
    from_config_map["spec"].as_object_mut().unwrap().remove("definition");
    from_config_map["spec"]["definitionFrom"] = json!({"configMapKeyRef": {"name": "flows", "key": "agent.json"}});
    let mut subscribed = with_action(whatsapp(), json!({}));
    subscribed["spec"]["consent"] = json!({"subscription": "OptIn"});
    vec![
        with_action(whatsapp(), json!({"whatsapp": {"validity": "4h"}})),
        with_action(by_position, json!({"whatsapp": {"includeTraits": ["a"]}})),
        with_action(conversation(), json!({"conversation": {"onActiveConversation": "Reuse"}})),
        subscribed,
        with_action(by_name(whatsapp(), &content), json!({})),
        with_action(by_name(conversation(), &content), json!({})),
        with_action(by_sid, json!({"conversation": {"flowSid": crate::harness::sid("FW", 1)}})),
        with_action(interaction(), json!({"interaction": {"workspace": {"friendlyName": "w"}}})),
        with_action(tasks_by_sid(), json!({"interaction": {"workspace": {"sid": crate::harness::sid("WS", 1)}}})),
        flow,
        from_config_map,
    ]
}

/// An object with one thing changed.
struct Changed {
    what: String,
    object: Value,
    /// Whether it is beyond a limit of the schema; what is not may be right or wrong.
    beyond: bool,
}

/// Walks an object beside its schema and changes one value after another.
struct Walk<'a> {
    object: &'a Value,
    changed: Vec<Changed>,
    /// Fields of the schema that the object has.
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    fn put(&mut self, pointer: &str, value: Value, beyond: bool) {
        let mut object = self.object.clone();
        let what = format!("{pointer} = {}", value.to_string().chars().take(60).collect::<String>());
        *object.pointer_mut(pointer).unwrap() = value;
        self.changed.push(Changed { what, object, beyond });
    }

    fn at(&mut self, schema: &Value, pointer: &str, field: &str) {
        let value = self.object.pointer(pointer).unwrap().clone();
        self.seen.insert(field.to_owned());
        let number = |name: &str| schema[name].as_f64();
        let length = |name: &str| schema[name].as_u64().map(|length| usize::try_from(length).unwrap());
        for odd in
            [json!(null), json!(""), json!("é"), json!(0), json!(-1), json!(1.5), json!(true), json!({}), json!([])]
        {
            self.put(pointer, odd, false);
        }
        let other_type = if value.is_string() { json!(7) } else { json!("seven") };
        self.put(pointer, other_type, true);
        if let Some(longest) = length("maxLength") {
            self.put(pointer, json!("x".repeat(longest + 1)), true);
            self.put(pointer, json!("é".repeat(longest)), false);
        }
        if length("minLength") == Some(1) {
            self.put(pointer, json!(""), true);
        }
        if schema.get("pattern").is_some() {
            for no_period in ["", "10", "1w", "-1s", "1.5h", "1h30m", "123456789s"] {
                self.put(pointer, json!(no_period), true);
            }
        }
        if schema.get("enum").is_some() {
            self.put(pointer, json!("Other"), true);
        }
        #[expect(clippy::cast_possible_truncation, reason = "limits are whole numbers")]
        for (limit, further) in [(number("minimum"), -1), (number("maximum"), 1)] {
            let Some(limit) = limit.map(|limit| limit as i64) else { continue };
            self.put(pointer, json!(limit + further), true);
            self.put(pointer, json!(limit), false);
        }
        match &value {
            Value::Object(fields) => self.fields(schema, fields, pointer, field),
            Value::Array(items) => {
                if let Some(most) = length("maxItems") {
                    self.put(pointer, json!(vec![items[0].clone(); most + 1]), true);
                    self.put(pointer, json!(vec![items[0].clone(); most]), false);
                }
                if length("minItems") == Some(1) {
                    self.put(pointer, json!([]), true);
                }
                for index in 0..items.len() {
                    self.at(&schema["items"], &format!("{pointer}/{index}"), &format!("{field}[]"));
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, schema: &Value, fields: &serde_json::Map<String, Value>, pointer: &str, field: &str) {
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for name in fields.keys() {
            let mut object = self.object.clone();
            object.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            let beyond = required.contains(name.as_str());
            self.changed.push(Changed { what: format!("{pointer}/{name} removed"), object, beyond });
        }
        let Some(properties) = schema.get("properties") else { return };
        let mut object = self.object.clone();
        object.pointer_mut(pointer).unwrap()["unknwon"] = json!(1);
        self.changed.push(Changed { what: format!("{pointer}/unknwon added"), object, beyond: true });
        for name in fields.keys() {
            self.at(&properties[name], &format!("{pointer}/{name}"), &format!("{field}.{name}"));
        }
    }
}

/// Every field below `schema`.
fn fields(schema: &Value, field: &str, found: &mut BTreeSet<String>) {
    found.insert(field.to_owned());
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        fields(schema, &format!("{field}.{name}"), found);
    }
    if let Some(items) = schema.get("items") {
        fields(items, &format!("{field}[]"), found);
    }
}

/// Every object of [`full`] with one thing changed. Fails when no object has some field of the schemas.
fn changed() -> Vec<Changed> {
    let mut changed = Vec::new();
    for (kind, schema) in schemas() {
        let schema = &schema["properties"]["spec"];
        let (mut all, mut seen) = (BTreeSet::new(), BTreeSet::new());
        fields(schema, "spec", &mut all);
        for object in full().iter().filter(|object| object["kind"] == kind) {
            let mut walk = Walk { object, changed: Vec::new(), seen: BTreeSet::new() };
            walk.at(schema, "/spec", "spec");
            changed.append(&mut walk.changed);
            seen.append(&mut walk.seen);
        }
        let missing: Vec<_> = all.difference(&seen).collect();
        assert!(missing.is_empty(), "give an object of `full` these fields: {missing:?}");
    }
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_refuses_what_is_beyond_it_with_and_without_an_api_server() {
    for object in full() {
        admit_offline(&object).unwrap();
    }
    let changed = changed();
    for Changed { what, object, beyond } in &changed {
        assert!(!beyond || admit_offline(object).is_err(), "accepted without an API server: {what}");
    }
    let Some(cluster) = Cluster::start().await else { return };
    for object in full() {
        cluster.admit(&object).await.unwrap();
    }
    let verdicts = stream::iter(&changed).map(async |changed| (changed, cluster.admit(&changed.object).await));
    let differing: Vec<String> = verdicts
        .buffer_unordered(8)
        .filter_map(async |(Changed { what, object, beyond }, verdict)| {
            let offline = admit_offline(object);
            let as_expected = offline.is_ok() == verdict.is_ok() && !(*beyond && verdict.is_ok());
            (!as_expected).then(|| format!("{what}:\n  API server {verdict:?}\n  without {offline:?}"))
        })
        .collect()
        .await;
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), changed.len(), differing.join("\n"));
}
