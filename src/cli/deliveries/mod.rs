//! `engage-operator deliveries`: the journal, for whoever is on call. Of a running gateway by its admin port, or of a file that
//! no process has.

mod act;
mod list;
mod show;
mod source;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

use crate::delivery::{
    desk::{Address, Refusal, Why},
    journal::{By, JournalChoice},
};

/// Show what became of events, and decide about those that need a person.
///
/// An event is parked (unknown) when nobody can tell whether its message was sent; it is rejected when it could not be; it is
/// open while it waits to be repeated. `list` shows these, `show` says what to do about one, `resolve` and `retry` do it.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the journal of a running gateway by its admin port, from the same machine only. In a cluster:

  kubectl -n engage-operator exec deploy/engage-operator-gateway -- /engage-operator deliveries list
  kubectl -n engage-operator port-forward deploy/engage-operator-gateway 9090 &
  engage-operator deliveries show marketing/lead-welcome MESSAGE_ID

While nothing runs it reads the file itself: --state-dir DIR, or --journal file:PATH.

Exit codes: 0 done; 1 an error, such as a gateway that is not reached; 2 a wrong command line, or a confirmation that is
missing; 3 there is no such destination or event; 4 its state does not allow it, and nothing was changed; 5 an event that was
handed in was not sent.")]
pub struct Deliveries {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Resolve(act::Resolve),
    Retry(act::Retry),
}

impl Deliveries {
    pub fn execute(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            match self.command {
                Command::List(list) => list.execute().await,
                Command::Show(show) => show.execute().await,
                Command::Resolve(resolve) => resolve.execute().await,
                Command::Retry(retry) => retry.execute().await,
            }
        });
        match done {
            // A closed pipe is the reader's business.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            done => done,
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

/// Which journal.
#[derive(Debug, Args)]
struct JournalFlags {
    /// Admin listener of the running gateway; it has to be reached at 127.0.0.1 or localhost.
    #[arg(long, env = "ENGAGE_ADMIN_URL", value_name = "URL", default_value = "http://127.0.0.1:9090")]
    admin_url: Url,

    /// The state folder of `run`, while it does not run.
    #[arg(long, value_name = "DIR", conflicts_with = "journal")]
    state_dir: Option<PathBuf>,

    /// The journal itself, `file:PATH`, while no gateway has it.
    #[arg(long, value_name = "JOURNAL")]
    journal: Option<JournalChoice>,
}

/// Which event.
#[derive(Debug, Args)]
struct Event {
    /// The destination, as `list` prints it.
    #[arg(value_name = "NAMESPACE/NAME")]
    destination: String,

    /// Segment's id of the event.
    #[arg(value_name = "MESSAGE_ID")]
    message_id: String,
}

impl Event {
    fn address(&self) -> Address {
        Address { destination: self.destination.clone(), message_id: self.message_id.clone() }
    }

    /// What went wrong with it.
    fn refused(&self, refusal: Refusal) -> Failure {
        Failure::Refused { object: format!("{} {}", self.destination, self.message_id), refusal }
    }
}

/// Who decides.
#[derive(Debug, Args)]
struct Signature {
    /// Who decides. It is kept with the event and logged.
    #[arg(long, env = "USER", value_name = "NAME")]
    by: Option<String>,

    /// Why, in your own words. It is kept with the event and logged: no personal data.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Signature {
    fn by(&self) -> By {
        By { name: self.by.clone(), note: self.note.clone() }
    }
}

/// A command that did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{object}: {refusal}")]
    Refused { object: String, refusal: Refusal },
    #[error("{0}")]
    NotConfirmed(String),
    #[error("{0}")]
    NotSent(String),
}

impl Failure {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { refusal, .. } => match refusal.reason {
                Why::Invalid | Why::NotConfirmed => 2,
                Why::UnknownDestination | Why::UnknownEvent => 3,
                Why::NotAllowed => 4,
                Why::Unavailable | Why::Forbidden => 1,
            },
            Self::NotConfirmed(_) => 2,
            Self::NotSent(_) => 5,
        }
    }
}
