//! An answer that comes line by line: progress for the person who waits, results, and how it ended.

mod progress;

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::api::Call;
use crate::exit::{Exit, Failure};
use progress::{Bar, Progress};

/// Lines that wait to be looked at.
const LINES_AHEAD: usize = 16;

/// What came.
pub(crate) struct Followed {
    /// One result each, as the daemon gave it.
    pub(crate) tables: Vec<Box<RawValue>>,
    pub(crate) ended: Ended,
}

/// How it ended.
pub(crate) enum Ended {
    Done(Done),
    Failed(Failure),
    /// By ^C.
    Interrupted,
}

/// The daemon's last word.
#[derive(Debug, Deserialize)]
pub(crate) struct Done {
    pub(crate) equal: bool,
}

/// One line.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(Progress),
    Table(Box<RawValue>),
    Done(Done),
    Failed {
        status: u16,
        error: String,
        hint: Option<String>,
    },
}

/// Asks, shows progress while stderr is a terminal, and gathers the results until the end or ^C.
pub(crate) async fn follow(call: Call, patience: Duration) -> anyhow::Result<Followed> {
    let (lines, mut coming) = mpsc::channel(LINES_AHEAD);
    // A thread and no task of the runtime: after ^C nobody waits for it.
    std::thread::spawn(move || {
        let take = |line| lines.blocking_send(Ok(line)).is_ok();
        if let Err(error) = call.follow(patience, take) {
            // Whoever asked has ended.
            let _ = lines.blocking_send(Err(error));
        }
    });
    let mut bar = Bar::new();
    let mut tables = Vec::new();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let ended = loop {
        let line = tokio::select! {
            line = coming.recv() => line,
            _ = &mut interrupted => break Ended::Interrupted,
        };
        match line {
            None => break Ended::Failed(cut_short()),
            Some(Err(error)) => match error.downcast::<Failure>() {
                Ok(failure) => break Ended::Failed(failure),
                Err(error) => return Err(error),
            },
            Some(Ok(line)) => match read(&line) {
                Some(Line::Progress(progress)) => bar.show(&progress),
                Some(Line::Table(table)) => tables.push(table),
                Some(Line::Done(done)) => break Ended::Done(done),
                Some(Line::Failed { status, error, hint }) => {
                    break Ended::Failed(Failure::of_line(status, error, hint));
                }
                None => break Ended::Failed(cut_short()),
            },
        }
    };
    bar.clear();
    Ok(Followed { tables, ended })
}

/// A line that is no line is one that was cut off.
fn read(line: &str) -> Option<Line> {
    serde_json::from_str(line).ok()
}

fn cut_short() -> Failure {
    Failure::new(Exit::Unreachable, "the daemon's answer ended too soon").hint("is synapsed still running there?")
}

#[cfg(test)]
mod tests;
