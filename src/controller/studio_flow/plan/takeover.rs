//! Which flow of the account is the one that is meant, when none is on record: the one that carries our marker, the one that
//! `spec.adopt` names, or none yet. Nothing is taken over unasked.

use super::{Plan, Refusal, Wait};
use crate::controller::studio_flow::{
    observe::Candidate,
    recorded::Recorded,
    validate::{Adoption, Desired},
};

/// What to do when no flow is on record. A create of unknown outcome is repeated only when what it may have made would be
/// visible by now, and is not.
pub fn among<'a>(candidates: &'a [Candidate], desired: &Desired, recorded: &Recorded) -> Plan<'a> {
    let (ours, others): (Vec<&Candidate>, Vec<&Candidate>) = candidates.iter().partition(|candidate| candidate.ours);
    let sids = |candidates: &[&Candidate]| candidates.iter().map(|candidate| candidate.live.sid.clone()).collect();
    let named = |name: &str| -> Vec<&Candidate> {
        others.iter().copied().filter(|candidate| candidate.live.friendly_name == name).collect()
    };
    match ours.as_slice() {
        [Candidate { live, ours: _ }] => return Plan::Adopt { live },
        [] if recorded.pending.is_some() && !recorded.settled() => return Plan::Wait(Wait::CreateUnsettled),
        [] => {}
        several => return Plan::Refuse(Refusal::SeveralOfOurs { sids: sids(several) }),
    }
    match (&desired.adopt, desired.pin) {
        (Some(Adoption::Named(name)), _) => match named(name).as_slice() {
            [] => Plan::Refuse(Refusal::NothingToAdopt),
            [Candidate { live, ours: _ }] => Plan::Adopt { live },
            several => Plan::Refuse(Refusal::SeveralToAdopt { sids: sids(several) }),
        },
        (Some(Adoption::Sid(_)), _) => Plan::Refuse(Refusal::NothingToAdopt),
        (None, Some(number)) => Plan::Refuse(Refusal::NoSuchRevision { number }),
        (None, None) => match named(&desired.friendly_name).as_slice() {
            [] => Plan::Create,
            taken => Plan::Refuse(Refusal::NameTaken { sids: sids(taken) }),
        },
    }
}
