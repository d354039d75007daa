//! The answer to Segment: one status for the request, and in its body what became of each event. It stays small, since
//! Segment's own client stalls on large ones.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::delivery::outcome::{Outcome, OutcomeKind, status_of_all};

/// Largest body of an answer, in bytes.
pub const MAX_ANSWER: usize = 16 * 1024;
/// Above this number of events, those that went well are only counted.
const MAX_LISTED: usize = 100;
/// Longest detail of a reason, in characters.
const MAX_DETAIL: usize = 300;
/// What `Retry-After` says, in seconds. Whether Segment heeds it is not known.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("15");

/// What became of one event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventResult<'a> {
    message_id: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How many events of a large batch came to what.
#[derive(Debug, Default, Serialize)]
struct Counts {
    sent: usize,
    duplicate: usize,
    suppressed: usize,
    rejected: usize,
    retry: usize,
    unknown: usize,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    results: Vec<EventResult<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

/// The outcome of an event, with its id where it has one.
pub type EventOutcome = (Option<String>, Outcome);

/// Answers a request whose events have their outcomes.
pub fn of_events(outcomes: &[EventOutcome]) -> Response {
    let status = status_of_all(outcomes.iter().map(|(_, outcome)| outcome));
    with_status(status, body_of(outcomes))
}

/// Answers a request that was refused as a whole.
pub fn refusal(status: StatusCode, reason: &str, detail: &str) -> Response {
    let body = serde_json::json!({"results": [], "reason": reason, "detail": shortened(detail)});
    with_status(status.as_u16(), body.to_string())
}

/// Answers a callback that was taken.
pub fn empty() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn with_status(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response =
        (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn body_of(outcomes: &[EventOutcome]) -> String {
    let is_large = outcomes.len() > MAX_LISTED;
    let listed = outcomes
        .iter()
        .filter(|(_, outcome)| !is_large || !matches!(outcome.kind(), OutcomeKind::Sent | OutcomeKind::Duplicate));
    let mut answer =
        Answer { results: listed.map(result_of).collect(), counts: is_large.then(|| counts_of(outcomes)), more: None };
    let mut body = json(&answer);
    while body.len() > MAX_ANSWER && !answer.results.is_empty() {
        // Cut by the share that is too much, so that a few rounds do.
        let keep = answer.results.len() * MAX_ANSWER / body.len();
        let keep = keep.min(answer.results.len() - 1);
        answer.more = Some(answer.more.unwrap_or(0) + answer.results.len() - keep);
        answer.results.truncate(keep);
        body = json(&answer);
    }
    body
}

fn json(answer: &Answer<'_>) -> String {
    serde_json::to_string(answer).unwrap_or_else(|_| r#"{"results":[]}"#.to_owned())
}

fn result_of((message_id, outcome): &EventOutcome) -> EventResult<'_> {
    let reason = outcome.reason();
    EventResult {
        message_id: message_id.as_deref(),
        outcome: outcome.kind().as_str(),
        sid: outcome.sid(),
        reason: reason.map(|reason| reason.word.as_str()),
        detail: reason.filter(|reason| !reason.detail.is_empty()).map(|reason| shortened(&reason.detail)),
    }
}

fn counts_of(outcomes: &[EventOutcome]) -> Counts {
    let mut counts = Counts::default();
    for (_, outcome) in outcomes {
        *match outcome.kind() {
            OutcomeKind::Sent => &mut counts.sent,
            OutcomeKind::Duplicate => &mut counts.duplicate,
            OutcomeKind::Suppressed => &mut counts.suppressed,
            OutcomeKind::Rejected => &mut counts.rejected,
            OutcomeKind::Retry => &mut counts.retry,
            OutcomeKind::Unknown => &mut counts.unknown,
        } += 1;
    }
    counts
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::delivery::outcome::Final;

    fn outcomes(count: usize, outcome: &Outcome) -> Vec<EventOutcome> {
        (0..count).map(|n| (Some(format!("m-{n}")), outcome.clone())).collect()
    }

    fn body(outcomes: &[EventOutcome]) -> Value {
        let body = body_of(outcomes);
        assert!(body.len() <= MAX_ANSWER, "{}", body.len());
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn each_event_of_a_small_batch_is_listed() {
        let sent = Outcome::Final(Final::Sent { sid: "SM1".into() });
        let mut events = outcomes(2, &sent);
        events.push((None, Outcome::rejected("MalformedEvent", "no id")));
        assert_eq!(
            body(&events),
            serde_json::json!({"results": [
                {"messageId": "m-0", "outcome": "sent", "sid": "SM1"},
                {"messageId": "m-1", "outcome": "sent", "sid": "SM1"},
                {"messageId": null, "outcome": "rejected", "reason": "MalformedEvent", "detail": "no id"},
            ]})
        );
    }

    #[test]
    fn the_good_ones_of_a_large_batch_are_counted_and_the_rest_is_cut_where_it_must_be() {
        let mut events = outcomes(3_000, &Outcome::Final(Final::Sent { sid: "SM1".into() }));
        events.extend(outcomes(1_000, &Outcome::retry("Throttled", "x".repeat(1_000))));
        let body = body(&events);
        let listed = body["results"].as_array().unwrap().len();
        assert!(listed > 20);
        assert_eq!(listed + usize::try_from(body["more"].as_u64().unwrap()).unwrap(), 1_000);
        assert_eq!(body["counts"]["sent"], 3_000);
        assert_eq!(body["counts"]["retry"], 1_000);
    }
}
