//! `engage-operator deliveries resolve` and `retry`.

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{
    Event, Failure, JournalFlags, Signature,
    show::{Output, print},
};
use crate::{
    delivery::{
        desk::{self, Refusal, Why},
        outcome::OutcomeKind,
    },
    segment::{self, body::Body},
};

/// Say what became of an event that is parked, or give up one that waits.
///
/// A repetition of the event is answered from the record, as before: what was sent with 200, what was rejected with 422. An
/// event that is being worked on is nobody's to decide.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  engage-operator deliveries resolve marketing/lead-welcome MESSAGE_ID --as sent --sid SM…
  engage-operator deliveries resolve marketing/lead-welcome MESSAGE_ID --as rejected --reason 'called the customer instead'")]
pub struct Resolve {
    #[command(flatten)]
    event: Event,

    /// `sent`: the customer has it, by the Console. `rejected`: the customer does not have it, and will not get it.
    #[arg(long = "as", value_name = "OUTCOME", value_enum)]
    what: As,

    /// SID of the message or conversation that was found.
    #[arg(long, value_name = "SID")]
    sid: Option<String>,

    /// Why it is rejected. Segment is answered with it, and it is logged: no personal data.
    #[arg(long, value_name = "TEXT", required_if_eq("what", "rejected"))]
    reason: Option<String>,

    #[command(flatten)]
    signature: Signature,

    #[command(flatten)]
    from: JournalFlags,

    /// How to print the event afterwards.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    Sent,
    Rejected,
}

impl Resolve {
    pub async fn execute(self) -> anyhow::Result<()> {
        let what = match self.what {
            As::Sent => desk::As::Sent,
            As::Rejected => desk::As::Rejected,
        };
        let by = self.signature.by();
        let resolve = desk::Resolve { event: self.event.address(), what, sid: self.sid, reason: self.reason, by };
        let resolved = self.from.open().await?.resolve(&resolve).await?;
        let shown = resolved.map_err(|refusal| self.event.refused(refusal))?;
        print(&mut std::io::stdout().lock(), &shown, self.output)
    }
}

/// Let an event that is parked or was rejected be acted on again.
///
/// Its next repetition is acted on instead of being answered from the record; Segment does not repeat it by itself, so replay it
/// there, or hand it in with --event, which delivers it at once. What an earlier attempt has left of a conversation is found and
/// gone on with. A message of an event that is parked may have been sent, and would be sent again: that has to be confirmed.
/// What was sent or suppressed is not retried: that is a new event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  engage-operator deliveries retry marketing/lead-welcome MESSAGE_ID --event event.json
  engage-operator deliveries retry marketing/lead-welcome MESSAGE_ID --yes --note 'not in the Console'")]
pub struct Retry {
    #[command(flatten)]
    event: Event,

    /// File with the event as Segment sends it, or with a batch that holds it; `-` is standard input. The journal has no events,
    /// since they are personal data: they are in Segment's event delivery, or in the source's debugger.
    #[arg(short = 'e', long = "event", value_name = "FILE")]
    body: Option<PathBuf>,

    /// The customer may get a second message: go on.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    signature: Signature,

    #[command(flatten)]
    from: JournalFlags,

    /// How to print the event afterwards.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

impl Retry {
    pub async fn execute(self) -> anyhow::Result<()> {
        let body = self.body.as_deref().map(|file| find(file, &self.event.message_id)).transpose()?;
        let delivers = body.is_some();
        let mut retry =
            desk::Retry { event: self.event.address(), body, may_double: self.yes, by: self.signature.by() };
        let source = self.from.open().await?;
        let mut retried = source.retry(&retry).await?;
        if let Err(Refusal { reason: Why::NotConfirmed, detail }) = &retried {
            confirm(&format!("{} {}: {detail}", self.event.destination, self.event.message_id))?;
            retry.may_double = true;
            retried = source.retry(&retry).await?;
        }
        let desk::Retried { outcome, reason, detail, event } =
            retried.map_err(|refusal| self.event.refused(refusal))?;
        print(&mut std::io::stdout().lock(), &event, self.output)?;
        match outcome {
            None if delivers => bail!("the gateway did not say what became of the event"),
            None | Some(OutcomeKind::Sent | OutcomeKind::Duplicate | OutcomeKind::Suppressed) => Ok(()),
            Some(outcome) => {
                let why: Vec<&str> = reason.iter().chain(&detail).map(String::as_str).collect();
                Err(Failure::NotSent(format!("it was not sent; {}: {}", outcome.as_str(), why.join(": "))).into())
            }
        }
    }
}

/// Asks the person at the terminal. Where there is none, nobody has said yes.
fn confirm(what: &str) -> Result<(), Failure> {
    let not_confirmed = || Failure::NotConfirmed(format!("{what}. Nothing was changed"));
    if !std::io::stdin().is_terminal() {
        return Err(not_confirmed());
    }
    let mut answer = String::new();
    let mut errors = std::io::stderr();
    let asked = write!(errors, "{what}.\nGo on? Type yes: ").and_then(|()| errors.flush());
    if asked.and_then(|()| std::io::stdin().read_line(&mut answer)).is_ok() && answer.trim() == "yes" {
        Ok(())
    } else {
        Err(not_confirmed())
    }
}

/// The event of that id in a file.
fn find(file: &Path, message_id: &str) -> anyhow::Result<Value> {
    let context = || format!("--event {}", file.display());
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut text).with_context(context)?;
    } else {
        text = std::fs::read(file).with_context(context)?;
    }
    let body = Body::parse(&text).with_context(context)?;
    for raw in body.events() {
        let event = segment::Event::parse(raw.get()).with_context(context)?;
        if event.message_id.as_str() == message_id {
            return Ok(event.json);
        }
    }
    bail!("{}: no event of message id {message_id} in it", context())
}
