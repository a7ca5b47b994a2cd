//! The exact path: lock, barrier, resolve, write.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_apply::{MissingValues, Scope, Texts, Transaction, Values, Written};
use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, Origin, RowId};
use synapse_engine_plan::{Batch, Conflict, Constrained, Exact, ExactWrite, Mapping, Tables, writes_of};
use synapse_engine_replication::{Action, Event, Kind, Lane};
use synapse_wal_types::Lsn;

use super::failure::Failure;
use super::log::Log;
use super::stood::{self, Found};
use super::{made, values};
use crate::feed::Next;
use crate::lane::Applier;
use crate::shared::lock;

/// Capture reads a barrier within milliseconds, unless it reads a large transaction or the server stands still.
const BARRIER_PATIENCE: Duration = Duration::from_secs(30);

/// What a round of the exact path belongs to.
#[derive(Clone, Copy)]
pub(super) struct Round<'b, 'a> {
    pub(super) batch: &'b Batch<'a>,
    pub(super) span: (Origin, Lsn, Lsn),
    pub(super) scope: Scope,
    /// Rows that dropped out of the batch's statements.
    pub(super) dropped: &'b HashSet<RowId>,
    /// Rows of a re-check of which no conflict was reported.
    pub(super) unreported: &'b HashSet<RowId>,
    /// What the batch is made of, or the one that is re-checked.
    pub(super) txns: &'b [Next],
}

/// The rows of an exact path that begins.
pub(super) struct Exactly {
    lane: Lane,
    dropouts: Vec<RowId>,
}

impl Exactly {
    pub(super) fn of(contested: Vec<RowId>, dropouts: Vec<RowId>, barrier: u64) -> Self {
        Exactly {
            lane: Lane::new(contested, barrier),
            dropouts,
        }
    }
}

impl Applier {
    /// Takes rows through the exact path; of some only `found` knows the key.
    pub(super) async fn exactly(
        &mut self,
        transaction: &mut Transaction<'_>,
        of: &Round<'_, '_>,
        mut found: Found,
        rows: Exactly,
        log: &mut Log,
    ) -> Result<Found, Failure> {
        let Exactly { mut lane, dropouts } = rows;
        let mut action = lane.advance(Event::Executed(dropouts));
        loop {
            let mut more = Found::default();
            let batch = found.with(of.batch);
            let round = Round { batch: &batch, ..*of };
            let event = match action {
                Action::Commit => {
                    drop(batch);
                    return Ok(found);
                }
                Action::GiveUp => return Err(Failure::GaveWay),
                Action::Lock(rows) => {
                    transaction.lock(round.batch, &rows).await?;
                    Event::Locked
                }
                Action::Barrier(id) => {
                    self.next_barrier = self.next_barrier.max(id + 1);
                    self.barrier(id).await?;
                    Event::BarrierRead
                }
                Action::Write(rows) => {
                    self.find_late(&round, &rows, log);
                    log.write(transaction, &self.shared, round.batch, &rows).await?;
                    self.shared.counters.rows_exact.add(rows.len() as u64);
                    let written;
                    (written, more) = self.write(transaction, &round, &rows, log).await?;
                    let Written { again, absent } = written;
                    Event::Written { again, absent }
                }
                Action::AwaitLate => self.await_late(transaction).await?,
            };
            drop(batch);
            found.extend(more);
            action = lane.advance(event);
        }
    }

    /// Conflicts with local writes that capture had not read at the verdicts: now it has.
    fn find_late(&self, round: &Round<'_, '_>, rows: &[RowId], log: &mut Log) {
        let unseen = |row: &RowId| round.dropped.contains(row) || round.unreported.contains(row);
        let open = rows.iter().filter(|row| unseen(row) && !log.has(**row));
        let open: HashSet<RowId> = open.copied().collect();
        if open.is_empty() {
            return;
        }
        let directory = self.shared.directory();
        let mut kernel = lock(&self.kernel);
        let mut found: BTreeMap<RowId, Conflict> = BTreeMap::new();
        for next in round.txns {
            let stamp = next.stamp();
            for change in next.block.changes_of(next.at) {
                let Some(mapping) = directory
                    .find(change.relation())
                    .and_then(|table| Mapping::new(change.relation(), &table).ok())
                else {
                    continue;
                };
                let rules = Arc::clone(kernel.policies().at(mapping.table().id, stamp.epoch));
                for write in writes_of(&mapping, &change, &rules).into_iter().flatten() {
                    if !open.contains(&write.row) {
                        continue;
                    }
                    if let Some(met) = kernel.registers_mut().met(&stamp, write.row) {
                        let conflict = Conflict {
                            row: write.row,
                            txn: stamp.txn,
                            hlc: stamp.hlc,
                            kind: Kind::of(&write.op, met.standing),
                            met,
                        };
                        found.insert(write.row, conflict);
                    }
                }
            }
        }
        drop(kernel);
        log.add(round.batch, round.txns, found.into_values().collect());
    }

