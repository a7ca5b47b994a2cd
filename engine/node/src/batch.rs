//! One transaction of the applier: planned, executed, taken through the exact path, committed.

mod came;
mod exact;
mod exclusion;
mod failure;
mod gone;
mod log;
mod made;
mod orphans;
mod recheck;
mod reported;
mod stood;
mod truncated;
mod values;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use synapse_engine_apply::{Begin, Scope, Session, Transaction, Which};
use synapse_engine_change::{Change, Part};
use synapse_engine_identity::{Epoch, Origin, RowId};
use synapse_engine_plan::{Batch, Builder, Path, Row, Step, Table, Tables};
use synapse_engine_replication::{Decided, Marker, MarkerKind};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

pub(crate) use failure::Failure;
pub(crate) use gone::Displacement;
pub(crate) use orphans::Kept;
pub(crate) use reported::Reported;

use crate::conflicts::Met;
use crate::feed::Next;
use crate::lane::Applier;
use crate::shared::{UNPOISONED, lock};
use exact::{Exactly, Round};
use gone::Gone;
use log::{KeylessMissing, Log};
use stood::Found;

/// What one transaction of the applier carries.
pub(crate) enum Work {
    /// Whole transactions of one origin.
    Batch(Vec<Next>),
    /// The first part of a large one; the others follow in the feed.
    Large(Next),
}

impl Work {
    fn first(&self) -> Option<&Next> {
        match self {
            Work::Batch(txns) => txns.first(),
            Work::Large(next) => Some(next),
        }
    }

    fn last(&self) -> Option<&Next> {
        match self {
            Work::Batch(txns) => txns.last(),
            Work::Large(next) => Some(next),
        }
    }
}

/// What is carried out besides a batch's steps.
struct Carry<'t> {
    /// The transactions of the batch, or of the one that is re-checked.
    txns: &'t [Next],
    /// Rows of a re-check of which no conflict was reported.
    unreported: HashSet<RowId>,
    scope: Scope,
    /// Conflicts that the same transaction of ours has logged before.
    logged: u64,
    /// Tables that a local transaction emptied, and whose displaced rows are looked at again.
    emptied: Vec<Arc<Table>>,
}

impl<'t> Carry<'t> {
    fn of(txns: &'t [Next]) -> Self {
        Carry {
            txns,
            unreported: HashSet::new(),
            scope: Scope::Won,
            logged: 0,
            emptied: Vec::new(),
        }
    }
}

/// What was carried out, to be counted when it is committed.
#[derive(Default)]
struct Done {
    changes: u64,
    /// Rows that another write has won.
    skipped: u64,
    met: Met,
    /// Rows over which conflicts were found.
    conflicts: Vec<RowId>,
    gone: Gone,
}

impl Done {
    fn and(&mut self, more: Done) {
        self.changes += more.changes;
        self.skipped += more.skipped;
        self.met.and(more.met);
        self.conflicts.extend(more.conflicts);
        self.gone.and(more.gone);
    }
}

