//! Convergence and comparison: what `synapsectl wait` and `synapsectl verify` say.

use std::path::Path;
use std::process::{Output, Stdio};

use serde::Deserialize;
use tokio::process::Command;

use crate::Narrator;
use crate::error::{Error, Result};
use crate::record::Record;

/// How long the nodes may take to catch up with each other.
const CONVERGENCE_MAX: &str = "300s";

/// The part of `verify`'s answer that the demo shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Verdict {
    /// Whether all nodes hold the same rows.
    pub(super) equal: bool,
    /// By table.
    pub(super) tables: Vec<Table>,
}

/// One table's part of the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Table {
    /// Its qualified name.
    pub(super) table: String,
    /// Whether all nodes hold the same rows of it.
    pub(super) equal: bool,
    /// How many keys differ.
    #[serde(default)]
    pub(super) differences_total: u64,
}

/// Waits until every node has applied what the others had written at this moment.
pub(super) async fn wait(synapsectl: &Path, record: &Record, narrate: Narrator<'_>) -> Result<()> {
    let output = ask(synapsectl, record, &["wait", "--timeout", CONVERGENCE_MAX]).await?;
    if output.status.success() {
        return Ok(());
    }
    narrate("the nodes did not converge");
    Err(failed(synapsectl, "wait", &output))
}

/// Compares the contents of all nodes.
pub(super) async fn verify(synapsectl: &Path, record: &Record) -> Result<Verdict> {
    let output = ask(synapsectl, record, &["verify", "--output", "json"]).await?;
    // 0: equal, 1: they differ; all else is no answer.
    match output.status.code() {
        Some(0 | 1) => parse(&output.stdout),
        Some(_) | None => Err(failed(synapsectl, "verify", &output)),
    }
}

async fn ask(synapsectl: &Path, record: &Record, arguments: &[&str]) -> Result<Output> {
    let first = record.nodes.first().ok_or_else(|| Error::Usage {
        what: "the sandbox has no nodes".to_owned(),
    })?;
    let mut command = Command::new(synapsectl);
    command
        .args(arguments)
        .arg("--api")
        .arg(&first.api)
        .arg("--token-file")
        .arg(&first.token_file);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.map_err(Error::io("run", synapsectl))
}

fn failed(synapsectl: &Path, subcommand: &str, output: &Output) -> Error {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Error::Program {
        program: format!("{} {subcommand}", synapsectl.display()),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&text).trim_end().to_owned(),
    }
}

fn parse(stdout: &[u8]) -> Result<Verdict> {
    serde_json::from_slice(stdout).map_err(|error| Error::BadAnswer {
        who: "synapsectl verify".to_owned(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
