//! As much of Liquid as can be judged without running it: where its tags are, whether they are closed, what they read.
//! What is not understood is passed over: a rule that is in doubt says nothing.

/// A tag of a template, without its braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    /// `{{ … }}`
    Output(&'a str),
    /// `{% … %}`
    Block(&'a str),
}

/// Why a template cannot be rendered.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Mistake {
    #[error("`{open}` is not closed by `{close}`: {}", excerpt(.at))]
    Unclosed { open: &'static str, close: &'static str, at: String },
    #[error("`{{% {0} %}}` is not ended by `{{% end{0} %}}`")]
    Unended(String),
    #[error("`{{% {0} %}}` ends nothing that is open")]
    EndsNothing(String),
}

fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() { format!("`{short}…`") } else { format!("`{short}`") }
}

/// Tags between which there is text that has to be ended.
const BLOCKS: [&str; 8] = ["if", "unless", "case", "for", "tablerow", "capture", "comment", "raw"];

/// Whether there is anything for Liquid in it.
pub fn is_liquid(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// A part of a template: text, or a tag.
enum Part<'a> {
    Text(&'a str),
    Tag(Tag<'a>),
}

/// Reads a template into its parts; where there is a mistake they are those before it.
fn read<'a>(text: &'a str, parts: &mut Vec<Part<'a>>) -> Result<(), Mistake> {
    let mut rest = text;
    while let Some(open) = opening(rest) {
        parts.push(Part::Text(&rest[..open]));
        let (name, close) = if rest[open..].starts_with("{{") { ("{{", "}}") } else { ("{%", "%}") };
        let inside = &rest[open + 2..];
        let unclosed = || Mistake::Unclosed { open: name, close, at: rest[open..].to_owned() };
        let end = inside.find(close).ok_or_else(unclosed)?;
        let inner = &inside[..end];
        if inner.contains("{{") || inner.contains("{%") {
            return Err(unclosed());
        }
        let inner = inner.trim_start_matches('-').trim_end_matches('-').trim();
        rest = &inside[end + 2..];
        parts.push(Part::Tag(if name == "{{" { Tag::Output(inner) } else { Tag::Block(inner) }));
        // What stands in these is not Liquid.
        if name == "{%" && matches!(inner, "raw" | "comment") {
            let ended = rest.find(&format!("end{inner}")).and_then(|at| Some(at + rest[at..].find("%}")? + 2));
            rest = &rest[ended.ok_or_else(|| Mistake::Unended(inner.to_owned()))?..];
            parts.pop();
        }
    }
    parts.push(Part::Text(rest));
    Ok(())
}

/// The tags of a template as far as it can be read.
pub fn tags_before_a_mistake(text: &str) -> Vec<Tag<'_>> {
    let mut parts = Vec::new();
    let _ = read(text, &mut parts);
    let tags = parts.into_iter().filter_map(|part| match part {
        Part::Tag(tag) => Some(tag),
        Part::Text(_) => None,
    });
    tags.collect()
}

/// Where the next tag begins; of a run of braces the last two are its own.
fn opening(text: &str) -> Option<usize> {
    let at = [text.find("{{"), text.find("{%")].into_iter().flatten().min()?;
    let run = text[at..].bytes().take_while(|byte| *byte == b'{').count();
    Some(if run > 2 { at + run - 2 } else { at })
}

/// The tags of a template, in their order.
pub fn tags(text: &str) -> Result<Vec<Tag<'_>>, Mistake> {
    let mut open: Vec<&str> = Vec::new();
    let (mut parts, mut tags) = (Vec::new(), Vec::new());
    read(text, &mut parts)?;
    for part in parts {
        let Part::Tag(tag) = part else { continue };
        tags.push(tag);
        let Tag::Block(inner) = tag else { continue };
        let name = inner.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
        if BLOCKS.contains(&name) {
            open.push(name);
        } else if let Some(ended) = name.strip_prefix("end").filter(|ended| BLOCKS.contains(ended))
            && open.pop() != Some(ended)
        {
            return Err(Mistake::EndsNothing(name.to_owned()));
        }
    }
    open.pop().map_or(Ok(tags), |name| Err(Mistake::Unended(name.to_owned())))
}

impl<'a> Tag<'a> {
    /// What is within the braces.
    pub const fn inner(self) -> &'a str {
        match self {
            Self::Output(inner) | Self::Block(inner) => inner,
        }
    }

    /// The paths that it reads, as far as they are written out: `widgets.ask.inbound.Body`.
    pub fn paths(self) -> Vec<Path<'a>> {
        let mut paths = Vec::new();
        let mut rest = self.inner();
        while let Some(char) = rest.chars().next() {
            if char == '"' || char == '\'' {
                let after = &rest[1..];
                rest = after.find(char).map_or("", |end| &after[end + 1..]);
            } else if is_name(char) {
                let (path, after) = path(rest);
                paths.push(path);
                rest = after;
            } else {
                rest = &rest[char.len_utf8()..];
            }
        }
        paths
    }

    /// Whether it adds with `+`, which Liquid has not.
    pub fn adds(self) -> bool {
        let mut quote = None;
        let mut characters = self.inner().chars().peekable();
        while let Some(char) = characters.next() {
            match quote {
                Some(open) => quote = Some(open).filter(|open| char != *open),
                None if char == '"' || char == '\'' => quote = Some(char),
                None if char == '+' && characters.peek().is_some_and(|next| next.is_whitespace()) => return true,
                None => {}
            }
        }
        false
    }
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// A path that a template reads; of a long one the beginning, which is what the rules look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<'a> {
    steps: [&'a str; 4],
    count: usize,
}

