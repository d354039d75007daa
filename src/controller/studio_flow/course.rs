//! The way of a plan: one effect at a time, each preceded by what has to be on record for it to be found again, and followed
//! by what it gave. Pure; [`apply`](super::apply) does what it says, and so does the model that looks through every crash.

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::StudioFlowStatus,
    controller::studio_flow::{
        ledger,
        live::LiveFlow,
        marker::Marker,
        plan::{ForeignRevision, Plan, Refusal, Wait, Why},
        validate::Desired,
    },
    twilio::{
        sid::{AccountSid, FlowSid},
        studio::{Flow, FlowWrite},
    },
};

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    /// Ask Studio whether it would take this.
    Validate(FlowWrite),
    /// Have the status as it is now outlive a crash.
    Record,
    Create(FlowWrite),
    Update(FlowSid, FlowWrite),
    SetTestUsers(FlowSid, Vec<String>),
    End(Outcome),
}

/// What carrying out a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The account has the flow as the spec says. Somebody else's draft may be on top of it.
    InStep { foreign_draft: Option<ForeignRevision> },
    /// The account has the flow as somebody else has edited it, and that is kept.
    Kept(ForeignRevision),
    /// As `Kept`, until somebody has decided. `changed`: the spec has changed beside it.
    Held { foreign: ForeignRevision, draft: Option<ForeignRevision>, changed: bool },
    /// There is more to do, and what it is only a new look tells.
    Again,
    /// Nothing was done yet.
    Waiting(Wait),
    /// Nothing will be done until somebody has acted.
    Refused(Refusal),
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    /// Studio would take what is to be written.
    Valid,
    /// What is to be put back is told of, and what is on top of it is not yet.
    Told,
    /// The intent is on record.
    Intended,
    /// Twilio was written to.
    Written,
    /// What that gave is on record.
    Recorded,
    /// The test users are as they should be.
    Done,
}

/// A plan that is being carried out.
#[derive(Debug)]
pub struct Course<'a> {
    plan: Plan<'a>,
    desired: &'a Desired,
    marker: &'a Marker,
    account: &'a AccountSid,
    stage: Stage,
    sid: Option<FlowSid>,
}

impl<'a> Course<'a> {
    pub const fn new(plan: Plan<'a>, desired: &'a Desired, marker: &'a Marker, account: &'a AccountSid) -> Self {
        Self { plan, desired, marker, account, stage: Stage::Begin, sid: None }
    }

