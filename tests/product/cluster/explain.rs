//! What people read with `kubectl`: the explanation of every field, and the columns of `get`. The golden files are written
//! anew by `UPDATE_GOLDEN=1 cargo test --test product -- cluster::explain`.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::{
    SOON,
    world::{Cluster, eventually},
};
use crate::harness::{conversation, destination, flow, merge, sid, whatsapp};

/// Compares with the golden file of that name, or writes it.
fn assert_golden(name: &str, text: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/product/cluster/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} is another: run with UPDATE_GOLDEN=1 if that is meant\n{text}", path.display());
}

/// What `kubectl` prints, without blanks at the ends of lines.
fn kubectl(cluster: &Cluster, arguments: &[&str]) -> String {
    let text = cluster.kubectl(arguments).unwrap();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_explained() {
    let Some(cluster) = Cluster::start().await else { return };
    eventually("the schema is published", async || cluster.kubectl(&["explain", "sf.spec"]).is_ok()).await;
    for (name, arguments) in [
        ("explain-engagedestination", &["engagedestination", "--recursive"] as &[&str]),
        ("explain-studioflow", &["studioflow", "--recursive"]),
        ("explain-engagedestination-spec", &["ed.spec"]),
        ("explain-engagedestination-whatsapp", &["ed.spec.whatsapp"]),
        ("explain-engagedestination-conversation", &["ed.spec.conversation"]),
        ("explain-engagedestination-interaction", &["ed.spec.interaction"]),
        ("explain-engagedestination-delivery", &["ed.spec.delivery"]),
        ("explain-engagedestination-status", &["ed.status"]),
        ("explain-studioflow-spec", &["sf.spec"]),
        ("explain-studioflow-references", &["sf.spec.references"]),
        ("explain-studioflow-status", &["sf.status"]),
    ] {
        let text = kubectl(&cluster, &[&["explain"], arguments].concat());
        assert!(!text.contains("<no description>"), "{name}: {text}");
        assert_golden(name, &text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_columns_say_what_works_and_if_not_why() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.put_secrets().await;
    cluster.start_gateway().await;
    let _controller = cluster.controller_at("one", "https://engage.example.com");
    let changed = |action, change| {
        let mut action = action;
        merge(&mut action, &change);
        action
    };
    cluster.apply(&flow()).await.unwrap();
    cluster.reason("StudioFlow", "connect-to-agent", "Ready", "Ready", SOON).await;
    let mut taken = flow();
    merge(&mut taken, &json!({"metadata": {"name": "taken"}}));
    cluster.apply(&taken).await.unwrap();
    let mut unnamed = flow();
    merge(&mut unnamed, &json!({"metadata": {"name": "unnamed"}, "spec": {"friendlyName": "Another"}}));
    unnamed["spec"]["references"][0]["workflow"]["friendlyName"] = json!("Nobody");
    cluster.apply(&unnamed).await.unwrap();
    let missing_template = changed(whatsapp(), json!({"whatsapp": {"contentSid": sid("HX", 999)}}));
    let missing_secret = changed(whatsapp(), json!({"twilio": {"credentialsRef": {"name": "absent"}}}));
    let destinations = [
        ("agent", conversation(), "Ready"),
        ("paused", changed(whatsapp(), json!({"suspend": true})), "Suspended"),
        ("warned", changed(missing_template.clone(), json!({"verification": "Warn"})), "NotEnforced"),
        ("welcome", whatsapp(), "Ready"),
        ("without-secret", missing_secret, "SecretNotFound"),
        ("without-template", missing_template, "ContentNotFound"),
    ];
    for (name, action, reason) in &destinations {
        cluster.apply(&destination(name, action)).await.unwrap();
        cluster.reason("EngageDestination", name, "Ready", reason, SOON).await;
    }
    cluster.reason("StudioFlow", "taken", "Ready", "NameTaken", SOON).await;
    cluster.reason("StudioFlow", "unnamed", "Ready", "ReferenceNotFound", SOON).await;
    let table = |arguments: &[&str]| without_ages(&kubectl(&cluster, arguments));
    assert_golden("get", &format!("{}\n{}", table(&["get", "ed"]), table(&["get", "sf"])));
    assert_golden(
        "get-wide",
        &format!("{}\n{}", table(&["get", "ed", "-o", "wide"]), table(&["get", "sf", "-o", "wide"])),
    );
    // Both kinds at once, by their category.
    let both = kubectl(&cluster, &["get", "engage", "-o", "name"]);
    assert_eq!(both.lines().count(), destinations.len() + 3, "{both}");
}

/// The table with `-` for each age, and its columns set anew, since their width depends on it.
fn without_ages(table: &str) -> String {
    let header = table.lines().next().unwrap();
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|(at, c)| *c != ' ' && header[..*at].chars().next_back().is_none_or(|before| before == ' '))
        .map(|(at, _)| at)
        .collect();
    let cells = |line: &str| -> Vec<String> {
        let characters: Vec<char> = line.chars().collect();
        let ends = starts[1..].iter().copied().chain([usize::MAX]);
        let cell = |(start, end): (&usize, usize)| {
            let end = end.min(characters.len());
            characters[(*start).min(end)..end].iter().collect::<String>().trim().to_owned()
        };
        starts.iter().zip(ends).map(cell).collect()
    };
    let mut rows: Vec<Vec<String>> = table.lines().map(cells).collect();
    let age = rows[0].iter().position(|name| name == "AGE").unwrap();
    for row in &mut rows[1..] {
        "-".clone_into(&mut row[age]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..starts.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
