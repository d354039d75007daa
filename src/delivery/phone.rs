//! A recipient's number, read as people write it and normalised to E.164.

use phonenumber::Mode;
use serde_json::Value;

use crate::twilio::E164;

/// Reads the numbering plans of all countries, so that the first event does not wait for it.
pub fn warm_up() {
    let _ = normalise(&Value::String("+14155550100".into()), None);
}

/// Why a trait is not a number to send to. The value itself is not repeated: it is personal data.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PhoneError {
    #[error("the trait is not a text")]
    NotText,
    #[error("the number has no country code; set spec.phone.defaultRegion or send it in E.164")]
    NoCountryCode,
    #[error("it does not parse as a phone number")]
    NotANumber,
    #[error("no such number exists in the numbering plan of its country")]
    NotValid,
}

/// A region by which national numbers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(phonenumber::country::Id);

impl Region {
    /// Reads two capital letters of ISO 3166-1.
    pub fn parse(code: &str) -> Option<Self> {
        code.parse().ok().map(Self)
    }
}

/// Reads the number in a trait; `region` is how one without country code is read.
pub fn normalise(value: &Value, region: Option<Region>) -> Result<E164, PhoneError> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        // A number written without quotes lost its plus sign on the way.
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return Err(PhoneError::NotText),
    };
    let text = text.strip_prefix("whatsapp:").unwrap_or(&text);
    if region.is_none() && !text.starts_with('+') {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        return Err(if digits >= 7 { PhoneError::NoCountryCode } else { PhoneError::NotANumber });
    }
    let number = phonenumber::parse(region.map(|region| region.0), text).map_err(|_| PhoneError::NotANumber)?;
    if !number.is_valid() {
        return Err(PhoneError::NotValid);
    }
    number.format().mode(Mode::E164).to_string().parse().map_err(|_| PhoneError::NotValid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn brazil() -> Option<Region> {
        Region::parse("BR")
    }

    #[test]
    fn numbers_come_out_in_e164_however_they_were_written() {
        for (text, region) in [
            ("+5511987654321", None),
            ("+55 (11) 98765-4321", None),
            ("whatsapp:+5511987654321", None),
            ("(11) 98765-4321", brazil()),
            ("11987654321", brazil()),
            (" +55 11 98765 4321 ", brazil()),
        ] {
            assert_eq!(normalise(&json!(text), region).unwrap().as_str(), "+5511987654321", "{text}");
        }
        assert_eq!(normalise(&json!(11_987_654_321_u64), brazil()).unwrap().as_str(), "+5511987654321");
    }

    #[test]
    fn what_is_not_a_number_says_why() {
        use PhoneError::{NoCountryCode, NotANumber, NotText, NotValid};
        assert_eq!(normalise(&json!("11987654321"), None).unwrap_err(), NoCountryCode);
        assert_eq!(normalise(&json!("call me"), None).unwrap_err(), NotANumber);
        assert_eq!(normalise(&json!("call me"), brazil()).unwrap_err(), NotANumber);
        assert_eq!(normalise(&json!("+55 11 1"), None).unwrap_err(), NotValid);
        for value in [json!(true), json!({}), json!(["+5511987654321"]), json!(-5), json!(1.5)] {
            assert_eq!(normalise(&value, brazil()).unwrap_err(), NotText, "{value}");
        }
    }
}
