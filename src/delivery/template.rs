//! Liquid templates for content variables. They read `profile.traits` and nothing else, which traits is known before any
//! event comes, a trait that is missing is nil (so that `default:` applies), and there are no loops.

use std::{collections::BTreeSet, sync::LazyLock};

use liquid::{Parser, ParserBuilder, Template as LiquidTemplate};
use serde_json::{Map, Value};

use super::lenient::Globals;

/// Longest template, in characters: what Segment's own Liquid allows.
const MAX_LENGTH: usize = 1_000;

static PARSER: LazyLock<Option<Parser>> = LazyLock::new(|| ParserBuilder::with_stdlib().build().ok());

/// Tags that a template may use. Loops are left out: they would make the cost of an event unbounded.
const TAGS: [&str; 14] = [
    "if",
    "elsif",
    "else",
    "endif",
    "unless",
    "endunless",
    "case",
    "when",
    "endcase",
    "assign",
    "capture",
    "endcapture",
    "comment",
    "endcomment",
];

/// Words of the language that look like variables.
const WORDS: [&str; 10] = ["and", "or", "contains", "true", "false", "nil", "null", "blank", "empty", "not"];

/// A parsed template.
pub struct Template {
    liquid: LiquidTemplate,
    traits: BTreeSet<String>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("traits", &self.traits).finish_non_exhaustive()
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    #[error("not a Liquid template: {0}")]
    Syntax(String),
    #[error("the template has {0} characters; at most {MAX_LENGTH} are allowed")]
    TooLong(usize),
    #[error("the tag `{0}` is not available; there are if, unless, case, assign and capture")]
    Tag(String),
    #[error("unknown variable `{0}`; a template reads `profile.traits.<name>`")]
    UnknownVariable(String),
    #[error(
        "traits are read by name, `profile.traits.plan` or `profile.traits[\"plan\"]`: which ones must be known before an event comes"
    )]
    DynamicTraits,
}

impl Template {
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let length = source.chars().count();
        if length > MAX_LENGTH {
            return Err(TemplateError::TooLong(length));
        }
        let parser = PARSER.as_ref().ok_or_else(|| TemplateError::Syntax("no parser".into()))?;
        let liquid = parser.parse(source).map_err(|error| TemplateError::Syntax(one_line(&error.to_string())))?;
        Ok(Self { liquid, traits: traits_of(source)? })
    }

    /// Traits that it reads, by name.
    pub const fn traits(&self) -> &BTreeSet<String> {
        &self.traits
    }

    /// Renders it. The text of an error says what in the template failed.
    pub fn render(&self, traits: &Map<String, Value>) -> Result<String, String> {
        self.liquid.render(&Globals::new(traits, &self.traits)).map_err(|error| one_line(&error.to_string()))
    }
}

/// Liquid's errors span lines and end in context that repeats the template.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join("; ")
}

/// A piece of what stands between braces.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Number,
    Sign(char),
}

/// The traits that a template reads, found in its text: Liquid's parsed form does not tell.
fn traits_of(source: &str) -> Result<BTreeSet<String>, TemplateError> {
    let mut traits = BTreeSet::new();
    let mut locals: BTreeSet<&str> = BTreeSet::new();
    let mut rest = source;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let is_tag = rest[open..].starts_with("{%");
        let inside = &rest[open + 2..];
        // The parser has accepted the template, so every brace is closed.
        let end = inside.find(if is_tag { "%}" } else { "}}" }).unwrap_or(inside.len());
        let mut tokens = tokens(inside[..end].trim_matches('-'));
        rest = inside.get(end + 2..).unwrap_or_default();
        if is_tag {
            let tag = match tokens.first() {
                Some(Token::Word(tag)) => *tag,
                _ => continue,
            };
            if !TAGS.contains(&tag) {
                return Err(TemplateError::Tag(tag.to_owned()));
            }
            tokens.remove(0);
            if matches!(tag, "assign" | "capture")
                && let Some(Token::Word(name)) = tokens.first()
            {
                locals.insert(*name);
                tokens.remove(0);
            }
        }
        read_variables(&tokens, &locals, &mut traits)?;
    }
    Ok(traits)
}

fn read_variables<'a>(
    tokens: &[Token<'a>],
    locals: &BTreeSet<&'a str>,
    traits: &mut BTreeSet<String>,
) -> Result<(), TemplateError> {
    let mut at = 0;
    while at < tokens.len() {
        let Token::Word(word) = &tokens[at] else {
            at += 1;
            continue;
        };
        let after_pipe = at > 0 && tokens[at - 1] == Token::Sign('|');
        let names_argument = tokens.get(at + 1) == Some(&Token::Sign(':'));
        if after_pipe || names_argument || WORDS.contains(word) {
            at += 1;
        } else if *word == "profile" {
            let (name, next) = trait_after_profile(tokens, at + 1)?;
            traits.insert(name);
            at = skip_path(tokens, next);
        } else if locals.contains(word) {
            at = skip_path(tokens, at + 1);
        } else {
            return Err(TemplateError::UnknownVariable((*word).to_owned()));
        }
    }
    Ok(())
}

