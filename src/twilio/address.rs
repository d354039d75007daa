//! Phone numbers as Twilio takes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Prefix of a WhatsApp address, <https://www.twilio.com/docs/whatsapp/api#whatsapp-addresses>.
const WHATSAPP: &str = "whatsapp:";

/// A number in E.164: a plus sign, the country code and the rest, 7 to 15 digits in all.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(String);

/// A text that is not a number in E.164.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("not a number in E.164: a plus sign, the country code and the number, such as +5511900000001")]
pub struct E164Error;

impl E164 {
    /// The number with its plus sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as a WhatsApp address, `whatsapp:+…`.
    pub fn whatsapp(&self) -> String {
        format!("{WHATSAPP}{}", self.0)
    }

    /// The number in a form fit for logs: country and last digits hidden by stars.
    pub fn redacted(&self) -> String {
        let digits = &self.0;
        format!("{}***{}", &digits[..3.min(digits.len())], &digits[digits.len() - 2..])
    }
}

impl FromStr for E164 {
    type Err = E164Error;

    /// Reads a number; a `whatsapp:` prefix is tolerated.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix(WHATSAPP).unwrap_or(text);
        let digits = number.strip_prefix('+').ok_or(E164Error)?;
        let well_formed =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if well_formed { Ok(Self(number.to_owned())) } else { Err(E164Error) }
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A customer's number does not belong into logs.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", self.redacted())
    }
}

impl Serialize for E164 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_number() {
        assert_eq!("whatsapp:+5511900000001".parse::<E164>().unwrap().as_str(), "+5511900000001");
        for text in ["5511900000001", "+0511900000001", "+55", "+55 11 9", "", "+", "whatsapp:", "+1234567890123456"] {
            assert!(text.parse::<E164>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_not_readable_in_debug_output() {
        let number: E164 = "+5511987654321".parse().unwrap();
        assert_eq!(format!("{number:?}"), "E164(+55***21)");
    }
}
