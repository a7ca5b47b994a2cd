//! Each peer's part of the status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::Serialize;
use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_wal_types::Lsn;

use super::lag::{Lag, lag};
use crate::frames::Beat;
use crate::peer::{Peer, Stop, StopClass};
use crate::shared::{Shared, lock};

/// One peer, as this node sees it.
#[derive(Debug, Serialize)]
pub(crate) struct PeerStatus {
    /// Its name; its address while it has never been heard.
    pub(crate) node: String,
    pub(crate) state: PeerState,
    pub(crate) applied_lsn: String,
    pub(crate) lag_bytes: u64,
    pub(crate) lag_seconds: f64,
    /// How far this node's clock is ahead of the peer's.
    pub(crate) clock_skew_seconds: Option<f64>,
    /// Whose transaction its next one waits for.
    pub(crate) waits_for: Option<String>,
    /// Whether this node was told to ship nothing to the peer.
    pub(crate) holding: bool,
    pub(crate) error: Option<ErrorStatus>,
}

/// How the link is over which its transactions come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PeerState {
    Connected,
    Connecting,
    Held,
    Stopped,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ErrorStatus {
    pub(crate) class: StopClass,
    pub(crate) message: String,
    pub(crate) txn: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) key: serde_json::Value,
}

/// What was known of a peer at one moment, so that its lock is not held while its lag is read.
struct Seen {
    node: NodeId,
    origin: Option<Origin>,
    state: PeerState,
    waits_for: Option<(Origin, Lsn)>,
    error: Option<ErrorStatus>,
    beat: Option<(Beat, Instant)>,
}

/// All peers by name; then addresses that nobody has answered at.
pub(super) fn all(shared: &Shared) -> Vec<PeerStatus> {
    let (applied, skews) = known(shared);
    let held = shared.state().held;
    let (seen, silent) = {
        let peers = shared.peers();
        let seen: Vec<Seen> = peers.iter().map(|(node, peer)| Seen::of(*node, peer)).collect();
        (seen, silent(&shared.config.cluster.join, &peers))
    };
    let mut statuses: Vec<PeerStatus> = seen
        .into_iter()
        .map(|peer| {
            let skew = skews.get(&peer.node).copied();
            let holding = held.contains(&peer.node);
            peer.status(shared, &applied, skew, holding)
        })
        .collect();
    statuses.extend(silent.into_iter().map(never_heard));
    statuses
}

/// What is applied, and the peers' clocks in seconds.
fn known(shared: &Shared) -> (Context, BTreeMap<NodeId, f64>) {
    let Some(kernel) = shared.kernel() else {
        return (Context::new(), BTreeMap::new());
    };
    let kernel = lock(&kernel);
    let skews = kernel.clocks().skews(shared.clock.monotonic());
    (
        kernel.frontier().clone(),
        skews.map(|(node, micros)| (node, seconds(micros))).collect(),
    )
}

fn seconds(micros: i64) -> f64 {
    let length = std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64();
    if micros < 0 { -length } else { length }
}

impl Seen {
    fn of(node: NodeId, peer: &Peer) -> Self {
        Seen {
            node,
            origin: peer.origin,
            state: state(peer),
            waits_for: peer.waits_for,
            error: error(peer),
            beat: peer.beat.clone(),
        }
    }

    fn status(self, shared: &Shared, applied: &Context, skew: Option<f64>, holding: bool) -> PeerStatus {
        // A peer that has not linked since the daemon started is known by what was applied of it.
        let applied_of = || {
            applied
                .iter()
                .map(|(origin, _)| origin)
                .filter(|origin| origin.node == self.node)
                .max()
        };
        let origin = self.origin.or_else(applied_of);
        let here = origin.map_or(Lsn::ZERO, |origin| applied.get(origin));
        let behind = match (origin, &self.beat) {
            (Some(origin), Some((beat, at))) => lag(shared, origin, here, beat, at.elapsed()),
            (Some(_), None) | (None, _) => Lag { bytes: 0, seconds: 0.0 },
        };
        PeerStatus {
            node: self.node.to_string(),
            state: self.state,
            applied_lsn: here.to_string(),
            lag_bytes: behind.bytes,
            lag_seconds: behind.seconds,
            clock_skew_seconds: skew,
            waits_for: self
                .waits_for
                .map(|(origin, lsn)| format!("waits for {}: a transaction at {lsn}", origin.node)),
            holding,
            error: self.error,
        }
    }
}

fn state(peer: &Peer) -> PeerState {
    if peer.stop.is_some() {
        PeerState::Stopped
    } else if peer.link.is_none() {
        PeerState::Connecting
    } else if peer.clock_ahead || peer.beat.as_ref().is_some_and(|(beat, _)| beat.held) {
        PeerState::Held
    } else {
        PeerState::Connected
    }
}

fn error(peer: &Peer) -> Option<ErrorStatus> {
    if let Some(stop) = &peer.stop {
        return Some(ErrorStatus::from(stop));
    }
    let message = if peer.clock_ahead {
        "its clock is too far ahead of the majority's; its transactions wait until that time has come".to_owned()
    } else if peer.link.is_none() {
        peer.trouble.clone()?
    } else {
        return None;
    };
    Some(ErrorStatus::transient(message))
}

impl ErrorStatus {
    fn transient(message: String) -> Self {
        let (txn, table, key) = (None, None, serde_json::Value::Null);
        ErrorStatus {
            class: StopClass::Transient,
            message,
            txn,
            table,
            key,
        }
    }
}

impl From<&Stop> for ErrorStatus {
    fn from(stop: &Stop) -> Self {
        ErrorStatus {
            class: stop.class,
            message: stop.message.clone(),
            txn: Some(stop.txn.to_string()),
            table: stop.table.clone(),
            key: stop.key.clone(),
        }
    }
}

/// Configured addresses at which no known peer is: at most as many as peers are missing, because a peer that only
/// dialled this node has not told its address.
fn silent(join: &[String], peers: &BTreeMap<NodeId, Peer>) -> Vec<String> {
    let known: BTreeSet<&str> = peers.values().filter_map(|peer| peer.address.as_deref()).collect();
    let missing = join.len().saturating_sub(peers.len());
    join.iter()
        .filter(|address| !known.contains(address.as_str()))
        .take(missing)
        .cloned()
        .collect()
}

fn never_heard(address: String) -> PeerStatus {
    PeerStatus {
        node: address,
        state: PeerState::Connecting,
        applied_lsn: Lsn::ZERO.to_string(),
        lag_bytes: 0,
        lag_seconds: 0.0,
        clock_skew_seconds: None,
        waits_for: None,
        holding: false,
        error: Some(ErrorStatus::transient(
            "no node has answered at this address since the daemon started".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
