//! What journals say of the time before the daemon started: registers, and stamps that were given already.

use std::collections::VecDeque;
use std::sync::Arc;

use synapse_engine_change::{Block, Change};
use synapse_engine_identity::{Hlc, Origin, Stamp};
use synapse_engine_journal::Reader;
use synapse_engine_plan::{Mapping, writes_of};
use synapse_engine_replication::Progress;
use synapse_wal_types::Lsn;

use crate::error::Error;
use crate::frames;
use crate::shared::{NodeKernel, Shared};
use crate::tables::from_relation;

/// The last durable state of the stamper; `None` in a new journal.
pub(crate) fn progress(shared: &Shared) -> Result<Option<Progress>, Error> {
    let Some(last) = shared.own_log()?.last_progress()? else {
        return Ok(None);
    };
    let progress = frames::decode(&last.payload).map_err(|error| {
        Error::Refused(format!(
            "the progress in this node's journal cannot be read ({error}): another version wrote it; hint: run that version, or resync this node: synapsectl node join --from PEER --replace-local --confirm"
        ))
    })?;
    Ok(Some(progress))
}

/// Stamps of this node's transactions after `captured`: they were journalled, and are read again.
pub(crate) fn known_stamps(shared: &Shared, captured: Lsn) -> Result<VecDeque<Stamp>, Error> {
    let mut reader = shared.own_log()?.read_after(captured)?;
    let mut stamps = VecDeque::new();
    while let Some(block) = reader.next_block()? {
        let block = block.decode()?;
        let all = (0..block.transactions.len()).map(|at| block.stamp(at));
        stamps.extend(all.filter(|stamp| stamp.txn.lsn > captured));
    }
    Ok(stamps)
}

/// Notes every write that the journals hold and that is not forgotten: this node's own up to its progress, others' up to
/// the frontier, all in the order of their times, which is an order that respects causes.
pub(crate) fn registers(shared: &Shared, kernel: &mut NodeKernel) -> Result<u64, Error> {
    let mut logs = Vec::new();
    for origin in shared.journal.origins() {
        let log = shared.journal.log(origin)?;
        let up_to = if origin == shared.me {
            kernel.stamper().state().captured
        } else {
            kernel.frontier().get(origin)
        };
        let after = log.begin().max(kernel.stamper().state().forgotten.get(origin));
        logs.push(Walk::start(log.read_after(after)?, origin, (after, up_to))?);
    }
    let mut noted = 0;
    loop {
        logs.retain(|log| log.current.is_some());
        let Some(first) = logs.iter_mut().min_by_key(|log| log.time()) else {
            kernel.drop_again();
            return Ok(noted);
        };
        noted += first.note(shared, kernel)?;
    }
}

/// One log, a transaction at a time.
struct Walk {
    reader: Reader,
    origin: Origin,
    after: Lsn,
    up_to: Lsn,
    current: Option<(Arc<Block>, usize)>,
}

impl Walk {
    /// The transactions of `origin` after the first position, up to the second.
    fn start(reader: Reader, origin: Origin, (after, up_to): (Lsn, Lsn)) -> Result<Self, Error> {
        let mut walk = Walk {
            reader,
            origin,
            after,
            up_to,
            current: None,
        };
        walk.load()?;
        Ok(walk)
    }

    fn load(&mut self) -> Result<(), Error> {
        self.current = match self.reader.next_block()? {
            Some(block) if block.header().first <= self.up_to => Some((Arc::new(block.decode()?), 0)),
            Some(_) | None => None,
        };
        Ok(())
    }

    fn time(&self) -> (Hlc, Origin) {
        let hlc = self
            .current
            .as_ref()
            .map_or(Hlc(u64::MAX), |(block, at)| block.transactions[*at].hlc);
        (hlc, self.origin)
    }

    fn note(&mut self, shared: &Shared, kernel: &mut NodeKernel) -> Result<u64, Error> {
        let Some((block, at)) = self.current.take() else {
            return Ok(0);
        };
        let stamp = block.stamp(at);
        let mut noted = 0;
        if stamp.txn.lsn > self.after && stamp.txn.lsn <= self.up_to {
            let directory = shared.directory();
            for change in block.changes_of(at) {
                let relation = change.relation();
                let known = directory
                    .get(&relation.schema, &relation.name)
                    .and_then(|t| Mapping::new(relation, t).ok());
                let mapping = known.map_or_else(
                    || {
                        Mapping::new(relation, &Arc::new(from_relation(relation, &shared.numbers)))
                            .map_err(|e| Error::Refused(e.to_string()))
                    },
                    Ok,
                )?;
                if let Change::Truncate { .. } = change {
                    kernel.registers_mut().note_truncate(&stamp, mapping.table().id);
                }
                let rules = Arc::clone(kernel.policies().at(mapping.table().id, stamp.epoch));
                for write in writes_of(&mapping, &change, &rules).into_iter().flatten() {
                    kernel.remember_write(&stamp, &write);
                    noted += 1;
                }
            }
        }
        if at + 1 < block.transactions.len() {
            self.current = Some((block, at + 1));
        } else {
            self.load()?;
        }
        Ok(noted)
    }
}
