//! What the daemon says of itself: `GET /v1/status`, and the reasons of `/readyz`.

mod lag;
mod memory;
mod peers;
mod problems;
mod slot;

use std::collections::BTreeMap;

use serde::Serialize;
use synapse_engine_identity::NodeId;

use crate::conflicts::Counts;
use crate::join::Progress;
use crate::mend;
use crate::shared::{Phase, Shared, UNPOISONED, lock};
use crate::state::Join;

pub(crate) use peers::PeerStatus;
pub(crate) use problems::not_ready;
pub(crate) use slot::SlotWatch;

/// The answer to `GET /v1/status`. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) node: NodeId,
    pub(crate) cluster: String,
    pub(crate) state: State,
    pub(crate) version: &'static str,
    pub(crate) pg_version: String,
    pub(crate) captured_lsn: String,
    pub(crate) slot: Slot,
    pub(crate) memory_bytes: u64,
    pub(crate) journal_bytes: u64,
    pub(crate) journal_limit_bytes: u64,
    pub(crate) conflicts: Conflicts,
    pub(crate) orphans: Orphans,
    pub(crate) rows: Rows,
    /// Rows of `synapse.displaced`.
    pub(crate) displaced: u64,
    /// How far it has come in joining; null once it has joined.
    pub(crate) join: Option<Progress>,
    /// What stands still and must be seen by a person: why the state is `degraded` or `stopped`.
    pub(crate) problems: Vec<String>,
    /// What will stand still if nobody looks.
    pub(crate) warnings: Vec<String>,
    pub(crate) peers: Vec<PeerStatus>,
}

/// How the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Starting,
    Copying,
    Streaming,
    Degraded,
    Stopped,
}

/// The slot on this node's server.
#[derive(Debug, Serialize)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) confirmed_lsn: String,
    /// WAL that the server keeps for it.
    pub(crate) retained_bytes: u64,
    /// As PostgreSQL has it: `reserved`, `extended`, `unreserved`, `lost`; unknown until it was read.
    pub(crate) wal_status: Option<synapse_engine_setup::WalStatus>,
}

/// Conflicts since the daemon's start.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Conflicts {
    pub(crate) total: u64,
    pub(crate) by_kind: BTreeMap<&'static str, u64>,
    /// On the average of the last minute.
    pub(crate) per_second: f64,
    /// Those of the total that are not in `synapse.conflict_log`.
    pub(crate) left_out: u64,
}

/// Rows that are left without what their foreign key refers to: counts since the daemon's start, but for the first three.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Orphans {
    /// Entries of `synapse.orphans` that are mended next, or cannot be.
    pub(crate) waiting: u64,
    /// Entries that stay, because that is the rule of their table.
    pub(crate) reported: u64,
    /// Entries that stay while what is referred to is displaced.
    pub(crate) displaced: u64,
    /// Rows that were brought back because others refer to them.
    pub(crate) restored: u64,
    /// References for which the rows that had them were deleted.
    pub(crate) deleted: u64,
    /// References that other nodes mend, as far as they were seen here.
    pub(crate) left_to_others: u64,
}

/// Rows since the daemon's start, by the path they took.
#[derive(Debug, Serialize)]
pub(crate) struct Rows {
    pub(crate) guarded: u64,
    pub(crate) exact: u64,
    pub(crate) skipped: u64,
    pub(crate) rechecked: u64,
}

/// Builds the whole status from what is known now. Reads at most one journal block a peer; asks nobody.
pub(crate) fn status(shared: &Shared, slot: &SlotWatch) -> Status {
    let peers = peers::all(shared);
    let seen = slot.seen();
    let damaged = mend::standing(shared);
    let problems = problems::problems(shared, seen.as_ref(), &damaged, &peers);
    let (journal_bytes, journal_limit_bytes) = (shared.journal.bytes(), shared.journal.limit_bytes());
    let counters = &shared.counters;
    let captured = shared.kernel().map(|kernel| lock(&kernel).stamper().state().captured);
    let displaced = shared.kernel().map_or(0, |kernel| lock(&kernel).displaced());
    let phase = shared.phase.borrow().clone();
    let orphans = orphans(shared);
    let mut warnings = problems::warnings(
        journal_bytes,
        journal_limit_bytes,
        &peers,
        shared.config.replication.max_clock_skew,
    );
    warnings.extend(problems::reported(orphans.reported));
    warnings.extend(problems::of_displaced(orphans.displaced));
    Status {
        node: shared.me.node,
        cluster: shared.config.cluster.name.to_string(),
        state: state(&phase, &problems, &damaged),
        version: env!("CARGO_PKG_VERSION"),
        pg_version: shared.pg_version.lock().expect(UNPOISONED).clone(),
        captured_lsn: captured.unwrap_or_default().to_string(),
        slot: Slot {
            name: shared.slot.to_string(),
            confirmed_lsn: seen
                .as_ref()
                .and_then(|slot| slot.confirmed_flush)
                .unwrap_or(*shared.confirmed.borrow())
                .to_string(),
            retained_bytes: seen.as_ref().and_then(|slot| slot.retained_bytes).unwrap_or(0),
            wal_status: seen.and_then(|slot| slot.wal_status),
        },
        memory_bytes: memory::resident_bytes(),
        journal_bytes,
        journal_limit_bytes,
        conflicts: Conflicts {
            per_second: shared.conflicts.per_second(shared.clock.monotonic()),
            ..conflicts(&shared.conflicts.found(), &shared.conflicts.left_out())
        },
        orphans,
        rows: Rows {
            guarded: counters.rows_guarded.get(),
            exact: counters.rows_exact.get(),
            skipped: counters.rows_skipped.get(),
            rechecked: counters.rows_rechecked.get(),
        },
        displaced: displaced as u64,
        join: joining(shared),
        problems,
        warnings,
        peers,
    }
}

/// A node that cannot start because its journal is `damaged` is degraded: it stands still.
fn state(phase: &Phase, problems: &[String], damaged: &[String]) -> State {
    match phase {
        Phase::Starting if !damaged.is_empty() => State::Degraded,
        Phase::Starting => State::Starting,
        Phase::Copying => State::Copying,
        Phase::Stopped(_) => State::Stopped,
        Phase::Streaming if problems.is_empty() => State::Streaming,
        Phase::Streaming => State::Degraded,
    }
}

fn joining(shared: &Shared) -> Option<Progress> {
    let joined = matches!(shared.state().join, Join::Joined { .. });
    (!joined).then(|| shared.joining.progress())
}

fn orphans(shared: &Shared) -> Orphans {
    let orphans = &shared.orphans;
    let standing = orphans.standing.borrow();
    Orphans {
        waiting: standing.waiting + standing.stuck,
        reported: standing.reported,
        displaced: standing.displaced,
        restored: orphans.restored.get(),
        deleted: orphans.deleted.get(),
        left_to_others: orphans.left_to_others.get(),
    }
}

fn conflicts(found: &Counts, left_out: &Counts) -> Conflicts {
    let mut conflicts = Conflicts {
        left_out: left_out.values().sum(),
        ..Conflicts::default()
    };
    for (class, count) in found {
        conflicts.total += count;
        *conflicts.by_kind.entry(class.kind).or_default() += count;
    }
    conflicts
}

#[cfg(test)]
mod tests;
