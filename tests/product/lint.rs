//! What is wrong with a flow is said before it is written: by `flow lint` and `validate` offline, and by the controller.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use engage_simulator::{Options, Seed, seed::Template};
use serde_json::{Value, json};

use crate::{
    flow_references::{flow_of, running},
    harness::{World, flow, merge, sid},
};

/// The program's answer: exit code, standard output and standard error.
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A flow with an error and a warning.
fn bad() -> Value {
    let mut bad = flow()["spec"]["definition"].clone();
    bad["states"][1]["transitions"][0]["next"] = json!("send_to_flx");
    bad["states"][2]["transitions"][1] = json!({"event": "failedToEnqueue"});
    bad
}

#[test]
fn the_sample_flow_has_nothing_wrong_and_what_was_not_checked_is_said() {
    for file in ["studio/sample_flow.json", "manifests/samples/studioflow-connect-to-agent.yaml", "manifests/samples"] {
        let (code, out, err) = run(&["flow", "lint", file], "");
        assert_eq!((code, err.as_str()), (0, ""), "{file}: {out}");
        assert!(
            out.starts_with("1 flow: 0 errors, 0 warnings\n\nNot checked here:\n  studio-validate: "),
            "{file}: {out}"
        );
    }
    let (_, out, _) = run(&["flow", "lint", "studio/sample_flow.json"], "");
    assert!(out.contains("placeholders: whether every `${…}` is filled; it takes the StudioFlow"), "{out}");
    let (code, out, _) = run(&["validate", "-f", "manifests/samples"], "");
    assert_eq!(code, 0, "{out}");
}

#[test]
fn the_exit_code_says_whether_something_is_wrong() {
    let answer = json!({"sid": "FW1", "definition": bad()}).to_string();
    let (code, out, err) = run(&["flow", "lint", "-"], &answer);
    assert_eq!(code, 1, "{out}");
    assert_eq!(err, "error: 1 flow: 1 error, 1 warning\n");
    let error = "standard input: error: widget `first_message`: no widget is called `send_to_flx`, did you mean `send_to_flex`? \
                 (at /states/1/transitions/0/next) [unknown-next]";
    assert!(out.contains(error), "{out}");
    assert!(out.contains("standard input: warning: widget `send_to_flex`: `failedToEnqueue` ends"), "{out}");
    let off = ["flow", "lint", "-", "--severity", "unknown-next=off"];
    assert_eq!(run(&off, &answer).0, 0);
    assert_eq!(run(&[off.as_slice(), &["--fail-on", "warning"]].concat(), &answer).0, 1);
    for (arguments, input, said) in [
        (["flow", "lint", "no-such-file.json", "-o=text"], "", "error: no-such-file.json: No such file"),
        (["flow", "lint", "-", "-o=text"], "{\"states\": [}", "error: standard input: not JSON at line 1, column 13"),
        (
            ["flow", "lint", "-", "--severity=unknown-nxt=off"],
            "{}",
            "no rule `unknown-nxt`, did you mean `unknown-next`?",
        ),
    ] {
        let (code, _, err) = run(&arguments, input);
        assert!(code == 2 && err.contains(said), "{code}: {err}");
    }
}

#[test]
fn each_output_can_be_read_by_what_it_is_for() {
    let json: Value = serde_json::from_str(&run(&["flow", "lint", "-o", "json", "-"], &bad().to_string()).1).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&json!(1), &json!(1)));
    let sarif: Value = serde_json::from_str(&run(&["flow", "lint", "-o", "sarif", "-"], &bad().to_string()).1).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "unknown-next");
    assert!(sarif["runs"][0]["tool"]["driver"]["informationUri"].as_str().unwrap().starts_with("https://"));
    let junit = run(&["flow", "lint", "-o", "junit", "-"], &bad().to_string()).1;
    assert!(junit.contains("<failure type=\"unknown-next\""), "{junit}");
}

#[test]
fn code_scanning_is_pointed_at_the_line_of_the_property() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.json");
    let text = format!("{:#}", json!({"sid": "FW1", "definition": bad()}));
    std::fs::write(&file, &text).unwrap();
    let (_, out, _) = run(&["flow", "lint", "-o", "sarif", file.to_str().unwrap()], "");
    let sarif: Value = serde_json::from_str(&out).unwrap();
    let line = sarif.pointer("/runs/0/results/0/locations/0/physicalLocation/region/startLine").unwrap();
    let expected = text.lines().position(|line| line.contains("\"send_to_flx\"")).unwrap() + 1;
    assert_eq!(line, &json!(expected));
}

