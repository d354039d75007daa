//! Carries out a plan, as its [`Course`] has it.

use k8s_openapi::jiff::Timestamp;

use crate::{
    controller::studio_flow::{
        course::{Course, Do, Outcome},
        error::FlowError,
        journal::Journal,
        ledger,
        marker::Marker,
        plan::Plan,
        validate::Desired,
    },
    twilio::{
        TwilioClient, TwilioError,
        studio::{DEFINITION_INVALID, FlowWrite},
    },
};

/// A plan that was carried out; only this module makes one, so nothing is reported that was not done.
#[derive(Debug)]
pub struct Applied {
    outcome: Outcome,
}

impl Applied {
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// Carries out `plan`.
pub async fn apply(
    plan: Plan<'_>,
    desired: &Desired,
    marker: &Marker,
    client: &TwilioClient,
    journal: &mut Journal<'_>,
) -> Result<Applied, FlowError> {
    let mut course = Course::new(plan, desired, marker, client.account());
    let mut answer = None;
    loop {
        let next = journal.note(|status| course.next(status, answer.as_ref(), Timestamp::now()));
        answer = None;
        match next {
            Do::Validate(write) => validate(&write, desired, client).await?,
            Do::Record => journal.record(|_| ()).await?,
            Do::Create(write) => {
                journal.may_act()?;
                match client.create_flow(&write).await {
                    Ok(created) => answer = Some(created),
                    Err(error) if error.had_no_effect() => {
                        journal.record(ledger::refused).await?;
                        return Err(FlowError::twilio("create the flow")(error));
                    }
                    Err(error) => return Err(FlowError::CreateInterrupted(error)),
                }
            }
            Do::Update(sid, write) => {
                journal.may_act()?;
                tracing::info!(%sid, commit_message = write.commit_message, "writing to the flow");
                match client.update_flow(&sid, &write).await {
                    Ok(updated) => answer = Some(updated),
                    Err(error) => {
                        if error.had_no_effect() {
                            journal.record(ledger::refused).await?;
                        }
                        return Err(FlowError::twilio("update the flow")(error));
                    }
                }
            }
            Do::SetTestUsers(sid, users) => {
                journal.may_act()?;
                let users: Vec<&str> = users.iter().map(String::as_str).collect();
                let set = client.set_flow_test_users(&sid, &users).await;
                set.map_err(FlowError::twilio("set the test users of the flow"))?;
            }
            Do::End(outcome) => return Ok(Applied { outcome }),
        }
    }
}

/// Asks Studio whether it would take this, so that nothing that it refuses is written half.
async fn validate(write: &FlowWrite, desired: &Desired, client: &TwilioClient) -> Result<(), FlowError> {
    match client.validate_flow(write).await {
        Ok(()) => Ok(()),
        Err(error) if error.has_code(DEFINITION_INVALID) => Err(refused(&error, desired)),
        Err(error) => Err(FlowError::twilio("validate the definition")(error)),
    }
}

fn refused(error: &TwilioError, desired: &Desired) -> FlowError {
    let details = error.answered().map(|answer| answer.details.as_slice()).unwrap_or_default();
    let place = |path: &str| desired.definition.describe_place(path);
    let complaints: Vec<String> =
        details.iter().map(|detail| format!("{}: {}", place(&detail.property_path), detail.message)).collect();
    FlowError::RefusedByStudio(if complaints.is_empty() { vec![error.to_string()] } else { complaints })
}
