//! `docs/lint.md`, from the rules.

use std::fmt::{self, Write};

use super::{
    rule::{GROUPS, Rule, rules},
    severities::Level,
};

/// The address of a rule's part of the document, from the top of the repository.
pub fn address(code: &str) -> String {
    format!("docs/lint.md#{code}")
}

/// The document.
pub fn document() -> Result<String, fmt::Error> {
    let mut out = String::from(HEAD);
    writeln!(out, "| code | default | says |\n|---|---|---|")?;
    for rule in rules() {
        writeln!(out, "| [`{code}`](#{code}) | {} | {} |", rule.level.as_str(), rule.what, code = rule.code)?;
    }
    for group in GROUPS {
        writeln!(out, "\n## {}", group.name)?;
        for rule in group.rules {
            write_rule(&mut out, rule)?;
        }
    }
    Ok(out)
}

fn write_rule(out: &mut String, rule: &Rule) -> fmt::Result {
    let Rule { code, level, what, why, fix, example, check: _ } = rule;
    let level = match level {
        Level::Error => "An error",
        Level::Warning => "A warning",
        Level::Off => "Off by default",
    };
    writeln!(out, "\n### {code}\n\n{what}. {level}.\n\n{why}\n\n**What to do:** {fix}")?;
    if !example.is_empty() {
        let lead = match example {
            example if example.starts_with("{\"contentTemplates\":") => ", with what the account says of its templates",
            example if example.starts_with("{\"subflows\":") => ", with what is known of the flow that it runs",
            example if example.starts_with("{\"parameters\":") => ", with the parameters that the StudioFlow declares",
            example if example.starts_with('[') => ", after a trigger that leads to the first",
            _ => "",
        };
        writeln!(out, "\nExample{lead}:\n\n```json\n{example}\n```")?;
    }
    Ok(())
}

const HEAD: &str = "\
# Lint

<!-- Written by `make generate` from the rules in src/studio/lint. -->

What is said of a Studio flow before it is written: by `engage-operator flow lint FILE…`, by `engage-operator validate -f DIR`, and by
the controller. It is one engine. Most rules need nothing but the flow; those under *Content templates* and *Choices* look at what the
account says of the templates that the flow sends, which the controller looks up, and those under *Subflows* at the flows that it runs,
where they are among the files or manifests that are given.

An **error** is what Studio would refuse, or what it takes although a customer is let down. The controller does not write a flow with
an error: `Accepted` is `False` with the reason `DefinitionInvalid`. A flow with a **warning** is written all the same; the
condition `Linted`, `status.lint` and an event tell of it. A rule that is in doubt says nothing: Liquid stands for any value.

Each rule can be taken for an error, for a warning, or not be looked for, by flag and in the resource:

```sh
engage-operator flow lint flow.json --severity unreachable-widget=off --severity failure-ends=warning
```

```yaml
kind: StudioFlow
spec:
  lint:
    severities:
      unreachable-widget: Ignore      # what the flag calls off, which YAML takes for false
      failure-ends: Warning
```

What cannot be judged offline is listed as such with every result: `flow lint` ends with the checks that it could not make, and what
each would take. The rules about content templates are among them.

`validate` looks at whole manifests and has two codes of its own. `invalid-manifest` is what the API server would refuse, by the schema
and rules of the CRDs, or the controller would not accept, such as a condition or a template that cannot be read.
`flow-not-started` is a destination whose StudioFlow is among the manifests and does not connect `incomingConversationMessage`.

";
