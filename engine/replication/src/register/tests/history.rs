//! Transactions on one row, and what the whole of them means.

use proptest::sample::Index;
use synapse_engine_identity::{ColumnId, ColumnSet, Hlc, WriteOp};
use synapse_wal_types::Lsn;

use super::super::{Author, OriginIndex};

pub(super) const ORIGINS: usize = 3;
pub(super) const COLUMNS: usize = 3;

/// By column the transaction (origin, LSN) whose value stands there.
pub(super) type Winners = [Option<(u8, u64)>; COLUMNS];

/// One change of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Insert,
    /// Carries the columns whose bit is set.
    Update(u8),
    Delete,
}

/// A transaction that wrote the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Txn {
    pub(super) origin: u8,
    pub(super) lsn: u64,
    pub(super) hlc: u64,
    /// For each origin the last transaction that it saw.
    pub(super) context: [u64; ORIGINS],
    pub(super) ops: Vec<Op>,
}

/// All transactions, in an order in which they may have happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    pub(super) txns: Vec<Txn>,
}

impl Op {
    pub(super) fn write(self) -> WriteOp {
        match self {
            Op::Insert => WriteOp::Insert {
                missing: ColumnSet::new(),
            },
            Op::Update(mask) => WriteOp::Update {
                missing: (0..COLUMNS).filter(|at| mask & (1 << at) == 0).map(column_id).collect(),
            },
            Op::Delete => WriteOp::Delete,
        }
    }

    fn carries(self, column: usize) -> bool {
        match self {
            Op::Insert => true,
            Op::Update(mask) => mask & (1 << column) != 0,
            Op::Delete => false,
        }
    }
}

impl Txn {
    pub(super) fn author(&self) -> Author {
        Author {
            hlc: Hlc(self.hlc),
            origin: OriginIndex(self.origin),
            lsn: Lsn(self.lsn),
        }
    }

    pub(super) fn saw(&self, other: Author) -> bool {
        other.lsn.0 <= self.context[usize::from(other.origin.0)]
    }

    pub(super) fn id(&self) -> (u8, u64) {
        (self.origin, self.lsn)
    }

    pub(super) fn carries(&self, column: usize) -> bool {
        self.ops.iter().any(|op| op.carries(column))
    }

    pub(super) fn lives(&self) -> bool {
        self.ops.last() != Some(&Op::Delete)
    }
}

impl History {
    /// Each origin's in their order, and each after all that it saw; `turns` choose between those that may come next.
    pub(super) fn in_some_order(&self, turns: &[Index]) -> Vec<&Txn> {
        let mut seen = [0; ORIGINS];
        let mut left: Vec<&Txn> = self.txns.iter().collect();
        let mut ordered = Vec::new();
        let mut turns = turns.iter().cycle();
        while !left.is_empty() {
            let ready: Vec<usize> = (0..left.len())
                .filter(|at| (0..ORIGINS).all(|origin| left[*at].context[origin] <= seen[origin]))
                .collect();
            let at = *turns.next().expect("turns never end").get(&ready);
            let txn = left.remove(at);
            seen[usize::from(txn.origin)] = txn.lsn;
            ordered.push(txn);
        }
        ordered
    }

    /// The definition: the greatest (HLC, origin) decides whether the row lives, and in each column the greatest that
    /// carries it.
    pub(super) fn expected(&self) -> Option<Winners> {
        let order = |txn: &&Txn| (txn.hlc, txn.origin);
        let last = self.txns.iter().max_by_key(order)?;
        let winner = |column: usize| {
            let carrying = self.txns.iter().filter(|txn| txn.carries(column));
            carrying.max_by_key(order).map(Txn::id)
        };
        last.lives().then(|| std::array::from_fn(winner))
    }
}

pub(super) fn column_id(at: usize) -> ColumnId {
    ColumnId(u16::try_from(at).expect("a few columns"))
}