impl Applier {
    /// Applies `work` in one transaction, or nothing of it.
    pub(crate) async fn attempt(&mut self, origin: Origin, work: &Work, path: Path) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (work.first(), work.last()) else {
            return Ok(());
        };
        let span = (origin, first.stamp().txn.lsn, last.stamp().txn.lsn);
        if let Work::Large(_) = work {
            // Rows of this node that were written since the last horizon would all take the exact path.
            self.wait_for_barrier().await?;
        }
        let mut session = self.take_session(origin)?;
        let decided = lock(&self.kernel).begin(MarkerKind::Batch, origin, span.2);
        let done = match work {
            Work::Batch(txns) => self.whole(&mut session, txns, path, &decided, span).await,
            Work::Large(next) => self.parts(&mut session, next, path, &decided, span).await,
        };
        self.sessions.insert(origin, session);
        let mut kernel = lock(&self.kernel);
        match done {
            Ok(()) => {
                if self.kept.remove(&origin).is_some() {
                    self.shared.orphans.noted();
                }
                match work {
                    Work::Batch(txns) => txns.iter().for_each(|next| kernel.committed(&next.stamp())),
                    Work::Large(next) => kernel.committed(&next.stamp()),
                }
                Ok(())
            }
            Err(failure) => {
                kernel.given_up();
                Err(failure)
            }
        }
    }

    async fn whole(
        &mut self,
        session: &mut Session,
        txns: &[Next],
        path: Path,
        decided: &Decided,
        span: (Origin, Lsn, Lsn),
    ) -> Result<(), Failure> {
        let begin = self.begin(MarkerKind::Batch, span, txns.last(), decided);
        let truncates = tables_to_lock(txns, &*self.shared.directory());
        if truncates.is_empty() {
            let batch = self.plan(txns, path)?;
            let mut transaction = session.begin(begin).await?;
            self.keep(&mut transaction, span.0).await?;
            let done = self.carry_out(&mut transaction, &batch, span, Carry::of(txns)).await?;
            self.commit(transaction, txns, (span.0, decided.at), done).await
        } else {
            let mut transaction = session.begin(begin).await?;
            transaction.lock_tables(&truncates).await?;
            // Under the locks nothing more is written, and what was is read before anything is decided.
            self.wait_for_barrier().await?;
            let batch = self.plan(txns, path)?;
            self.keep(&mut transaction, span.0).await?;
            let done = self.carry_out(&mut transaction, &batch, span, Carry::of(txns)).await?;
            self.commit(transaction, txns, (span.0, decided.at), done).await
        }
    }

    /// A large transaction, part by part, in one of ours.
    async fn parts(
        &mut self,
        session: &mut Session,
        first: &Next,
        path: Path,
        decided: &Decided,
        span: (Origin, Lsn, Lsn),
    ) -> Result<(), Failure> {
        let begin = self.begin(MarkerKind::Batch, span, Some(first), decided);
        let mut transaction = session.begin(begin).await?;
        self.keep(&mut transaction, span.0).await?;
        let mut part = first.clone();
        let mut all = Done::default();
        loop {
            let one = std::slice::from_ref(&part);
            let truncates = tables_to_lock(one, &*self.shared.directory());
            if !truncates.is_empty() {
                transaction.lock_tables(&truncates).await?;
                self.wait_for_barrier().await?;
            }
            let batch = self.plan(one, path)?;
            let carry = Carry {
                logged: all.met.logged,
                ..Carry::of(one)
            };
            all.and(self.carry_out(&mut transaction, &batch, span, carry).await?);
            if !matches!(part.part(), Part::Middle(_)) {
                break;
            }
            let feed = self.feed(span.0);
            part = feed.next_part().await?.ok_or(Failure::PartsEnded)?;
            feed.pass();
        }
        self.commit(transaction, std::slice::from_ref(first), (span.0, decided.at), all)
            .await
    }

    /// Decides every write, and merges.
    fn plan<'a>(&self, txns: &'a [Next], path: Path) -> Result<Batch<'a>, Failure> {
        let known = self.shared.known();
        let mut kernel = lock(&self.kernel);
        let mut builder = Builder::new(path);
        for next in txns {
            builder.add(&mut *kernel, &known, &next.block, next.at)?;
        }
        Ok(builder.finish())
    }

    /// Executes a batch and takes what drops out through the exact path.
    async fn carry_out<'a>(
        &mut self,
        transaction: &mut Transaction<'_>,
        batch: &Batch<'a>,
        span: (Origin, Lsn, Lsn),
        Carry {
            txns,
            unreported,
            scope,
            logged,
            mut emptied,
        }: Carry<'_>,
    ) -> Result<Done, Failure> {
        let truncated = batch.steps.iter().filter_map(|step| {
            let Step::Truncate { tables, .. } = step else {
                return None;
            };
            Some(tables.iter().map(|t| Arc::clone(&t.table)))
        });
        emptied.extend(truncated.flatten());
        emptied.retain(|table| lock(&self.kernel).contended(table.id));
        let survivors = values::survivors(&self.shared, &self.kernel, batch).await?;
        let survivors = survivors
            .as_ref()
            .map(values::FromJournals::rows)
            .transpose()?
            .unwrap_or_default();
        let with_returning;
        let batch = match self.returning(batch, &survivors) {
            Some(more) => {
                with_returning = more;
                &with_returning
            }
            None => batch,
        };
        self.deleted.clear();
        self.displaced.clear();
        self.came.clear();
        let mut gone = self.may_go(transaction, batch).await?;
        let room = self.shared.conflicts.room(self.shared.clock.monotonic());
        let mut log = Log::of(batch, txns, room.saturating_sub(logged));
        self.log_truncated(transaction, batch, &mut log).await?;
        let executed = transaction.execute(batch, &survivors).await?;
        self.send_old_rows(transaction, batch).await?;
        self.shared
            .counters
            .rows_guarded
            .add(executed.rows_guarded + executed.rows_inserted);
        let keyless = KeylessMissing::of(&executed);
        let dropped = executed.dropouts.iter().copied().collect();
        let round = Round {
            batch,
            span,
            scope,
            dropped: &dropped,
            unreported: &unreported,
            txns,
        };
        let mut contested = batch.contested.clone();
        let mut found = Found::default();
        for table in emptied {
            let displaced = transaction.displaced(&table, Which::All).await?;
            contested.extend(found.emptied(batch, &table, displaced));
        }
        let rows = Exactly::of(contested, executed.dropouts, self.next_barrier);
        let found = self.exactly(transaction, &round, found, rows, &mut log).await?;
        let all = found.with(batch);
        gone.deleted(&all, &self.deleted);
        self.read_missed(transaction, &all, &mut gone).await?;
        gone.displaced(&self.displaced);
        Ok(Done {
            changes: batch.changes as u64,
            skipped: log.lost(),
            conflicts: log.rows().collect(),
            met: log.met(&self.shared, batch, &keyless),
            gone,
        })
    }

    /// The batch with rows that a TRUNCATE may bring back, as their writers left them; `None` when there are none.
    fn returning<'s>(&self, batch: &Batch<'s>, survivors: &HashMap<RowId, Row<'s>>) -> Option<Batch<'s>> {
        let directory = self.shared.directory();
        let open = batch.contested.iter().filter(|row| !batch.rows.contains_key(row));
        let found = open.filter_map(|row| {
            let table = Arc::clone(directory.by_id(row.table)?);
            Some((*row, (table, survivors.get(row)?.clone())))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return None;
        }
        let mut batch = batch.clone();
        batch.rows.extend(found);
        Some(batch)
    }

    /// A policy that compares with old rows has them sent from here on too.
    async fn send_old_rows(&self, transaction: &mut Transaction<'_>, batch: &Batch<'_>) -> Result<(), Failure> {
        for set in batch.policies.iter().filter(|set| set.rules.policy.needs_old_rows()) {
            let named = self.shared.numbers.lock().expect(UNPOISONED).name_of(set.table);
            if let Some((schema, table)) = named {
                transaction.send_old_rows(&schema, &table).await?;
            }
        }
        Ok(())
    }

    fn begin(&self, kind: MarkerKind, span: (Origin, Lsn, Lsn), last: Option<&Next>, decided: &Decided) -> Begin {
        let (hlc, commit_ts, stamped) = last.map_or((Default::default(), PgTimestamp(0), Epoch(0)), |next| {
            let txn = &next.block.transactions[next.at];
            (txn.hlc, txn.commit_ts, txn.epoch)
        });
        let (origin, first, last) = span;
        let Decided {
            at: decided_at,
            horizon,
            epoch,
        } = *decided;
        let marker = Marker {
            kind,
            origin,
            first,
            last,
            hlc,
            decided_at,
            // What this node writes from here on is under the policies of what it applies.
            epoch: epoch.max(stamped),
            xmin: Xid(0),
        };
        Begin {
            marker,
            commit_ts,
            horizon,
            our_roidents: self.roidents.clone(),
        }
    }

    /// Counts what is committed.
    fn count(&self, done: Done) {
        let counters = &self.shared.counters;
        counters.applied_batches.add(1);
        counters.applied_changes.add(done.changes);
        counters.rows_skipped.add(done.skipped);
        self.shared.conflicts.count(self.shared.clock.monotonic(), done.met);
    }

    /// The session of an origin, for one transaction: it is put back after it.
    fn take_session(&mut self, origin: Origin) -> Result<Session, Failure> {
        let session = self.sessions.remove(&origin).filter(|session| !session.is_closed());
        session.ok_or(Failure::SessionLost(origin))
    }

    /// Keeps a transaction for a person to look at, and goes past it.
    pub(crate) async fn skip(&mut self, origin: Origin, next: &Next, reason: &str) -> Result<(), Failure> {
        let stamp = next.stamp();
        let span = (origin, stamp.txn.lsn, stamp.txn.lsn);
        let changes = values::as_json(next);
        let mut session = self.take_session(origin)?;
        let decided = lock(&self.kernel).begin(MarkerKind::Batch, origin, stamp.txn.lsn);
        let begin = self.begin(MarkerKind::Batch, span, Some(next), &decided);
        let done = async {
            let mut transaction = session.begin(begin).await?;
            transaction.skip(stamp.txn, reason, &changes).await?;
            transaction.commit().await.map_err(Failure::from)
        };
        let done = done.await;
        self.sessions.insert(origin, session);
        let mut kernel = lock(&self.kernel);
        match done {
            Ok(()) => {
                kernel.committed(&stamp);
                Ok(())
            }
            Err(failure) => {
                kernel.given_up();
                Err(failure)
            }
        }
    }
}

/// Tables that the transactions empty.
fn tables_to_lock(txns: &[Next], tables: &impl Tables) -> Vec<Arc<Table>> {
    let mut found: Vec<Arc<Table>> = Vec::new();
    for next in txns {
        for change in next.block.changes_of(next.at) {
            if let Change::Truncate { relation, .. } = change
                && let Some(table) = tables.find(relation)
                && found.iter().all(|t| t.id != table.id)
            {
                found.push(table);
            }
        }
    }
    // Everybody locks in the same order.
    found.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    found
}
