//! `engage-operator deliveries list`.

use std::io::Write;

use clap::Args;

use super::{Failure, JournalFlags};
use crate::{
    api::duration::Period,
    cli::table::{Output, age, print},
    delivery::{
        desk,
        journal::{machine::after, now, page::Standing},
    },
};

/// List events, the newest first: what is parked, rejected, waits or is under way, and why.
///
/// Others are shown with --outcome. Each page looks through the journal, so it takes the longer the larger that is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  engage-operator deliveries list --outcome unknown
  engage-operator deliveries list -d marketing/lead-welcome --outcome rejected --reason NoPhone,InvalidPhone --since 2h
  engage-operator deliveries list --outcome unknown -o json | jq -r '.deliveries[].messageId'")]
pub struct List {
    /// Only events of this destination.
    #[arg(short, long, value_name = "NAMESPACE/NAME")]
    destination: Option<String>,

    /// Only events of destinations in this namespace.
    #[arg(short, long, conflicts_with = "destination")]
    namespace: Option<String>,

    /// Only these: open, claimed, started, sent, suppressed, duplicate, rejected, unknown. Default: unknown,rejected,open,started.
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',')]
    outcome: Vec<Standing>,

    /// Only those with this reason, such as `OutcomeUnknown` or `NoPhone`.
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    reason: Vec<String>,

    /// Only those first seen within this time, such as 90s, 30m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<Period>,

    /// Most events to show, at most 10000.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,

    /// Go on after the page that ended with this token.
    #[arg(long = "continue", value_name = "TOKEN")]
    after: Option<String>,

    #[command(flatten)]
    from: JournalFlags,

    /// How to print them; `wide` adds SID, attempts, expiry and the detail of the reason.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl List {
    pub async fn execute(self) -> anyhow::Result<()> {
        let Self { destination, namespace, outcome, reason, since, limit, after: token, from, output } = self;
        let since = since.map(|since| now().saturating_sub(after(0, since.as_duration())));
        let object = destination.clone().unwrap_or_else(|| "the journal".to_owned());
        let list = desk::List {
            destination,
            namespace,
            outcomes: outcome,
            reasons: reason,
            since,
            limit: Some(limit),
            after: token,
        };
        let listed = from.open().await?.list(&list).await?;
        let listed = listed.map_err(|refusal| Failure::Refused { object, refusal })?;
        let mut out = std::io::stdout().lock();
        match output {
            Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?,
            Output::Yaml => write!(out, "{}", serde_saphyr::to_string(&listed)?)?,
            Output::Table | Output::Wide if listed.deliveries.is_empty() => eprintln!("No such events."),
            Output::Table | Output::Wide => print(&mut out, &rows(&listed.deliveries, output == Output::Wide))?,
        }
        if let (Some(token), Output::Table | Output::Wide) = (&listed.after, output) {
            eprintln!("There are more: --continue {token}");
        }
        Ok(())
    }
}

fn rows(deliveries: &[desk::Row], wide: bool) -> Vec<Vec<String>> {
    let mut head = vec!["DESTINATION", "MESSAGE ID", "OUTCOME", "REASON", "FIRST SEEN"];
    if wide {
        head.extend(["ATTEMPTS", "SID", "EXPIRES", "DETAIL"]);
    }
    let mut rows = vec![head.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()];
    for row in deliveries {
        let desk::Row { destination, message_id, outcome, sid, reason, detail, attempts, first_seen, expires } = row;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut cells = vec![
            destination.clone(),
            message_id.clone(),
            outcome.as_str().to_owned(),
            text(reason),
            age(&first_seen.to_string()),
        ];
        if wide {
            cells.extend([attempts.to_string(), text(sid), expires.to_string(), text(detail)]);
        }
        rows.push(cells);
    }
    rows
}
