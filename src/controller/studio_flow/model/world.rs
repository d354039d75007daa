//! One flow, its resource and its account, and everything that can happen to them.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use super::{
    Bug, Setting, Start, Tick,
    studio::{self, ACCOUNT, FOREIGN, Flow, MARKER, NAME, Revision},
};
use crate::{
    api::{StudioFlowStatus, flow_lifecycle::DriftPolicy},
    controller::studio_flow::{
        course::{Course, Do, Outcome},
        ledger,
        marker::WrittenBy,
        observe::{Candidate, Observed},
        plan::{Plan, Wait, Why, plan},
        recorded::Recorded,
        validate::{Adoption, Desired},
    },
    twilio::studio::FlowWrite,
};

const TICK: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    now: Tick,
    git: u8,
    pub flows: Vec<Flow>,
    status: Status,
    /// A write whose answer was lost and that has not come yet.
    late: Option<Late>,
    /// Foreign revisions that somebody was told of.
    told: BTreeSet<i64>,
    /// Foreign revisions that a write of ours went over without having been shown them.
    unseen: BTreeSet<i64>,
    changes: u8,
    edits: u8,
    troubles: u8,
}

/// The status on record, and its text.
#[derive(Debug, Clone)]
struct Status(Arc<(StudioFlowStatus, String)>);

impl Status {
    fn new(status: StudioFlowStatus) -> Self {
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
struct Late {
    /// `None`: it makes a flow.
    flow: Option<usize>,
    revision: Revision,
    /// The latest revision that was seen before it.
    after: i64,
}

/// What can happen next.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Reconcile(Run),
    /// Somebody else saves a revision.
    Edit(Edit),
    /// Git changes.
    Change,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    Publish,
    Draft,
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
    fn troubles(self) -> u8 {
        u8::from(self.stale) + u8::from(self.write != Weather::Fine) + u8::from(self.stop.is_some())
    }
}

/// What a reconcile did.
#[derive(Debug, Default)]
pub struct Done {
    /// Effects that it had, or would have had.
    effects: usize,
    wrote: bool,
    outcome: Option<Outcome>,
}

impl World {
    pub fn new(setting: &Setting) -> Self {
        let Setting { start, publish, changes, edits, troubles, .. } = *setting;
        let mut world = Self {
            now: 1,
            git: 0,
            flows: Vec::new(),
            status: Status::new(StudioFlowStatus::default()),
            late: None,
            told: BTreeSet::new(),
            unseen: BTreeSet::new(),
            changes,
            edits,
            troubles,
        };
        match start {
            Start::Nothing => {}
            Start::InStep => {
                world.reconcile(setting, Run::default());
                world.reconcile(setting, Run::default());
                world.now += 1;
            }
            Start::Adopting => {
                let foreign =
                    Revision { meaning: FOREIGN, with_default: false, published: publish, message: None, at: 0 };
                world.flows.push(Flow { revisions: vec![foreign] });
            }
        }
        world
    }

    pub fn happenings(&self, setting: &Setting, happenings: &mut Vec<Happening>) {
        happenings.extend((self.changes > 0).then_some(Happening::Change));
        if self.edits > 0 && !self.flows.is_empty() {
            happenings.extend([Edit::Publish, Edit::Draft].map(Happening::Edit));
        }
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
                runs.extend([Edit::Publish, Edit::Draft].map(|edit| Run { meddle: Some(edit), ..run }));
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
            Happening::Arrive => self.arrive(),
            Happening::Pass => self.now += 1,
        }
    }

    fn edit(&mut self, edit: Edit) {
        let made = self.flows.iter().flat_map(|flow| &flow.revisions).filter(|one| one.message.is_none()).count();
        let meaning = FOREIGN + u8::try_from(made).unwrap();
        self.edits -= 1;
        let published = edit == Edit::Publish;
        let at = self.now;
        self.flows[0].revisions.push(Revision { meaning, with_default: false, published, message: None, at });
    }

    fn arrive(&mut self) {
        let Some(Late { flow, revision, after }) = self.late.take() else { return };
        self.save(flow, Revision { at: self.now, ..revision }, after);
    }

    /// Studio takes what is saved, whatever it goes over.
    fn save(&mut self, flow: Option<usize>, revision: Revision, after: i64) -> usize {
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

    fn time(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + self.now * 60).unwrap()
    }

    pub fn desired(&self, setting: &Setting) -> Desired {
        let (definition, hash) = studio::definition(self.git, false);
        Desired {
            friendly_name: NAME.to_owned(),
            publish: setting.publish,
            staged: setting.staged,
            definition,
            hash,
            drift_policy: setting.policy,
            overwrite: None,
            pin: None,
            adopt: (setting.start == Start::Adopting).then(|| Adoption::Sid(studio::sid(0))),
            test_users: None,
        }
    }

