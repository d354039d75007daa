//! `engage-operator deliveries show`.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::{Event, JournalFlags};
use crate::{cli::table::age, delivery::desk::Shown};

/// Show all that is known of one event, and what to do about it.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    event: Event,

    #[command(flatten)]
    from: JournalFlags,

    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How one event is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
    Yaml,
}

impl Show {
    pub async fn execute(self) -> anyhow::Result<()> {
        let shown = self.from.open().await?.show(&self.event.address()).await?;
        let shown = shown.map_err(|refusal| self.event.refused(refusal))?;
        print(&mut std::io::stdout().lock(), &shown, self.output)
    }
}

/// Prints one event.
pub fn print(out: &mut impl Write, shown: &Shown, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(shown)?)?,
        Output::Yaml => write!(out, "{}", serde_saphyr::to_string(shown)?)?,
        Output::Text => text(out, shown)?,
    }
    Ok(())
}

fn text(out: &mut impl Write, shown: &Shown) -> std::io::Result<()> {
    let Shown { row, attempt, messages, by_hand, next } = shown;
    let mut lines = vec![
        ("Destination", row.destination.clone()),
        ("Message id", row.message_id.clone()),
        ("Outcome", row.outcome.as_str().to_owned()),
    ];
    let mut line = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    line("SID", row.sid.clone());
    line("Reason", row.reason.clone());
    line("Detail", row.detail.clone());
    line("First seen", Some(format!("{} ({} ago)", row.first_seen, age(&row.first_seen.to_string()))));
    line("Attempts", Some(row.attempts.to_string()));
    let expires = if row.outcome.has_ended() { "Forgotten" } else { "Given up" };
    line(expires, Some(row.expires.to_string()));
    if let Some(attempt) = attempt {
        let of = [
            attempt.to.as_ref().map(|to| format!("to {to}")),
            attempt.messaging_service.as_ref().map(|service| format!("by {service}")),
            attempt.conversation.as_ref().map(|name| format!("conversation {name}")),
        ];
        let of: Vec<String> = of.into_iter().flatten().collect();
        line("Attempt", Some(format!("{} {}", attempt.at, of.join(" "))));
    }
    for message in messages {
        let status = message.status.map_or("expected", |status| status.as_str());
        let code = message.error_code.map(|code| format!("Twilio's error {code}"));
        let said = [Some(format!("{} {status}", message.sid)), code, message.reason.clone(), message.detail.clone()];
        line("Message", Some(said.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    }
    for act in by_hand {
        let by = act.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let note = act.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        line("By hand", Some(format!("{} {}{by}, it was {}{note}", act.at, act.deed, act.was.as_str())));
    }
    let width = lines.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
    for (name, value) in &lines {
        writeln!(out, "{:<width$}  {value}", format!("{name}:"))?;
    }
    writeln!(out, "What to do:")?;
    for step in next {
        writeln!(out, "  * {step}")?;
    }
    Ok(())
}
