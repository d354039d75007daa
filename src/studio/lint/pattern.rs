//! Mistakes in a regular expression that no engine takes. Studio's is Java's; what only some engines know is left alone.

/// What is wrong with a pattern, if anything is.
pub(super) fn mistake(pattern: &str) -> Option<&'static str> {
    let mut depth = 0_usize;
    let mut class = 0_usize;
    // Whether there is something before it that can be repeated.
    let mut repeatable = false;
    let mut characters = pattern.chars().peekable();
    while let Some(char) = characters.next() {
        match char {
            '\\' => {
                match characters.next() {
                    None => return Some("it ends in a single `\\`"),
                    // Everything up to \E is taken as it is.
                    Some('Q') => return None,
                    Some(_) => {}
                }
                repeatable = true;
            }
            '[' => {
                class += 1;
                if characters.peek() == Some(&'^') {
                    characters.next();
                }
                // A bracket in the first place is one of the characters.
                if characters.peek() == Some(&']') {
                    characters.next();
                }
            }
            ']' if class > 0 => {
                class -= 1;
                repeatable = true;
            }
            _ if class > 0 => {}
            '(' => {
                depth += 1;
                repeatable = false;
                if characters.peek() == Some(&'?') {
                    characters.next();
                }
            }
            ')' if depth == 0 => return Some("a `)` closes nothing"),
            ')' => {
                depth -= 1;
                repeatable = true;
            }
            '|' => repeatable = false,
            '*' | '+' | '?' if !repeatable => return Some("a `*`, `+` or `?` repeats nothing"),
            _ => repeatable = true,
        }
    }
    if class > 0 {
        Some("a `[` is not closed")
    } else if depth > 0 {
        Some("a `(` is not closed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_any_engine_pass_and_broken_ones_do_not() {
        for good in [
            "",
            "yes|no",
            r"\d{3}-\d{4}",
            "(?i)y(es)?",
            "(?<year>[0-9]+)",
            "[^]]*",
            "[a-z&&[^b]]",
            "(?!x)a++",
            r"\Qa(b\E",
            "[(]",
            "^[*]$",
        ] {
            assert_eq!(mistake(good), None, "{good}");
        }
        for (bad, expected) in [
            ("(yes|no", "a `(` is not closed"),
            ("yes)", "a `)` closes nothing"),
            ("[a-z", "a `[` is not closed"),
            ("*yes", "a `*`, `+` or `?` repeats nothing"),
            ("a|+", "a `*`, `+` or `?` repeats nothing"),
            ("yes\\", "it ends in a single `\\`"),
        ] {
            assert_eq!(mistake(bad), Some(expected), "{bad}");
        }
    }
}