    /// Makes locked rows what their registers say.
    async fn write<'a>(
        &mut self,
        transaction: &mut Transaction<'_>,
        round: &Round<'_, 'a>,
        rows: &[RowId],
        log: &mut Log,
    ) -> Result<(Written, Found), Failure> {
        let exacts: Vec<Exact<'a>> = {
            let mut kernel = lock(&self.kernel);
            let registers = kernel.registers_mut();
            let exact = |row: &RowId| Exact::of(registers, round.batch, round.span, *row).transpose();
            rows.iter().filter_map(exact).collect::<Result<_, _>>()?
        };
        let deletes = exacts.iter().filter(|exact| exact.write == ExactWrite::Delete);
        self.deleted.extend(deletes.map(|exact| exact.row));
        let lives = exacts
            .iter()
            .filter(|exact| matches!(exact.write, ExactWrite::Live { .. }));
        self.came.extend(lives.map(|exact| exact.row));
        let stood = self.stood(transaction, round, &exacts).await?;
        let made = self.make(transaction, round, &exacts, &stood).await?;
        let mut exacts: Vec<Exact<'_>> = exacts;
        made::give(&mut exacts, &made);
        let apart = |exact: &Exact<'_>| exact.table.constrained != Constrained::No;
        let (mut apart, mut plain): (Vec<_>, Vec<_>) = exacts.into_iter().partition(apart);
        let mut missing = stood::missing(&apart, &Values::default(), round, &stood);
        let written = match transaction.write(&plain, &Values::default(), round.scope).await {
            Err(synapse_engine_apply::Error::MissingValues { rows }) => {
                missing.extend(rows);
                None
            }
            written => Some(written?),
        };
        let mut fetched = values::fetch(&self.shared, &missing).await?;
        let gone = self.fill(round, &missing, &mut fetched).await?;
        apart.retain(|exact| !gone.contains(&exact.row));
        plain.retain(|exact| !gone.contains(&exact.row));
        let values = fetched.values()?;
        let mut written = match written {
            Some(written) => written,
            None => transaction.write(&plain, &values, round.scope).await?,
        };
        let (more, found) = self.settle(transaction, round, &apart, &values, &stood, log).await?;
        written.again.extend(more.again);
        written.absent.extend(more.absent);
        Ok((written, found))
    }

    /// Rows were not found that are to go. A transaction whose commit has been read may have inserted them, and not be
    /// visible yet.
    async fn await_late(&self, transaction: &mut Transaction<'_>) -> Result<Event, Failure> {
        let late = lock(&self.kernel).late(&transaction.take_in_progress());
        if late.is_empty() {
            return Ok(Event::NoneLate);
        }
        tracing::debug!(
            transactions = late.len(),
            "commits are awaited that are not visible yet"
        );
        match transaction.await_visible(&late).await? {
            true => Ok(Event::LateVisible),
            false => Err(Failure::NotVisible),
        }
    }

    /// Finds the values that no journal here holds: the update's own node has them. What stands here under the old key of
    /// a row whose key changed may be another: of a local write that the change had not seen. Answers with rows that are nowhere any more: whoever deleted them there had seen the
    /// update, and that delete is on its way.
    async fn fill(
        &self,
        round: &Round<'_, '_>,
        missing: &[MissingValues],
        fetched: &mut values::FromJournals,
    ) -> Result<Vec<RowId>, Failure> {
        let mut gone = Vec::new();
        for lack in missing {
            let mut columns = lack.unknown.clone();
            for (txn, more) in &lack.authors {
                if !fetched.has(*txn, lack.row)? {
                    columns.extend(more);
                }
            }
            let Some((table, row)) = round.batch.rows.get(&lack.row) else {
                continue;
            };
            if columns.is_empty() {
                continue;
            }
            let texts = match values::ask(&self.shared, round.span.0, table, row, &columns).await? {
                Some(texts) => Some(texts),
                None => self.found(lack.row, &columns).await?,
            };
            match texts {
                Some(texts) => fetched.fill(lack.row, table.columns.len(), &columns, texts),
                None => gone.push(lack.row),
            }
        }
        Ok(gone)
    }

    /// Values of a row as the last of its known writes found it, where whole old rows are sent. A policy that changed may
    /// bring a row back that is nowhere any more.
    async fn found(&self, row: RowId, columns: &[ColumnId]) -> Result<Option<Texts>, Failure> {
        let known = lock(&self.kernel).registers_mut().known(row);
        let mut journals = values::FromJournals::new(&self.shared);
        for txn in known {
            journals.want(&self.shared, txn, row).await?;
            if let Some(found) = journals.written(txn, row)?.found {
                let text = |id: &ColumnId| match found[usize::from(id.0)] {
                    Value::Text(text) | Value::Binary(text) => Some(text.to_vec()),
                    Value::Null | Value::Unchanged => None,
                };
                return Ok(Some(columns.iter().map(text).collect()));
            }
        }
        Ok(None)
    }

    /// Commits a barrier of its own number, and waits until capture has read it.
    pub(crate) async fn wait_for_barrier(&mut self) -> Result<(), Failure> {
        let id = self.next_barrier;
        self.next_barrier += 1;
        self.barrier(id).await
    }

    async fn barrier(&self, id: u64) -> Result<(), Failure> {
        let mut read = self.shared.barrier.subscribe();
        self.barriers.commit(id).await?;
        let passed = tokio::time::timeout(BARRIER_PATIENCE, read.wait_for(|last| *last >= id)).await;
        passed.map(|_| ()).map_err(|_| Failure::BarrierTimedOut)
    }

    /// Waits until capture has read the marker of the re-check of `of`.
    pub(super) async fn wait_for_recheck(&self, of: Lsn) {
        let mut stirred = self.shared.stirred.subscribe();
        let pending = || {
            lock(&self.kernel)
                .stamper()
                .state()
                .rechecks
                .iter()
                .any(|r| r.marker == of)
        };
        while pending() {
            if stirred.changed().await.is_err() {
                return;
            }
        }
    }
}
