//! How far a peer's transactions are from being applied here.

use std::time::Duration;

use synapse_engine_identity::{Hlc, Origin};
use synapse_wal_types::Lsn;

use crate::frames::Beat;
use crate::shared::Shared;

/// What is missing here of one peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lag {
    /// From what is applied to the peer's last transaction, in bytes of its WAL.
    pub(super) bytes: u64,
    /// Age of its oldest transaction that is not applied, by its own clock.
    pub(super) seconds: f64,
}

impl Lag {
    const NONE: Lag = Lag { bytes: 0, seconds: 0.0 };
}

/// The lag behind `origin`, of which `applied` is applied, by its last word, which came `since` ago.
pub(super) fn lag(shared: &Shared, origin: Origin, applied: Lsn, beat: &Beat, since: Duration) -> Lag {
    let Some(stamper) = &beat.stamper else { return Lag::NONE };
    if applied >= stamper.last_txn {
        return Lag::NONE;
    }
    // What has not come yet is no older than its sender's last item.
    let oldest = oldest(shared, origin, applied).unwrap_or(stamper.hlc);
    Lag {
        // Of a node that nothing was applied of yet, what its log here begins with.
        bytes: stamper.last_txn.bytes_since(applied.max(begin(shared, origin))),
        seconds: age_seconds(stamper.clock, since, oldest),
    }
}

fn begin(shared: &Shared, origin: Origin) -> Lsn {
    let oldest = if shared.journal.origins().contains(&origin) {
        shared.journal.log(origin).ok()
    } else {
        None
    };
    oldest
        .and_then(|log| log.read_after(log.begin()).ok()?.next_block().ok()?)
        .map_or(Lsn::ZERO, |block| Lsn(block.header().first.0.saturating_sub(1)))
}

/// Time of the first transaction after `applied` that the journal holds.
fn oldest(shared: &Shared, origin: Origin, applied: Lsn) -> Option<Hlc> {
    if !shared.journal.origins().contains(&origin) {
        return None;
    }
    let block = shared
        .journal
        .log(origin)
        .ok()?
        .read_after(applied)
        .ok()?
        .next_block()
        .ok()??;
    let block = block.decode().ok()?;
    block
        .transactions
        .iter()
        .find(|txn| txn.lsn > applied)
        .map(|txn| txn.hlc)
}

/// From `oldest` to now, where a clock said `clock` a while ago; never negative.
fn age_seconds(clock: Hlc, since: Duration, oldest: Hlc) -> f64 {
    let since = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let micros = clock.0.saturating_add(since).saturating_sub(oldest.0);
    Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests;
