//! SVG without fonts, scripts or anything else from outside. The colours are those of a light page, and of a dark one where
//! the viewer asks for it. What was shortened is told in full when the pointer rests on it.

use std::fmt::Write;

use super::{
    Edge, Node, Picture, Shape, Status,
    layout::{self, Graph, Layout, Line, Rectangle, Size},
    words::{LABEL, NAME, label_lines, shortened, width},
};
use crate::studio::widget::Family;

const NAME_SIZE: f64 = 13.0;
const SMALL: f64 = 11.0;
const LINE: f64 = 14.0;
const BOX: f64 = 42.0;
const END: f64 = 16.0;
const LEGEND: f64 = 34.0;

const STYLE: &str = "\
svg{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif}\
.page{fill:#fff}text{fill:#1f2328;text-anchor:middle}.name{font-size:13px;font-weight:600}.small{font-size:11px;fill:#57606a}.legend{text-anchor:start}\
.box{stroke:#8c959f;stroke-width:1.2;fill:#f6f8fa}.end{fill:#57606a;stroke:#57606a}.ring{fill:none;stroke:#57606a;stroke-width:1.2}\
.line{fill:none;stroke:#6e7781;stroke-width:1.3}.head{fill:#6e7781}\
.failure .line{stroke:#cf222e}.failure .head{fill:#cf222e}.failure text{fill:#a40e26}.failure.end-of .end{fill:#cf222e;stroke:#cf222e}.failure.end-of .ring{stroke:#cf222e}\
.unreachable .box{stroke-dasharray:6 4;fill-opacity:.45}.missing .box{stroke:#cf222e;stroke-dasharray:2 3}\
.control .box{fill:#fff4cc;stroke:#b08800}.messaging .box{fill:#dafbe1;stroke:#2da44e}.voice .box{fill:#ddf4ff;stroke:#218bff}\
.code .box{fill:#eddeff;stroke:#8250df}.flex .box{fill:#ffe2cc;stroke:#d4691e}\
.added .box{fill:#ccffd8;stroke:#1a7f37;stroke-width:2}.added .line{stroke:#1a7f37;stroke-width:2}.added .head,.added .end{fill:#1a7f37}.added text.small{fill:#116329}\
.removed .box{fill:#ffd7d5;stroke:#cf222e;stroke-width:2;stroke-dasharray:6 4}.removed .line{stroke:#cf222e;stroke-width:1.6;stroke-dasharray:6 4}.removed .head,.removed .end{fill:#cf222e}.removed text.small{fill:#a40e26}\
.changed .box{fill:#fff1c2;stroke:#9a6700;stroke-width:2}.changed .line{stroke:#9a6700;stroke-width:2}.changed .head,.changed .end{fill:#9a6700}.changed text.small{fill:#7d4e00}\
.renamed .box{fill:#ddf4ff;stroke:#0969da;stroke-width:2}.renamed text.small{fill:#0550ae}\
@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9da7b1}.box{fill:#21262d;stroke:#6e7681}\
.end{fill:#9da7b1;stroke:#9da7b1}.ring{stroke:#9da7b1}.line{stroke:#8b949e}.head{fill:#8b949e}\
.failure .line{stroke:#ff7b72}.failure .head{fill:#ff7b72}.failure text{fill:#ff9d96}.failure.end-of .end{fill:#ff7b72;stroke:#ff7b72}.failure.end-of .ring{stroke:#ff7b72}.missing .box{stroke:#ff7b72}\
.control .box{fill:#3d3200;stroke:#d4a72c}.messaging .box{fill:#0f3d1e;stroke:#3fb950}.voice .box{fill:#0c2d4d;stroke:#58a6ff}\
.code .box{fill:#2f1d54;stroke:#a371f7}.flex .box{fill:#4a250c;stroke:#f0883e}\
.added .box{fill:#0f3d1e;stroke:#3fb950}.added .line{stroke:#3fb950}.added .head,.added .end{fill:#3fb950}.added text.small{fill:#7ee787}\
.removed .box{fill:#4c1518;stroke:#ff7b72}.removed .line{stroke:#ff7b72}.removed .head,.removed .end{fill:#ff7b72}.removed text.small{fill:#ff9d96}\
.changed .box{fill:#3d3200;stroke:#d4a72c}.changed .line{stroke:#d4a72c}.changed .head,.changed .end{fill:#d4a72c}.changed text.small{fill:#e3b341}\
.renamed .box{fill:#0c2d4d;stroke:#58a6ff}.renamed text.small{fill:#79c0ff}}";

