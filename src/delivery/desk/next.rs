//! What a person does next about an event, in words. What a reason means is in `docs/delivery.md`; this is what to do.

use super::show::Message;
use crate::{
    api::reasons::event as reason,
    delivery::{
        journal::{Entry, State, by_hand::may_have_been_sent},
        outcome::{Final, Reason},
        receipts::Status,
    },
};

const RETRY: &str =
    "then let it be sent: `deliveries retry`, with `--event` at once, without it when Segment repeats the event";

/// Reasons, and what mends them.
const MENDS: [(&[&str], &str); 17] = [
    (&[reason::MALFORMED_EVENT], "map the whole event in Segment"),
    (
        &[reason::NO_USER],
        "the event has neither userId nor anonymousId, so no profile can be asked: see who sends such events",
    ),
    (&[reason::NO_SPACE], "set spec.segment.spaceId"),
    (
        &[reason::NO_PROFILE],
        "the space has no profile of this user: check spec.segment.spaceId and the identifiers of the event",
    ),
    (&[reason::NO_PHONE], "give the profile the trait that spec.phone names, or the event"),
    (
        &[reason::INVALID_PHONE],
        "correct the number in the profile; set spec.phone.defaultRegion if numbers are written as at home",
    ),
    (
        &[reason::MISSING_TRAIT, reason::INVALID_VARIABLE, reason::TEMPLATE_FAILED],
        "correct the trait, or the Liquid of the content variable; `engage-operator preview` shows what it makes of an event",
    ),
    (
        &[reason::RECIPIENT_INVALID, reason::NOT_ON_WHATSAPP],
        "this customer cannot be reached by WhatsApp at this number: correct the profile or use another channel",
    ),
    (&[reason::RECIPIENT_OPTED_OUT], "the customer has opted out: respect it"),
    (
        &[reason::CONVERSATION_CLOSED],
        "its conversation was closed before it was complete; a new event begins a new one",
    ),
    (
        &[reason::THROTTLED, reason::OVERLOADED, reason::RECIPIENT_BUSY],
        "wait; a higher spec.delivery.rate if Twilio grants one",
    ),
    (&[reason::TWILIO_UNREACHABLE], "look at the network: name, route, TLS"),
    (
        &[reason::TWILIO_CREDENTIALS_REJECTED, reason::CREDENTIALS_UNREADABLE],
        "put the current credentials into the Secret of spec.twilio or spec.segment",
    ),
    (&[reason::TWILIO_FORBIDDEN], "allow the restricted API key what the action needs"),
    (
        &[reason::TWILIO_NOT_FOUND, reason::TWILIO_REFUSED],
        "look at the detail and at the conditions of the destination; correct the SID or the account",
    ),
    (&[reason::PROFILE_API_REFUSED], "check the token, the space and the region of spec.segment"),
    (&[reason::PROFILE_API_THROTTLED], "bring the traits in the event, so that the Profile API is not asked"),
];

pub(super) fn steps(entry: &Entry, messages: &[Message]) -> Vec<String> {
    let mut steps = match &entry.state {
        State::Open { reason } => waits(reason),
        State::Claimed { .. } => vec!["it is being worked on, and nothing has left: wait some seconds".into()],
        State::Started { .. } => vec![
            "an attempt is under way, or its answer was lost and it is being looked for: wait; that takes delivery.settle at most, \
             and the gateway has to run"
                .into(),
        ],
        State::Final { outcome: Final::Sent { .. } } => sent(messages),
        State::Final { outcome: Final::Suppressed { .. } } => {
            vec!["nothing: nobody was to be messaged. Who is to be messaged now gets a new event".into()]
        }
        State::Final { outcome: Final::Duplicate { .. } } => {
            vec!["nothing: another event of the same entry was acted on; the detail names it".into()]
        }
        State::Final { outcome: Final::Rejected { reason } } => rejected(reason, entry),
        State::Final { outcome: Final::Unknown { .. } } => parked(messages),
    };
    if may_have_been_sent(entry) && !matches!(entry.state, State::Final { outcome: Final::Unknown { .. } }) {
        steps.push("it was parked before: an earlier attempt may have reached the customer".into());
    }
    steps
}

fn mend(reason: &Reason) -> Option<&'static str> {
    MENDS.iter().find(|(words, _)| words.contains(&reason.word.as_str())).map(|(_, mend)| *mend)
}

