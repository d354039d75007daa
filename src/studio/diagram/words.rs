//! Texts of a picture: how long they may be and how wide they are.

/// Characters of a name, and of one line of a label.
pub(super) const NAME: usize = 34;
pub(super) const LABEL: usize = 28;

/// Lines of a label; the rest is counted.
const LINES: usize = 4;

/// On one line, at most `limit` characters long.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    // Neither a control character nor one that turns the direction of what follows.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let text: Vec<char> = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    if text.len() <= limit {
        return text.into_iter().collect();
    }
    text[..limit - 1].iter().collect::<String>().trim_end().to_owned() + "…"
}

/// The lines of a label: alike ones once, and not too many.
pub(super) fn label_lines(labels: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for label in labels {
        let line = shortened(label, LABEL);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.len() > LINES {
        let more = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Nearly how wide a text is set in a sans-serif font of that size, rather too much than too little.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '\'' | '|' | '.' | ',' | ':' | ';' | '!' => 0.34,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '[' | ']' | '/' => 0.43,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' | '_' | '=' | '<' | '>' | '+' | '≠' | '&' => 0.76,
        '0'..='9' | 'a'..='z' => 0.64,
        '\u{300}'..='\u{36f}' => 0.0,
        '\u{1100}'.. => 1.15,
        _ => 0.72,
    };
    text.chars().map(of).sum::<f64>() * size
}