    fn recorded(&self, status: &StudioFlowStatus, setting: &Setting) -> Recorded {
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

    /// What `observe` sees.
    fn observe(&self, desired: &Desired, recorded: &Recorded, stale: bool) -> Observed {
        let before = stale.then_some(self.now);
        let find = |wanted| (0..self.flows.len()).find(|flow| studio::sid(*flow) == wanted);
        let live = |flow: usize| self.flows[flow].live(flow, before);
        if let Some(Adoption::Sid(sid)) = &desired.adopt
            && recorded.sid.as_ref() != Some(sid)
        {
            return Observed::Named(find(sid.clone()).and_then(live).map(Box::new));
        }
        if let Some(sid) = recorded.sid.clone() {
            let found = find(sid);
            match found.and_then(live) {
                Some(mut live) => {
                    for number in recorded.in_question(live.latest.number) {
                        match self.flows[found.unwrap()].revision(number, before) {
                            None if !recorded.settled() => return Observed::NotVisibleYet,
                            revision => live.in_question.extend(revision),
                        }
                    }
                    return Observed::Known(Box::new(live));
                }
                None if !recorded.settled() => return Observed::NotVisibleYet,
                None => {}
            }
        }
        let candidate = |flow: usize| {
            let live = live(flow)?;
            let first = self.flows[flow].revisions[0].message.as_deref();
            let ours = live.latest.by.is_our_hand() || MARKER.written_by(first).is_our_hand();
            Some(Candidate { live, ours })
        };
        Observed::Unrecorded((0..self.flows.len()).filter_map(candidate).collect())
    }

    /// One look, and what follows from it.
    fn reconcile(&mut self, setting: &Setting, run: Run) -> Done {
        self.troubles -= run.troubles();
        let mut done = Done::default();
        let mut status = self.status.0.0.clone();
        let desired = self.desired(setting);
        let recorded = self.recorded(&status, setting);
        let observed = self.observe(&desired, &recorded, run.stale);
        let seen = match &observed {
            Observed::Known(live) => live.latest.number,
            _ => 0,
        };
        let plan = misplanned(plan(&desired, &recorded, &observed), setting.bug, &observed);
        let mut course = Course::new(plan, &desired, &MARKER, &ACCOUNT);
        let mut answer = None;
        loop {
            let next = course.next(&mut status, answer.as_ref(), self.time());
            answer = None;
            match next {
                Do::Validate(_) | Do::SetTestUsers(..) => {}
                Do::Record if setting.bug == Some(Bug::WriteWithoutRecord) && !done.wrote => {}
                Do::Record => {
                    if !self.record(&status, run, &mut done) {
                        return done;
                    }
                }
                Do::Create(write) => match self.write(None, &write, seen, setting, run, &mut done) {
                    Some(flow) => answer = Some(self.flows[flow].answer(flow)),
                    None => return self.unanswered(status, run, done),
                },
                Do::Update(sid, write) => {
                    let flow = (0..self.flows.len()).find(|flow| studio::sid(*flow) == sid);
                    match self.write(flow, &write, seen, setting, run, &mut done) {
                        Some(flow) => answer = Some(self.flows[flow].answer(flow)),
                        None => return self.unanswered(status, run, done),
                    }
                }
                Do::End(outcome) => {
                    done.outcome = Some(outcome);
                    self.record(&status, run, &mut done);
                    return done;
                }
            }
        }
    }

    fn unanswered(&mut self, mut status: StudioFlowStatus, run: Run, mut done: Done) -> Done {
        if run.write == Weather::Refused && run.stop.is_none() {
            ledger::refused(&mut status);
            self.record(&status, run, &mut done);
        }
        done
    }

    /// Writes the status; `false` when that ends the reconcile.
    fn record(&mut self, status: &StudioFlowStatus, run: Run, done: &mut Done) -> bool {
        if *status == self.status.0.0 {
            return true;
        }
        if run.stop == Some(done.effects) {
            return false;
        }
        done.effects += 1;
        self.told.extend(status.drift.as_ref().map(|drift| drift.revision));
        self.status = Status::new(status.clone());
        true
    }

    /// Writes to Studio; the flow whose answer comes back, if one does.
    fn write(
        &mut self,
        flow: Option<usize>,
        write: &FlowWrite,
        seen: i64,
        setting: &Setting,
        run: Run,
        done: &mut Done,
    ) -> Option<usize> {
        if run.stop == Some(done.effects) {
            return None;
        }
        done.effects += 1;
        done.wrote = true;
        if let Some(edit) = run.meddle {
            self.edit(edit);
        }
        let revision = Revision::of(write, setting.adds_defaults, self.now);
        match run.write {
            Weather::Refused | Weather::LostBefore => None,
            Weather::LostLate => {
                self.late = Some(Late { flow, revision, after: seen });
                None
            }
            Weather::LostAfter => {
                self.save(flow, revision, seen);
                None
            }
            Weather::Fine => Some(self.save(flow, revision, seen)),
        }
    }

    /// The first promise that is broken here, or that is once all trouble has ended.
    pub fn broken_promise(&self, setting: &Setting) -> Option<&'static str> {
        if self.flows.len() > 1 {
            return Some("one create ever");
        }
        let ours = |revision: &Revision| MARKER.written_by(revision.message.as_deref());
        for flow in &self.flows {
            for pair in flow.revisions.windows(2) {
                let same = pair[0].meaning == pair[1].meaning && pair[0].published == pair[1].published;
                if same && ours(&pair[1]).is_our_hand() {
                    return Some("no superfluous revision");
                }
            }
        }
        self.at_rest(setting)
    }

