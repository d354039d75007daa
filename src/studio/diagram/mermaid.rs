//! Mermaid, as GitHub draws it in a comment: at most 500 edges and 50,000 characters there, beyond which it draws nothing at
//! all. A larger picture is cut, and says so.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
};

use super::{Picture, Shape, Status, words::label_lines, words::shortened};
use crate::studio::widget::Family;

const EDGES: usize = 480;
const CHARACTERS: usize = 45_000;
const NAME: usize = 40;

const CLASSES: &str = "  classDef control fill:#fff4cc,stroke:#b08800,color:#1f2328
  classDef messaging fill:#dafbe1,stroke:#2da44e,color:#1f2328
  classDef voice fill:#ddf4ff,stroke:#218bff,color:#1f2328
  classDef code fill:#eddeff,stroke:#8250df,color:#1f2328
  classDef flex fill:#ffe2cc,stroke:#d4691e,color:#1f2328
  classDef unknown fill:#f6f8fa,stroke:#8c959f,color:#1f2328
  classDef missing fill:#f6f8fa,stroke:#cf222e,color:#cf222e,stroke-dasharray:2 3
  classDef unreachable stroke-dasharray:6 4
";
const CLASSES_OF_CHANGES: &str = "  classDef same fill:#f6f8fa,stroke:#8c959f,color:#1f2328
  classDef added fill:#ccffd8,stroke:#1a7f37,color:#1f2328,stroke-width:2px
  classDef removed fill:#ffd7d5,stroke:#cf222e,color:#1f2328,stroke-width:2px,stroke-dasharray:6 4
  classDef changed fill:#fff1c2,stroke:#9a6700,color:#1f2328,stroke-width:2px
  classDef renamed fill:#ddf4ff,stroke:#0969da,color:#1f2328,stroke-width:2px
";

impl Picture {
    pub fn mermaid(&self) -> String {
        let kept = self.first_edges(EDGES.min(self.edges.len()));
        let whole = self.written(&kept);
        if whole.len() <= CHARACTERS {
            return whole;
        }
        // Each edge takes about as much room as another.
        let fitting = (1..kept.len()).rev().step_by(20).map(|count| self.written(&kept[..count]));
        fitting.into_iter().find(|text| text.len() <= CHARACTERS).unwrap_or_else(|| self.written(&[]))
    }

    /// As many edges as are asked for: what changed comes first, and then what is near the beginning.
    fn first_edges(&self, count: usize) -> Vec<usize> {
        let mut distance = vec![usize::MAX; self.nodes.len()];
        let mut outgoing = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            outgoing[edge.from].push(edge.to);
        }
        let mut open: VecDeque<usize> = self.root.into_iter().collect();
        self.root.iter().for_each(|root| distance[*root] = 0);
        while let Some(node) = open.pop_front() {
            for &to in &outgoing[node] {
                if distance[to] == usize::MAX {
                    distance[to] = distance[node] + 1;
                    open.push_back(to);
                }
            }
        }
        let mut edges: Vec<usize> = (0..self.edges.len()).collect();
        edges.sort_by_key(|edge| (self.edges[*edge].status == Status::Same, distance[self.edges[*edge].from], *edge));
        edges.truncate(count);
        edges
    }

    fn written(&self, kept: &[usize]) -> String {
        let all = kept.len() == self.edges.len();
        let mut shown: BTreeSet<usize> =
            kept.iter().flat_map(|edge| [self.edges[*edge].from, self.edges[*edge].to]).chain(self.root).collect();
        if all {
            shown.extend(0..self.nodes.len());
        }
        let mut text = String::new();
        if !all {
            let (left_out, total) = (self.edges.len() - kept.len(), self.edges.len());
            let _ = writeln!(
                text,
                "%% {left_out} of {total} edges are left out: GitHub draws no more than 500. flow diagram --format svg has them all."
            );
        }
        text.push_str("flowchart TD\n");
        for &index in &shown {
            self.node(&mut text, index);
        }
        for note in self
            .note
            .iter()
            .cloned()
            .chain((!all).then(|| format!("and {} more transitions", self.edges.len() - kept.len())))
        {
            let _ = writeln!(text, "  note{}[\"{}\"]", text.len(), escaped(&note, NAME * 2));
        }
        let mut coloured = [const { Vec::new() }; 5];
        let mut kept = kept.to_vec();
        kept.sort_unstable();
        for (place, edge) in kept.iter().map(|edge| &self.edges[*edge]).enumerate() {
            let label: Vec<String> = label_lines(&edge.labels).iter().map(|line| escaped(line, NAME)).collect();
            let arrow = if edge.status == Status::Removed { "-.->" } else { "-->" };
            let label = label.join("<br/>");
            let label = if label.trim().is_empty() { String::new() } else { format!("|\"{label}\"|") };
            let _ = writeln!(text, "  n{} {arrow}{label} n{}", edge.from, edge.to);
            match edge.status {
                Status::Same if edge.failure && !self.of_changes => coloured[0].push(place.to_string()),
                Status::Same => {}
                status => coloured[status as usize].push(place.to_string()),
            }
        }
        let styles = [
            "stroke:#cf222e",
            "stroke:#1a7f37,stroke-width:2px",
            "stroke:#cf222e,stroke-width:2px",
            "stroke:#9a6700,stroke-width:2px",
            "stroke:#0969da",
        ];
        for (places, style) in coloured.iter().zip(styles).filter(|(places, _)| !places.is_empty()) {
            let _ = writeln!(text, "  linkStyle {} {style}", places.join(","));
        }
        text.push_str(if self.of_changes { CLASSES_OF_CHANGES } else { CLASSES });
        text
    }

    fn node(&self, text: &mut String, index: usize) {
        let node = &self.nodes[index];
        let status = ["same", "added", "removed", "changed", "renamed"][node.status as usize];
        let _ = match &node.shape {
            Shape::Widget { name, kind, family, reachable, renamed_from } => {
                let class = if self.of_changes { status } else { class_of(*family) };
                let below = renamed_from.as_ref().map_or_else(|| kind.clone(), |was| format!("was {was}"));
                let _ =
                    writeln!(text, "  n{index}[\"{}<br/>{}\"]:::{class}", escaped(name, NAME), escaped(&below, NAME));
                if *reachable || self.of_changes { Ok(()) } else { writeln!(text, "  class n{index} unreachable") }
            }
            Shape::Missing { name } => {
                let class = if self.of_changes { status } else { "missing" };
                writeln!(text, "  n{index}[\"{}<br/>no such widget\"]:::{class}", escaped(name, NAME))
            }
            Shape::End => writeln!(text, "  n{index}(((\" \")))"),
        };
    }
}

const fn class_of(family: Family) -> &'static str {
    match family {
        Family::FlowControl => "control",
        Family::Messaging => "messaging",
        Family::Voice => "voice",
        Family::Code => "code",
        Family::Flex => "flex",
        Family::Unknown => "unknown",
    }
}

/// A text within quotes. All but letters, digits and a few harmless signs are written by number, so that nothing in it is
/// taken for Mermaid, Markdown or HTML.
fn escaped(text: &str, limit: usize) -> String {
    let mut escaped = String::new();
    for c in shortened(text, limit).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ',' | '…' | '≠') {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    if escaped.trim().is_empty() { " ".to_owned() } else { escaped }
}
