//! When a resource is looked at again, after success and after failure.

use std::{sync::Arc, time::Duration};

use crate::{
    api::{Period, reasons::condition as reasons},
    controller::cluster::ClusterError,
    twilio::TwilioError,
};

/// Shortest interval at which a resource is looked at again by itself.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

/// A reconcile that came to an end: look again after this time, or earlier if the resource changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requeue {
    pub after: Duration,
}

impl Requeue {
    /// At the resource's own interval, give or take a tenth, so that resources applied together drift apart.
    pub fn resync(interval: Period) -> Self {
        let interval = interval.as_duration().max(SHORTEST_INTERVAL);
        Self { after: interval.mul_f64(rand::random_range(0.9..=1.1)) }
    }

    /// After `wait`, or at the resource's own interval if that is shorter.
    pub fn within(wait: Duration, interval: Period) -> Self {
        Self { after: wait.min(Self::resync(interval).after) }
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Again, with a growing delay.
    Retry,
    /// Again, not before this time has passed.
    RetryAfter(Duration),
    /// Again some time after this has passed, and not all together: it was not tried.
    HeldBack(Duration),
    /// Again only when the resource or the account was changed, so at the usual interval.
    Terminal,
    /// A new version of the object is on its way and brings its own reconcile.
    Wait,
}

/// A reconcile that has to be repeated. What a person should know of it is in the resource's status already.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("failed to {doing}")]
    Twilio {
        doing: &'static str,
        #[source]
        source: Arc<TwilioError>,
    },
}

impl ReconcileError {
    /// One word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Cluster(ClusterError::Read { .. }) => "ClusterUnreadable",
            Self::Cluster(ClusterError::Write { .. }) => "NotWritten",
            Self::Cluster(ClusterError::Conflict { .. }) => "Conflict",
            Self::Cluster(ClusterError::NotLeading) => "NotLeading",
            Self::Twilio { doing: _, source } => reason_of(source),
        }
    }

    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Cluster(ClusterError::Conflict { .. } | ClusterError::NotLeading) => Disposition::Wait,
            Self::Cluster(ClusterError::Read { .. } | ClusterError::Write { .. }) => Disposition::Retry,
            Self::Twilio { doing: _, source } => disposition_of(source),
        }
    }
}

/// The reason that a condition gives for a failed call.
pub fn reason_of(error: &TwilioError) -> &'static str {
    match error {
        error if error.is_throttled() => reasons::RATE_LIMITED,
        error if error.is_transient() => reasons::API_UNAVAILABLE,
        error if is_unauthorized(error) => reasons::CREDENTIALS_REJECTED,
        _ => reasons::API_REFUSED,
    }
}

/// Whether and when a failed call is worth repeating.
pub fn disposition_of(error: &TwilioError) -> Disposition {
    if let TwilioError::HeldBack { retry_after } = error {
        return Disposition::HeldBack(*retry_after);
    }
    match error.answered().and_then(|answer| answer.retry_after) {
        _ if !error.is_transient() => Disposition::Terminal,
        Some(after) => Disposition::RetryAfter(after),
        None => Disposition::Retry,
    }
}

/// Whether Twilio did not take the credentials.
pub fn is_unauthorized(error: &TwilioError) -> bool {
    error.answered().is_some_and(|answer| answer.status == 401)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::ApiError;

    #[test]
    fn an_interval_varies_by_a_tenth_and_is_never_under_five_seconds() {
        for _ in 0..100 {
            let after = Requeue::resync(Period::minutes(10)).after.as_secs();
            assert!((540..=660).contains(&after), "{after}");
        }
        assert!(Requeue::resync(Period::seconds(0)).after >= Duration::from_millis(4_500));
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_it_was_asked_to() {
        let answer = |status, retry_after| TwilioError::Answered(ApiError::read(status, retry_after, b"{}"));
        let asked = Duration::from_secs(7);
        for (error, reason, disposition) in [
            (answer(429, Some(asked)), "RateLimited", Disposition::RetryAfter(asked)),
            (answer(429, None), "RateLimited", Disposition::Retry),
            (answer(503, None), "ApiUnavailable", Disposition::Retry),
            (answer(401, None), "CredentialsRejected", Disposition::Terminal),
            (answer(403, None), "ApiRefused", Disposition::Terminal),
            (TwilioError::AnswerLost(String::new()), "ApiUnavailable", Disposition::Retry),
        ] {
            assert_eq!((reason_of(&error), disposition_of(&error)), (reason, disposition), "{error}");
        }
    }
}
