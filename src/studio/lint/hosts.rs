//! Rules about the addresses of Functions that a flow calls.

use std::collections::BTreeMap;

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};

/// The domain of every Functions service.
const DOMAIN: &str = ".twil.io";

pub(super) const RULES: &[Rule] = &[Rule {
    code: "mixed-function-hosts",
    level: Level::Warning,
    what: "One flow calls a Functions service in two environments",
    why: "`leads-1234.twil.io` is the service in production and `leads-1234-dev.twil.io` the same in another environment. A flow that calls \
          both was mostly carried from one to the other by hand, and a widget was forgotten: customers meet what is being tried out.",
    fix: "Call one environment; or leave the properties empty and fill them by an entry of `references` with `twilioFunction`.",
    example: r#"[
  {
    "name": "profile", "type": "run-function", "properties": {"url": "https://leads-1234.twil.io/profile"},
    "transitions": [{"event": "success", "next": "offer"}, {"event": "fail"}]
  },
  {
    "name": "offer", "type": "run-function", "properties": {"url": "https://leads-1234-dev.twil.io/offer"},
    "transitions": [{"event": "success"}, {"event": "fail"}]
  }
]"#,
    check: mixed,
}];

/// A Functions service and its environment, which in production has no name, out of an address.
fn deployed(url: &str) -> Option<(&str, &str)> {
    let host = url.strip_prefix("https://")?.split(['/', '?', '#']).next()?.strip_suffix(DOMAIN)?;
    // The service ends with a number of its own: the first one after its name.
    let mut at = 0;
    for part in host.split('-') {
        let end = at + part.len();
        if at > 0 && part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some((&host[..end], host[end..].trim_start_matches('-')));
        }
        at = end + 1;
    }
    None
}

fn mixed(subject: &Subject<'_>, found: &mut Found<'_>) {
    let mut services: BTreeMap<&str, BTreeMap<&str, Vec<&Node<'_>>>> = BTreeMap::new();
    for node in &subject.nodes {
        if let Some((service, environment)) = deployed(node.text("url")) {
            services.entry(service).or_default().entry(environment).or_default().push(node);
        }
    }
    for (service, mut environments) in services {
        // The one that most widgets call is the one that is meant.
        let Some(meant) = environments.iter().max_by_key(|(name, nodes)| (nodes.len(), std::cmp::Reverse(**name)))
        else {
            continue;
        };
        let meant = *meant.0;
        environments.remove(meant);
        for (environment, nodes) in environments {
            for node in nodes {
                let message = format!(
                    "{service} is called in {} here and in {} elsewhere in the flow: call one environment",
                    shown(environment),
                    shown(meant)
                );
                found.widget(node.name(), node.property("url"), message);
            }
        }
    }
}

fn shown(environment: &str) -> String {
    if environment.is_empty() { "production".to_owned() } else { format!("`{environment}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_service_it_is_and_where() {
        for (url, expected) in [
            ("https://leads-1234.twil.io/a", Some(("leads-1234", ""))),
            ("https://my-leads-1234-dev.twil.io", Some(("my-leads-1234", "dev"))),
            ("https://leads-1234-stage-2.twil.io/a?b", Some(("leads-1234", "stage-2"))),
            ("https://leads.twil.io/a", None),
            ("https://leads-1234.example.com/a", None),
            ("{{flow.variables.host}}/a", None),
        ] {
            assert_eq!(deployed(url), expected, "{url}");
        }
    }
}