    /// The next thing to do, given what the last one answered.
    pub fn next(&mut self, status: &mut StudioFlowStatus, answer: Option<&Flow>, now: Timestamp) -> Do {
        let (desired, marker, account) = (self.desired, self.marker, self.account);
        match (&self.plan, self.stage) {
            (Plan::Wait(what), _) => Do::End(Outcome::Waiting(*what)),
            (Plan::Refuse(refusal), _) => Do::End(Outcome::Refused(refusal.clone())),
            (Plan::Hold { live, foreign, draft, changed }, _) => {
                ledger::ended(status, live, now);
                ledger::tell(status, foreign, None);
                let (foreign, draft) = (foreign.clone(), draft.clone());
                Do::End(Outcome::Held { foreign, draft, changed: *changed })
            }
            (Plan::Adopt { live }, Stage::Begin) => {
                ledger::adopt(status, account, &live.sid, now);
                self.stage = Stage::Recorded;
                Do::Record
            }
            (Plan::Overwrote { live, foreign, by }, Stage::Begin) => {
                ledger::tell(status, foreign, Some(*by));
                ledger::ended(status, live, now);
                self.stage = Stage::Recorded;
                Do::Record
            }
            (Plan::Adopt { live: _ } | Plan::Overwrote { .. }, _) => Do::End(Outcome::Again),
            (Plan::Nothing { live, foreign_draft }, Stage::Begin) => {
                ledger::agreed(status, desired, live, None, now);
                if let Some(foreign) = foreign_draft {
                    ledger::tell(status, foreign, None);
                }
                self.test_users()
            }
            (Plan::Keep { live, foreign }, Stage::Begin) => {
                ledger::agreed(status, desired, live, Some(foreign), now);
                ledger::tell(status, foreign, None);
                self.test_users()
            }
            (Plan::Create | Plan::Update { .. }, Stage::Begin) => {
                self.stage = Stage::Valid;
                Do::Validate(self.write())
            }
            (Plan::Create, Stage::Valid) => {
                ledger::begin_create(status, account, &desired.friendly_name, now);
                self.stage = Stage::Intended;
                Do::Record
            }
            // One status tells of one edit.
            (Plan::Update { live: _, why: Why::ForeignEdit(foreign), draft: Some(_), .. }, Stage::Valid) => {
                ledger::tell(status, foreign, None);
                self.stage = Stage::Told;
                Do::Record
            }
            (Plan::Update { live, why, draft, .. }, Stage::Valid | Stage::Told) => {
                let told = match why {
                    Why::ForeignEdit(foreign) | Why::Renamed(foreign) => draft.as_ref().or(Some(foreign)),
                    Why::SpecChanged | Why::StatusMismatch | Why::NameMismatch => None,
                };
                if let Some(foreign) = told {
                    ledger::tell(status, foreign, None);
                }
                ledger::begin_write(status, live, None, now);
                self.stage = Stage::Intended;
                Do::Record
            }
            (Plan::Restore { live, revision, foreign, by }, Stage::Begin | Stage::Valid) => {
                ledger::tell(status, foreign, Some(*by));
                ledger::begin_write(status, live, Some(revision.number), now);
                self.stage = Stage::Intended;
                Do::Record
            }
            (Plan::Create, Stage::Intended) => {
                self.stage = Stage::Written;
                Do::Create(self.write())
            }
            (Plan::Update { live, .. }, Stage::Intended) => {
                self.stage = Stage::Written;
                Do::Update(live.sid.clone(), self.write())
            }
            (Plan::Restore { live, revision, .. }, Stage::Intended) => {
                self.stage = Stage::Written;
                let write = FlowWrite {
                    friendly_name: revision.friendly_name.clone(),
                    publish: revision.published,
                    definition: revision.definition.to_string(),
                    commit_message: marker.restores(revision.number),
                };
                Do::Update(live.sid.clone(), write)
            }
            (Plan::Create | Plan::Update { .. } | Plan::Restore { .. }, Stage::Written) => {
                let before = self.plan.live();
                if let Some(answer) = answer {
                    if matches!(self.plan, Plan::Restore { .. }) {
                        if let Some(drift) = &mut status.drift {
                            drift.restored_as = answer.revision;
                        }
                    } else if !self.is_stage() {
                        ledger::written(status, desired, answer);
                    }
                    ledger::answered(status, account, before, answer, now);
                    self.sid = Some(answer.sid.clone());
                }
                self.stage = Stage::Recorded;
                Do::Record
            }
            (Plan::Create | Plan::Update { .. }, Stage::Recorded)
                if status.pending_write.is_none() && !self.is_stage() =>
            {
                self.test_users()
            }
            (Plan::Nothing { live: _, foreign_draft }, _) => {
                Do::End(Outcome::InStep { foreign_draft: foreign_draft.clone() })
            }
            (Plan::Keep { live: _, foreign }, _) => Do::End(Outcome::Kept(foreign.clone())),
            (Plan::Create | Plan::Update { .. }, Stage::Done) => Do::End(Outcome::InStep { foreign_draft: None }),
            (Plan::Create | Plan::Update { .. } | Plan::Restore { .. }, _) => Do::End(Outcome::Again),
        }
    }

    /// Sets the test users where they differ, or ends.
    fn test_users(&mut self) -> Do {
        self.stage = Stage::Done;
        let live = self.plan.live();
        let sid = self.sid.as_ref().or_else(|| live.map(|live| &live.sid));
        let has = live.and_then(|live| live.test_users.as_deref()).unwrap_or_default();
        let has = has.iter().filter(|user| !user.is_empty());
        match (&self.desired.test_users, sid) {
            (Some(users), Some(sid)) if *users != has.cloned().collect() => {
                Do::SetTestUsers(sid.clone(), users.iter().cloned().collect())
            }
            _ => Do::End(match &self.plan {
                Plan::Nothing { live: _, foreign_draft } => Outcome::InStep { foreign_draft: foreign_draft.clone() },
                Plan::Keep { live: _, foreign } => Outcome::Kept(foreign.clone()),
                _ => Outcome::InStep { foreign_draft: None },
            }),
        }
    }

    /// Whether what is written is a draft that is to be published after it.
    const fn is_stage(&self) -> bool {
        self.desired.publish != self.publishes()
    }

    const fn publishes(&self) -> bool {
        match self.plan {
            Plan::Update { publish, .. } => publish,
            _ => self.desired.publish && !self.desired.staged,
        }
    }

    fn write(&self) -> FlowWrite {
        let Desired { friendly_name, definition, hash, .. } = self.desired;
        FlowWrite {
            friendly_name: friendly_name.clone(),
            publish: self.publishes(),
            definition: definition.to_string(),
            commit_message: self.marker.commit_message(hash),
        }
    }
}

impl Plan<'_> {
    /// The flow as it was seen, where the plan is about one.
    const fn live(&self) -> Option<&LiveFlow> {
        match self {
            Self::Nothing { live, .. }
            | Self::Keep { live, .. }
            | Self::Adopt { live }
            | Self::Hold { live, .. }
            | Self::Update { live, .. }
            | Self::Overwrote { live, .. }
            | Self::Restore { live, .. } => Some(live),
            Self::Create | Self::Wait(_) | Self::Refuse(_) => None,
        }
    }
}
