//! What may know of what, and what the simulator may not know at all.

use std::{fs, path::Path, process::Command};

/// Each module of the library and the ones it may use. Nothing points back.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("api", &[]),
    ("studio", &[]),
    ("segment", &["api"]),
    ("twilio", &["api"]),
    ("delivery", &["api", "segment", "twilio"]),
    ("metrics", &["segment"]),
    ("gateway", &["api", "segment", "twilio", "delivery", "metrics"]),
    ("controller", &["api", "segment", "twilio", "studio", "delivery"]),
    ("standalone", &["api", "segment", "twilio", "delivery", "gateway", "controller", "metrics"]),
    ("kubernetes", &["api", "segment", "twilio", "delivery", "gateway", "controller", "metrics"]),
    (
        "cli",
        &[
            "api",
            "segment",
            "twilio",
            "studio",
            "delivery",
            "gateway",
            "controller",
            "standalone",
            "kubernetes",
            "metrics",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of ours that a source text names, in `use` lines and in paths.
fn used(text: &str) -> Vec<String> {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut modules = Vec::new();
    for (at, _) in flat.match_indices("crate::") {
        let rest = &flat[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // The names directly inside the group, at depth one.
            let (mut depth, mut name) = (1, String::new());
            for char in group.chars() {
                match char {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 1 && (char.is_alphanumeric() || char == '_') {
                    name.push(char);
                } else if depth <= 1 && matches!(char, ',' | ':' | '}') {
                    if !name.is_empty() {
                        modules.push(std::mem::take(&mut name));
                    }
                    if char == ':' {
                        name = "\u{0}".into();
                    }
                }
                if char == ',' && depth == 1 {
                    name.clear();
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            modules.push(rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect());
        }
    }
    modules.retain(|module| MAY_USE.iter().any(|(known, _)| known == module));
    modules
}

#[test]
fn the_names_of_a_use_group_are_read() {
    assert_eq!(used("use crate::{api::{self, x}, delivery::y,\n twilio};"), ["api", "delivery", "twilio"]);
    assert_eq!(used("fn f() -> crate::cli::X {}"), ["cli"]);
}

#[test]
fn modules_use_only_what_is_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut checked = 0;
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let module =
            relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == module) else { continue };
        for used in used(&fs::read_to_string(&file).unwrap()) {
            checked += 1;
            assert!(
                used == module || allowed.contains(&used.as_str()),
                "{}: `{module}` uses `{used}`",
                relative.display()
            );
        }
    }
    assert!(checked > 100, "only {checked} uses were found");
}

#[test]
fn the_simulator_depends_on_nothing_of_the_product() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "engage-simulator", "--edges", "all", "--prefix", "none", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.starts_with("engage-simulator "));
    assert!(!tree.contains("engage-operator "), "{tree}");
}

/// Release builds are checked by `make build`.
#[test]
fn seeded_defects_are_asked_for_in_one_place_and_only_there_where_programs_are_built_for_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let asks = |file: &std::path::PathBuf| fs::read_to_string(file).unwrap().contains("ENGAGE_SEEDED_BUG\")");
    files.retain(asks);
    assert_eq!(files, [root.join("delivery/seeded.rs")]);
    let text = fs::read_to_string(&files[0]).unwrap();
    let (before, _) = text.split_once("ENGAGE_SEEDED_BUG\")").unwrap();
    let (_, function) = before.rsplit_once("#[cfg(").unwrap();
    assert!(function.starts_with("debug_assertions)]"), "{function}");
}
