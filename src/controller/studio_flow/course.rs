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
        match self.stage {
            Stage::Begin => self.begin(status, now),
            Stage::Valid | Stage::Told => self.intend(status, now),
            Stage::Intended => self.act(),
            Stage::Written => self.note(status, answer, now),
            Stage::Recorded if self.is_whole() && status.pending_write.is_none() => self.set_test_users(),
            Stage::Recorded => Do::End(Outcome::Again),
            Stage::Done => Do::End(self.in_step()),
        }
    }

    fn begin(&mut self, status: &mut StudioFlowStatus, now: Timestamp) -> Do {
        if !matches!(self.plan, Plan::Wait(_) | Plan::Refuse(_)) {
            let seen = self.plan.live().into_iter().flat_map(|live| live.published.iter().chain([&live.latest]));
            ledger::runs(status, seen.map(|revision| &revision.definition).chain([&self.desired.definition]));
        }
        match &self.plan {
            Plan::Wait(what) => Do::End(Outcome::Waiting(*what)),
            Plan::Refuse(refusal) => Do::End(Outcome::Refused(refusal.clone())),
            Plan::Hold { live, foreign, draft, changed } => {
                ledger::ended(status, live, now);
                ledger::tell(status, foreign, None);
                let (foreign, draft) = (foreign.clone(), draft.clone());
                Do::End(Outcome::Held { foreign, draft, changed: *changed })
            }
            Plan::Adopt { live } => {
                ledger::adopt(status, self.account, &live.sid, now);
                self.stage = Stage::Recorded;
                Do::Record
            }
            Plan::Overwrote { live, foreign, by } => {
                ledger::tell(status, foreign, Some(*by));
                ledger::ended(status, live, now);
                self.stage = Stage::Recorded;
                Do::Record
            }
            Plan::Nothing { live, foreign_draft } => {
                ledger::agreed(status, self.desired, live, None, now);
                if let Some(foreign) = foreign_draft {
                    ledger::tell(status, foreign, None);
                }
                self.set_test_users()
            }
            Plan::Keep { live, foreign } => {
                ledger::agreed(status, self.desired, live, Some(foreign), now);
                ledger::tell(status, foreign, None);
                self.set_test_users()
            }
            Plan::Create | Plan::Update { .. } => {
                self.stage = Stage::Valid;
                Do::Validate(self.write())
            }
            // Studio has taken it before.
            Plan::Restore { .. } => self.intend(status, now),
        }
    }

    /// Puts on record what is about to be done. One status tells of one edit.
    fn intend(&mut self, status: &mut StudioFlowStatus, now: Timestamp) -> Do {
        match &self.plan {
            Plan::Update { why: Why::ForeignEdit(foreign), draft: Some(_), .. } if self.stage == Stage::Valid => {
                ledger::tell(status, foreign, None);
                self.stage = Stage::Told;
                return Do::Record;
            }
            Plan::Update { live, why, draft, .. } => {
                let told = match why {
                    Why::ForeignEdit(foreign) | Why::Renamed(foreign) => draft.as_ref().or(Some(foreign)),
                    Why::SpecChanged | Why::StatusMismatch | Why::NameMismatch => None,
                };
                if let Some(foreign) = told {
                    ledger::tell(status, foreign, None);
                }
                ledger::begin_write(status, live, None, now);
            }
            Plan::Restore { live, revision, foreign, by } => {
                ledger::tell(status, foreign, Some(*by));
                ledger::begin_write(status, live, Some(revision.number), now);
            }
            _ => ledger::begin_create(status, self.account, &self.desired.friendly_name, now),
        }
        self.stage = Stage::Intended;
        Do::Record
    }

    fn act(&mut self) -> Do {
        self.stage = Stage::Written;
        match &self.plan {
            Plan::Restore { live, revision, .. } => {
                let write = FlowWrite {
                    friendly_name: revision.friendly_name.clone(),
                    publish: revision.published,
                    definition: revision.definition.to_string(),
                    commit_message: self.marker.restores(revision.number),
                };
                Do::Update(live.sid.clone(), write)
            }
            Plan::Update { live, .. } => Do::Update(live.sid.clone(), self.write()),
            _ => Do::Create(self.write()),
        }
    }

    /// Puts on record what was answered.
    fn note(&mut self, status: &mut StudioFlowStatus, answer: Option<&Flow>, now: Timestamp) -> Do {
        if let Some(answer) = answer {
            if self.is_whole() {
                ledger::written(status, self.desired, answer);
                let before = self.plan.live().and_then(|live| live.published.as_ref());
                let served = before.filter(|_| !answer.is_published()).map(|revision| &revision.definition);
                ledger::runs(status, served.into_iter().chain([&self.desired.definition]));
            } else if matches!(self.plan, Plan::Restore { .. })
                && let Some(drift) = &mut status.drift
            {
                drift.restored_as = answer.revision;
            }
            ledger::answered(status, self.account, self.plan.live(), answer, now);
            self.sid = Some(answer.sid.clone());
        }
        self.stage = Stage::Recorded;
        Do::Record
    }

    /// Sets the test users where they differ, or ends.
    fn set_test_users(&mut self) -> Do {
        self.stage = Stage::Done;
        let live = self.plan.live();
        let sid = self.sid.as_ref().or_else(|| live.map(|live| &live.sid));
        let has = live.and_then(|live| live.test_users.as_deref()).unwrap_or_default();
        let has = has.iter().filter(|user| !user.is_empty());
        match (&self.desired.test_users, sid) {
            (Some(users), Some(sid)) if *users != has.cloned().collect() => {
                Do::SetTestUsers(sid.clone(), users.iter().cloned().collect())
            }
            _ => Do::End(self.in_step()),
        }
    }

    fn in_step(&self) -> Outcome {
        match &self.plan {
            Plan::Nothing { live: _, foreign_draft } => Outcome::InStep { foreign_draft: foreign_draft.clone() },
            Plan::Keep { live: _, foreign } => Outcome::Kept(foreign.clone()),
            _ => Outcome::InStep { foreign_draft: None },
        }
    }

    /// Whether what is written is all that the spec says, and not a draft that is to be published after it.
    fn is_whole(&self) -> bool {
        matches!(self.plan, Plan::Create | Plan::Update { .. }) && self.desired.publish == self.publishes()
    }

    const fn publishes(&self) -> bool {
        match self.plan {
            Plan::Update { publish, .. } => publish,
            _ => self.desired.publish && !self.desired.staged,
        }
    }

    fn write(&self) -> FlowWrite {
        let Desired { friendly_name, definition, mark, .. } = self.desired;
        FlowWrite {
            friendly_name: friendly_name.clone(),
            publish: self.publishes(),
            definition: definition.to_string(),
            commit_message: self.marker.commit_message(mark),
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
