//! What a session can ask of the server, and what it gets.

use synapse_engine_replication::InProgress;
use synapse_wal_types::{Lsn, Xid};

use super::Roident;
use super::schema::{Datum, Row, Table};

/// One row to be changed by its key.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: u64,
    pub(crate) set: Vec<(usize, Datum)>,
    /// Added to a column: `n = n + 3`.
    pub(crate) add: Option<(usize, u64)>,
}

impl Target {
    pub(crate) const fn new(key: u64, set: Vec<(usize, Datum)>) -> Self {
        Target { key, set, add: None }
    }
}

/// A condition on the last writer of the version that is replaced:
/// `xmin = pg_current_xact_id() OR roident = ANY(ours) OR age(xmin) > age(horizon)`.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) ours: Vec<Roident>,
    pub(crate) horizon: Option<Xid>,
    /// How far capture had read when the verdicts were taken: nothing to PostgreSQL, and what a law asks for.
    pub(crate) decided_at: Lsn,
}

/// What INSERT does when a unique value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    Fail,
    Nothing,
}

/// When a commit is acknowledged and visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `synchronous_commit = local`: after the flush.
    Flushed,
    /// `synchronous_commit = off`: at once; a crash may lose it.
    Asynchronous,
}

/// A statement. Those on several rows meet them one by one, and other sessions run between.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Begin,
    Savepoint,
    RollbackToSavepoint,
    Rollback,
    Commit(Durability),
    Insert {
        table: Table,
        rows: Vec<Row>,
        on_conflict: OnConflict,
    },
    Update {
        table: Table,
        targets: Vec<Target>,
        guard: Option<Guard>,
    },
    Delete {
        table: Table,
        keys: Vec<u64>,
        guard: Option<Guard>,
    },
    /// Deletes one row of a table without a key that equals this one.
    DeleteEqual {
        table: Table,
        row: Row,
    },
    /// Replaces one row of a table without a key that equals `old`.
    UpdateEqual {
        table: Table,
        old: Row,
        new: Row,
    },
    Truncate {
        table: Table,
    },
    /// `LOCK TABLE … IN ACCESS EXCLUSIVE MODE`.
    LockTable {
        table: Table,
    },
    /// `SELECT … FOR UPDATE`.
    Lock {
        table: Table,
        keys: Vec<u64>,
    },
    /// `SELECT`: rows that have one of these values.
    Find {
        table: Table,
        values: Vec<(usize, u64)>,
    },
    /// `SELECT … FOR KEY SHARE`.
    Share {
        table: Table,
        key: u64,
    },
    /// A row of [`Table::Tree`] that refers to this one, FOR KEY SHARE.
    Referring {
        key: u64,
    },
    /// `DELETE` of rows of [`Table::Tree`] that refer to this one, `RETURNING *`.
    DeleteReferring {
        key: u64,
    },
    /// Of these references of [`Table::Tree`], or of all, and of those that these rows have, those to nothing, with the
    /// rows that have them.
    Orphaned {
        references: Option<Vec<u64>>,
        rows: Vec<u64>,
    },
    /// The statements that keep a row of [`Table::Tree`] as it is.
    Keep {
        key: u64,
    },
    /// Which transactions a new snapshot does not see, and `pg_xact_commit_timestamp` of each.
    InProgress,
    /// `pg_logical_emit_message(true, 'synapse', stem || pg_snapshot_xmin(pg_current_snapshot()))`.
    Message {
        stem: String,
    },
    /// `pg_replication_origin_session_setup` and `xact_setup`: commits carry the origin and this position.
    Origin {
        roident: Roident,
        remote: Lsn,
    },
}

/// What a statement answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Keys of the rows that were met, in order.
    pub(crate) keys: Vec<u64>,
    /// The rows, where the statement returns them.
    pub(crate) rows: Vec<Row>,
    /// Rows affected in a table without a key.
    pub(crate) count: usize,
    pub(crate) in_progress: Vec<InProgress>,
}

/// Why a statement failed; its transaction can only be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlState {
    /// 23505.
    UniqueViolation,
    /// 23503.
    ForeignKeyViolation,
    /// 40P01.
    Deadlock,
    /// 55P03.
    LockTimeout,
    /// 40001.
    Serialization,
    /// 57014.
    Cancelled,
}

/// What one step of a statement came to.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// It goes on after this many microseconds.
    Again(u64),
    /// It waits for something; the server wakes the session.
    Blocked,
    /// It has ended.
    Done(Result<Answer, SqlState>),
}
