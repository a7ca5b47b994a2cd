//! `verify`: whether all nodes hold the same rows, and how they are made to.

mod repair;
mod token;
mod verdict;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::value::RawValue;

use crate::api::{Reach, escaped};
use crate::exit::Exit;
use crate::follow::{Ended, Followed, follow};
use crate::output::Output;
use repair::{How, Repair};
use token::{SoFar, Token};
use verdict::Verdict;

/// Reading all rows of all nodes takes as long as it takes; only a daemon that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Compare the rows of all nodes, also while they are written, and repair those that differ
#[derive(Args)]
pub(crate) struct Verify {
    /// Only this table, with or without its schema; may be repeated
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Go on where an earlier run was cut off: what it named as it ended
    #[arg(long, value_name = "TOKEN")]
    resume: Option<Token>,
    #[command(flatten)]
    repair: RepairOptions,
}

#[derive(Args)]
struct RepairOptions {
    /// Make rows that differ equal; without --confirm say what would be done
    #[arg(long, requires = "how")]
    repair: bool,
    /// The node whose rows are right; rows that it does not have are deleted elsewhere
    #[arg(long, value_name = "NODE", group = "how", requires = "repair")]
    from: Option<String>,
    /// Of each row the one that the conflict policy prefers is right; a row that is missing somewhere comes back
    #[arg(long, group = "how", requires = "repair")]
    by_policy: bool,
    /// Yes, other rows than the right ones go
    #[arg(long, requires = "repair")]
    confirm: bool,
}

impl Verify {
    pub(crate) async fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let Verify { tables, resume, repair } = self;
        let RepairOptions {
            repair,
            from,
            by_policy: _,
            confirm,
        } = repair;
        if repair {
            let how = from.map_or(How::ByPolicy, How::From);
            let repair = Repair {
                tables,
                how,
                confirm,
                resume,
            };
            return repair.run(reach, output).await;
        }
        compare(reach, output, &tables, resume).await
    }
}

async fn compare(reach: &Reach, output: Output, tables: &[String], resume: Option<Token>) -> anyhow::Result<ExitCode> {
    let mut query = vec!["follow=true".to_owned()];
    query.extend(tables.iter().map(|table| format!("table={}", escaped(table))));
    query.extend(resume.iter().map(|token| format!("after={}", escaped(&token.after))));
    let call = reach.question(&format!("/v1/verify?{}", query.join("&")))?;
    let Followed { tables, ended } = follow(call, PATIENCE).await?;
    let before = SoFar::of(resume.as_ref());
    match ended {
        Ended::Done(done) => {
            let verdict = Verdict {
                equal: done.equal && before == SoFar::Equal,
                tables: parsed(&tables)?,
            };
            let json = format!("{{\"equal\":{},\"tables\":[{}]}}", verdict.equal, joined(&tables));
            output.pass(&json, || verdict.text())?;
            Ok(if verdict.equal { Exit::Done } else { Exit::No }.into())
        }
        cut @ (Ended::Failed(_) | Ended::Interrupted) => {
            let verdict = Verdict {
                equal: false,
                tables: parsed::<verdict::Table>(&tables)?,
            };
            let equal = verdict.tables.iter().all(|table| table.equal);
            let last = verdict.tables.last().map(|table| table.table.clone());
            if output == Output::Text && last.is_some() {
                output.pass("", || verdict.tables_text())?;
            }
            cut_off(cut, Token::after(last, equal, resume))
        }
    }
}

/// Says where to go on.
fn cut_off(ended: Ended, token: Option<Token>) -> anyhow::Result<ExitCode> {
    let hint = token.map(|token| format!("`--resume {token}` goes on behind {}", token.after));
    match (ended, hint) {
        (Ended::Failed(failure), None) => Err(failure.into()),
        (Ended::Failed(failure), Some(hint)) => Err(failure.and_hint(&hint).into()),
        (Ended::Done(_), _) => Ok(Exit::Done.into()),
        (Ended::Interrupted, hint) => {
            crate::output::narrate("interrupted");
            if let Some(hint) = hint {
                crate::output::narrate(&format!("hint: {hint}"));
            }
            Ok(ExitCode::from(Exit::INTERRUPTED))
        }
    }
}

/// Results as the daemon gave them, read.
fn parsed<T: serde::de::DeserializeOwned>(tables: &[Box<RawValue>]) -> anyhow::Result<Vec<T>> {
    let texts = tables.iter().map(|table| table.get());
    let parsed = texts.map(|text| serde_json::from_str(text).context("cannot read the daemon's answer"));
    parsed.collect()
}

/// Results as the daemon gave them, so that no digit of a number is lost.
fn joined(tables: &[Box<RawValue>]) -> String {
    let texts: Vec<&str> = tables.iter().map(|table| table.get()).collect();
    texts.join(",")
}
