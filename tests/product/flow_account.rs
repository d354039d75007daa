//! A flow out of the account as a manifest, and a manifest against the account: `flow pull` and `flow diff -f`.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    flow_references::of_every_kind,
    harness::{World, sid},
};

/// Exit code, standard output and standard error of a command that may ask the account.
fn run(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
        .args(arguments)
        .env("TWILIO_ACCOUNT_SID", sid("AC", 1))
        .env("TWILIO_AUTH_TOKEN", "demo-auth-token")
        .env("ENGAGE_TWILIO_BASE_URL", world.sim.twilio_base_url())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn sid_of(world: &World, name: &str) -> String {
    world.get("sf", name).unwrap()["status"]["sid"].as_str().unwrap().to_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn revisions(world: &World, sid: &str) -> usize {
    world.sim.state().flows.iter().find(|flow| flow.sid == *sid).unwrap().revisions.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_the_account_becomes_a_manifest_with_names_and_back_the_same_flow() {
    let world = of_every_kind().await;
    let folder = tempfile::tempdir().unwrap();
    let (code, manifest, notes) =
        run(&world, &["flow", "pull", "outer", "--namespace", "marketing", "--name", "again"]);
    assert_eq!(code, 0, "{notes}");
    let read: Value = serde_saphyr::from_str(&manifest).unwrap();
    let reference = |widget: &str, property: &str, field: &str, names: Value| {
        let mut reference = json!({"widget": widget, "property": property});
        reference[field] = names;
        reference
    };
    let welcome = json!({"friendlyName": "lead_welcome", "language": "en"});
    let expected = json!([
        {"widget": "call", "twilioFunction": {"service": "engage-functions", "path": "/lookup-order", "environment": "production"}},
        reference("vars", "variables.0.value", "workflow", json!({"friendlyName": "Support"})),
        reference("vars", "variables.1.value", "taskChannel", json!({"uniqueName": "voice"})),
        reference("vars", "variables.2.value", "taskQueue", json!({"friendlyName": "Everyone"})),
        reference("vars", "variables.3.value", "conversationService", json!({"friendlyName": "Service 119"})),
        reference("vars", "variables.5.value", "content", welcome.clone()),
        reference("send", "content_sid", "content", welcome),
        reference("send", "messaging_service_sid", "messagingService", json!({"friendlyName": "Engage"})),
        reference("sub", "flow_sid", "subflow", json!({"name": "inner"})),
    ]);
    assert_eq!(read["spec"]["references"], expected, "{manifest}");
    assert!(
        notes.contains("`inner`: it has to be a StudioFlow `inner` of the same namespace, so pull it too"),
        "{notes}"
    );

    // What was pulled is whole, and means what serves.
    let file = write(folder.path(), "again.yaml", &manifest);
    let (code, said, _) = run(&world, &["validate", "-f", &file]);
    assert_eq!(code, 0, "{said}");
    let inner = format!("inner={}", sid_of(&world, "inner"));
    let same = run(&world, &["flow", "diff", "-f", &file, "--subflow", &inner]);
    assert_eq!((same.0, same.1.as_str()), (0, "no difference\n"), "{}", same.2);
    let (code, _, error) = run(&world, &["flow", "diff", "-f", &file]);
    assert!(code == 2 && error.contains("spec.references[8]") && error.contains("--subflow inner=FW…"), "{error}");

    // What it would change is said, widget by widget.
    let edited = manifest.replace("https://crm.example.com", "https://other.example.com");
    assert_ne!(edited, manifest);
    let file = write(folder.path(), "edited.yaml", &edited);
    let (code, difference, _) = run(&world, &["flow", "diff", "-f", &file, "--subflow", &inner]);
    assert_eq!(code, 1, "{difference}");
    assert!(difference.contains("! vars (set-variables)") && difference.contains("other.example.com"), "{difference}");

    // Applied, it takes the flow over and writes nothing.
    let outer = sid_of(&world, "outer");
    world.remove("StudioFlow", "outer");
    let (code, manifest, _) =
        run(&world, &["flow", "pull", &outer, "--namespace", "marketing", "--name", "again", "--adopt"]);
    assert_eq!(code, 0);
    let read: Value = serde_saphyr::from_str(&manifest).unwrap();
    assert_eq!(read["spec"]["adopt"]["sid"], outer);
    world.apply(&read);
    world.all_ready(&[read]).await;
    assert_eq!((sid_of(&world, "again"), revisions(&world, &outer)), (outer.clone(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_console_comes_into_git_as_a_patch_of_the_manifest() {
    let world = of_every_kind().await;
    let folder = tempfile::tempdir().unwrap();
    let (_, manifest, _) = run(&world, &["flow", "pull", "outer", "--namespace", "marketing", "--name", "outer"]);
    let file = write(folder.path(), "outer.yaml", &manifest);
    let outer = sid_of(&world, "outer");
    let subflow = format!("inner={}", sid_of(&world, "inner"));
    let diff = |file: &str, format: &str| {
        run(&world, &["flow", "diff", "-f", file, "--subflow", &subflow, "--format", format])
    };
    let nothing = diff(&file, "patch");
    assert_eq!((nothing.0, nothing.1.as_str()), (0, "[]\n"), "{}", nothing.2);

    // Somebody writes another address, has another queue, and takes a widget out.
    let state = world.sim.state();
    let flow = state.flows.iter().find(|flow| flow.sid == *outer).unwrap();
    let mut edited = Value::clone(&flow.revisions.last().unwrap().definition);
    let states = edited["states"].as_array_mut().unwrap();
    states.retain(|state| state["name"] != "send");
    let mut mentions = false;
    for state in states.iter_mut() {
        for transition in state["transitions"].as_array_mut().unwrap() {
            mentions |= transition["next"] == "send";
            if transition["next"] == "send" {
                transition.as_object_mut().unwrap().remove("next");
            }
        }
    }
    let vars = states.iter_mut().find(|state| state["name"] == "vars").unwrap();
    vars["properties"]["variables"][2]["value"] = json!(sid("WQ", 999));
    vars["properties"]["variables"][4]["value"] = json!("https://edited.example.com");
    drop(state);
    assert!(mentions);
    world.sim.edit_flow(&outer, Some(edited), "published").unwrap();

    let (code, patch, notes) = diff(&file, "patch");
    assert_eq!(code, 1, "{notes}");
    for gone in ["widget `send`", "widget `vars`"] {
        assert!(notes.contains(gone), "{notes}");
    }
    let patch: json_patch::Patch = serde_json::from_str(&patch).unwrap();
    let mut document: Value = serde_saphyr::from_str(&manifest).unwrap();
    json_patch::patch(&mut document, &patch).unwrap();
    let left: Vec<&str> =
        ["widget", "property"].into_iter().filter_map(|key| document["spec"]["references"][3][key].as_str()).collect();
    assert_eq!(left, ["vars", "variables.3.value"]);
    let patched = write(folder.path(), "patched.yaml", &serde_saphyr::to_string(&document).unwrap());
    let same = diff(&patched, "text");
    assert_eq!((same.0, same.1.as_str()), (0, "no difference\n"), "{}", same.2);

    let (code, _, error) = run(&world, &["flow", "diff", &file, &patched, "--format", "patch"]);
    assert!(code == 2 && error.contains("give it with -f"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_written_nowhere_and_what_is_missing_is_said() {
    let world = of_every_kind().await;
    let inner = sid_of(&world, "inner");
    let definition = json!({
        "description": "", "initial_state": "Trigger", "flags": {"allow_concurrent_calls": true}, "states": [
            {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingRequest", "next": "ask"}]},
            {"name": "ask", "type": "make-http-request",
                "properties": {"url": "https://user:hunter2secret@example.com/leads", "method": "GET"},
                "transitions": [{"event": "success"}, {"event": "failed"}]},
        ]
    });
    world.sim.edit_flow(&inner, Some(definition), "draft").unwrap();
    let (code, output, error) = run(&world, &["flow", "pull", &inner, "--revision", "latest"]);
    assert_eq!((code, output.as_str()), (1, ""), "{error}");
    assert!(
        error.contains("widget `ask`") && error.contains("[credential]") && !error.contains("hunter2secret"),
        "{error}"
    );

    for (arguments, said) in [
        (["flow", "pull", "nothing"].as_slice(), "has no flow `nothing`"),
        (&["flow", "pull", &sid("FW", 99)], "was never published"),
        (&["flow", "pull", &inner, "--revision", "7"], "has no revision 7"),
    ] {
        let (code, output, error) = run(&world, arguments);
        assert_eq!((code, output.as_str()), (2, ""), "{error}");
        assert!(error.contains(said), "{error}");
    }
    let nobody = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
        .args(["flow", "pull", "outer"])
        .env_remove("TWILIO_ACCOUNT_SID")
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"));
}
