//! What the daemons say of themselves while the load runs.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::http;
use crate::record::{NodeRecord, Record};

/// The part of `GET /v1/status` that the demo shows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Status {
    /// The node that answers.
    pub(super) node: String,
    /// What it has decided.
    pub(super) conflicts: Conflicts,
    /// The nodes that it sends to.
    pub(super) peers: Vec<Peer>,
}

/// Conflicts since the daemon's start.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Conflicts {
    /// All of them.
    pub(super) total: u64,
    /// By PostgreSQL's name of the kind.
    pub(super) by_kind: BTreeMap<String, u64>,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Peer {
    /// Its name.
    pub(super) node: String,
    /// What it has not applied yet, in bytes of the sender's WAL.
    pub(super) lag_bytes: u64,
}

/// Asks every node.
pub(super) async fn of_all(record: &Record) -> Result<Vec<Status>> {
    try_join_all(record.nodes.iter().map(of)).await
}

async fn of(node: &NodeRecord) -> Result<Status> {
    let answer = http::get(format!("{}/v1/status", node.api)).await?;
    parse(&node.name, answer.status, &answer.body)
}

fn parse(node: &str, status: u16, body: &str) -> Result<Status> {
    let bad = |problem: String| Error::BadAnswer {
        who: format!("synapsed of {node}"),
        problem,
    };
    if status != 200 {
        return Err(bad(format!("status {status}: {}", body.trim())));
    }
    serde_json::from_str(body).map_err(|error| bad(error.to_string()))
}

/// One second of the load in one line.
pub(super) fn line(second: u64, tps: &[f64], record: &Record, statuses: &Result<Vec<Status>>) -> String {
    let names = record.nodes.iter().map(|node| node.name.as_str());
    let rates: Vec<String> = names
        .zip(tps)
        .map(|(name, tps)| format!("{name} {tps:>5.0} tps"))
        .collect();
    let seen = match statuses {
        Ok(statuses) => {
            let lags = statuses.iter().flat_map(|status| {
                status
                    .peers
                    .iter()
                    .map(|peer| format!("{}>{} {}", status.node, peer.node, bytes(peer.lag_bytes)))
            });
            let conflicts: u64 = statuses.iter().map(|status| status.conflicts.total).sum();
            format!("lag {} | conflicts {conflicts}", lags.collect::<Vec<_>>().join("  "))
        }
        Err(error) => error.to_string(),
    };
    format!("{second:>4} s | {} | {seen}", rates.join("  "))
}

/// A size that a person reads: three digits at most before the unit.
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000.. => format!("{} MB", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests;
