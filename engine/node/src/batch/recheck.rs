//! Re-checks: rows that a local transaction wrote unseen are resolved once more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use synapse_engine_apply::{Begin, Scope, Session};
use synapse_engine_change::{Block, Change};
use synapse_engine_identity::{RowId, Stamp, TxnId};
use synapse_engine_plan::{Batch, Mapping, Row, Table, Tables, rows_of};
use synapse_engine_replication::{Decided, Marker, MarkerKind, Recheck};
use synapse_wal_types::{PgTimestamp, Xid};

use super::failure::Failure;
use super::truncated::tuples;
use super::{Carry, values};
use crate::feed::Next;
use crate::lane::Applier;
use crate::shared::lock;

/// What a re-check looks at.
struct Suspects<'a> {
    rows: HashMap<RowId, (Arc<Table>, Row<'a>)>,
    /// Tables that this node emptied itself.
    emptied: Vec<Arc<Table>>,
    /// The transactions of a peer that wrote them.
    txns: Vec<Next>,
    /// The last transaction, if any was found.
    last: Option<(Stamp, PgTimestamp)>,
}

impl Applier {
    /// Resolves rows of an earlier batch again, if a local transaction wrote them unseen.
    pub(crate) async fn recheck(&mut self, recheck: Recheck) -> Result<(), Failure> {
        let Recheck {
            origin, first, last, ..
        } = recheck;
        if origin == self.shared.me {
            values::journalled(&self.shared, TxnId { origin, lsn: last }).await?;
        }
        let blocks = values::blocks(&self.shared, origin, first, last).await?;
        let Suspects {
            rows,
            emptied,
            txns,
            last: stamp,
        } = self.suspects(&recheck, &blocks);
        let Some((stamp, commit_ts)) = stamp.filter(|_| !rows.is_empty() || !emptied.is_empty()) else {
            lock(&self.kernel).recheck_done(&recheck);
            return Ok(());
        };
        self.shared.counters.rows_rechecked.add(rows.len() as u64);
        let mut contested: Vec<RowId> = rows.keys().copied().collect();
        contested.sort_unstable();
        let batch = Batch {
            rows,
            contested,
            ..Batch::default()
        };
        // This node's own transactions are applied in no session: any of ours does.
        let through = match origin == self.shared.me {
            true => self.sessions.keys().next().copied().unwrap_or(origin),
            false => origin,
        };
        let mut session = self.take_session(through)?;
        let decided = self.begin_recheck(&recheck, &batch.contested);
        let Decided {
            at: decided_at,
            horizon,
            epoch,
        } = decided;
        let kind = MarkerKind::Recheck { of: recheck.marker };
        let marker = Marker {
            kind,
            origin,
            first,
            last,
            hlc: stamp.hlc,
            decided_at,
            epoch: epoch.max(stamp.epoch),
            xmin: Xid(0),
        };
        let carry = Carry {
            scope: Scope::EveryAuthor,
            unreported: self.unreported(&recheck, &batch),
            emptied,
            ..Carry::of(&txns)
        };
        let begin = Begin {
            marker,
            commit_ts,
            horizon,
            our_roidents: self.roidents.clone(),
        };
        let done = self.recheck_rows(&mut session, begin, &batch, stamp, carry).await;
        self.sessions.insert(through, session);
        match &done {
            Ok(()) if self.kept.remove(&origin).is_some() => self.shared.orphans.noted(),
            Ok(()) => {}
            Err(_) => lock(&self.kernel).given_up(),
        }
        done
    }

    /// Rows of which no conflict was reported; none where that is not known.
    fn unreported(&self, recheck: &Recheck, batch: &Batch<'_>) -> HashSet<RowId> {
        let Some(reported) = self.reported.by(recheck) else {
            return HashSet::new();
        };
        let rows = batch.rows.keys().copied();
        rows.filter(|row| !reported.contains(row)).collect()
    }

    fn begin_recheck(&self, recheck: &Recheck, rows: &[RowId]) -> Decided {
        let mut kernel = lock(&self.kernel);
        let decided = kernel.begin(MarkerKind::Recheck { of: recheck.marker }, recheck.origin, recheck.last);
        for row in rows {
            kernel.remember(*row);
        }
        decided
    }

    async fn recheck_rows(
        &mut self,
        session: &mut Session,
        begin: Begin,
        batch: &Batch<'_>,
        stamp: Stamp,
        carry: Carry<'_>,
    ) -> Result<(), Failure> {
        let Marker {
            kind: marker,
            origin,
            first,
            last,
            decided_at,
            ..
        } = begin.marker;
        let span = (origin, first, last);
        let mut transaction = session.begin(begin).await?;
        self.keep(&mut transaction, origin).await?;
        let done = self.carry_out(&mut transaction, batch, span, carry).await?;
        let looked = self
            .look_for_orphans(&mut transaction, (origin, &stamp), &[], done.gone)
            .await?;
        transaction.commit().await?;
        self.tell_orphans(looked);
        self.reported.note((origin, last), decided_at, done.conflicts);
        self.shared.conflicts.count(self.shared.clock.monotonic(), done.met);
        // It is pending until its own marker is read; run it once only.
        if let MarkerKind::Recheck { of } = marker {
            self.wait_for_recheck(of).await;
        }
        Ok(())
    }

    /// Rows of the batch that a local transaction between its verdicts and its marker wrote.
    fn suspects<'a>(&self, recheck: &Recheck, blocks: &'a [Arc<Block>]) -> Suspects<'a> {
        let directory = self.shared.directory();
        let mut kernel = lock(&self.kernel);
        let (mut rows, mut emptied, mut txns, mut last) = (HashMap::new(), Vec::new(), Vec::new(), None);
        for block in blocks {
            for (at, txn) in block.transactions.iter().enumerate() {
                if txn.lsn < recheck.first || txn.lsn > recheck.last {
                    continue;
                }
                last = Some((block.stamp(at), txn.commit_ts));
                // What a local transaction meets is found by those that it meets.
                if recheck.origin != self.shared.me {
                    let block = Arc::clone(block);
                    txns.push(Next { block, at });
                }
                for change in block.changes_of(at) {
                    let Some(table) = directory.find(change.relation()) else {
                        continue;
                    };
                    let Ok(mapping) = Mapping::new(change.relation(), &table) else {
                        continue;
                    };
                    if let Change::Truncate { .. } = change {
                        if recheck.origin == self.shared.me {
                            emptied.push(table);
                        }
                        continue;
                    }
                    let tuples = tuples(&change);
                    for row in rows_of(&mapping, &change).into_iter().flatten() {
                        let tuple = tuples
                            .iter()
                            .flatten()
                            .find(|t| synapse_engine_plan::row_id(&mapping, **t) == row);
                        if let Some(tuple) = tuple
                            && kernel.needs_recheck(recheck, row)
                        {
                            rows.insert(row, (Arc::clone(&table), mapping.row(*tuple)));
                        }
                    }
                }
            }
        }
        Suspects {
            rows,
            emptied,
            txns,
            last,
        }
    }
}
