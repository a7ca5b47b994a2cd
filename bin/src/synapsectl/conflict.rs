//! `conflict`: writes that met others they had not seen, and what became of them.

mod check;
mod list;
mod stats;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use crate::api::{PATIENCE, Reach, escaped};
use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::output::Output;
use crate::printable::printable;

/// Show conflicts that a node has decided, and try functions that are to decide
#[derive(Subcommand)]
pub(crate) enum Conflict {
    /// List what its log holds, the latest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// Only those below this number: the last one shown leads to those before it
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Count what its log holds, by table, kind, policy and verdict
    Stats {
        #[command(flatten)]
        filter: Filter,
    },
    /// Try a function for `custom`: is it commutative, associative and idempotent, on rows of the table and rows made from
    /// them? Nothing is written. Exit code 1 when it is not
    Check {
        /// The table, with or without its schema
        #[arg(long)]
        table: String,
        /// The function: schema.function
        #[arg(long)]
        function: String,
    },
}

/// Which conflicts.
#[derive(Args)]
pub(crate) struct Filter {
    /// Of this table: schema.table
    #[arg(long)]
    table: Option<String>,
    /// Of this kind, like `update_origin_differs`
    #[arg(long)]
    kind: Option<String>,
    /// Decided by this policy, like `last-write-wins`
    #[arg(long)]
    policy: Option<String>,
    /// With this outcome: `remote`, `local` or `both`
    #[arg(long)]
    verdict: Option<String>,
    /// Decided since: a length of time like 1h, or a time in UTC like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

impl Filter {
    /// As the API takes it; the daemon says what it makes no sense of.
    fn query(&self) -> Vec<String> {
        let all = [
            ("table", &self.table),
            ("kind", &self.kind),
            ("policy", &self.policy),
            ("verdict", &self.verdict),
            ("since", &self.since),
        ];
        let given = all
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        given
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect()
    }
}

/// Conflicts that the log does not hold.
#[derive(Deserialize)]
struct LeftOut {
    total: u64,
    uptime_seconds: u32,
    by: Vec<LeftOutOf>,
}

#[derive(Deserialize)]
struct LeftOutOf {
    table: String,
    kind: String,
    policy: String,
    count: u64,
}

impl Conflict {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Conflict::List { filter, limit, before } => {
                let mut query = filter.query();
                query.push(format!("limit={limit}"));
                query.extend(before.map(|before| format!("before={before}")));
                let path = format!("/v1/conflicts?{}", query.join("&"));
                let (listed, body) = reach.ask::<list::Listed>(&path, PATIENCE)?;
                output.pass(&body, || listed.text())?;
            }
            Conflict::Stats { filter } => {
                let path = format!("/v1/conflicts/stats?{}", filter.query().join("&"));
                let (stats, body) = reach.ask::<stats::Stats>(&path, PATIENCE)?;
                output.pass(&body, || stats.text())?;
            }
            Conflict::Check { table, function } => {
                let request = json!({ "table": table, "function": function });
                let (checked, body) = reach.change::<check::Checked>("/v1/conflicts/check", &request)?;
                output.pass(&body, || checked.text())?;
                return Ok(checked.exit().into());
            }
        }
        Ok(Exit::Done.into())
    }
}

impl LeftOut {
    /// How many, and of what; nothing when there are none.
    fn text(&self) -> String {
        if self.total == 0 {
            return String::new();
        }
        let mut rows = vec![row(["TABLE", "KIND", "POLICY", "COUNT"])];
        rows.extend(self.by.iter().map(|one| {
            let (table, count) = (printable(&one.table), one.count.to_string());
            row([table.as_str(), &one.kind, &one.policy, &count])
        }));
        let start = crate::columns::seconds(f64::from(self.uptime_seconds));
        format!(
            "\n{} are not in the log ([conflicts] log-rate), since the daemon's start {start} ago:\n{}",
            self.total,
            aligned(&rows)
        )
    }
}

#[cfg(test)]
mod tests;
