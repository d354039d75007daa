//! The documents say what the program has, and nothing that it has not.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use engage_operator::api::custom_resource_definitions;
use serde_json::Value;

use crate::harness::{World, conversation, destination, event, flow, merge, outcomes, whatsapp};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of all fields below a schema.
fn fields(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, field) in properties {
            found.insert(name.clone());
            fields(field, found);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            fields(&schema[inner], found);
        }
    }
}

#[test]
fn every_field_of_both_kinds_is_in_the_reference() {
    let reference = read("docs/resources.md");
    for crd in custom_resource_definitions() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let schema = &schema["openAPIV3Schema"]["properties"];
        let mut names = BTreeSet::new();
        fields(&schema["spec"], &mut names);
        names.extend(schema["status"]["properties"].as_object().unwrap().keys().cloned());
        assert!(names.len() > 15, "{names:?}");
        let missing: Vec<_> = names.iter().filter(|name| !reference.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{}: not in docs/resources.md: {missing:?}", crd.spec.names.kind);
    }
}

/// The reasons of one module of `src/api/reasons.rs`.
fn reasons(module: &str) -> BTreeSet<String> {
    let source = read("src/api/reasons.rs");
    let module = source.split(&format!("pub mod {module} {{")).nth(1).unwrap().split("\n}").next().unwrap();
    let values = module.lines().filter_map(|line| line.trim().strip_prefix("pub const "));
    values.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn every_reason_is_explained() {
    for (module, document) in [
        ("condition", "docs/resources.md"),
        ("event", "docs/delivery.md"),
        ("request", "docs/delivery.md"),
        ("receipt", "docs/delivery.md"),
    ] {
        let reasons = reasons(module);
        assert!(reasons.len() > 5, "{module}: {reasons:?}");
        let text = read(document);
        let missing: Vec<_> = reasons.iter().filter(|reason| !text.contains(&format!("`{reason}`"))).collect();
        assert!(missing.is_empty(), "not in {document}: {missing:?}");
    }
}

/// The long flags that a sub-command's help lists.
fn flags(role: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_engage-operator")).args([role, "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let lines = help
        .lines()
        .filter_map(|line| line.trim_start().split("--").nth(1).filter(|_| line.trim_start().starts_with('-')));
    let flags = lines.filter_map(|rest| rest.split([' ', ',']).next()).map(|name| format!("--{name}"));
    flags.filter(|flag| flag != "--help").collect()
}

#[test]
fn every_flag_of_the_roles_is_documented_and_every_documented_one_exists() {
    let text = read("docs/operations.md");
    let known: BTreeSet<String> = ["run", "controller", "gateway"].into_iter().flat_map(flags).collect();
    let documented: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `--")?.split('`').next())
        .map(|name| format!("--{name}"))
        .collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(known, documented);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_every_documented_one_exists() {
    let mut action = whatsapp();
    merge(&mut action, &outcomes());
    let world = World::ready(&[flow(), destination("welcome", &action), destination("agent", &conversation())]).await;
    for name in ["welcome", "agent"] {
        assert_eq!(world.send_until_settled(name, &event("lead-1")).await.status, 200);
    }
    let begin = Instant::now();
    while world.metric("engage_announcements_total", &[]).await < 2.0
        || world.metric("engage_receipt_looks_total", &[]).await < 1.0
    {
        assert!(begin.elapsed() < Duration::from_secs(30), "{}", world.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let text = world.metrics().await;
    let known: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE engage_")?.split(' ').next()).collect();
    let reference = read("docs/operations.md");
    let documented: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `engage_")?.split_once("` |"))
        .map(|(name, _)| name.trim_end_matches("_total").trim_end_matches("_info"))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect();
    let unknown: Vec<_> = documented.difference(&known).collect();
    // One that has counted nothing is not shown; these need a delivery that goes on after its request, and a person.
    assert_eq!(unknown, [&"decisions", &"late_outcomes"]);
    assert_eq!(known.difference(&documented).collect::<Vec<_>>(), <[&&str; 0]>::default());
}
