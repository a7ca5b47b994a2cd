//! One transaction of the applier: what it carries and how far it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use synapse_engine_change::{Block, Value};
use synapse_engine_identity::{ColumnId, Epoch, Hlc, Origin, RowId, Stamp};
use synapse_engine_plan::{Added, Batch, ExactWrite, Row};
use synapse_engine_replication::{Decided, InProgress, Lane, Marker, MarkerKind};
use synapse_wal_types::{Lsn, Xid};

use super::exclusion::Search;
use crate::catalog::datum;
use crate::postgres::{self, Datum, Statement, Table};

/// What the applier waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Tables to truncate are locked before anything is decided.
    LockingTables,
    /// … and this barrier is read.
    TablesBarrier(u64),
    Executing,
    LockingRows,
    Barrier(u64),
    /// Values of rows that come back whole are asked of the update's own node.
    Asking,
    Writing,
    /// What had committed before rows were locked is to be visible.
    AwaitingLate,
    /// Rows that have lost what they refer to are looked for.
    LookingForOrphans,
    Committing,
    RollingBack,
}

/// One statement and the rows it is for.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) statement: Statement,
    /// By key: rows that drop out when the statement does not meet the key.
    pub(crate) rows: Vec<(u64, Vec<RowId>)>,
}

/// A value that the job keeps while its statements run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Null,
    Unchanged,
    Text(Vec<u8>),
}

/// What a locked row is to become.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) row: RowId,
    pub(crate) write: ExactWrite,
    /// Whether what others won is written too.
    pub(crate) every: bool,
    /// Values that were made of several writes.
    pub(crate) given: BTreeMap<usize, Datum>,
}

/// What one update of a batch made of a counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addition {
    column: usize,
    old: Datum,
    new: Datum,
    /// Whether a statement of the batch writes it.
    planned: bool,
}

/// One transaction of the applier.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) kind: MarkerKind,
    pub(crate) origin: Origin,
    pub(crate) first: Lsn,
    pub(crate) last: Lsn,
    pub(crate) hlc: Hlc,
    pub(crate) stamps: Vec<Stamp>,
    pub(crate) blocks: Vec<Rc<Block>>,
    pub(crate) decided: Option<Decided>,
    pub(crate) stage: Stage,
    pub(crate) script: VecDeque<Piece>,
    pub(crate) running: Option<Piece>,
    pub(crate) lane: Lane,
    pub(crate) dropped: Vec<RowId>,
    /// All that dropped out of the batch's statements.
    pub(crate) dropped_out: BTreeSet<RowId>,
    /// What the batch's transactions made of counters.
    pub(crate) added: BTreeMap<RowId, Vec<Addition>>,
    pub(crate) rows: BTreeMap<RowId, Vec<Kept>>,
    /// Rows of [`Table::Tree`] that it takes away.
    pub(crate) gone: BTreeSet<u64>,
    /// Rows of it that were made of what several wrote: none of these may have been right where it was written.
    pub(crate) came: BTreeSet<u64>,
    /// Whether it empties that table.
    pub(crate) emptied: bool,
    /// Rows that were there when they were locked.
    pub(crate) present: BTreeMap<RowId, postgres::Row>,
    /// Rows that were displaced when they were locked.
    pub(crate) displaced: BTreeMap<RowId, postgres::Row>,
    /// What excludes rows that are to be written.
    pub(crate) search: Option<Search>,
    /// Rows that exclude each other and are being written: all of them are, or none.
    pub(crate) settling: Vec<RowId>,
    pub(crate) again: Vec<RowId>,
    /// Rows that are to go, and were not there when they were locked.
    pub(crate) absent: Vec<RowId>,
    /// What was not visible when rows were locked for the first time.
    pub(crate) in_progress: Option<Vec<InProgress>>,
    /// Of that, what had committed.
    pub(crate) late: Vec<Xid>,
    pub(crate) looks: u32,
    /// What locked rows are to become.
    pub(crate) resolved: Vec<Resolved>,
    /// Rows that a peer was asked for, by the number of the question.
    pub(crate) asked: BTreeMap<u64, RowId>,
    /// What it answered: nothing, when the row is not there any more.
    pub(crate) told: BTreeMap<RowId, Option<postgres::Row>>,
}

