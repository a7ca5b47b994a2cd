//! One transaction of the applier: what it carries and how far it is.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use synapse_engine_change::{Block, Value};
use synapse_engine_identity::{Hlc, Origin, RowId, Stamp};
use synapse_engine_plan::{Batch, ExactWrite, Row};
use synapse_engine_replication::{Decided, InProgress, Lane, Marker, MarkerKind};
use synapse_wal_types::{Lsn, Xid};

use crate::catalog::datum;
use crate::postgres::{self, Statement};

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
    pub(crate) rows: BTreeMap<RowId, Vec<Kept>>,
    /// Rows that were there when they were locked.
    pub(crate) present: BTreeMap<RowId, postgres::Row>,
    pub(crate) again: Vec<RowId>,
    /// Rows that are to go, and were not there when they were locked.
    pub(crate) absent: Vec<RowId>,
    /// What was not visible when rows were locked for the first time.
    pub(crate) in_progress: Option<Vec<InProgress>>,
    /// Of that, what had committed.
    pub(crate) late: Vec<Xid>,
    pub(crate) looks: u32,
    /// What locked rows are to become.
    pub(crate) resolved: Vec<(RowId, ExactWrite)>,
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
            epoch: decided.epoch,
            xmin: Xid(0),
        }
    }

    /// Remembers the rows of a batch, beyond the life of its blocks.
    pub(crate) fn keep_rows(&mut self, batch: &Batch<'_>) {
        let kept = |row: &Row<'_>| row.iter().map(|value| Kept::of(*value)).collect::<Vec<_>>();
        self.rows = batch.rows.iter().map(|(id, (_, row))| (*id, kept(row))).collect();
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
