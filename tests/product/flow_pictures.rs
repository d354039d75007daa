//! `flow diff` and `flow diagram` as a shell and a pipeline meet them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// Exit code, standard output and standard error.
fn flow(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
        .arg("flow")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/studio/difference/golden").join(name)
}

#[test]
fn a_difference_has_the_exit_codes_of_diff() {
    let (old, new) = (golden("old.json"), golden("new.json"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    assert_eq!(flow(&["diff", old, old], ""), (0, "no difference\n".into(), String::new()));
    let expected = fs::read_to_string(golden("difference.txt")).unwrap();
    assert_eq!(flow(&["diff", old, new], ""), (1, expected.clone(), String::new()));
    assert_eq!(flow(&["diff", "-", new], &fs::read_to_string(old).unwrap()), (1, expected, String::new()));
    for wrong in
        [["diff", old, "no-such-file.json"], ["diff", "-", "-"], ["diff", "-", old], ["diff", old, "--no-such-flag"]]
    {
        let (code, output, error) = flow(&wrong, "no flow");
        assert_eq!((code, output.as_str()), (2, ""), "{wrong:?}");
        assert!(error.starts_with("error: "), "{error}");
    }
    let (_, help, _) = flow(&["diff", "--help"], "");
    assert!(help.contains("Exit codes: 0 both mean the same; 1 they differ; 2 an error"), "{help}");
}

#[test]
fn a_difference_is_shown_in_each_format() {
    let (old, new) = (golden("old.json"), golden("new.json"));
    let show = |format: &str| flow(&["diff", old.to_str().unwrap(), new.to_str().unwrap(), "--format", format], "");
    let (code, mermaid, _) = show("mermaid");
    assert!(code == 1 && mermaid.starts_with("flowchart TD") && mermaid.contains("was first_message"), "{mermaid}");
    let (code, svg, _) = show("svg");
    assert!(code == 1 && svg.starts_with("<svg") && svg.contains("was first_message"), "{svg}");
    let (code, difference, _) = show("json");
    let difference: Value = serde_json::from_str(&difference).unwrap();
    assert_eq!(code, 1);
    assert_eq!(difference["widgets"][1], json!({"name": "closed", "type": "run-function", "change": "added"}));
}

#[test]
fn a_diagram_is_drawn_of_a_definition_and_of_a_manifest() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples/studioflow-connect-to-agent.yaml");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("studio/sample_flow.json");
    for file in [&manifest, &sample] {
        for (format, start) in [("svg", "<svg"), ("mermaid", "flowchart TD"), ("dot", "digraph flow {")] {
            let (code, drawn, error) = flow(&["diagram", file.to_str().unwrap(), "--format", format], "");
            assert_eq!((code, error.as_str()), (0, ""), "{format}");
            assert!(drawn.starts_with(start) && drawn.contains("send_to_flex"), "{drawn}");
        }
    }
    let (code, _, error) = flow(&["diagram", "-"], "[]");
    assert_eq!(code, 2, "{error}");
}
