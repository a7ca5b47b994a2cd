use std::io::Write;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

/// How data are printed on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// Prints `value` as JSON, or else `text`. That the reader has gone away is an error like any other.
    pub(crate) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let line = match self {
            Output::Text => text(),
            Output::Json => serde_json::to_string_pretty(value).context("cannot write JSON")?,
        };
        write(line)
    }

    /// Prints JSON as the daemon gave it, so that no digit of a number is lost, or else `text`.
    pub(crate) fn pass(self, json: &str, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        write(match self {
            Output::Text => text(),
            Output::Json => json.to_owned(),
        })
    }
}

fn write(mut line: String) -> anyhow::Result<()> {
    if !line.is_empty() && !line.ends_with('\n') {
        line.push('\n');
    }
    std::io::stdout()
        .lock()
        .write_all(line.as_bytes())
        .context("cannot write to stdout")
}

/// One line of progress for the person who waits.
pub(crate) fn narrate(line: &str) {
    eprintln!("{line}");
}
