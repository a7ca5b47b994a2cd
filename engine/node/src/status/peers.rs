//! Each peer's part of the status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use synapse_engine_identity::{Context, Hlc, NodeId, Origin};
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
    /// For how long its next transaction waits, whose time lies too far ahead of the majority's clock.
    pub(crate) held_seconds: Option<f64>,
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
    clock_ahead: Option<Hlc>,
    error: Option<ErrorStatus>,
    beat: Option<(Beat, Instant)>,
}

/// All peers by name; then addresses that nobody has answered at.
pub(super) fn all(shared: &Shared) -> Vec<PeerStatus> {
    let known = known(shared);
    let held = shared.state().held;
    let (seen, silent) = {
        let peers = shared.peers();
        let seen: Vec<Seen> = peers.iter().map(|(node, peer)| Seen::of(*node, peer)).collect();
        (seen, silent(&shared.config.cluster.join, &peers))
    };
    let mut statuses: Vec<PeerStatus> = seen
        .into_iter()
        .map(|peer| {
            let holding = held.contains(&peer.node);
            peer.status(shared, &known, holding)
        })
        .collect();
    statuses.extend(silent.into_iter().map(never_heard));
    statuses
}

/// What the kernel knows of peers at one moment.
#[derive(Default)]
struct KnownNow {
    applied: Context,
    /// How far this node's clock is ahead of each peer's, in seconds.
    skews: BTreeMap<NodeId, f64>,
    /// The greatest time that is believed.
    believed: Option<Hlc>,
}

fn known(shared: &Shared) -> KnownNow {
    let Some(kernel) = shared.kernel() else {
        return KnownNow::default();
    };
    let kernel = lock(&kernel);
    let now = shared.clock.monotonic();
    let skew_max = u64::try_from(shared.config.replication.max_clock_skew.as_micros()).unwrap_or(u64::MAX);
    let skews = kernel.clocks().skews(now);
    let reference = kernel.clocks().reference(now);
    KnownNow {
        applied: kernel.frontier().clone(),
        skews: skews.map(|(node, micros)| (node, seconds(micros))).collect(),
        believed: reference.map(|Hlc(reference)| Hlc(reference.saturating_add(skew_max))),
    }
}

impl KnownNow {
    /// How long it takes until `time` is believed, in seconds.
    fn until(&self, time: Hlc) -> f64 {
        let believed = self.believed.unwrap_or(time);
        Duration::from_micros(time.0.saturating_sub(believed.0)).as_secs_f64()
    }
}

fn seconds(micros: i64) -> f64 {
    let length = Duration::from_micros(micros.unsigned_abs()).as_secs_f64();
    if micros < 0 { -length } else { length }
}

impl Seen {
    fn of(node: NodeId, peer: &Peer) -> Self {
        Seen {
            node,
            origin: peer.origin,
            state: state(peer),
            waits_for: peer.waits_for,
            clock_ahead: peer.clock_ahead,
            error: error(peer),
            beat: peer.beat.clone(),
        }
    }

    fn status(self, shared: &Shared, known: &KnownNow, holding: bool) -> PeerStatus {
        let applied = &known.applied;
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
            clock_skew_seconds: known.skews.get(&self.node).copied(),
            held_seconds: self.clock_ahead.map(|time| known.until(time)),
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
    } else if peer.clock_ahead.is_some() || peer.beat.as_ref().is_some_and(|(beat, _)| beat.held) {
        PeerState::Held
    } else {
        PeerState::Connected
    }
}

fn error(peer: &Peer) -> Option<ErrorStatus> {
    if let Some(stop) = &peer.stop {
        return Some(ErrorStatus::from(stop));
    }
    let message = if peer.clock_ahead.is_some() {
        "it wrote while its clock was too far ahead and no majority was there to say so; its transactions wait until that time has come".to_owned()
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
        held_seconds: None,
        waits_for: None,
        holding: false,
        error: Some(ErrorStatus::transient(
            "no node has answered at this address since the daemon started".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