fn waits(reason: &Reason) -> Vec<String> {
    let mend = mend(reason).unwrap_or("wait");
    vec![
        format!("{mend}. Segment repeats it for about four hours; `deliveries retry --event` delivers it at once"),
        "what is not repeated is given up at `expires`; `deliveries resolve --as rejected` gives it up now".into(),
    ]
}

fn rejected(reason: &Reason, entry: &Entry) -> Vec<String> {
    match reason.word.as_str() {
        reason::DECIDED_BY_HAND => vec!["nothing: a person has decided".into()],
        reason::RETRIES_ENDED => vec![format!("mend what the detail names, {RETRY}")],
        reason::RECIPIENT_OPTED_OUT => mend(reason).into_iter().map(ToOwned::to_owned).collect(),
        _ => {
            let mend = mend(reason).unwrap_or("mend what the detail names");
            let knowing = if may_have_been_sent(entry) { ", knowing that it may double" } else { "" };
            vec![format!("{mend}; {RETRY}{knowing}")]
        }
    }
}

fn parked(messages: &[Message]) -> Vec<String> {
    let found = match messages.first() {
        Some(message) => format!(
            "Twilio has told of message {} of this event: `deliveries resolve --as sent --sid {}`",
            message.sid, message.sid
        ),
        None => "look into the customer's history: Console, Monitor, Logs, Messaging, by the Messaging Service, the time and the \
                 number of `attempt`, or the conversation of that unique name"
            .to_owned(),
    };
    vec![
        found,
        "it is there: `deliveries resolve --as sent --sid SM…` (or CH…, KD…)".into(),
        "it is not, and the customer shall not be messaged any more: `deliveries resolve --as rejected --reason TEXT`".into(),
        "it is not, and the customer shall be: `deliveries retry`. If it is there after all, the customer gets it twice".into(),
    ]
}

fn sent(messages: &[Message]) -> Vec<String> {
    let failed = messages.iter().find(|message| message.status == Some(Status::Failed));
    match failed.and_then(|message| message.detail.as_ref()) {
        Some(detail) => vec![format!(
            "it did not arrive: {detail}. It is not sent again for this event; whether the customer hears once more is a journey's \
             decision, by a new event"
        )],
        None => vec!["nothing: it was sent. A repetition is answered from the record".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::journal::{Act, By, by_hand::Deed};
    use crate::delivery::outcome::OutcomeKind;

    fn ended(outcome: Final) -> Entry {
        let state = State::Final { outcome };
        Entry { state, first_seen: 0, attempts: 1, expires: 1, parked: None, by_hand: Vec::new(), enrolled: Vec::new() }
    }

    fn rejected_as(word: &str) -> Entry {
        ended(Final::Rejected { reason: Reason::new(word, "") })
    }

    #[test]
    fn what_is_rejected_says_what_mends_it_and_what_sends_it() {
        let steps = steps(&rejected_as(reason::NO_PHONE), &[]);
        assert!(steps[0].contains("spec.phone") && steps[0].contains("deliveries retry"), "{steps:?}");
        assert!(!steps[0].contains("double"));
    }

    #[test]
    fn who_has_opted_out_is_not_to_be_retried() {
        let steps = steps(&rejected_as(reason::RECIPIENT_OPTED_OUT), &[]);
        assert!(!steps.iter().any(|step| step.contains("retry")), "{steps:?}");
    }

    #[test]
    fn what_was_parked_says_so_whatever_it_ends_as() {
        let by_hand = vec![Act { at: 0, deed: Deed::Reopened, was: OutcomeKind::Unknown, by: By::default() }];
        let entry = Entry { by_hand, ..rejected_as(reason::NOT_ON_WHATSAPP) };
        let steps = steps(&entry, &[]);
        assert!(steps[0].contains("may double") && steps[1].contains("may have reached"), "{steps:?}");
    }

    #[test]
    fn a_message_that_twilio_told_of_is_the_one_to_resolve_by() {
        let unknown = ended(Final::Unknown { reason: Reason::new(reason::OUTCOME_UNKNOWN, "") });
        let message = Message { sid: "SM7".into(), status: None, error_code: None, reason: None, detail: None };
        assert!(steps(&unknown, &[message])[0].contains("--as sent --sid SM7"));
    }
}
