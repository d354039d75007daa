//! Rules about how a flow looks in the Console. What it does is not concerned.

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};

/// How near two widgets lie to each other on the canvas when one covers the other, whatever their sizes.
const COVERED: f64 = 40.0;

pub(super) const RULES: &[Rule] = &[Rule {
    code: "offset-overlap",
    level: Level::Off,
    what: "Two widgets lie on top of each other on the canvas",
    why: "Whoever opens the flow in the Console sees one of them. What the flow does is not concerned, so this is off by default; and a \
              flow in which all lie in one place was never laid out, which is no finding.",
    fix: "Move one of them; `engage-operator flow diagram` shows the flow without its canvas.",
    example: r#"[
  {
    "name": "set", "type": "set-variables", "properties": {"offset": {"x": 0, "y": 200}},
    "transitions": [{"event": "next", "next": "more"}]
  },
  {
    "name": "more", "type": "set-variables", "properties": {"offset": {"x": 0, "y": 400}},
    "transitions": [{"event": "next", "next": "last"}]
  },
  {
    "name": "last", "type": "set-variables", "properties": {"offset": {"x": 10, "y": 410}},
    "transitions": [{"event": "next"}]
  }
]"#,
    check: overlapping,
}];

fn overlapping(subject: &Subject<'_>, found: &mut Found<'_>) {
    let offset = |node: &Node<'_>| {
        let offset = node.get("offset")?;
        Some((offset.get("x")?.as_f64()?, offset.get("y")?.as_f64()?))
    };
    let mut placed: Vec<_> = subject.nodes.iter().filter_map(|node| Some((offset(node)?, node))).collect();
    let covers = |(left, top): (f64, f64), (x, y): (f64, f64)| (left - x).abs() < COVERED && (top - y).abs() < COVERED;
    if placed.iter().all(|(place, _)| covers(placed[0].0, *place)) {
        return;
    }
    placed.sort_by(|(left, _), (right, _)| left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1)));
    for (index, (place, node)) in placed.iter().enumerate() {
        let near = placed[..index].iter().rev().take_while(|(other, _)| place.0 - other.0 < COVERED);
        let covered = near.filter(|(other, _)| covers(*other, *place)).find_map(|(_, other)| other.name());
        if let Some(covered) = covered {
            found.widget(
                node.name(),
                node.property("offset"),
                format!("it lies on top of `{covered}` on the canvas: move it"),
            );
        }
    }
}
