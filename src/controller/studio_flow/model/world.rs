//! One flow, its resource and its account, and everything that can happen to them.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use super::{
    Bug, Edit, Setting, Start, Tick, plain,
    studio::{self, ACCOUNT, FOREIGN, Flow, NAME, OTHER_NAME, Revision},
};
use crate::{
    api::StudioFlowStatus,
    controller::studio_flow::{
        course::Outcome,
        recorded::Recorded,
        validate::{Adoption, Desired},
    },
};

const TICK: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Tick,
    pub git: u8,
    /// The revision that git goes back to.
    pub pin: Option<i64>,
    /// Up to which revision a person has let edits be written over.
    pub approved: Option<i64>,
    pub flows: Vec<Flow>,
    pub status: Status,
    /// A write whose answer was lost and that has not come yet.
    pub late: Option<Late>,
    /// Foreign revisions that somebody was told of.
    pub told: BTreeSet<i64>,
    /// Foreign revisions that a write of ours went over without having been shown them.
    pub unseen: BTreeSet<i64>,
    changes: u8,
    edits: u8,
    pins: u8,
    approvals: u8,
    pub troubles: u8,
}

/// The status on record, and its text.
#[derive(Debug, Clone)]
pub struct Status(pub Arc<(StudioFlowStatus, String)>);

impl Status {
    pub fn new(status: StudioFlowStatus) -> Self {
        let text = serde_json::to_string(&status).unwrap();
        Self(Arc::new((status, text)))
    }
}

impl PartialEq for Status {
    fn eq(&self, other: &Self) -> bool {
        self.0.1 == other.0.1
    }
}

impl Eq for Status {}

impl Hash for Status {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.1.hash(hasher);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Late {
    /// `None`: it makes a flow.
    pub flow: Option<usize>,
    pub revision: Revision,
    /// The latest revision that was seen before it.
    pub after: i64,
}

/// What can happen next.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Reconcile(Run),
    /// Somebody else saves a revision.
    Edit(Edit),
    /// Git changes.
    Change,
    /// Git goes back to the first revision, or from there to the definition.
    Pin,
    /// A person lets what is reported be written over.
    Approve,
    /// The late write comes.
    Arrive,
    /// The settle time passes.
    Pass,
}

/// How a reconcile goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Run {
    pub stale: bool,
    /// Somebody else saves between its look and its write.
    pub meddle: Option<Edit>,
    pub write: Weather,
    /// It ends before its effect of this number.
    pub stop: Option<usize>,
}

/// How a write to Studio goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Weather {
    #[default]
    Fine,
    Refused,
    LostBefore,
    LostAfter,
    LostLate,
}

impl Run {
    pub fn troubles(self) -> u8 {
        u8::from(self.stale) + u8::from(self.write != Weather::Fine) + u8::from(self.stop.is_some())
    }
}

/// What a reconcile did.
#[derive(Debug, Default)]
pub struct Done {
    /// Effects that it had, or would have had.
    pub effects: usize,
    pub wrote: bool,
    pub outcome: Option<Outcome>,
}

impl World {
    pub fn new(setting: &Setting) -> Self {
        let Setting { start, publish, changes, edits, pins, approvals, troubles, .. } = *setting;
        let mut world = Self {
            now: 1,
            git: 0,
            pin: None,
            approved: None,
            flows: Vec::new(),
            status: Status::new(StudioFlowStatus::default()),
            late: None,
            told: BTreeSet::new(),
            unseen: BTreeSet::new(),
            changes,
            edits,
            pins,
            approvals,
            troubles,
        };
        match start {
            Start::Nothing => {}
            Start::InStep => {
                world.reconcile(setting, Run::default());
                world.reconcile(setting, Run::default());
                world.now += 1;
            }
            Start::Adopting | Start::AdoptingByName => {
                let name = if start == Start::Adopting { NAME } else { OTHER_NAME };
                world.flows.push(Flow { revisions: vec![foreign(name, FOREIGN, publish, 0)] });
            }
        }
        world
    }

