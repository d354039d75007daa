//! A difference for a terminal and for a pull request: the first column of each line is `+`, `-`, `!` or a space, so that a
//! block marked as `diff` is coloured. Long values are shown around what differs, and long differences are cut with a count.

use std::fmt::Write;

use serde_json::Value;

use super::{Branch, Change, Difference, PropertyChange, TransitionChange, WidgetDifference};

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Lines beneath the summary.
    pub lines: usize,
    /// Characters of a value.
    pub value: usize,
}

impl Default for Bounds {
    /// Well within the 65,536 characters of a comment on GitHub.
    fn default() -> Self {
        Self { lines: 400, value: 120 }
    }
}

impl Difference {
    /// One line: `2 widgets added, 1 renamed; the flow itself changed in 1 place`.
    pub fn summary(&self) -> String {
        let count =
            |counted: fn(&WidgetDifference) -> bool| self.widgets.iter().filter(|widget| counted(widget)).count();
        let counts = [
            (count(|widget| widget.change == Change::Added), "added"),
            (count(|widget| widget.change == Change::Removed), "removed"),
            (count(|widget| widget.renamed().is_some()), "renamed"),
            (
                count(|widget| {
                    widget.old_name().is_some() && widget.change != Change::Removed && widget.renamed().is_none()
                }),
                "changed",
            ),
        ];
        let mut parts = Vec::new();
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let noun = if parts.is_empty() { plural(count, " widget") } else { String::new() };
            parts.push(format!("{count}{noun} {what}"));
        }
        let flow = match self.flow.len() {
            0 => None,
            count => Some(format!("the flow itself changed in {count}{}", plural(count, " place"))),
        };
        let widgets = Some(parts.join(", ")).filter(|widgets| !widgets.is_empty());
        let said: Vec<String> = widgets.into_iter().chain(flow).collect();
        if said.is_empty() { "no difference".to_owned() } else { said.join("; ") }
    }

    /// The summary, and each change beneath it.
    pub fn text(&self, bounds: Bounds) -> String {
        let mut lines = Vec::new();
        if !self.flow.is_empty() {
            lines.push("! the flow".to_owned());
            self.flow.iter().for_each(|change| property(change, bounds, &mut lines));
        }
        for widget in &self.widgets {
            widget_lines(widget, bounds, &mut lines);
        }
        let mut text = self.summary() + "\n";
        if !lines.is_empty() {
            text.push('\n');
        }
        for line in lines.iter().take(bounds.lines) {
            let _ = writeln!(text, "{line}");
        }
        if let Some(more @ 1..) = lines.len().checked_sub(bounds.lines) {
            let _ = writeln!(text, "  … and {more} more{}", plural(more, " line"));
        }
        text
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

fn widget_lines(widget: &WidgetDifference, bounds: Bounds, lines: &mut Vec<String>) {
    let name = shortened(&widget.name, bounds.value);
    let kind =
        if widget.kind.is_empty() { String::new() } else { format!(" ({})", shortened(&widget.kind, bounds.value)) };
    match &widget.change {
        Change::Added => lines.push(format!("+ {name}{kind}")),
        Change::Removed => lines.push(format!("- {name}{kind}")),
        Change::Changed { renamed, properties, transitions } => {
            let was = renamed.as_ref().map(|renamed| format!(", was {}", shortened(&renamed.from, bounds.value)));
            lines.push(format!("! {name}{kind}{}", was.unwrap_or_default()));
            if let Some(renamed) = renamed.as_ref().filter(|renamed| renamed.left_behind > 0) {
                let (count, places) = (renamed.left_behind, plural(renamed.left_behind, " place"));
                lines.push(format!("!   {count}{places} still say {}", shortened(&renamed.from, bounds.value)));
            }
            for change in properties {
                property(change, bounds, lines);
            }
            for change in transitions {
                transition(change, bounds, lines);
            }
        }
    }
}

fn property(change: &PropertyChange, bounds: Bounds, lines: &mut Vec<String>) {
    let (old, new) = (change.old.as_ref().map(Value::to_string), change.new.as_ref().map(Value::to_string));
    let common = match (&old, &new) {
        (Some(old), Some(new)) => old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count(),
        _ => 0,
    };
    let pointer = shortened(&change.pointer, bounds.value);
    for (sign, value) in [('-', old), ('+', new)] {
        if let Some(value) = value {
            lines.push(format!("{sign}   {pointer}: {}", around(&value, common, bounds.value)));
        }
    }
}

fn transition(change: &TransitionChange, bounds: Bounds, lines: &mut Vec<String>) {
    let same = change.old.as_ref().map(Branch::value) == change.new.as_ref().map(Branch::value);
    for (sign, branch) in [('-', &change.old), ('+', &change.new)] {
        if let Some(branch) = branch.as_ref().filter(|_| !same) {
            lines.push(format!("{sign}   {}", branch_line(branch, bounds)));
        }
    }
    if let (Some(moved), Some(branch)) = (change.moved, &change.new) {
        let branch = branch_line(branch, bounds);
        lines.push(format!("!   {branch}: is tried as number {}, was number {}", moved.to, moved.from));
    }
}

/// `match [= yes] → ask`, and what else the transition has.
fn branch_line(branch: &Branch, bounds: Bounds) -> String {
    let mut line = shortened(branch.event(), bounds.value);
    if let Some(conditions) = branch.conditions() {
        let _ = write!(line, " [{}]", shortened(&conditions, bounds.value));
    }
    let next = branch.next().map_or_else(|| "end".to_owned(), |next| shortened(next, bounds.value));
    let _ = write!(line, " → {next}");
    let known = ["event", "conditions", "next"];
    for (key, value) in
        branch.value().as_object().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str()))
    {
        let _ = write!(line, ", {}: {}", shortened(key, bounds.value), shortened(&value.to_string(), bounds.value));
    }
    line
}

/// A text on one line, without anything that would move a terminal's cursor.
fn shortened(text: &str, limit: usize) -> String {
    around(text, 0, limit)
}

/// The part of a text around the character where it begins to differ.
fn around(text: &str, differs_at: usize, limit: usize) -> String {
    let characters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if characters.len() <= limit {
        return characters.into_iter().collect();
    }
    let start = differs_at.saturating_sub(limit / 4).min(characters.len() - limit);
    let shown: String = characters[start..start + limit].iter().collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if start + limit < characters.len() { "…" } else { "" });
    format!("{before}{shown}{after}")
}