/// Manifests as a file of the folder.
fn written(folder: &tempfile::TempDir, flows: &[(&str, Value)]) {
    for (name, flow) in flows {
        std::fs::write(folder.path().join(format!("{name}.json")), flow.to_string()).unwrap();
    }
}

#[test]
fn flows_that_run_each_other_are_looked_at_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let leaf = flow_of(
        "leaf",
        &[json!({"name": "note", "type": "set-variables", "properties": {"variables": []}})],
        &json!([]),
    );
    written(&folder, &[("leaf", leaf.clone()), ("outer", running("outer", &["leaf"]))]);
    for command in [vec!["flow", "lint", path], vec!["validate", "-f", path]] {
        let (code, out, _) = run(&command, "");
        assert_eq!(code, 0, "{out}");
        assert!(!out.contains("  subflows: "), "{out}");
    }
    // One that runs a flow which is not among them has that left open.
    std::fs::remove_file(folder.path().join("leaf.json")).unwrap();
    assert!(run(&["flow", "lint", path], "").1.contains("  subflows: "));

    let mut large = leaf;
    let many = (0..1_999)
        .map(|n| json!({"name": format!("w{n}"), "type": "set-variables", "properties": {}, "transitions": []}));
    large["spec"]["definition"]["states"].as_array_mut().unwrap().extend(many);
    written(
        &folder,
        &[
            ("leaf", large),
            ("middle", running("middle", &["leaf"])),
            ("top", running("top", &["middle"])),
            ("round", running("round", &["back"])),
            ("back", running("back", &["round"])),
        ],
    );
    for command in [vec!["flow", "lint", path], vec!["validate", "-f", path]] {
        let (code, out, _) = run(&command, "");
        let has = |words: &[&str]| out.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert_eq!(code, 1, "{out}");
        assert!(has(&["/top: ", "it runs `middle`, which runs a subflow itself", "[subflow-depth]"]), "{out}");
        assert!(
            has(&["/round: ", "in a circle, which never ends: `round` → `back` → `round`", "[subflow-cycle]"]),
            "{out}"
        );
        assert!(has(&["/middle: ", "widgets together with its subflows", "[subflow-widgets]"]), "{out}");
        assert!(!has(&["/outer: ", "[subflow-depth]"]), "{out}");
    }
}

#[test]
fn a_parameter_that_is_not_declared_is_told_with_the_nearest_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut flow = flow_of(
        "declared",
        &[
            json!({"name": "hello", "type": "send-message", "properties": {"from": "+15005550006", "body": "{{flow.data.nmae}}"}}),
        ],
        &json!([]),
    );
    let linted = |flow: &Value| {
        written(&folder, &[("flow", flow.clone())]);
        run(&["flow", "lint", folder.path().to_str().unwrap()], "").1
    };
    let open = linted(&flow);
    assert!(open.contains("0 errors, 0 warnings") && open.contains("  undeclared-parameter: "), "{open}");
    flow["spec"]["parameters"] = json!([{"name": "name", "description": "of the customer"}]);
    let told = linted(&flow);
    assert!(told.contains("did you mean `name`?") && !told.contains("  undeclared-parameter: "), "{told}");
}

