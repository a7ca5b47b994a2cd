//! A verdict as people read it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::columns::{aligned, row};

/// Whether all tables are equal, and each.
pub(super) struct Verdict {
    pub(super) equal: bool,
    pub(super) tables: Vec<Table>,
}

/// One table.
#[derive(Deserialize)]
pub(super) struct Table {
    pub(super) table: String,
    rows: BTreeMap<String, u64>,
    pub(super) equal: bool,
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

impl Verdict {
    pub(super) fn text(&self) -> String {
        let verdict = if self.equal {
            "all nodes hold the same rows"
        } else {
            "the nodes differ"
        };
        self.tables_text() + verdict + "\n"
    }

    /// Without the verdict: of a run that was cut off.
    pub(super) fn tables_text(&self) -> String {
        let mut rows = vec![row(["TABLE", "ROWS", "RESULT"])];
        rows.extend(
            self.tables
                .iter()
                .map(|table| row([table.table.as_str(), &table.count(), &table.result()])),
        );
        let differing = self.tables.iter().filter(|table| table.has_details());
        aligned(&rows) + &differing.map(Table::details).collect::<String>()
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
