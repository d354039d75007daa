//! How bad each rule's findings are taken to be, where somebody wants it other than by default.

use std::{collections::BTreeMap, str::FromStr};

use super::{
    finding::Severity,
    rule::{Rule, rule},
};

/// What becomes of a rule's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
    /// It is not looked for.
    Off,
}

/// The rules whose findings are taken otherwise than by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Severities(BTreeMap<&'static str, Level>);

/// A severity that cannot be set.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SeverityError {
    #[error("there is no rule `{code}`{}; docs/lint.md lists them", suggestion.map(|it| format!(", did you mean `{it}`?")).unwrap_or_default())]
    UnknownRule { code: String, suggestion: Option<&'static str> },
    #[error("`{0}` is no severity: it is error, warning or off")]
    UnknownLevel(String),
    #[error("`{0}` sets nothing: write it as CODE=error, CODE=warning or CODE=off")]
    NotAPair(String),
    #[error("`{0}` cannot be other than an error: without a definition there is nothing to go on with")]
    Fixed(&'static str),
}

impl FromStr for Level {
    type Err = SeverityError;

    fn from_str(text: &str) -> Result<Self, SeverityError> {
        match text {
            "error" => Ok(Self::Error),
            "warning" => Ok(Self::Warning),
            "off" | "ignore" => Ok(Self::Off),
            _ => Err(SeverityError::UnknownLevel(text.to_owned())),
        }
    }
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Off => "off",
        }
    }

    /// The severity of findings; `None` when there are to be none.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Off => None,
        }
    }
}

impl Severities {
    /// Takes the findings of `code` as `level`.
    pub fn set(&mut self, code: &str, level: Level) -> Result<(), SeverityError> {
        let Some(rule) = rule(code) else {
            let suggestion = super::spelling::nearest(code, super::rule::rules().map(|rule| rule.code));
            return Err(SeverityError::UnknownRule { code: code.to_owned(), suggestion });
        };
        if super::reading::RULES.iter().any(|reading| reading.code == rule.code) && level != Level::Error {
            return Err(SeverityError::Fixed(rule.code));
        }
        self.0.insert(rule.code, level);
        Ok(())
    }

    /// As [`Severities::set`], for `CODE=LEVEL`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), SeverityError> {
        let (code, level) = pair.split_once('=').ok_or_else(|| SeverityError::NotAPair(pair.to_owned()))?;
        self.set(code.trim(), level.trim().parse()?)
    }

    /// The level of a rule.
    pub fn level(&self, rule: &Rule) -> Level {
        self.0.get(rule.code).copied().unwrap_or(rule.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_is_set_by_code_and_a_typo_is_told() {
        let mut severities = Severities::default();
        severities.set_pair("unreachable-widget=off").unwrap();
        assert_eq!(severities.level(rule("unreachable-widget").unwrap()), Level::Off);
        let error = |pair: &str| Severities::default().set_pair(pair).unwrap_err().to_string();
        assert_eq!(
            error("unreachable-wigdet=off"),
            "there is no rule `unreachable-wigdet`, did you mean `unreachable-widget`?; docs/lint.md lists them"
        );
        assert_eq!(error("unreachable-widget=no"), "`no` is no severity: it is error, warning or off");
        assert!(error("unreachable-widget").contains("CODE=off"));
        assert!(error("legacy-export=off").contains("cannot be other than an error"));
    }
}
