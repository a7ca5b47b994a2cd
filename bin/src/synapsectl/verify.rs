//! `verify`: whether all nodes hold the same rows.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::api::{Reach, escaped};
use crate::columns::{aligned, row};
use crate::exit::Exit;
use crate::output::Output;

/// Reading all rows of all nodes takes as long as it takes; only a daemon that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Compare the rows of all nodes, also while they are written
#[derive(Args)]
pub(crate) struct Verify {
    /// Only this table, with or without its schema; may be repeated
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
}

#[derive(Deserialize)]
struct Verdict {
    equal: bool,
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    table: String,
    rows: BTreeMap<String, u64>,
    equal: bool,
    differences_total: u64,
    differences: Vec<Difference>,
    #[serde(default)]
    missing_on: Vec<String>,
    #[serde(default)]
    columns_missing: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Difference {
    key: serde_json::Value,
    nodes: BTreeMap<String, serde_json::Value>,
}

impl Verify {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let tables: Vec<String> = self
            .tables
            .iter()
            .map(|table| format!("table={}", escaped(table)))
            .collect();
        let path = format!("/v1/verify?{}", tables.join("&"));
        let (verdict, body) = reach.ask::<Verdict>(&path, PATIENCE)?;
        output.pass(&body, || verdict.text())?;
        Ok(if verdict.equal { Exit::Done } else { Exit::No }.into())
    }
}

impl Verdict {
    fn text(&self) -> String {
        let mut rows = vec![row(["TABLE", "ROWS", "RESULT"])];
        rows.extend(
            self.tables
                .iter()
                .map(|table| row([table.table.as_str(), &table.count(), &table.result()])),
        );
        let differing = self.tables.iter().filter(|table| table.has_details());
        let details: String = differing.map(Table::details).collect();
        let verdict = if self.equal {
            "all nodes hold the same rows"
        } else {
            "the nodes differ"
        };
        aligned(&rows) + &details + verdict + "\n"
    }
}

impl Table {
    /// One number where all agree.
    fn count(&self) -> String {
        let mut counts = self.rows.values();
        match counts.next() {
            Some(first) if counts.all(|count| count == first) => first.to_string(),
            Some(_) | None => {
                let each: Vec<String> = self
                    .rows
                    .iter()
                    .map(|(node, count)| format!("{node} {count}"))
                    .collect();
                each.join(", ")
            }
        }
    }

    fn result(&self) -> String {
        if self.equal {
            "equal".to_owned()
        } else if !self.missing_on.is_empty() {
            format!("not on {}", self.missing_on.join(", "))
        } else if self.differences_total > 0 {
            format!("{} rows differ", self.differences_total)
        } else {
            "columns differ".to_owned()
        }
    }

    fn has_details(&self) -> bool {
        self.differences_total > 0 || !self.columns_missing.is_empty()
    }

    fn details(&self) -> String {
        let mut text = format!("\n{}:\n", self.table);
        for (column, nodes) in &self.columns_missing {
            text += &format!("  column {column} is not on {}\n", nodes.join(", "));
        }
        for difference in &self.differences {
            text += &format!("  {}\n", difference.key);
            for (node, value) in &difference.nodes {
                let value = if value.is_null() {
                    "(no row)".to_owned()
                } else {
                    value.to_string()
                };
                text += &format!("    {node}: {value}\n");
            }
        }
        let listed = self.differences.len() as u64;
        if self.differences_total > listed {
            text += &format!("  and {} more\n", self.differences_total - listed);
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests;
