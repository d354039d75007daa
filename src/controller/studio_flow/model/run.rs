//! One reconcile in the model: the shipped plan and course, each of whose effects may fail, be late or be the last.

use super::{
    Bug, Setting,
    studio::{self, ACCOUNT, MARKER, Revision},
    world::{Done, Late, Run, Status, Weather, World},
};
use crate::{
    api::StudioFlowStatus,
    controller::studio_flow::{
        course::{Course, Do},
        ledger,
        observe::{Candidate, Observed},
        plan::{Plan, Wait, Why, plan},
        recorded::Recorded,
        validate::{Adoption, Desired},
    },
    twilio::studio::FlowWrite,
};

impl World {
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
        let adopted = match &desired.adopt {
            Some(Adoption::Named(name)) => Some(name),
            Some(Adoption::Sid(_)) | None => None,
        };
        let names: Vec<_> = [&desired.friendly_name].into_iter().chain(&recorded.pending).chain(adopted).collect();
        let candidate = |flow: usize| {
            let live = live(flow).filter(|live| names.contains(&&live.friendly_name))?;
            let first = self.flows[flow].revisions[0].message.as_deref();
            let ours = live.latest.by.is_our_hand() || MARKER.written_by(first).is_our_hand();
            Some(Candidate { live, ours })
        };
        Observed::Unrecorded((0..self.flows.len()).filter_map(candidate).collect())
    }

    /// What `pinned` makes of that.
    fn pinned(&self, desired: Desired, recorded: &Recorded, observed: Observed, stale: bool) -> (Desired, Observed) {
        let before = stale.then_some(self.now);
        let (Some(number), Observed::Known(live)) = (desired.pin, &observed) else { return (desired, observed) };
        let flow = self.flows.iter().enumerate().find(|(flow, _)| studio::sid(*flow) == live.sid).unwrap().1;
        match flow.revision(number, before) {
            Some(revision) => (desired.pinned_to(&revision), observed),
            None if !recorded.settled() => (desired, Observed::NotVisibleYet),
            None => (desired, Observed::NoSuchRevision(number)),
        }
    }

    /// One look, and what follows from it.
    pub fn reconcile(&mut self, setting: &Setting, run: Run) -> Done {
        self.troubles -= run.troubles();
        let mut done = Done::default();
        let mut status = self.status.0.0.clone();
        let desired = self.desired(setting);
        let recorded = self.recorded(&status, setting);
        let observed = self.observe(&desired, &recorded, run.stale);
        let (desired, observed) = self.pinned(desired, &recorded, observed, run.stale);
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
}

/// The plan as a defect would have it.
fn misplanned<'a>(plan: Plan<'a>, bug: Option<Bug>, observed: &'a Observed) -> Plan<'a> {
    match (bug, plan, observed) {
        (Some(Bug::CreateTwice), Plan::Wait(Wait::CreateUnsettled), _) => Plan::Create,
        (Some(Bug::WriteBesideAnother), Plan::Wait(Wait::WriteUnsettled), Observed::Known(live)) => {
            Plan::Update { live, why: Why::SpecChanged, draft: None, publish: true }
        }
        (Some(Bug::ForgetName), Plan::Update { live, why: Why::NameMismatch | Why::Renamed(_), .. }, _) => {
            Plan::Nothing { live, foreign_draft: None }
        }
        (Some(Bug::ForgetRestore), Plan::Restore { live, foreign, by, .. }, _) => Plan::Overwrote { live, foreign, by },
        (Some(Bug::IgnorePolicy), Plan::Hold { live, foreign, draft, changed: _ }, _) => {
            Plan::Update { live, why: Why::ForeignEdit(foreign), draft, publish: true }
        }
        (_, plan, _) => plan,
    }
}
