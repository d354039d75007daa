//! What the API server does with a resource before it stores it, for places that have no API server: unknown fields, the
//! structural schema, and the CEL rules, all taken from the generated CRD.

use std::{fmt, sync::OnceLock};

use kube::{CustomResourceExt, core::cel};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One thing that is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Path of the field from the top of the resource, for example `spec.conversation.timeout`.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.field, self.message) }
    }
}

/// A kind whose resources can be admitted here.
pub trait Admissible: CustomResourceExt + DeserializeOwned + 'static {
    /// The place where the compiled schema of the kind is kept.
    fn schema_cell() -> &'static OnceLock<Option<KindSchema>>;
}

/// The schema of a kind, ready to be checked against.
pub struct KindSchema {
    raw: Value,
    structural: jsonschema::Validator,
}

macro_rules! admissible {
    ($($kind:ty),+) => {$(
        impl Admissible for $kind {
            fn schema_cell() -> &'static OnceLock<Option<KindSchema>> {
                static CELL: OnceLock<Option<KindSchema>> = OnceLock::new();
                &CELL
            }
        }
    )+};
}

admissible!(super::EngageDestination, super::StudioFlow);

/// Checks `resource` as the API server would and reads it as `K`. All that is wrong is reported at once.
pub fn admit<K: Admissible>(mut resource: Value) -> Result<K, Vec<Rejection>> {
    let Some(schema) = K::schema_cell().get_or_init(compile::<K>) else {
        return Err(vec![Rejection { field: String::new(), message: "the kind has no usable schema".into() }]);
    };
    drop_nulls(&mut resource, &schema.raw);
    let mut rejections = Vec::new();
    for section in ["spec", "status"] {
        if let (Some(value), Some(schema)) =
            (resource.get(section), schema.raw.pointer(&format!("/properties/{section}")))
        {
            unknown_fields(value, schema, section, &mut rejections);
        }
    }
    for error in schema.structural.iter_errors(&resource) {
        rejections.push(Rejection { field: dotted(error.instance_path.as_str()), message: error.to_string() });
    }
    if rejections.is_empty()
        && let Err(errors) = cel::Validator::new().validate(&schema.raw, &resource, None)
    {
        rejections.extend(errors.iter().map(|error| Rejection {
            field: error.field_path.trim_start_matches('.').to_owned(),
            message: error.message.clone(),
        }));
    }
    if !rejections.is_empty() {
        return Err(rejections);
    }
    serde_json::from_value(resource)
        .map_err(|error| vec![Rejection { field: String::new(), message: error.to_string() }])
}

fn compile<K: CustomResourceExt>() -> Option<KindSchema> {
    let crd = K::crd();
    let raw = serde_json::to_value(crd.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()?;
    // A structural schema needs no more than draft 4, whose own schema is a fraction of the memory of later ones'.
    let structural = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft4)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(&raw)
        .ok()?;
    Some(KindSchema { raw, structural })
}

/// The API server drops a null where the schema does not want one; what a template engine leaves empty is then absent.
fn drop_nulls(value: &mut Value, schema: &Value) {
    if preserves_unknown(schema) {
        return;
    }
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for (name, field) in fields {
                if let Some(schema) = field_schema(schema, name) {
                    drop_nulls(field, schema);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    drop_nulls(item, schema);
                }
            }
        }
        _ => {}
    }
}

/// `kubectl` refuses a field that the schema does not have; a typo must not be silently without effect.
fn unknown_fields(value: &Value, schema: &Value, path: &str, rejections: &mut Vec<Rejection>) {
    if preserves_unknown(schema) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                match field_schema(schema, name) {
                    Some(schema) => unknown_fields(field, schema, &path, rejections),
                    None if schema.get("properties").is_some() => rejections.push(Rejection {
                        field: path,
                        message: format!("unknown field{}", did_you_mean(schema, name)),
                    }),
                    None => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    unknown_fields(item, schema, &format!("{path}[{index}]"), rejections);
                }
            }
        }
        _ => {}
    }
}

fn preserves_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

fn field_schema<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema
        .get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()))
}

/// The known field of which `name` is most likely a misspelling, as the end of a sentence.
fn did_you_mean(schema: &Value, name: &str) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return String::new() };
    let flat = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let flat_name = flat(name);
    let alike = properties.keys().filter(|known| {
        let known = flat(known);
        known.starts_with(&flat_name) || flat_name.starts_with(&known)
    });
    // `contentSID` is rather `contentSid` than `content`.
    match alike.min_by_key(|known| flat(known).len().abs_diff(flat_name.len())) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => format!("; known here are {}", properties.keys().cloned().collect::<Vec<_>>().join(", ")),
    }
}

fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            path.push('[');
            path.push_str(part);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
        }
    }
    path
}
