//! `apply`: transactions that cannot be applied.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use crate::api::{PATIENCE, Reach};
use crate::columns::has_key;
use crate::exit::Exit;
use crate::output::Output;

/// See to transactions that a node cannot apply
#[derive(Subcommand)]
pub(crate) enum Apply {
    /// List what is stopped, and why
    List,
    /// Try again what is stopped, after its cause was mended
    Retry {
        /// Only what comes from this node
        #[arg(long)]
        from: Option<String>,
    },
    /// Go on without a transaction; synapse.skipped keeps what it would have changed
    Skip {
        /// The node that it comes from
        #[arg(long)]
        from: String,
        /// The transaction, as `apply list` shows it
        #[arg(long)]
        txn: String,
        /// Yes, this node is to be without its changes
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Deserialize)]
struct Stopped {
    from: String,
    txn: String,
    class: String,
    message: String,
    table: Option<String>,
    key: serde_json::Value,
}

#[derive(Deserialize)]
struct Retried {
    retried: Vec<String>,
}

#[derive(Deserialize)]
struct Skipped {
    skipped: String,
}

impl Apply {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Apply::List => {
                let (stopped, body) = reach.ask::<Vec<Stopped>>("/v1/apply", PATIENCE)?;
                output.pass(&body, || text(&stopped))?;
            }
            Apply::Retry { from } => {
                let (done, body) = reach.change::<Retried>("/v1/apply/retry", &json!({ "from": from }))?;
                output.pass(&body, || {
                    format!("trying again what comes from {}\n", done.retried.join(", "))
                })?;
            }
            Apply::Skip { from, txn, confirm } => {
                let request = json!({ "from": from, "txn": txn, "confirm": confirm });
                let (done, body) = reach.change::<Skipped>("/v1/apply/skip", &request)?;
                output.pass(&body, || {
                    format!("skipped {}; synapse.skipped keeps it\n", done.skipped)
                })?;
            }
        }
        Ok(Exit::Done.into())
    }
}

fn text(stopped: &[Stopped]) -> String {
    if stopped.is_empty() {
        return "nothing is stopped\n".to_owned();
    }
    let line = |stop: &Stopped| {
        let table = stop
            .table
            .as_ref()
            .map_or(String::new(), |table| format!("  table {table}"));
        let key = if has_key(&stop.key) {
            format!("  key {}", stop.key)
        } else {
            String::new()
        };
        format!(
            "from {}  {}{table}{key}\n    {}: {}\n",
            stop.from, stop.txn, stop.class, stop.message
        )
    };
    stopped.iter().map(line).collect()
}
