//! `wait`: until all nodes have applied what all had committed.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::api::{PATIENCE, Reach};
use crate::columns::bytes;
use crate::exit::Exit;
use crate::output::Output;

/// Wait until every node has applied what every other had committed at this moment
#[derive(Args)]
pub(crate) struct Wait {
    /// How long at most
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Deserialize)]
struct Waited {
    done: bool,
    reason: Option<Reason>,
    detail: Option<String>,
    behind: Vec<Behind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reason {
    Stands,
    Timeout,
}

#[derive(Deserialize)]
struct Behind {
    node: String,
    peer: String,
    bytes: u64,
}

impl Wait {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let path = format!("/v1/wait?timeout_ms={}", self.timeout.as_millis());
        let (waited, body) = reach.ask::<Waited>(&path, self.timeout.saturating_add(PATIENCE))?;
        output.pass(&body, || waited.text())?;
        Ok(waited.exit().into())
    }
}

impl Waited {
    fn exit(&self) -> Exit {
        match self.reason {
            None if self.done => Exit::Done,
            Some(Reason::Stands) => Exit::No,
            None | Some(Reason::Timeout) => Exit::TimedOut,
        }
    }

    fn text(&self) -> String {
        if self.done {
            return "all nodes have applied everything\n".to_owned();
        }
        let detail = self.detail.as_deref().unwrap_or("not everything is applied");
        let why = match self.reason {
            Some(Reason::Stands) => "it stands still: ",
            Some(Reason::Timeout) | None => "timed out: ",
        };
        let behind = self.behind.iter();
        let behind = behind.map(|b| format!("{} has not applied {} of {}\n", b.node, bytes(b.bytes), b.peer));
        format!("{why}{detail}\n") + &behind.collect::<String>()
    }
}

#[cfg(test)]
mod tests;
