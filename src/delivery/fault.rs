//! Whose fault a refusal of Twilio is, since that decides whether Segment keeps the event. Only what this one event can
//! never get past is its own; whatever a person can mend in the account or the resource is repeated until it is mended.

use std::time::Duration;

use crate::{
    api::reasons::event as reason,
    delivery::outcome::Reason,
    twilio::{ApiError, TwilioError, conversations, interactions, sid::InteractionSid},
};

/// What a call that certainly had no effect means for its event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fault {
    /// This event can never succeed.
    Event(Reason),
    /// The account or the resource must change, or Twilio must recover; the event is kept.
    Mendable(Reason),
    /// Twilio was asked too often; nothing else is wrong.
    Throttled { retry_after: Option<Duration> },
    /// Twilio refused the credentials: they are read again before the event is.
    Credentials(Reason),
}

/// Codes by which Twilio refuses what came from the event, with the reason that is shown.
const EVENT_CODES: [(i64, &str); 11] = [
    (21_211, reason::RECIPIENT_INVALID),
    (21_610, reason::RECIPIENT_OPTED_OUT),
    (21_614, reason::RECIPIENT_INVALID),
    (21_656, reason::INVALID_VARIABLE),
    (50_407, reason::RECIPIENT_INVALID),
    (50_409, reason::RECIPIENT_INVALID),
    (50_540, reason::INVALID_VARIABLE),
    (50_541, reason::INVALID_VARIABLE),
    (63_003, reason::NOT_ON_WHATSAPP),
    (63_024, reason::NOT_ON_WHATSAPP),
    (92_007, reason::INVALID_VARIABLE),
];

impl Fault {
    /// Reads a failure of which [`TwilioError::had_no_effect`] holds.
    pub fn of(error: &TwilioError) -> Self {
        let detail = error.to_string();
        match error {
            TwilioError::NotSent(_) => Self::Mendable(Reason::new(reason::TWILIO_UNREACHABLE, detail)),
            TwilioError::AnswerLost(_) | TwilioError::NotUnderstood { .. } => {
                Self::Mendable(Reason::new(reason::TWILIO_UNAVAILABLE, detail))
            }
            TwilioError::HeldBack { retry_after } => Self::Throttled { retry_after: Some(*retry_after) },
            TwilioError::Answered(answer) if error.is_throttled() => {
                Self::Throttled { retry_after: answer.retry_after }
            }
            TwilioError::Answered(answer) => Self::of_answer(answer, detail),
        }
    }

    /// What the failure of an interaction's channel means for its event, by the code that the channel shows. A participant who cannot be
    /// added is the event's own.
    pub fn of_channel(interaction: &InteractionSid, code: Option<i64>) -> Self {
        let shown = code.map(|code| format!(" (error {code})")).unwrap_or_default();
        let detail = format!("the channel of interaction {interaction} failed{shown}; its task was ended");
        let word = code.and_then(|code| EVENT_CODES.iter().find(|(known, _)| *known == code));
        match (word, code) {
            (Some((_, word)), _) => Self::Event(Reason::new(word, detail)),
            (None, Some(interactions::code::PARTICIPANT_NOT_ADDED)) => {
                Self::Event(Reason::new(reason::INTERACTION_FAILED, detail))
            }
            (None, _) => Self::Mendable(Reason::new(reason::INTERACTION_FAILED, detail)),
        }
    }

    fn of_answer(answer: &ApiError, detail: String) -> Self {
        let code_reason = answer.code.and_then(|code| EVENT_CODES.iter().find(|(known, _)| *known == code));
        match (answer.status, code_reason) {
            (401, _) => Self::Credentials(Reason::new(reason::TWILIO_CREDENTIALS_REJECTED, detail)),
            (403, _) => Self::Credentials(Reason::new(reason::TWILIO_FORBIDDEN, detail)),
            (400..=499, Some((_, word))) => Self::Event(Reason::new(word, detail)),
            (404, None) => Self::Mendable(Reason::new(reason::TWILIO_NOT_FOUND, detail)),
            (409, None) => Self::Mendable(Reason::new(reason::TWILIO_CONFLICT, detail)),
            (500..=599, _) => Self::Mendable(Reason::new(reason::TWILIO_UNAVAILABLE, detail)),
            (_, _) if answer.code == Some(conversations::code::CLOSED) => {
                Self::Event(Reason::new(reason::CONVERSATION_CLOSED, detail))
            }
            (_, _) => Self::Mendable(Reason::new(reason::TWILIO_REFUSED, detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, code: i64) -> Fault {
        let body = format!(r#"{{"code":{code},"message":"m","status":{status}}}"#);
        Fault::of(&TwilioError::Answered(ApiError::read(status, None, body.as_bytes())))
    }

    #[test]
    fn what_the_event_can_never_get_past_is_its_own_fault() {
        for (status, code, word) in [
            (400, 21_211, reason::RECIPIENT_INVALID),
            (400, 63_003, reason::NOT_ON_WHATSAPP),
            (400, 21_656, reason::INVALID_VARIABLE),
            (400, 50_377, reason::CONVERSATION_CLOSED),
        ] {
            assert!(matches!(fault(status, code), Fault::Event(found) if found.word == word), "{code}");
        }
    }

    #[test]
    fn what_a_person_can_mend_keeps_the_event() {
        for (status, code, word) in [
            (404, 20_404, reason::TWILIO_NOT_FOUND),
            (404, 21_701, reason::TWILIO_NOT_FOUND),
            (400, 21_704, reason::TWILIO_REFUSED),
            (400, 99_999, reason::TWILIO_REFUSED),
            (409, 20_409, reason::TWILIO_CONFLICT),
            (503, 20_503, reason::TWILIO_UNAVAILABLE),
        ] {
            assert!(matches!(fault(status, code), Fault::Mendable(found) if found.word == word), "{code}");
        }
        assert!(matches!(fault(401, 20_003), Fault::Credentials(_)));
        assert!(matches!(fault(403, 20_403), Fault::Credentials(_)));
    }

    #[test]
    fn a_channel_fails_by_its_customer_or_by_something_that_may_pass() {
        let of = |code| Fault::of_channel(&format!("KD{}", "0".repeat(32)).parse().unwrap(), code);
        assert!(matches!(of(Some(63_003)), Fault::Event(found) if found.word == reason::NOT_ON_WHATSAPP));
        assert!(matches!(of(Some(45_361)), Fault::Event(found) if found.word == reason::INTERACTION_FAILED));
        for code in [Some(45_352), Some(1), None] {
            assert!(matches!(of(code), Fault::Mendable(found) if found.word == reason::INTERACTION_FAILED), "{code:?}");
        }
    }

    #[test]
    fn being_asked_too_often_is_nobodys_fault() {
        assert_eq!(fault(429, 20_429), Fault::Throttled { retry_after: None });
        assert_eq!(fault(400, 50_063), Fault::Throttled { retry_after: None });
        assert_eq!(fault(400, 45_780), Fault::Throttled { retry_after: None });
    }
}
