//! What can go wrong with a call, told apart by the one question that matters: can it have had an effect?

use std::time::Duration;

use serde::Deserialize;

/// A call to Twilio that did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TwilioError {
    /// The request never left: name not resolved, connection refused, TLS not agreed. It had no effect.
    #[error("Twilio could not be reached: {0}")]
    NotSent(String),
    /// The request left and its answer did not come. It may have had its effect, or may have it later.
    #[error("the answer of Twilio was lost: {0}")]
    AnswerLost(String),
    /// Twilio has said that the account is asked too often, so this was not sent. It had no effect.
    #[error("Twilio has said that the account is asked too often: it is left alone for a while")]
    HeldBack { retry_after: Duration },
    /// Twilio answered with an error.
    #[error("{0}")]
    Answered(ApiError),
    /// Twilio answered with success and a body that lacks what the call is for. It had its effect.
    #[error("Twilio answered {status} with a body that is not understood: {problem}")]
    NotUnderstood { status: u16, problem: String },
}

/// An error that Twilio answered with, <https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions>.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Twilio answered {status}{}: {message}", code.map(|code| format!(" (error {code})")).unwrap_or_default())]
pub struct ApiError {
    pub status: u16,
    /// Number in Twilio's error dictionary, where the body has one.
    pub code: Option<i64>,
    pub message: String,
    /// `details.errors` of a refused flow definition.
    pub details: Vec<ErrorDetail>,
    /// What `Retry-After` asked for.
    pub retry_after: Option<Duration>,
}

/// One complaint about one place in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorDetail {
    #[serde(default)]
    pub message: String,
    /// JSON-pointer-like place, such as `#/states/3/properties/timeout`.
    #[serde(default)]
    pub property_path: String,
}

impl TwilioError {
    /// The error that Twilio answered with, if it did.
    pub const fn answered(&self) -> Option<&ApiError> {
        match self {
            Self::Answered(error) => Some(error),
            _ => None,
        }
    }

    /// Whether Twilio answered with this code of its dictionary.
    pub fn has_code(&self, code: i64) -> bool {
        self.answered().is_some_and(|error| error.code == Some(code))
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.answered().is_some_and(|error| error.status == 404)
    }

    /// Whether the effect of a call that changes something is certain not to have happened. Only then may it be repeated
    /// without looking first.
    pub fn had_no_effect(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::HeldBack { .. } => true,
            Self::AnswerLost(_) | Self::NotUnderstood { .. } => false,
            // 408 is the word of something in between that did not wait for Twilio.
            Self::Answered(error) => error.status < 500 && error.status != 408,
        }
    }

    /// Whether Twilio said that it was asked too often. Such a request was never processed.
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::HeldBack { .. })
            || self.answered().is_some_and(|error| {
                error.status == 429 || matches!(error.code, Some(45_010 | 45_780 | 50_063 | 50_074))
            })
    }

    /// Whether repeating the call later, with nothing else changed, can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::AnswerLost(_) | Self::HeldBack { .. } => true,
            Self::NotUnderstood { .. } => false,
            Self::Answered(error) => error.status >= 500 || self.is_throttled() || error.status == 408,
        }
    }
}

/// The error body; older and newer shapes are both read (`message` or `title`).
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    code: Option<i64>,
    message: Option<String>,
    title: Option<String>,
    details: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Details {
    #[serde(default)]
    errors: Vec<ErrorDetail>,
}

/// Longest message of Twilio that is carried on, in characters.
const MAX_MESSAGE: usize = 300;

impl ApiError {
    /// Reads an error answer. A body that is not JSON (a proxy's page, say) leaves only the status.
    pub fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let details = body
            .details
            .and_then(|details| serde_json::from_value::<Details>(details).ok())
            .map(|details| details.errors)
            .unwrap_or_default();
        let message = body.message.or(body.title).unwrap_or_else(|| "no reason given".into());
        let message = without_numbers(&message).chars().take(MAX_MESSAGE).collect();
        Self { status, code: body.code, message, details, retry_after }
    }
}

/// Digits of a number that may be somebody's.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A text in which numbers of people are replaced: Twilio repeats in its errors what it was asked, and errors are logged and
/// shown. Digits within an identifier stay.
pub fn without_numbers(text: &str) -> String {
    let mut cleared = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|char: char| char.is_ascii_digit()) {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|char: char| !char.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let in_word = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        if !in_word && DIGITS.contains(&digits.len()) {
            cleared.push_str(before.trim_end_matches('+'));
            cleared.push_str("[number]");
        } else {
            cleared.push_str(before);
            cleared.push_str(digits);
        }
        rest = after;
    }
    cleared.push_str(rest);
    cleared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twilio_repeats_of_a_request_names_no_person() {
        for (said, kept) in [
            ("The 'To' number whatsapp:+5511987654321 is not valid", "The 'To' number whatsapp:[number] is not valid"),
            ("5511987654321, +15005550006.", "[number], [number]."),
            (
                "binding exists in CH00000000000000000000000012345678",
                "binding exists in CH00000000000000000000000012345678",
            ),
            ("error 63016 in 30 s, see ab12345678cd", "error 63016 in 30 s, see ab12345678cd"),
        ] {
            assert_eq!(without_numbers(said), kept);
        }
    }
}
