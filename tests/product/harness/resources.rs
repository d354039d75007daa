//! What tests put into a world: resources, Secrets and events that fit the simulator's seed.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

pub const NAMESPACE: &str = "marketing";
pub const SECRET: &str = "demo-webhook-secret";
pub const WRITE_KEY: &str = "demo-write-key";
pub const SPACE: &str = "spa_demo";
pub const OUR_NUMBERS: [&str; 2] = ["+5511900000001", "+5511900000002"];
/// The number of the seed's profile `lead-1`.
pub const LEAD_1: &str = "+5511987654321";

/// SIDs of the seed.
pub fn sid(prefix: &str, number: u32) -> String {
    format!("{prefix}{number:032}")
}

/// A short settling time, so that what takes a minute takes seconds here. Still longer than any late effect in these tests.
pub const SETTLE: &str = "3s";

pub fn secrets() -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: twilio, namespace: {NAMESPACE}}}
stringData: {{TWILIO_ACCOUNT_SID: {}, TWILIO_AUTH_TOKEN: demo-auth-token}}
---
apiVersion: v1
kind: Secret
metadata: {{name: segment, namespace: {NAMESPACE}}}
stringData: {{SEGMENT_PROFILES_API_TOKEN: demo-profiles-token, SEGMENT_WEBHOOK_SECRET: {SECRET}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: outcomes, namespace: {NAMESPACE}}}
stringData: {{SEGMENT_WRITE_KEY: {WRITE_KEY}}}
",
        sid("AC", 1)
    )
}

/// A destination; `action` goes into its spec, `delivery` over its default.
pub fn destination(name: &str, action: &Value) -> Value {
    let mut spec = json!({
        "twilio": {"credentialsRef": {"name": "twilio"}},
        "segment": {"credentialsRef": {"name": "segment"}, "spaceId": SPACE},
        "phone": {"defaultRegion": "BR"},
        "delivery": {"settle": SETTLE, "rate": 1000},
    });
    merge(&mut spec, action);
    json!({
        "apiVersion": "engage-operator.dev/v1alpha1", "kind": "EngageDestination",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
    })
}

/// Tells Segment what becomes of messages, with the write key of the Secret `outcomes`.
pub fn outcomes() -> Value {
    json!({"outcomes": {"credentialsRef": {"name": "outcomes"}}})
}

/// The whatsapp action with the seed's approved template.
pub fn whatsapp() -> Value {
    json!({"whatsapp": {"messagingServiceSid": sid("MG", 1), "contentSid": sid("HX", 1), "contentVariables": {
        "1": "{{ profile.traits.first_name | default: 'there' }}", "2": "{{ profile.traits.plan | default: 'starter' }}"}}})
}

/// The conversation action with the flow of [`flow`].
pub fn conversation() -> Value {
    json!({"conversation": {"flowRef": {"name": "connect-to-agent"}, "twilioNumber": OUR_NUMBERS, "timeout": 3600,
        "openingMessage": {"contentSid": sid("HX", 1), "contentVariables": {
            "1": "{{ profile.traits.first_name | default: 'there' }}", "2": "{{ profile.traits.plan | default: 'starter' }}"}}}})
}

/// The action with its template named by name instead of by SID.
pub fn by_name(mut action: Value, content: &Value) -> Value {
    for message in ["/whatsapp", "/conversation/openingMessage"] {
        if let Some(message) = action.pointer_mut(message).and_then(Value::as_object_mut) {
            message.remove("contentSid");
            message.insert("content".into(), content.clone());
        }
    }
    action
}

/// The interaction action, by the names of the seed.
pub fn interaction() -> Value {
    json!({"interaction": {"workflow": {"friendlyName": "Assign to Anyone"}, "taskChannel": {"uniqueName": "chat"},
        "twilioNumber": OUR_NUMBERS, "timeout": 3600, "priority": 5, "taskTimeout": 7200,
        "attributes": {"plan": "{{ profile.traits.plan | default: 'none' }}"}}})
}

/// The sample flow as a StudioFlow.
pub fn flow() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("studio/sample_flow.json");
    let definition: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    json!({
        "apiVersion": "engage-operator.dev/v1alpha1", "kind": "StudioFlow",
        "metadata": {"name": "connect-to-agent", "namespace": NAMESPACE},
        "spec": {
            "twilio": {"credentialsRef": {"name": "twilio"}}, "friendlyName": "Connect to agent",
            "definition": definition, "resyncInterval": "5s",
            "references": [
                {"widget": "send_to_flex", "property": "workflow", "workflow": {"friendlyName": "Assign to Anyone"}},
                {"widget": "send_to_flex", "property": "channel", "taskChannel": {"uniqueName": "chat"}},
            ],
        },
    })
}

/// The ConfigMap `flows` with a definition, or what is to be taken for one.
pub fn config_map(key: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flows", "namespace": NAMESPACE},
        "data": {key: text}})
}

/// The resource, with its definition in that ConfigMap.
pub fn from_config_map(mut flow: Value, key: &str) -> Value {
    flow["spec"].as_object_mut().unwrap().remove("definition");
    flow["spec"]["definitionFrom"] = json!({"configMapKeyRef": {"name": "flows", "key": key}});
    flow
}

pub fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A track event of a user; each has a message id of its own.
pub fn event(user: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({"type": "track", "event": "Lead Qualified", "messageId": format!("personas_{id}"), "userId": user,
        "context": {"personas": {"space_id": SPACE, "computation_class": "journey_step"}}, "properties": {}})
}

/// An event that brings its own phone, as trait enrichment makes them.
pub fn event_to(phone: &str) -> Value {
    let mut event = event("someone");
    event["properties"] = json!({"phone": phone, "first_name": "Bia", "plan": "pro", "name": "Bia"});
    event
}

/// The number of the n-th customer of a test; each is valid in Brazil.
pub fn phone(n: usize) -> String {
    format!("+55119{:08}", 80_000_000 + n)
}
