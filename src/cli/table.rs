//! Tables as `kubectl` prints them.

use std::io::{self, Write};

use clap::ValueEnum;
use jiff::Timestamp;

/// How resources and events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Wide,
    Json,
    Yaml,
}

/// Prints rows, of which the first is the head, in columns that fit.
pub fn print(output: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(output, "{}", cells.join("   ").trim_end())?;
    }
    Ok(())
}

/// How long ago, in the largest unit that fits.
pub fn age(time: &str) -> String {
    let Ok(at) = time.parse::<Timestamp>() else { return time.to_owned() };
    match Timestamp::now().duration_since(at).as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