    /// Lets all trouble end, and looks at what has become of the flow.
    fn at_rest(&self, setting: &Setting) -> Option<&'static str> {
        let mut calm = self.clone();
        calm.arrive();
        let mut outcome = None;
        let rests = (0..10).any(|_| {
            let before = (calm.flows.clone(), calm.status.clone());
            let done = calm.reconcile(setting, Run::default());
            let waits = matches!(done.outcome, None | Some(Outcome::Waiting(_) | Outcome::Again));
            outcome = done.outcome;
            calm.now += i64::from(waits);
            !waits && before == (calm.flows.clone(), calm.status.clone())
        });
        if !rests {
            return Some("it comes to rest");
        }
        let [flow] = calm.flows.as_slice() else { return Some("there is one flow") };
        let status = &calm.status.0.0;
        let live = flow.live(0, None)?;
        let answering = if setting.publish { live.published.as_ref() } else { Some(&live.latest) };
        let says = answering.map(|revision| flow.revisions[usize::try_from(revision.number).unwrap() - 1].meaning);
        let as_git_says = says == Some(calm.git);
        match (setting.policy, outcome) {
            (_, Some(Outcome::InStep { .. })) if as_git_says && status.kept_revision.is_none() => {}
            (DriftPolicy::Report, Some(Outcome::Held { .. })) if !matches!(live.latest.by, WrittenBy::Us { .. }) => {}
            (DriftPolicy::Adopt, Some(Outcome::InStep { .. } | Outcome::Kept(_)))
                if status.kept_revision == answering.map(|revision| revision.number)
                    && says.is_some_and(|meaning| meaning >= FOREIGN) => {}
            _ => return Some("it is as the spec says"),
        }
        calm.nothing_was_lost(setting, flow)
    }

    /// What became of foreign revisions that ours went over.
    fn nothing_was_lost(&self, setting: &Setting, flow: &Flow) -> Option<&'static str> {
        let by = |revision: &Revision| MARKER.written_by(revision.message.as_deref());
        for (number, pair) in (1_i64..).zip(flow.revisions.windows(2)) {
            let after = usize::try_from(number).unwrap();
            let went_over = matches!(by(&pair[1]), WrittenBy::Us { .. }) && pair[0].message.is_none();
            if !went_over {
                continue;
            }
            if !self.told.contains(&number) {
                return Some("what ours went over is told of");
            }
            let later = || flow.revisions[after..].iter();
            let again = later().any(|one| by(one) == WrittenBy::UsRestoring(number))
                || later().any(|one| one.message.is_none());
            match setting.policy {
                DriftPolicy::Correct => {}
                DriftPolicy::Report if !self.unseen.contains(&number) => return Some("what was seen is not gone over"),
                DriftPolicy::Adopt if !self.unseen.contains(&number) => {}
                DriftPolicy::Report | DriftPolicy::Adopt if again => {}
                DriftPolicy::Report | DriftPolicy::Adopt => return Some("what ours went over unseen is saved again"),
            }
        }
        None
    }
}

/// The plan as a defect would have it.
fn misplanned<'a>(plan: Plan<'a>, bug: Option<Bug>, observed: &'a Observed) -> Plan<'a> {
    match (bug, plan, observed) {
        (Some(Bug::CreateTwice), Plan::Wait(Wait::CreateUnsettled), _) => Plan::Create,
        (Some(Bug::WriteBesideAnother), Plan::Wait(Wait::WriteUnsettled), Observed::Known(live)) => {
            Plan::Update { live, why: Why::SpecChanged, draft: None, publish: true }
        }
        (Some(Bug::ForgetRestore), Plan::Restore { live, foreign, by, .. }, _) => Plan::Overwrote { live, foreign, by },
        (Some(Bug::IgnorePolicy), Plan::Hold { live, foreign, draft, changed: _ }, _) => {
            Plan::Update { live, why: Why::ForeignEdit(foreign), draft, publish: true }
        }
        (_, plan, _) => plan,
    }
}
