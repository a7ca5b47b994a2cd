//! `table`: what is replicated, and what is not.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;

use crate::api::{PATIENCE, Reach};
use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::output::Output;

/// Show which tables are replicated
#[derive(Subcommand)]
pub(crate) enum Table {
    /// List every table, and why one is not replicated
    List,
}

#[derive(Deserialize)]
struct Listed {
    table: String,
    replicated: bool,
    key: Vec<String>,
    note: Option<String>,
}

impl Table {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Table::List => {
                let (tables, body) = reach.ask::<Vec<Listed>>("/v1/tables", PATIENCE)?;
                output.pass(&body, || text(&tables))?;
                Ok(Exit::Done.into())
            }
        }
    }
}

fn text(tables: &[Listed]) -> String {
    let mut rows = vec![row(["TABLE", "REPLICATED", "KEY", "NOTE"])];
    rows.extend(tables.iter().map(|table| {
        let replicated = if table.replicated { "yes" } else { "no" };
        let key = table.key.join(", ");
        row([
            table.table.as_str(),
            replicated,
            &key,
            table.note.as_deref().unwrap_or_default(),
        ])
    }));
    aligned(&rows)
}
