//! One line on a terminal that says how far it is.

use std::io::{IsTerminal, Write};

use serde::Deserialize;

/// How far the daemon is.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    table: String,
    number: usize,
    tables: usize,
    step: Step,
    done: u64,
    total: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Reading,
    Comparing,
    Settling,
    Repairing,
}

/// The line, while stderr is a terminal.
pub(super) struct Bar {
    shown: bool,
    is_terminal: bool,
}

impl Bar {
    pub(super) fn new() -> Self {
        Bar {
            shown: false,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        if self.is_terminal {
            self.shown = true;
            write(&format!("\r\x1b[2K{}", progress.text()));
        }
    }

    /// Leaves nothing of it.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            write("\r\x1b[2K");
        }
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Who cannot be shown how far it is, is told the result all the same.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

impl Progress {
    fn text(&self) -> String {
        let Progress {
            table,
            number,
            tables,
            step,
            done,
            total,
        } = self;
        let what = match step {
            Step::Reading => format!("{done} of {total} nodes have read their rows"),
            Step::Comparing => format!("{done} of {total} buckets that differ are compared"),
            Step::Settling => format!("{done} of {total} rows that may differ are settled"),
            Step::Repairing => format!("{done} of {total} rows are repaired"),
        };
        format!("table {number} of {tables}  {table}  {what}")
    }
}

#[cfg(test)]
mod tests;
