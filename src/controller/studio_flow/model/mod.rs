//! The shipped decisions about a flow, [`plan`](super::plan), [`course`](super::course) and [`ledger`](super::ledger), between a
//! Studio that refuses no stale write, answers late or with what was, and loses answers; an API server that refuses status
//! writes; a process that dies before and after each effect; a git that changes and people who edit.
//!
//! [`check`] goes through every order of what can happen, within bounds. In every state that is reached it lets all trouble
//! end and sees whether the shipped code comes to rest as the spec says, and stays there without a write: eventually stable
//! reconciliation, stated of each state, so that no cycle can hide from it. What the model adds to the shipped code is what
//! `observe` reads.

mod cases;
mod check;
mod generated;
mod promises;
mod run;
mod studio;
mod world;

use crate::{
    api::flow_lifecycle::DriftPolicy,
    controller::studio_flow::validate::Desired,
    studio::{DefinitionHash, FlowDefinition},
};

/// The model's clock: one tick is the settle time, within which an effect comes and a read shows it.
type Tick = i64;

/// How it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    /// The flow is in step and nothing is in flight.
    InStep,
    /// Somebody else's flow is there, and the spec adopts it by its SID.
    Adopting,
    /// As `Adopting`, by the name that it has, which is not the one that it should have.
    AdoptingByName,
}

/// What happens in a world, and how much of it.
#[derive(Debug, Clone)]
struct Setting {
    start: Start,
    policy: DriftPolicy,
    publish: bool,
    /// As a draft first.
    staged: bool,
    /// Studio adds a default to everything that is saved.
    adds_defaults: bool,
    /// Changes in git.
    changes: u8,
    /// Revisions that somebody else saves, at any moment, also between a look and the write that follows from it.
    edits: u8,
    /// What these may be.
    kinds: &'static [Edit],
    /// Times that git goes back to the first revision, or from there to the definition.
    pins: u8,
    /// Times that a person lets what is reported be written over.
    approvals: u8,
    /// Times that something goes wrong: a write to Studio is refused, has no effect, has it and its answer is lost, or has it
    /// later; the process dies before or after an effect, or the API server refuses a write of the status, which leaves behind
    /// the same; a look shows what was before this tick.
    troubles: u8,
    bug: Option<Bug>,
}

/// What somebody else saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// Something of another meaning, published.
    Publish,
    /// Something of another meaning, as a draft.
    Draft,
    /// What was there, under another name.
    Rename,
}

/// Defects that are put in on purpose, to see that they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// A create whose answer was lost is made again at once.
    CreateTwice,
    /// What has to be on record before a write is not.
    WriteWithoutRecord,
    /// A read that is behind our own write is believed.
    TrustStaleRead,
    /// A write is made beside one that may still come.
    WriteBesideAnother,
    /// The gap that a race leaves in the revisions is not looked at.
    ForgetGap,
    /// What was gone over is told of and not saved again.
    ForgetRestore,
    /// An edit that is to be reported is put back.
    IgnorePolicy,
    /// What serves counts as agreed with for ever, also when git has changed.
    KeepForEver,
    /// What a person has let be written over stands for everything that follows.
    ApproveAll,
    /// A flow that has another name is taken for one that is in step.
    ForgetName,
    /// The definition is written although git has gone back to a revision.
    ForgetPin,
}

/// What a spec of a definition alone says.
fn plain((definition, hash): (FlowDefinition, DefinitionHash)) -> Desired {
    Desired {
        friendly_name: studio::NAME.to_owned(),
        publish: true,
        staged: false,
        definition,
        mark: hash.short().to_owned(),
        hash,
        drift_policy: DriftPolicy::Correct,
        overwrite: None,
        pin: None,
        adopt: None,
        test_users: None,
    }
}