impl Piece {
    pub(crate) const fn plain(statement: Statement) -> Self {
        Piece {
            statement,
            rows: Vec::new(),
        }
    }
}

impl Kept {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Kept::Null,
            Value::Unchanged => Kept::Unchanged,
            Value::Text(text) | Value::Binary(text) => Kept::Text(text.to_vec()),
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Kept::Null => Value::Null,
            Kept::Unchanged => Value::Unchanged,
            Kept::Text(text) => Value::Text(text),
        }
    }
}

impl Job {
    pub(crate) fn marker(&self, decided: Decided) -> Marker {
        Marker {
            kind: self.kind,
            origin: self.origin,
            first: self.first,
            last: self.last,
            hlc: self.hlc,
            decided_at: decided.at,
            epoch: self.epoch(decided),
            xmin: Xid(0),
        }
    }

    /// The policies of its transactions: what this node writes from here on is under them too.
    fn epoch(&self, decided: Decided) -> Epoch {
        let of_transactions = self.stamps.iter().map(|stamp| stamp.epoch).max();
        decided.epoch.max(of_transactions.unwrap_or_default())
    }

    /// Remembers the rows of a batch, beyond the life of its blocks.
    pub(crate) fn keep_rows(&mut self, batch: &Batch<'_>) {
        let kept = |row: &Row<'_>| row.iter().map(|value| Kept::of(*value)).collect::<Vec<_>>();
        self.rows = batch.rows.iter().map(|(id, (_, row))| (*id, kept(row))).collect();
        let addition = |(column, added): &(ColumnId, Added<'_>)| Addition {
            column: usize::from(column.0),
            old: datum(added.old).flatten(),
            new: datum(added.new).flatten(),
            planned: added.planned,
        };
        let additions = batch.added.iter();
        self.added = additions
            .map(|(row, added)| (*row, added.iter().map(addition).collect()))
            .collect();
    }

    /// What the batch adds to a counter of a row that stands, beyond what its statements have written.
    pub(crate) fn added(&self, row: RowId, column: usize) -> u64 {
        let dropped = self.dropped_out.contains(&row);
        let additions = self.added.get(&row).into_iter().flatten();
        let open = additions.filter(|a| a.column == column && (dropped || !a.planned));
        let more = open.map(|a| a.new.unwrap_or_default().wrapping_sub(a.old.unwrap_or_default()));
        more.fold(0, u64::wrapping_add)
    }

    /// A row was locked, if it was there.
    pub(crate) fn locked(&mut self, piece: &Piece, row: Option<&postgres::Row>) {
        let Statement::Lock { table, .. } = &piece.statement else {
            return;
        };
        let place = match *table == Table::Displaced {
            true => &mut self.displaced,
            false => &mut self.present,
        };
        let ids = piece.rows.iter().flat_map(|(_, ids)| ids);
        place.extend(ids.copied().zip(row.cloned()));
    }

    /// The row as it was when it was locked, in its table or displaced.
    pub(crate) fn stood(&self, row: RowId) -> Option<&postgres::Row> {
        self.present.get(&row).or_else(|| self.displaced.get(&row))
    }

    /// Remembers a row by its key alone.
    pub(crate) fn keep_key(&mut self, row: RowId, columns: usize, key: u64) {
        let mut kept = vec![Kept::Unchanged; columns];
        kept[0] = Kept::Text(key.to_string().into_bytes());
        self.rows.insert(row, kept);
    }

    /// The key of one of its rows.
    pub(crate) fn key(&self, row: RowId) -> u64 {
        let kept = self
            .rows
            .get(&row)
            .and_then(|row| row.first())
            .expect("a batch knows the keys of its rows");
        datum(kept.value()).flatten().expect("a key is carried and not null")
    }
}