#[test]
fn the_document_of_the_rules_is_that_of_the_program() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md")).unwrap();
    assert!(
        run(&["flow", "lint", "--print-document"], "").1 == written,
        "docs/lint.md is out of date: run `make generate`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_stops_the_write_and_a_warning_is_told_of() {
    let mut warned = flow();
    warned["spec"]["definition"]["states"][2]["transitions"][1] = json!({"event": "failedToEnqueue"});
    let mut strict = warned.clone();
    merge(
        &mut strict,
        &json!({"metadata": {"name": "strict"}, "spec": {
            "friendlyName": "Strict", "lint": {"severities": {"failed-to-enqueue-ends": "Error"}}
        }}),
    );
    let mut misspelt = flow();
    merge(
        &mut misspelt,
        &json!({"metadata": {"name": "misspelt"}, "spec": {
            "friendlyName": "Misspelt", "lint": {"severities": {"failed-to-enqueue-end": "Error"}}
        }}),
    );
    let world = World::with(&[warned.clone(), strict, misspelt]).await;
    let message = world.reason("sf", "connect-to-agent", "Linted", "LintWarnings").await;
    assert!(message.starts_with("widget `send_to_flex`: `failedToEnqueue` ends"), "{message}");
    world.all_ready(&[warned]).await;
    let status = world.get("sf", "connect-to-agent").unwrap()["status"].clone();
    assert_eq!(status["lint"][0]["code"], "failed-to-enqueue-ends");
    assert_eq!(status["lint"][0]["severity"], "Warning");
    let message = world.reason("sf", "strict", "Accepted", "DefinitionInvalid").await;
    assert!(message.contains("[failed-to-enqueue-ends]"), "{message}");
    assert_eq!(world.get("sf", "strict").unwrap()["status"]["lint"][0]["severity"], "Error");
    let message = world.reason("sf", "misspelt", "Accepted", "InvalidSpec").await;
    assert!(message.contains("did you mean `failed-to-enqueue-ends`?"), "{message}");
    assert_eq!(world.sim.state().flows.len(), 1);
    // What is mended is no longer told of.
    world.apply(&flow());
    let begin = std::time::Instant::now();
    while world.get("sf", "connect-to-agent").is_none_or(|flow| !flow["status"]["lint"].is_null()) {
        assert!(begin.elapsed() < std::time::Duration::from_secs(30));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A flow that the API starts, whose first message is a template.
fn opening(name: &str, content_sid: &str, references: &Value) -> Value {
    let mut opening = flow_of(
        name,
        &[json!({"name": "hello", "type": "send-message", "properties": {
            "from": "whatsapp:+15005550006", "message_type": "content_template", "content_sid": content_sid
        }})],
        references,
    );
    opening["spec"]["definition"]["states"][0]["transitions"] = json!([{"event": "incomingRequest", "next": "hello"}]);
    opening
}

#[tokio::test(flavor = "multi_thread")]
async fn the_templates_that_a_flow_sends_are_looked_at_by_name_and_by_sid() {
    let mut seed = Seed::demo();
    let picker =
        json!({"twilio/list-picker": {"body": "Which?", "button": "Choose", "items": [{"id": "a", "item": "Order"}]}});
    let picker = picker.as_object().unwrap().clone();
    seed.content.push(Template {
        sid: sid("HX", 8),
        friendly_name: "topics".into(),
        types: picker,
        approval: None,
        ..seed.content[0].clone()
    });
    let named = json!([{"widget": "hello", "property": "content_sid", "content": {"friendlyName": "topics"}}]);
    let bad = opening("bad", "", &named);
    let (elsewhere, good) =
        (opening("elsewhere", &sid("HX", 99), &json!([])), opening("good", &sid("HX", 1), &json!([])));
    let mut good = good;
    good["spec"]["definition"]["states"][1]["properties"]["content_variables"] =
        json!([{"key": "1", "value": "{{flow.data.name}}"}, {"key": "2", "value": "{{flow.data.plan}}"}]);
    let resources = [bad, elsewhere.clone(), good.clone()];
    let world = World::with_options(&resources, Options { seed, ..Options::default() }, &[]).await;
    let message = world.reason("sf", "bad", "Accepted", "DefinitionInvalid").await;
    assert!(
        message.contains("template `topics` is a twilio/list-picker") && message.contains("[opening-cannot-open]"),
        "{message}"
    );
    let message = world.reason("sf", "elsewhere", "Linted", "LintWarnings").await;
    assert!(message.contains("[unknown-template]"), "{message}");
    world.all_ready(&[elsewhere, good]).await;
    let status = world.get("sf", "good").unwrap()["status"].clone();
    assert_eq!(status["lint"], Value::Null, "{status:#}");
    // One list serves all whose SIDs stand in flows, and one search those of a name.
    assert_eq!(world.sim.requests_of("content.approvals").len(), 1);
    assert_eq!(world.sim.requests_of("content.search_approvals").len(), 1);
}
