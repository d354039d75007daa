//! Twilio's codes of messages that failed late, as reasons: a handful of words, so that each can be a label.
//! <https://www.twilio.com/docs/api/errors>

use crate::api::reasons::{event, receipt as reason};

/// Code, word, and what it means.
const LATE: [(&[u32], &str, &str); 11] = [
    (&[63_016], reason::OUTSIDE_WINDOW, "WhatsApp takes no free text outside of 24 hours after the customer wrote"),
    (&[63_049], reason::WITHHELD_BY_META, "Meta chose not to deliver this marketing message to this customer"),
    (&[63_003, 63_024], event::NOT_ON_WHATSAPP, "the number has no WhatsApp, or could not be verified"),
    (&[21_211, 21_614], event::RECIPIENT_INVALID, "Twilio does not take the number"),
    (&[21_610, 63_033], event::RECIPIENT_OPTED_OUT, "the customer has opted out or blocks the sender"),
    (&[63_032], reason::EXCLUDED_BY_META, "WhatsApp keeps this customer from such messages"),
    (&[63_005, 63_013, 63_021], reason::CONTENT_REFUSED, "WhatsApp refused the content"),
    (
        &[21_656, 63_027, 63_028, 63_030, 63_040, 63_041, 63_042],
        reason::TEMPLATE_REFUSED,
        "the template is paused, disabled or rejected, or was filled otherwise than it asks",
    ),
    (&[30_001, 63_017, 63_018, 63_038], reason::LIMIT_EXCEEDED, "a limit of the sender or the account was exceeded"),
    (
        &[30_002, 63_001, 63_007, 63_051, 63_062],
        reason::SENDER_BLOCKED,
        "the account or the WhatsApp sender may not send",
    ),
    (&[30_008, 63_010, 63_012], reason::CHANNEL_FAILED, "WhatsApp or Twilio failed"),
];

/// The reason of a late failure, and a sentence for it. A code that is not known is `Other`, so that Twilio can add codes
/// and not labels.
pub fn late(code: Option<u32>) -> (&'static str, &'static str) {
    let known = code.and_then(|code| LATE.iter().find(|(codes, _, _)| codes.contains(&code)));
    known.map_or((reason::OTHER, "see Twilio's error dictionary"), |(_, word, sentence)| (word, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::fault::Fault;
    use crate::twilio::{ApiError, TwilioError};

    #[test]
    fn a_code_has_one_reason_and_an_unknown_one_is_other() {
        assert_eq!(late(Some(63_049)).0, "WithheldByMeta");
        assert_eq!(late(Some(99_999)).0, "Other");
        assert_eq!(late(None).0, "Other");
        let mut codes: Vec<u32> = LATE.iter().flat_map(|(codes, _, _)| codes.iter().copied()).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn the_recipients_codes_mean_the_same_at_once_and_late() {
        for code in [21_211, 21_610, 21_614, 63_003, 63_024] {
            let answer = ApiError::read(400, None, format!(r#"{{"code":{code}}}"#).as_bytes());
            let Fault::Event(at_once) = Fault::of(&TwilioError::Answered(answer)) else { panic!("{code}") };
            assert_eq!(at_once.word, late(Some(code)).0, "{code}");
        }
    }
}
