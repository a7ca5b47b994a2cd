//! `table`: what is replicated, and what is not.

use std::process::ExitCode;

use clap::{ArgGroup, Subcommand};
use serde::Deserialize;
use serde_json::json;
use synapse_engine_node::PolicyChange;

use crate::api::{PATIENCE, Reach};
use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::output::Output;

/// Show which tables are replicated
#[derive(Subcommand)]
pub(crate) enum Table {
    /// List every table, and why one is not replicated
    List,
    /// Set how conflicts over a table's rows are decided, or what becomes of rows whose foreign key refers to nothing, on
    /// all nodes
    #[command(group = ArgGroup::new("what").args(["policy", "foreign_keys"]).required(true))]
    Set {
        /// The table, with or without its schema
        #[arg(long)]
        table: String,
        /// last-write-wins, first-write-wins or priority(n1,n2), with merge, counter(column), delete-wins or update-wins;
        /// custom(schema.function); error
        #[arg(long)]
        policy: Option<String>,
        /// restore-parent, delete-child or report
        #[arg(long, value_name = "RULE")]
        foreign_keys: Option<String>,
    },
}

#[derive(Deserialize)]
struct Listed {
    table: String,
    replicated: bool,
    key: Vec<String>,
    policy: Option<String>,
    foreign_keys: Option<String>,
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
            Table::Set {
                table,
                policy,
                foreign_keys,
            } => {
                let request = match (policy, foreign_keys) {
                    (Some(policy), _) => json!({ "table": table, "policy": policy }),
                    (None, rule) => json!({ "table": table, "foreign_keys": rule }),
                };
                let (set, body) = reach.change::<PolicyChange>("/v1/tables/policy", &request)?;
                output.pass(&body, || format!("{set}\n"))?;
                Ok(Exit::Done.into())
            }
        }
    }
}

fn text(tables: &[Listed]) -> String {
    let mut rows = vec![row(["TABLE", "REPLICATED", "KEY", "POLICY", "FOREIGN KEYS", "NOTE"])];
    rows.extend(tables.iter().map(|table| {
        let replicated = if table.replicated { "yes" } else { "no" };
        let key = table.key.join(", ");
        row([
            table.table.as_str(),
            replicated,
            &key,
            table.policy.as_deref().unwrap_or_default(),
            table.foreign_keys.as_deref().unwrap_or_default(),
            table.note.as_deref().unwrap_or_default(),
        ])
    }));
    aligned(&rows)
}
