//! DOT, for Graphviz and what reads its language.

use std::fmt::Write;

use super::{Picture, Shape, Status, words::label_lines, words::shortened};
use crate::studio::widget::Family;

const NAME: usize = 60;

impl Picture {
    pub fn dot(&self) -> String {
        let mut dot = "digraph flow {\n  graph [rankdir=TB];\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            let (border, fill) = self.colours(index);
            let _ = match &node.shape {
                Shape::Widget { name, kind, reachable, renamed_from, .. } => {
                    let below = renamed_from.as_ref().map_or_else(|| kind.clone(), |was| format!("was {was}"));
                    let dashed = !*reachable || node.status == Status::Removed;
                    let style = if dashed { ", style=\"rounded,filled,dashed\"" } else { "" };
                    let label = format!("{}\\n{}", escaped(name), escaped(&below));
                    writeln!(dot, "  n{index} [label=\"{label}\", color=\"{border}\", fillcolor=\"{fill}\"{style}];")
                }
                Shape::Missing { name } => {
                    let label = format!("{}\\nno such widget", escaped(name));
                    writeln!(dot, "  n{index} [label=\"{label}\", color=\"#cf222e\", style=\"rounded,dotted\"];")
                }
                Shape::End => {
                    writeln!(dot, "  n{index} [label=\"\", shape=doublecircle, width=0.12, fillcolor=\"#57606a\"];")
                }
            };
        }
        for edge in &self.edges {
            let label: Vec<String> = label_lines(&edge.labels).iter().map(|line| escaped(line)).collect();
            let colour = match edge.status {
                Status::Same if edge.failure && !self.of_changes => "#cf222e",
                status => colours_of(status).0,
            };
            let style = if edge.status == Status::Removed { ", style=dashed" } else { "" };
            let label = label.join("\\n");
            let _ = writeln!(
                dot,
                "  n{} -> n{} [label=\"{label}\", color=\"{colour}\", fontcolor=\"{colour}\"{style}];",
                edge.from, edge.to
            );
        }
        if let Some(note) = &self.note {
            let _ = writeln!(dot, "  label=\"{}\";", escaped(note));
        }
        dot + "}\n"
    }

    fn colours(&self, node: usize) -> (&'static str, &'static str) {
        let node = &self.nodes[node];
        match &node.shape {
            Shape::Widget { family, .. } if !self.of_changes => match family {
                Family::FlowControl => ("#b08800", "#fff4cc"),
                Family::Messaging => ("#2da44e", "#dafbe1"),
                Family::Voice => ("#218bff", "#ddf4ff"),
                Family::Code => ("#8250df", "#eddeff"),
                Family::Flex => ("#d4691e", "#ffe2cc"),
                Family::Unknown => ("#8c959f", "#f6f8fa"),
            },
            _ => colours_of(node.status),
        }
    }
}

const fn colours_of(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Same => ("#6e7781", "#f6f8fa"),
        Status::Added => ("#1a7f37", "#ccffd8"),
        Status::Removed => ("#cf222e", "#ffd7d5"),
        Status::Changed => ("#9a6700", "#fff1c2"),
        Status::Renamed => ("#0969da", "#ddf4ff"),
    }
}

/// A text within quotes.
fn escaped(text: &str) -> String {
    shortened(text, NAME).replace('\\', "\\\\").replace('"', "\\\"")
}