    pub fn happenings(&self, setting: &Setting, happenings: &mut Vec<Happening>) {
        happenings.extend((self.changes > 0).then_some(Happening::Change));
        if self.edits > 0 && !self.flows.is_empty() {
            happenings.extend(setting.kinds.iter().copied().map(Happening::Edit));
        }
        happenings.extend((self.pins > 0 && !self.flows.is_empty()).then_some(Happening::Pin));
        happenings.extend((self.approvals > 0 && self.reported().is_some()).then_some(Happening::Approve));
        // Time is of use only while something of this tick may not be seen.
        let recent = self.flows.iter().flat_map(|flow| &flow.revisions).any(|revision| revision.at == self.now);
        if self.late.is_some() {
            happenings.push(Happening::Arrive);
        } else if recent || !self.recorded(&self.status.0.0, setting).settled() {
            happenings.push(Happening::Pass);
        }
        for stale in [false, true] {
            if stale && (self.troubles == 0 || self.flows.is_empty()) {
                continue;
            }
            let run = Run { stale, ..Run::default() };
            let left = self.troubles - u8::from(stale);
            let wrote = self.clone().reconcile(setting, run).wrote;
            let mut runs = vec![run];
            if wrote && self.edits > 0 && !self.flows.is_empty() {
                runs.extend(setting.kinds.iter().map(|edit| Run { meddle: Some(*edit), ..run }));
            }
            if wrote && left > 0 {
                use Weather::{LostAfter, LostBefore, LostLate, Refused};
                for run in runs.clone() {
                    runs.extend([Refused, LostBefore, LostAfter].map(|write| Run { write, ..run }));
                    runs.extend(self.late.is_none().then_some(Run { write: LostLate, ..run }));
                }
            }
            for run in runs {
                happenings.push(Happening::Reconcile(run));
                if left > u8::from(run.write != Weather::Fine) {
                    let effects = self.clone().reconcile(setting, run).effects;
                    let stops = (0..effects).map(|effect| Run { stop: Some(effect), ..run });
                    happenings.extend(stops.map(Happening::Reconcile));
                }
            }
        }
    }

    pub fn happen(&mut self, setting: &Setting, happening: &Happening) {
        match happening {
            Happening::Reconcile(run) => {
                self.reconcile(setting, *run);
            }
            Happening::Edit(edit) => self.edit(*edit),
            Happening::Change => {
                self.changes -= 1;
                self.git += 1;
            }
            Happening::Pin => {
                self.pins -= 1;
                self.pin = if self.pin.is_none() { Some(1) } else { None };
            }
            Happening::Approve => {
                self.approvals -= 1;
                self.approved = self.reported();
            }
            Happening::Arrive => self.arrive(),
            Happening::Pass => self.now += 1,
        }
    }

    /// The revision of somebody else that the status reports, where a person has not decided about it.
    fn reported(&self) -> Option<i64> {
        let reported = self.status.0.0.drift.as_ref().map(|drift| drift.revision);
        reported.filter(|number| Some(*number) > self.approved)
    }

    pub fn edit(&mut self, edit: Edit) {
        let made = self.flows.iter().flat_map(|flow| &flow.revisions).filter(|one| one.message.is_none()).count();
        self.edits -= 1;
        let revisions = &mut self.flows[0].revisions;
        let latest = revisions.last().unwrap();
        let meaning = FOREIGN + u8::try_from(made).unwrap();
        let revision = match edit {
            Edit::Publish | Edit::Draft => foreign(&latest.name, meaning, edit == Edit::Publish, self.now),
            Edit::Rename => Revision {
                with_default: latest.with_default,
                ..foreign(OTHER_NAME, latest.meaning, latest.published, self.now)
            },
        };
        revisions.push(revision);
    }

    pub fn arrive(&mut self) {
        let Some(Late { flow, revision, after }) = self.late.take() else { return };
        self.save(flow, Revision { at: self.now, ..revision }, after);
    }

    /// Studio takes what is saved, whatever it goes over.
    pub fn save(&mut self, flow: Option<usize>, revision: Revision, after: i64) -> usize {
        let Some(flow) = flow else {
            self.flows.push(Flow { revisions: vec![revision] });
            return self.flows.len() - 1;
        };
        let revisions = &mut self.flows[flow].revisions;
        let over = (1_i64..).zip(revisions.iter()).filter(|(number, one)| *number > after && one.message.is_none());
        self.unseen.extend(over.map(|(number, _)| number));
        revisions.push(revision);
        flow
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + self.now * 60).unwrap()
    }

    pub fn desired(&self, setting: &Setting) -> Desired {
        Desired {
            publish: setting.publish,
            staged: setting.staged,
            drift_policy: setting.policy,
            overwrite: match setting.bug {
                Some(Bug::ApproveAll) => self.approved.map(|_| i64::MAX),
                _ => self.approved,
            },
            pin: self.pin.filter(|_| setting.bug != Some(Bug::ForgetPin)),
            adopt: match setting.start {
                Start::Adopting => Some(Adoption::Sid(studio::sid(0))),
                Start::AdoptingByName => Some(Adoption::Named(OTHER_NAME.to_owned())),
                Start::Nothing | Start::InStep => None,
            },
            ..plain(studio::definition(self.git, false))
        }
    }

    pub fn recorded(&self, status: &StudioFlowStatus, setting: &Setting) -> Recorded {
        let mut recorded = Recorded::of(status, &ACCOUNT, self.time(), TICK);
        match setting.bug {
            Some(Bug::TrustStaleRead) => recorded.settles_in = None,
            Some(Bug::ForgetGap) => recorded.begun = None,
            Some(Bug::KeepForEver) if recorded.kept.is_some() => {
                recorded.definition_hash = Some(self.desired(setting).hash.to_string());
            }
            _ => {}
        }
        recorded
    }
}

/// A revision that somebody else saves.
fn foreign(name: &str, meaning: u8, published: bool, at: Tick) -> Revision {
    Revision { name: name.to_owned(), meaning, with_default: false, published, message: None, at }
}
