//! The closing table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::load::Load;
use super::status::Status;
use super::verdict::Verdict;
use crate::record::Record;

/// What the demo found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether every node holds the same rows.
    pub equal: bool,
    /// How long the load ran, in seconds.
    pub seconds: u64,
    /// In the order of their ports.
    pub nodes: Vec<NodeReport>,
    /// Conflicts on all nodes together, by kind.
    pub conflicts: BTreeMap<String, u64>,
    /// The tables that were compared.
    pub tables: usize,
    /// The tables that differ, each with its number of differences.
    pub differing: BTreeMap<String, u64>,
    /// The sandbox's directory.
    pub dir: String,
}

/// One node's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// Transactions that pgbench committed there.
    pub transactions: u64,
    /// Transactions that pgbench gave up.
    pub failed: u64,
    /// Transactions per second.
    pub tps: f64,
    /// Conflicts that it decided.
    pub conflicts: u64,
    /// How to connect to it.
    pub dsn: String,
}

pub(super) fn make(
    record: &Record,
    dir: &Path,
    seconds: u64,
    loads: &[Load],
    statuses: &[Status],
    verdict: Verdict,
) -> Report {
    let mut conflicts = BTreeMap::new();
    for (kind, count) in statuses.iter().flat_map(|status| &status.conflicts.by_kind) {
        *conflicts.entry(kind.clone()).or_default() += count;
    }
    let nodes = record
        .nodes
        .iter()
        .zip(loads)
        .zip(statuses)
        .map(|((node, load), status)| NodeReport {
            node: node.name.clone(),
            transactions: load.transactions,
            failed: load.failed,
            tps: load.tps,
            conflicts: status.conflicts.total,
            dsn: node.dsn.clone(),
        });
    Report {
        equal: verdict.equal,
        seconds,
        nodes: nodes.collect(),
        conflicts,
        tables: verdict.tables.len(),
        differing: verdict
            .tables
            .into_iter()
            .filter(|table| !table.equal)
            .map(|table| (table.table, table.differences_total))
            .collect(),
        dir: dir.display().to_string(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "node  transactions       tps  failed  conflicts")?;
        for node in &self.nodes {
            let NodeReport {
                node,
                transactions,
                failed,
                tps,
                conflicts,
                dsn: _,
            } = node;
            writeln!(
                f,
                "{node:<4}  {transactions:>12}  {tps:>8.1}  {failed:>6}  {conflicts:>9}"
            )?;
        }
        let transactions: u64 = self.nodes.iter().map(|node| node.transactions).sum();
        let tps: f64 = self.nodes.iter().map(|node| node.tps).sum();
        writeln!(f, "all   {transactions:>12}  {tps:>8.1}  in {} s", self.seconds)?;
        for (kind, count) in &self.conflicts {
            writeln!(f, "conflicts, {kind}: {count}")?;
        }
        if self.equal {
            writeln!(f, "equal: yes ({} tables on {} nodes)", self.tables, self.nodes.len())?;
        } else {
            writeln!(f, "equal: NO")?;
            for (table, count) in &self.differing {
                writeln!(f, "  {table}: {count} keys differ")?;
            }
        }
        writeln!(f, "\nThe cluster is up. Connect to any node, write anywhere:")?;
        for node in &self.nodes {
            writeln!(f, "  psql '{}'", node.dsn)?;
        }
        writeln!(f, "It lies in {}; make demo-down removes it.", self.dir)
    }
}

#[cfg(test)]
mod tests;
