//! What is promised of a flow, seen in a world: at once, and after all trouble has ended.

use super::{
    Setting,
    studio::{FOREIGN, Flow, MARKER, NAME, Revision},
    world::{Run, World},
};
use crate::{
    api::flow_lifecycle::DriftPolicy,
    controller::studio_flow::{course::Outcome, marker::WrittenBy},
};

impl World {
    /// The first promise that is broken here, or that is once all trouble has ended.
    pub fn broken_promise(&self, setting: &Setting) -> Option<&'static str> {
        if self.flows.len() > 1 {
            return Some("one create ever");
        }
        let ours = |revision: &Revision| MARKER.written_by(revision.message.as_deref());
        for flow in &self.flows {
            for pair in flow.revisions.windows(2) {
                let says = |one: &Revision| (one.meaning, one.published, one.name.clone());
                let same = says(&pair[0]) == says(&pair[1]);
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
        let meaning = |number: i64| flow.revisions[usize::try_from(number).unwrap() - 1].meaning;
        let says = answering.map(|revision| meaning(revision.number));
        let as_git_says = says == Some(self.pin.map_or(self.git, meaning));
        let is_held = matches!(outcome, Some(Outcome::Held { .. }));
        // An edit that is kept is kept whole.
        if !is_held && status.kept_revision.is_none() && live.friendly_name != NAME {
            return Some("it has the name that the spec says");
        }
        match (setting.policy, outcome) {
            (_, Some(Outcome::InStep { .. })) if as_git_says && status.kept_revision.is_none() => {}
            (DriftPolicy::Report, Some(Outcome::Held { .. }))
                if !matches!(live.latest.by, WrittenBy::Us { .. }) && Some(live.latest.number) > self.approved => {}
            (DriftPolicy::Adopt, Some(Outcome::InStep { .. } | Outcome::Kept(_)))
                if status.kept_revision.map(meaning) == says && says.is_some_and(|meaning| meaning >= FOREIGN) => {}
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
            let is_rename = after > 1 && flow.revisions[after - 2].meaning == pair[0].meaning;
            let is_approved = Some(number) <= self.approved;
            let again = later().any(|one| by(one) == WrittenBy::UsRestoring(number))
                || later().any(|one| one.message.is_none());
            match setting.policy {
                DriftPolicy::Correct => {}
                DriftPolicy::Report | DriftPolicy::Adopt if is_approved => {}
                DriftPolicy::Report if !self.unseen.contains(&number) => return Some("what was seen is not gone over"),
                DriftPolicy::Adopt if is_rename || !self.unseen.contains(&number) => {}
                DriftPolicy::Report | DriftPolicy::Adopt if again => {}
                DriftPolicy::Report | DriftPolicy::Adopt => return Some("what ours went over unseen is saved again"),
            }
        }
        None
    }
}
