//! The program: `serve` says where it is, `send` and `load` have exit codes, and Twilio's own SDK gets along with it.

use std::process::{Command, Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};

const PROGRAM: &str = env!("CARGO_BIN_EXE_engage-simulator");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

#[tokio::test]
async fn serve_prints_its_addresses_when_it_is_ready() {
    let mut child = tokio::process::Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let word = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap().to_owned();
    assert!(line.starts_with("ready ") && word("twilio=").ends_with("/twilio/{product}"), "{line}");
    let state = reqwest::get(format!("{}/state", word("control="))).await.unwrap();
    assert_eq!(state.status(), 200);
    let tracking = word("tracking=");
    let sent = tokio::task::spawn_blocking(move || {
        run(&[
            "send",
            "--url",
            &format!("{tracking}/v1/track"),
            "--secret",
            "s",
            "--events",
            "examples",
            "--retry-for",
            "0",
        ])
    });
    let sent = sent.await.unwrap();
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(String::from_utf8(sent.stdout).unwrap().lines().count(), 7);
}

#[test]
fn failures_have_exit_codes_and_say_what_is_wrong() {
    let undelivered = ["send", "--url", "http://127.0.0.1:9/", "--events", "examples", "--retry-for", "0"];
    assert_eq!(run(&undelivered).status.code(), Some(1));
    let missing = run(&["serve", "--seed", "no/such/file.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("no/such/file.json"));
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for word in ["serve", "send", "load"] {
        assert!(help.contains(word), "{help}");
    }
}

/// Needs Python and its package index: `sdk/run` says so when they are missing. Run with `--ignored`.
#[test]
#[ignore = "installs Twilio's SDK for Python; run it with `cargo test -p engage-simulator -- --ignored`"]
fn twilios_own_sdk_gets_along_with_it() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sdk/run");
    let output = Command::new(script).env("ENGAGE_SIMULATOR", PROGRAM).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}
