//! What the status remembers of the flow, as `plan` needs it: of this account only, and without a clock.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::StudioFlowStatus,
    controller::studio_flow::live::{LiveFlow, LiveRevision},
    twilio::sid::{AccountSid, FlowSid},
};

/// Most revisions that are read to see what became of one write.
const MAX_SINCE: usize = 50;

/// What was done so far in this account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The flow that was made or taken over.
    pub sid: Option<FlowSid>,
    pub revision: Option<i64>,
    pub published_revision: Option<i64>,
    /// Hash of the definition that was last written or agreed with.
    pub definition_hash: Option<String>,
    /// Hash of what Studio made of it.
    pub live_hash: Option<String>,
    /// The foreign revision that is kept until the definition changes; `live_hash` is its hash then.
    pub kept: Option<i64>,
    /// The friendly name of a create that was begun and of which nothing is known.
    pub pending: Option<String>,
    /// A write that was begun and of which not everything is known.
    pub begun: Option<Begun>,
    /// How long what was last written may still not be seen; `None` when everything that was written can be read.
    pub settles_in: Option<Duration>,
}

/// A write to the flow that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Begun {
    /// The latest revision that was seen before it.
    pub after: i64,
    /// The foreign revision that it saves again.
    pub restores: Option<i64>,
}

impl Recorded {
    /// Reads the status. What it says of another account does not count: there the flow is made anew.
    pub fn of(status: &StudioFlowStatus, account: &AccountSid, now: Timestamp, settle: Duration) -> Self {
        let pending = status.pending_create.as_ref().filter(|pending| pending.account_sid == account.as_str());
        let known = Some(status).filter(|status| status.account_sid.as_deref() == Some(account.as_str()));
        let last_write = known.and_then(|status| status.last_write_time.as_deref());
        let begun = known.and_then(|status| status.pending_write.as_ref());
        let last = pending.map(|pending| pending.since.as_str()).into_iter();
        let last = last.chain(begun.map(|begun| begun.since.as_str())).chain(last_write);
        let last = last.filter_map(|time| time.parse::<Timestamp>().ok()).max();
        let settles_in = last.and_then(|last| {
            // A clock that went backwards must not make it wait for longer than the whole time.
            let passed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
            settle.checked_sub(passed).filter(|left| !left.is_zero())
        });
        Self {
            sid: known.and_then(|status| status.sid.as_deref()?.parse().ok()),
            revision: known.and_then(|status| status.revision),
            published_revision: known.and_then(|status| status.published_revision),
            definition_hash: known.and_then(|status| status.definition_hash.clone()),
            live_hash: known.and_then(|status| status.live_hash.clone()),
            kept: known.and_then(|status| status.kept_revision),
            pending: pending.map(|pending| pending.friendly_name.clone()),
            begun: begun.map(|begun| Begun { after: begun.after, restores: begun.restores }),
            settles_in,
        }
    }

    /// Whether everything that was written can be read by now.
    pub const fn settled(&self) -> bool {
        self.settles_in.is_none()
    }

    /// The revisions that have to be read beside the newest, which is `latest`, to see what became of a write that was begun:
    /// those since, with the one before them, and the one that it saves again.
    pub fn in_question(&self, latest: i64) -> Vec<i64> {
        let Some(begun) = self.begun else { return Vec::new() };
        let since = if latest > begun.after + 1 { begun.after..latest } else { 0..0 };
        begun.restores.into_iter().chain(since.take(MAX_SINCE)).collect()
    }

    /// The number of the revision that the write that was begun has made, if it is seen.
    pub fn made(&self, live: &LiveFlow) -> Option<i64> {
        let begun = self.begun?;
        let seen = live.in_question.iter().chain([&live.latest]).chain(&live.published);
        let ours = seen.filter(|revision| revision.by.is_our_hand()).map(|revision| revision.number);
        ours.chain(self.revision).filter(|number| *number > begun.after).min()
    }

    /// The revision that the write that was begun went over without having seen it: whoever else saves in between leaves a
    /// gap. One that was to be saved again, and was not, is still such a one.
    pub fn gone_over<'a>(&self, live: &'a LiveFlow) -> Option<&'a LiveRevision> {
        let begun = self.begun?;
        let number = match self.made(live) {
            Some(made) => (made > begun.after + 1).then_some(made - 1),
            None => begun.restores,
        };
        live.in_question.iter().find(|revision| Some(revision.number) == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::studio_flow::PendingCreate;

    const SETTLE: Duration = Duration::from_mins(1);

    fn account(last: char) -> AccountSid {
        format!("AC{}{last}", "0".repeat(31)).parse().unwrap()
    }

    fn status() -> StudioFlowStatus {
        StudioFlowStatus {
            sid: Some(format!("FW{}", "0".repeat(32))),
            account_sid: Some(account('1').to_string()),
            revision: Some(3),
            last_write_time: Some("2026-01-01T00:00:00Z".into()),
            ..Default::default()
        }
    }

    #[test]
    fn another_account_knows_nothing_of_the_flow() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(Recorded::of(&status(), &account('1'), now, SETTLE).revision, Some(3));
        assert_eq!(Recorded::of(&status(), &account('2'), now, SETTLE), Recorded::default());
    }

    #[test]
    fn a_write_is_believed_to_be_readable_after_the_settle_time() {
        let at = |now: &str, status: &StudioFlowStatus| {
            Recorded::of(status, &account('1'), now.parse().unwrap(), SETTLE).settles_in
        };
        assert_eq!(at("2026-01-01T00:00:20Z", &status()), Some(Duration::from_secs(40)));
        assert_eq!(at("2026-01-01T00:01:00Z", &status()), None);
        assert_eq!(at("2025-12-31T00:00:00Z", &status()), Some(SETTLE));
        let pending_create = Some(PendingCreate {
            account_sid: account('1').to_string(),
            friendly_name: "Agent".into(),
            since: "2026-01-01T00:00:30Z".into(),
        });
        let begun = StudioFlowStatus { pending_create, ..status() };
        assert_eq!(at("2026-01-01T00:01:00Z", &begun), Some(Duration::from_secs(30)));
    }
}
