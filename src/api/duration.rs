//! Periods of time as resources spell them: one number and one unit, `90s`, `10m`, `6h`, `7d`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number of seconds, minutes, hours or days. Days are 24 hours; there are no calendar units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    amount: u32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Minutes, Self::Hours, Self::Days];

    const fn letter(self) -> char {
        match self {
            Self::Seconds => 's',
            Self::Minutes => 'm',
            Self::Hours => 'h',
            Self::Days => 'd',
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

/// What the text should have looked like.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a period of time: write a whole number and a unit (s, m, h or d), such as 90s or 7d")]
pub struct PeriodError(String);

impl Period {
    pub const fn seconds(amount: u32) -> Self {
        Self { amount, unit: Unit::Seconds }
    }

    pub const fn minutes(amount: u32) -> Self {
        Self { amount, unit: Unit::Minutes }
    }

    pub const fn hours(amount: u32) -> Self {
        Self { amount, unit: Unit::Hours }
    }

    pub const fn days(amount: u32) -> Self {
        Self { amount, unit: Unit::Days }
    }

    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.amount as u64 * self.unit.seconds())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.unit.letter())
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PeriodError(text.to_owned());
        let unit = Unit::ALL.into_iter().find(|unit| text.ends_with(unit.letter())).ok_or_else(wrong)?;
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self { amount: digits.parse().map_err(|_| wrong())?, unit })
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]{1,8}[smhd]$", "maxLength": 9})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_back_as_it_was_written() {
        for text in ["0s", "90s", "10m", "6h", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("7d".parse::<Period>().unwrap().as_duration(), Duration::from_hours(168));
    }

    #[test]
    fn what_is_not_a_period_says_how_to_write_one() {
        for text in ["", "s", "-1s", "1.5h", "1w", "10", "1h30m", "99999999999s", "é"] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(error.contains("such as 90s or 7d"), "{text}: {error}");
        }
    }
}