impl<'a> Path<'a> {
    pub fn steps(&self) -> &[&'a str] {
        &self.steps[..self.count]
    }

    fn push(&mut self, step: &'a str) {
        if let Some(place) = self.steps.get_mut(self.count) {
            *place = step;
            self.count += 1;
        }
    }
}

/// The path at the start of a text, and what follows it.
fn path(text: &str) -> (Path<'_>, &str) {
    let name = |text: &str| text.find(|char| !is_name(char) && char != '-').unwrap_or(text.len());
    let mut steps = Path::default();
    let mut rest = text;
    loop {
        let end = name(rest);
        steps.push(&rest[..end]);
        rest = &rest[end..];
        while let Some(inside) = rest.strip_prefix('[') {
            let Some((step, after)) = inside.split_once(']') else { return (steps, rest) };
            let step = step.trim();
            let quoted = step.len() >= 2 && step.starts_with(['"', '\'']) && step.ends_with(['"', '\'']);
            if !quoted && step.parse::<usize>().is_err() {
                // What is looked up by a variable is not known.
                return (steps, after);
            }
            steps.push(step.trim_matches(['"', '\'']));
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(is_name) => rest = after,
            _ => return (steps, rest),
        }
    }
}

/// Whether a template can give JSON, and that an object, with some value in place of each tag: text where it stands in
/// quotes, anything where it does not. `None` when that hangs on more than values.
pub fn can_be_an_object(text: &str) -> Option<bool> {
    let mut parts = Vec::new();
    read(text, &mut parts).ok()?;
    if parts.iter().any(|part| matches!(part, Part::Tag(Tag::Block(_)))) {
        return None;
    }
    let is_value = |part: &Part<'_>| !matches!(part, Part::Text(text) if text.trim().is_empty());
    if parts.iter().filter(|part| is_value(part)).count() == 1 && parts.len() > 1 {
        return None;
    }
    let rendered = |bare: &str| {
        let (mut rendered, mut quoted) = (String::with_capacity(text.len()), false);
        for part in &parts {
            match part {
                Part::Text(text) => {
                    let mut escaped = false;
                    for char in text.chars() {
                        quoted ^= char == '"' && !escaped;
                        escaped = char == '\\' && !escaped;
                    }
                    rendered.push_str(text);
                }
                Part::Tag(_) => rendered.push_str(if quoted { "x" } else { bare }),
            }
        }
        serde_json::from_str::<serde_json::Value>(&rendered).is_ok_and(|value| value.is_object())
    };
    Some(["null", "1", "", "\"x\":1", ",\"x\":1", "\"x\":1,"].into_iter().any(rendered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_and_json_around_them_is_left_alone() {
        let text = r#"{"a":{"b":{{widgets.x.parsed | to_json}}},"c":"{{ flow.sid }}"} {%- if x -%}y{% endif %}"#;
        let inner: Vec<_> = tags(text).unwrap().into_iter().map(Tag::inner).collect();
        assert_eq!(inner, ["widgets.x.parsed | to_json", "flow.sid", "if x", "endif"]);
        assert_eq!(tags(r#"{"a":{"b":1}}"#).unwrap(), []);
        assert_eq!(tags("{% raw %}{{ not {% Liquid {% endraw %}{{x}}").unwrap(), [Tag::Output("x")]);
    }

    #[test]
    fn what_is_not_closed_is_told() {
        let mistake = |text| tags(text).unwrap_err().to_string();
        assert_eq!(
            mistake("Hi {{flow.data.name}, it's {{x}}"),
            "`{{` is not closed by `}}`: `{{flow.data.name}, it's {{x}}`"
        );
        assert_eq!(mistake("Hi {{name"), "`{{` is not closed by `}}`: `{{name`");
        assert_eq!(mistake("{% if x %}y"), "`{% if %}` is not ended by `{% endif %}`");
        assert_eq!(mistake("{% if x %}y{% endfor %}"), "`{% endfor %}` ends nothing that is open");
    }

    #[test]
    fn paths_are_read_step_by_step() {
        let paths =
            |inner| -> Vec<Vec<&str>> { Tag::Output(inner).paths().iter().map(|path| path.steps().to_vec()).collect() };
        assert_eq!(
            paths("widgets.ask-1.inbound.Body | default: 'widgets.no'")[0],
            ["widgets", "ask-1", "inbound", "Body"]
        );
        assert_eq!(paths("widgets['ask'].parsed.items[0].name"), [vec!["widgets", "ask", "parsed", "items"]]);
        assert_eq!(paths("widgets[name].x")[0], ["widgets"]);
        assert_eq!(
            paths("if flow.variables.a == flow.data.b")[1..],
            [vec!["flow", "variables", "a"], vec!["flow", "data", "b"]]
        );
    }

    #[test]
    fn a_plus_is_seen_outside_of_quotes() {
        assert!(Tag::Output("flow.variables.n + 1").adds());
        assert!(!Tag::Output("n | plus: 1 | append: ' + '").adds());
    }

    #[test]
    fn attributes_are_judged_with_values_in_place_of_tags() {
        for (text, expected) in [
            (r#"{"a": "{{x}}", "b": {{y | to_json}}}"#, Some(true)),
            (r#"{"a": "{{x | default: "none"}}"}"#, Some(true)),
            (r#"{"a": 1 {{more}} }"#, Some(true)),
            ("{{widgets.x.parsed | to_json}}", None),
            ("{% if x %}{{% endif %}", None),
            (r#"{"a": "b" "c": 1}"#, Some(false)),
            (r#"{"a": x}"#, Some(false)),
            ("[1]", Some(false)),
        ] {
            assert_eq!(can_be_an_object(text), expected, "{text}");
        }
    }
}
