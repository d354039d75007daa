//! The line of each place in a JSON text, so that code scanning points at the property and not only at the widget. A text that
//! is not JSON, such as YAML, has none.

use std::collections::HashMap;

/// The lines of a JSON text by JSON pointer, the first being 0.
#[derive(Debug)]
pub struct Lines {
    by_pointer: HashMap<String, usize>,
    /// Where the one definition begins, which may be wrapped in something else.
    top: String,
}

impl Lines {
    /// Reads a text that is one JSON document.
    pub fn of(text: &str) -> Option<Self> {
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        let mut scan =
            Scan { rest: text, line: 0, pointer: String::new(), by_pointer: HashMap::new(), tops: Vec::new() };
        scan.value();
        let depth = |top: &String| top.matches('/').count();
        scan.tops.sort_by_key(depth);
        match scan.tops.as_slice() {
            // Of two beside each other it is not known which is meant.
            [first, second, ..] if depth(first) == depth(second) => None,
            tops => Some(Self { by_pointer: scan.by_pointer, top: tops.first().cloned().unwrap_or_default() }),
        }
    }

    /// The line of a place in the definition, or of the closest thing around it.
    pub fn line(&self, pointer: &str) -> Option<usize> {
        let mut place = format!("{}{pointer}", self.top);
        loop {
            if let Some(line) = self.by_pointer.get(&place) {
                return Some(*line);
            }
            let around = place.rfind('/').filter(|around| *around >= self.top.len())?;
            place.truncate(around);
        }
    }
}

/// Goes through a text that is known to be JSON.
struct Scan<'a> {
    rest: &'a str,
    line: usize,
    pointer: String,
    by_pointer: HashMap<String, usize>,
    /// What has `states`.
    tops: Vec<String>,
}

impl Scan<'_> {
    /// Passes over `length` bytes.
    fn pass(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }

    /// The next byte that is no space; what stands between values is one too.
    fn peek(&mut self) -> Option<u8> {
        let spaces = self.rest.find(|char: char| !char.is_ascii_whitespace() && !matches!(char, ',' | ':'));
        self.pass(spaces.unwrap_or(self.rest.len()));
        self.rest.bytes().next()
    }

    fn value(&mut self) {
        let Some(first) = self.peek() else { return };
        self.by_pointer.insert(self.pointer.clone(), self.line);
        match first {
            b'{' | b'[' => {
                self.pass(1);
                let length = self.pointer.len();
                let mut index = 0;
                while let Some(next) = self.peek().filter(|next| !matches!(next, b'}' | b']')) {
                    let step = if first == b'{' && next == b'"' { self.string() } else { index.to_string() };
                    if step == "states" {
                        self.tops.push(self.pointer.clone());
                    }
                    self.pointer.push('/');
                    self.pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
                    self.value();
                    self.pointer.truncate(length);
                    index += 1;
                }
                self.pass(1);
            }
            b'"' => {
                self.string();
            }
            _ => {
                let end = self.rest.find(|char: char| char.is_ascii_whitespace() || matches!(char, ',' | '}' | ']'));
                self.pass(end.unwrap_or(self.rest.len()));
            }
        }
    }

    /// Passes over a text and gives what it says.
    fn string(&mut self) -> String {
        let mut escaped = true;
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            // The first quote opens it.
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let length = end.map_or(self.rest.len(), |end| end + 1);
        let written = self.rest.get(..length).unwrap_or_default();
        let text = serde_json::from_str(written).unwrap_or_default();
        self.pass(length);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_line_and_a_wrapped_definition_too() {
        let text = "{\"sid\": \"FW1\", \"a\\\"b\": [1,\n -2e3, null],\n\"definition\": {\n\"states\": [{\"name\": \"x\"},\n{\"name\": \"{[\",\n\
                    \"properties\": {}}\n]}}";
        let lines = Lines::of(text).unwrap();
        let line = |pointer: &str| lines.line(pointer).unwrap();
        assert_eq!(line(""), 2);
        assert_eq!(
            (line("/states"), line("/states/0/name"), line("/states/1"), line("/states/1/properties")),
            (3, 3, 4, 5)
        );
        // What is missing is told at what it is missing from.
        assert_eq!((line("/states/1/properties/body"), line("/initial_state")), (5, 2));
        assert!(Lines::of("states: []").is_none());
        assert!(Lines::of(r#"[{"states": []}, {"states": []}]"#).is_none());
    }
}