/// Reads `.traits.name`, `.traits["name"]` after `profile`; gives the name and where the path goes on.
fn trait_after_profile(tokens: &[Token<'_>], at: usize) -> Result<(String, usize), TemplateError> {
    let key = |at: usize| match &tokens[at.min(tokens.len())..] {
        [Token::Sign('.'), Token::Word(name), ..] => Some((*name, at + 2)),
        [Token::Sign('['), Token::Text(name), Token::Sign(']'), ..] => Some((*name, at + 3)),
        _ => None,
    };
    match key(at) {
        Some(("traits", next)) => {
            key(next).map(|(name, next)| (name.to_owned(), next)).ok_or(TemplateError::DynamicTraits)
        }
        Some((other, _)) => Err(TemplateError::UnknownVariable(format!("profile.{other}"))),
        None => Err(TemplateError::UnknownVariable("profile".into())),
    }
}

/// Steps over `.name`, `["name"]` and `[0]`; what stands in brackets otherwise is read as a variable of its own.
fn skip_path(tokens: &[Token<'_>], mut at: usize) -> usize {
    loop {
        at = match &tokens[at.min(tokens.len())..] {
            [Token::Sign('.'), Token::Word(_), ..] => at + 2,
            [Token::Sign('['), Token::Text(_) | Token::Number, Token::Sign(']'), ..] => at + 3,
            _ => return at,
        };
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, char)) = chars.next() {
        let mut end_while = |accept: &dyn Fn(char) -> bool| {
            while chars.next_if(|(_, next)| accept(*next)).is_some() {}
            chars.peek().map_or(text.len(), |(at, _)| *at)
        };
        if char.is_whitespace() {
            continue;
        }
        tokens.push(if char == '"' || char == '\'' {
            let end = end_while(&|next| next != char);
            end_while(&|_| false);
            chars.next();
            Token::Text(&text[start + 1..end])
        } else if char.is_alphabetic() || char == '_' {
            Token::Word(&text[start..end_while(&|next| next.is_alphanumeric() || matches!(next, '_' | '-' | '?'))])
        } else if char.is_ascii_digit() {
            end_while(&|next| next.is_ascii_digit());
            Token::Number
        } else {
            Token::Sign(char)
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, traits: &Value) -> String {
        Template::parse(source).unwrap().render(traits.as_object().unwrap()).unwrap()
    }

    #[test]
    fn a_missing_trait_takes_its_default() {
        let source = "{{ profile.traits.first_name | default: 'there' }}";
        assert_eq!(render(source, &json!({})), "there");
        assert_eq!(render(source, &json!({"first_name": null})), "there");
        assert_eq!(render(source, &json!({"first_name": ""})), "there");
        assert_eq!(render(source, &json!({"first_name": "Ana"})), "Ana");
    }

    #[test]
    fn a_missing_trait_without_default_is_empty_at_any_depth() {
        assert_eq!(render("{{ profile.traits.address.city }}", &json!({})), "");
        assert_eq!(render("{{ profile.traits.address.city }}", &json!({"address": {"city": "Recife"}})), "Recife");
        assert_eq!(render("{% if profile.traits.address %}a{% else %}b{% endif %}", &json!({})), "b");
    }

    #[test]
    fn values_render_as_people_write_them() {
        assert_eq!(render("{{ profile.traits.n }}", &json!({"n": 3})), "3");
        assert_eq!(render("{{ profile.traits.n | default: 'none' }}", &json!({"n": u64::MAX})), u64::MAX.to_string());
        assert_eq!(render("{{ profile.traits['full name'] | upcase }}", &json!({"full name": "ana"})), "ANA");
        assert_eq!(render("{% assign n = profile.traits.n %}{{ n | plus: 1 }}", &json!({"n": 3})), "4");
        assert_eq!(render("{% if profile.traits.plan == 'pro' %}yes{% endif %}", &json!({"plan": "pro"})), "yes");
        assert_eq!(render("{{ profile.traits.items[0] }}", &json!({"items": ["a"]})), "a");
    }

    #[test]
    fn the_traits_of_a_template_are_known_before_any_event() {
        let template = Template::parse(
            "{% if profile.traits.vip and profile.traits['since'] contains '2' %}{{- profile.traits.name | append: profile.traits.title -}}{% endif %}",
        )
        .unwrap();
        assert_eq!(template.traits().iter().map(String::as_str).collect::<Vec<_>>(), ["name", "since", "title", "vip"]);
    }

    #[test]
    fn what_cannot_be_known_or_bounded_is_refused() {
        use TemplateError::{DynamicTraits, Syntax, Tag, TooLong, UnknownVariable};
        let error = |source: &str| Template::parse(source).unwrap_err();
        assert_eq!(error("{{ traits.name }}"), UnknownVariable("traits".into()));
        assert_eq!(error("{{ profile.name }}"), UnknownVariable("profile.name".into()));
        assert_eq!(error("{{ profile.traits[profile.traits.key] }}"), DynamicTraits);
        assert_eq!(error("{% assign k = 'x' %}{{ profile.traits[k] }}"), DynamicTraits);
        assert_eq!(error("{% for i in (1..1000000000) %}x{% endfor %}"), Tag("for".into()));
        assert_eq!(error(&"x".repeat(1_001)), TooLong(1_001));
        assert!(matches!(error("{{ profile.traits.name "), Syntax(_)));
        assert!(matches!(error("{{ profile.traits.name | shout }}"), Syntax(_)));
    }
}
