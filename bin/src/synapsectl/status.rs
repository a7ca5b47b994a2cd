//! `status`: what a person needs to see first.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use serde::Deserialize;

use crate::api::{PATIENCE, Reach};
use crate::columns::{aligned, bytes, counted, has_key, row, seconds};
use crate::exit::Exit;
use crate::output::Output;

#[derive(Deserialize)]
struct Status {
    node: String,
    cluster: String,
    state: String,
    pg_version: String,
    captured_lsn: String,
    slot: Slot,
    memory_bytes: u64,
    journal_bytes: u64,
    journal_limit_bytes: u64,
    conflicts: Conflicts,
    displaced: u64,
    problems: Vec<String>,
    warnings: Vec<String>,
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
struct Slot {
    name: String,
    confirmed_lsn: String,
    retained_bytes: u64,
}

#[derive(Deserialize)]
struct Conflicts {
    total: u64,
    by_kind: BTreeMap<String, u64>,
    per_second: f64,
    left_out: u64,
}

#[derive(Deserialize)]
struct Peer {
    node: String,
    state: String,
    applied_lsn: String,
    lag_bytes: u64,
    lag_seconds: f64,
    clock_skew_seconds: Option<f64>,
    waits_for: Option<String>,
    error: Option<PeerError>,
}

#[derive(Deserialize)]
struct PeerError {
    class: String,
    message: String,
    txn: Option<String>,
    table: Option<String>,
    key: serde_json::Value,
}

/// Exits with 1 when something stands still that a person must see.
pub(crate) fn run(reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
    let (status, body) = reach.ask::<Status>("/v1/status", PATIENCE)?;
    output.pass(&body, || text(&status))?;
    let well = !matches!(status.state.as_str(), "degraded" | "stopped");
    Ok(if well { Exit::Done } else { Exit::No }.into())
}

fn text(status: &Status) -> String {
    let Status {
        node,
        state,
        cluster,
        pg_version,
        ..
    } = status;
    let mut text = format!(
        "{node}  {}  cluster {cluster}, PostgreSQL {pg_version}\n",
        state.to_uppercase()
    );
    let mut line = |args: std::fmt::Arguments<'_>| writeln!(text, "{args}").expect("writing to a String cannot fail");
    for problem in &status.problems {
        line(format_args!("PROBLEM: {problem}"));
    }
    for warning in &status.warnings {
        line(format_args!("warning: {warning}"));
    }
    let Slot {
        name,
        confirmed_lsn,
        retained_bytes,
    } = &status.slot;
    line(format_args!("captured   {}", status.captured_lsn));
    line(format_args!(
        "slot       {name}: confirmed {confirmed_lsn}, WAL retained {}",
        bytes(*retained_bytes)
    ));
    line(format_args!(
        "journal    {} of {}",
        bytes(status.journal_bytes),
        bytes(status.journal_limit_bytes)
    ));
    line(format_args!("memory     {}", bytes(status.memory_bytes)));
    line(format_args!("conflicts  {}", status.conflicts.text()));
    if status.displaced > 0 {
        let rows = counted(status.displaced, "row");
        line(format_args!("displaced  {rows}; hint: SELECT * FROM synapse.displaced"));
    }
    text.push('\n');
    text + &peers(status)
}

impl Conflicts {
    fn text(&self) -> String {
        let Conflicts {
            total,
            per_second,
            left_out,
            ..
        } = self;
        if *total == 0 {
            return "0".to_owned();
        }
        let kinds: Vec<String> = self
            .by_kind
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let left_out = match left_out {
            0 => String::new(),
            _ => format!(", {left_out} not in the log"),
        };
        format!("{total} ({}), {per_second:.1}/s{left_out}", kinds.join(", "))
    }
}

fn peers(status: &Status) -> String {
    if status.peers.is_empty() {
        return "no peers\n".to_owned();
    }
    let mut rows = vec![row(["PEER", "STATE", "LAG", "AGE", "APPLIED", "CLOCK"])];
    rows.extend(status.peers.iter().map(|peer| {
        let clock = peer
            .clock_skew_seconds
            .map_or("-".to_owned(), |skew| format!("{skew:+.3} s"));
        let (lag, age) = (bytes(peer.lag_bytes), seconds(peer.lag_seconds));
        row([peer.node.as_str(), &peer.state, &lag, &age, &peer.applied_lsn, &clock])
    }));
    // What is wrong stands below the line of its peer.
    let table = aligned(&rows);
    let mut lines = table.lines();
    let mut text = lines.next().unwrap_or_default().to_owned() + "\n";
    for (line, peer) in lines.zip(&status.peers) {
        text += line;
        text += "\n";
        text += &peer.more(&status.node);
    }
    text
}

impl Peer {
    /// What is wrong with it and what would help, indented.
    fn more(&self, here: &str) -> String {
        let mut more = String::new();
        if let Some(waits_for) = &self.waits_for {
            more += &format!("    {waits_for}\n");
        }
        if let Some(error) = &self.error {
            more += &format!("    {}: {}\n", error.class, error.message.replace('\n', "\n    "));
            more += &error.place();
        }
        if let Some(hint) = self.hint(here) {
            more += &format!("    hint: {hint}\n");
        }
        more
    }

    fn hint(&self, here: &str) -> Option<String> {
        let node = &self.node;
        let txn = self.error.as_ref().and_then(|error| error.txn.as_deref());
        match (self.state.as_str(), txn) {
            ("stopped", Some(txn)) => Some(format!(
                "mend the cause, then `synapsectl apply retry --from {node}`; \
                 or do without it: `synapsectl apply skip --from {node} --txn {txn} --confirm`"
            )),
            ("connecting", _) => Some(format!(
                "is synapsed of {node} running, and is its link address in [cluster] join?"
            )),
            ("held", _) if self.error.is_none() => Some(format!("`synapsectl link resume --from {node} --to {here}`")),
            _ => None,
        }
    }
}

impl PeerError {
    fn place(&self) -> String {
        let Some(txn) = &self.txn else { return String::new() };
        let table = self
            .table
            .as_ref()
            .map_or(String::new(), |table| format!(", table {table}"));
        let key = if has_key(&self.key) {
            format!(", key {}", self.key)
        } else {
            String::new()
        };
        format!("    transaction {txn}{table}{key}\n")
    }
}

#[cfg(test)]
mod tests;