impl Picture {
    /// The picture and where its parts are.
    pub fn layout(&self) -> Layout {
        let edges = self.edges.iter().map(|edge| layout::Edge {
            from: edge.from,
            to: edge.to,
            label: label_size(&label_lines(&edge.labels)),
            style: edge.status as u8 * 2 + u8::from(edge.failure),
        });
        Graph { boxes: self.nodes.iter().map(size_of).collect(), edges: edges.collect(), root: self.root }.layout()
    }

    pub fn svg(&self) -> String {
        let layout = self.layout();
        let legend = self.legend();
        let wide = layout.size.width.max(legend.iter().map(|(_, text)| 30.0 + width(text, SMALL)).sum::<f64>() + 32.0);
        let shift = (wide - layout.size.width) / 2.0;
        let mut svg = String::new();
        let (width, height) = (wide.ceil(), (layout.size.height + LEGEND).ceil());
        let _ = writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">"#
        );
        let _ = writeln!(svg, "<style>{STYLE}</style>");
        let _ = writeln!(svg, r#"<rect class="page" width="{width}" height="{height}"/>"#);
        draw_legend(&mut svg, &legend);
        let _ = writeln!(svg, r#"<g transform="translate({} {LEGEND})">"#, rounded(shift));
        for line in &layout.lines {
            self.draw_line(&mut svg, line);
        }
        for (edge, place) in self.edges.iter().zip(&layout.labels) {
            self.draw_label(&mut svg, edge, place);
        }
        for (index, (node, place)) in self.nodes.iter().zip(&layout.boxes).enumerate() {
            self.draw_node(&mut svg, index, node, place);
        }
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    fn draw_line(&self, svg: &mut String, line: &Line) {
        let Some(edge) = line.edges.first().map(|edge| &self.edges[*edge]) else { return };
        let told = line.edges.iter().map(|edge| self.told(&self.edges[*edge])).collect::<Vec<_>>().join("\n");
        let _ = write!(svg, r#"<g class="{}"><title>{}</title>"#, class_of(edge, self.of_changes), escaped(&told));
        let _ = write!(svg, r#"<path class="line" d="{}"/>"#, path(&line.points));
        if let (true, Some((x, y))) = (line.arrow, line.points.last()) {
            let comes_from =
                line.points.iter().rev().find(|point| **point != (*x, *y)).map_or((*x, 0.0), |point| *point);
            let shape = match comes_from {
                (_, from_y) if (from_y - y).abs() < 0.05 => "l7 -4 v8 z",
                (_, from_y) if from_y > *y => "l-4 7 h8 z",
                _ => "l-4 -7 h8 z",
            };
            let _ = write!(svg, r#"<path class="head" d="M{} {}{shape}"/>"#, rounded(*x), rounded(*y));
        }
        svg.push_str("</g>\n");
    }

    fn draw_label(&self, svg: &mut String, edge: &Edge, place: &Rectangle) {
        let lines = label_lines(&edge.labels);
        let _ = write!(
            svg,
            r#"<g class="{}"><title>{}</title>"#,
            class_of(edge, self.of_changes),
            escaped(&self.told(edge))
        );
        draw_rectangle(svg, "page", place, 0.0);
        for (index, line) in lines.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)]
            let y = place.y + LINE * (index as f64) + 11.5;
            draw_text(svg, "small", place.center(), y, line);
        }
        svg.push_str("</g>\n");
    }

    fn draw_node(&self, svg: &mut String, index: usize, node: &Node, place: &Rectangle) {
        let (center, middle) = (place.center(), place.y + place.height / 2.0);
        match &node.shape {
            Shape::Widget { name, kind, family, reachable, renamed_from } => {
                let family = if self.of_changes { "" } else { family_class(*family) };
                let reachable = if *reachable { "" } else { " unreachable" };
                let _ = write!(svg, r#"<g class="{family} {}{reachable}">"#, status_class(node.status));
                let was = renamed_from.as_ref().map(|was| format!("\nwas {was}")).unwrap_or_default();
                let unreached = if reachable.is_empty() { "" } else { "\nno execution comes here" };
                let _ = write!(svg, "<title>{}</title>", escaped(&format!("{name}\n{kind}{was}{unreached}")));
                draw_rectangle(svg, "box", place, 6.0);
                draw_text(svg, "name", center, place.y + 18.0, &shortened(name, NAME));
                draw_text(svg, "small", center, place.y + 34.0, &second_line(kind, renamed_from.as_deref()));
            }
            Shape::Missing { name } => {
                let _ =
                    write!(svg, r#"<g class="missing {}"><title>{}</title>"#, status_class(node.status), escaped(name));
                draw_rectangle(svg, "box", place, 6.0);
                draw_text(svg, "name", center, place.y + 18.0, &shortened(name, NAME));
                draw_text(svg, "small", center, place.y + 34.0, "no such widget");
            }
            Shape::End => {
                let edge = self.edges.iter().find(|edge| edge.to == index);
                let class = edge.map_or("", |edge| class_of(edge, self.of_changes));
                let (x, y) = (rounded(center), rounded(middle));
                let _ = write!(
                    svg,
                    r#"<g class="{class} end-of"><title>end</title><circle class="ring" cx="{x}" cy="{y}" r="7.4"/>"#
                );
                let _ = write!(svg, r#"<circle class="end" cx="{x}" cy="{y}" r="4"/>"#);
            }
        }
        svg.push_str("</g>\n");
    }

    /// What an arrow says, in full.
    fn told(&self, edge: &Edge) -> String {
        let name = |node: usize| match &self.nodes[node].shape {
            Shape::Widget { name, .. } | Shape::Missing { name } => name.as_str(),
            Shape::End => "end",
        };
        format!("{} → {}: {}", name(edge.from), name(edge.to), edge.labels.join("; "))
    }

    /// The classes that appear, and what they mean.
    fn legend(&self) -> Vec<(String, String)> {
        let widgets = |counted: &dyn Fn(&Node) -> bool| self.nodes.iter().any(counted);
        let mut legend = Vec::new();
        if self.of_changes {
            for (status, meaning) in [
                (Status::Added, "added"),
                (Status::Removed, "removed"),
                (Status::Changed, "changed"),
                (Status::Renamed, "renamed"),
                (Status::Same, "as it was"),
            ] {
                if widgets(&|node| node.status == status) || self.edges.iter().any(|edge| edge.status == status) {
                    legend.push((status_class(status).to_owned(), meaning.to_owned()));
                }
            }
        } else {
            for (family, meaning) in FAMILIES {
                let is = |node: &Node| matches!(&node.shape, Shape::Widget { family: of, .. } if of == family);
                if widgets(&is) {
                    legend.push((family_class(*family).to_owned(), (*meaning).to_owned()));
                }
            }
        }
        if widgets(&|node| matches!(node.shape, Shape::Widget { reachable: false, .. })) {
            legend.push(("unreachable".to_owned(), "no execution comes here".to_owned()));
        }
        legend.extend(self.note.iter().map(|note| ("note".to_owned(), note.clone())));
        legend
    }
}

const FAMILIES: &[(Family, &str)] = &[
    (Family::FlowControl, "flow control"),
    (Family::Messaging, "messaging"),
    (Family::Voice, "voice"),
    (Family::Code, "code"),
    (Family::Flex, "Flex"),
    (Family::Unknown, "unknown type"),
];

fn family_class(family: Family) -> &'static str {
    match family {
        Family::FlowControl => "control",
        Family::Messaging => "messaging",
        Family::Voice => "voice",
        Family::Code => "code",
        Family::Flex => "flex",
        Family::Unknown => "unknown",
    }
}

const fn status_class(status: Status) -> &'static str {
    match status {
        Status::Same => "same",
        Status::Added => "added",
        Status::Removed => "removed",
        Status::Changed => "changed",
        Status::Renamed => "renamed",
    }
}

/// In a picture of changes red is what was removed, and a failure has no colour of its own.
fn class_of(edge: &Edge, of_changes: bool) -> &'static str {
    match edge.status {
        Status::Same if edge.failure && !of_changes => "failure",
        status => status_class(status),
    }
}

fn second_line(kind: &str, renamed_from: Option<&str>) -> String {
    renamed_from.map_or_else(|| shortened(kind, NAME), |was| format!("was {}", shortened(was, NAME)))
}

fn size_of(node: &Node) -> Size {
    let (name, below) = match &node.shape {
        Shape::Widget { name, kind, renamed_from, .. } => (name, second_line(kind, renamed_from.as_deref())),
        Shape::Missing { name } => (name, "no such widget".to_owned()),
        Shape::End => return Size { width: END, height: END },
    };
    // A name is bold.
    let widest = (width(&shortened(name, NAME), NAME_SIZE) * 1.06).max(width(&below, SMALL));
    Size { width: (widest + 24.0).max(96.0).ceil(), height: BOX }
}

fn label_size(lines: &[String]) -> Size {
    let widest = lines.iter().map(|line| width(line, SMALL)).fold(0.0, f64::max);
    #[allow(clippy::cast_precision_loss)]
    let height = LINE * lines.len() as f64 + 2.0;
    Size { width: (widest + 6.0).ceil(), height }
}

fn draw_legend(svg: &mut String, legend: &[(String, String)]) {
    let mut x = 16.0;
    for (class, text) in legend {
        let _ = write!(svg, r#"<g class="{class}">"#);
        if class != "note" {
            draw_rectangle(svg, "box", &Rectangle { x, y: 12.0, width: 18.0, height: 12.0 }, 3.0);
            x += 24.0;
        }
        draw_text(svg, "small legend", x, 22.0, &shortened(text, 2 * LABEL));
        svg.push_str("</g>\n");
        x += width(text, SMALL) + 6.0;
    }
}

fn draw_rectangle(svg: &mut String, class: &str, place: &Rectangle, round: f64) {
    let [x, y, width, height] = [place.x, place.y, place.width, place.height].map(rounded);
    let _ = write!(svg, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}"/>"#);
}

fn draw_text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = write!(svg, r#"<text class="{class}" x="{}" y="{}">{}</text>"#, rounded(x), rounded(y), escaped(text));
}

/// Straight where two points are above or beside each other, else a curve that is upright at both ends.
fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in points {
        let (end_x, end_y) = (rounded(x), rounded(y));
        let _ = match before {
            None => write!(path, "M{end_x} {end_y}"),
            Some((from_x, from_y)) if (from_x - x).abs() < 0.05 || (from_y - y).abs() < 0.05 => {
                write!(path, "L{end_x} {end_y}")
            }
            Some((from_x, from_y)) => {
                let middle = rounded(f64::midpoint(from_y, y));
                write!(path, "C{} {middle} {end_x} {middle} {end_x} {end_y}", rounded(from_x))
            }
        };
        before = Some((x, y));
    }
    path
}

fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// A text within an element. Characters that XML does not have, a document must not have either.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
