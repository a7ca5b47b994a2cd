//! What an incoming write met that it had not seen, and what became of it.

use std::sync::Arc;

use synapse_engine_identity::{Hlc, TxnId, WriteOp};

use crate::rules::Rules;

/// The kinds of conflicts over one row, by PostgreSQL 18's names where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An insert met a row that another node had written, or that excludes it.
    InsertExists,
    /// An insert met a delete.
    InsertDeleted,
    /// An update met another node's value.
    UpdateOriginDiffers,
    /// An update met a delete.
    UpdateDeleted,
    /// A delete met another node's value.
    DeleteOriginDiffers,
    /// A delete met another delete.
    DeleteMissing,
    /// An update came to a value that excludes another row.
    UpdateExists,
    /// A write came to values that exclude several other rows.
    MultipleUniqueConflicts,
}

impl Kind {
    /// The kind of a conflict of `op` with what `stood`.
    #[must_use]
    pub const fn of(op: &WriteOp, stood: Standing) -> Kind {
        match (op, stood) {
            (WriteOp::Insert { .. }, Standing::Live) => Kind::InsertExists,
            (WriteOp::Insert { .. }, Standing::Dead) => Kind::InsertDeleted,
            (WriteOp::Update { .. }, Standing::Live) => Kind::UpdateOriginDiffers,
            (WriteOp::Update { .. }, Standing::Dead) => Kind::UpdateDeleted,
            (WriteOp::Delete, Standing::Live) => Kind::DeleteOriginDiffers,
            (WriteOp::Delete, Standing::Dead) => Kind::DeleteMissing,
        }
    }

    /// Its name in logs, metrics and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::InsertExists => "insert_exists",
            Kind::InsertDeleted => "insert_deleted",
            Kind::UpdateOriginDiffers => "update_origin_differs",
            Kind::UpdateDeleted => "update_deleted",
            Kind::DeleteOriginDiffers => "delete_origin_differs",
            Kind::DeleteMissing => "delete_missing",
            Kind::UpdateExists => "update_exists",
            Kind::MultipleUniqueConflicts => "multiple_unique_conflicts",
        }
    }
}

/// How a row stood when a write came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was there.
    Live,
    /// It was deleted.
    Dead,
}

/// What became of a row in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is as the incoming write says.
    Remote,
    /// It stays as it was.
    Local,
    /// Something of both.
    Both,
}

impl Outcome {
    /// Its name in logs, metrics and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Remote => "remote",
            Outcome::Local => "local",
            Outcome::Both => "both",
        }
    }
}

/// What an incoming write met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// How the row stood.
    pub standing: Standing,
    /// Who decided that it stood so.
    pub by: TxnId,
    /// Their time.
    pub hlc: Hlc,
    /// What becomes of the row.
    pub outcome: Outcome,
    /// By which rules.
    pub rules: Arc<Rules>,
}
