//! Transactions on one row, and what the whole of them means.

use proptest::sample::Index;
use synapse_engine_identity::{ColumnId, ColumnSet, Epoch, Hlc, Incarnation, Origin, TableId, WriteOp};
use synapse_wal_types::Lsn;

use super::super::{Author, OriginIndex};
use crate::policy::Deletes;
use crate::rules::{Book, Policies, Rules};

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
    /// The policies that were in force.
    pub(super) epoch: u32,
    /// The row that it found, which its policy may make it carry.
    pub(super) old: Option<Winners>,
    pub(super) ops: Vec<Op>,
}

/// All transactions, in an order in which they may have happened.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) txns: Vec<Txn>,
    pub(super) policies: Policies,
}

/// Policies that a person may set.
pub(super) const POLICIES: [&str; 9] = [
    "last-write-wins",
    "first-write-wins",
    "priority(n1,n0)",
    "priority(n2)",
    "last-write-wins delete-wins",
    "last-write-wins update-wins",
    "first-write-wins delete-wins",
    "first-write-wins update-wins",
    "priority(n0,n2) update-wins",
];

pub(super) const TABLE: TableId = TableId(1);

/// The origins by their numbers.
pub(super) fn origins() -> [Origin; ORIGINS] {
    std::array::from_fn(|at| Origin {
        node: format!("n{at}").parse().expect("a letter and a digit"),
        incarnation: Incarnation(1),
    })
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
            epoch: Epoch(self.epoch),
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

    /// The table's rules from now on.
    pub(super) fn set_policy(&mut self, epoch: u32, choice: u8) {
        let policy = POLICIES[usize::from(choice) % POLICIES.len()];
        let rules = Rules {
            policy: policy.parse().expect("a policy"),
            counters: ColumnSet::new(),
        };
        self.policies.learn(Epoch(epoch), TABLE, rules);
    }

    /// The definition: of the transactions that no other one saw, the greatest in the order of their policy decides whether
    /// the row lives; and in each column the greatest of those that carry it and whose value none replaced that saw it.
    pub(super) fn expected(&self) -> Option<Winners> {
        let origins = origins();
        let book = self.policies.book(TABLE, &origins);
        let unseen = |txn: &&Txn, replaces: &dyn Fn(&Txn) -> bool| {
            let later = |other: &&Txn| other.id() != txn.id() && other.saw(txn.author()) && replaces(other);
            !self.txns.iter().any(|other| later(&other))
        };
        let say: Vec<&Txn> = self.txns.iter().filter(|txn| unseen(txn, &|_| true)).collect();
        let last = best(&book, &say, |rules, txn| match rules.policy.deletes() {
            Deletes::InOrder => false,
            Deletes::Win => !txn.lives(),
            Deletes::Lose => txn.lives(),
        })?;
        let winner = |column: usize| {
            let carrying = self.txns.iter().filter(|txn| txn.carries(column));
            let standing: Vec<&Txn> = carrying.filter(|txn| unseen(txn, &|t| t.carries(column))).collect();
            best(&book, &standing, |_, _| false).map(Txn::id)
        };
        last.lives().then(|| std::array::from_fn(winner))
    }
}

/// The greatest in the order of the greatest epoch among them; before that, those that are preferred.
fn best<'a>(book: &Book<'_>, txns: &[&'a Txn], preferred: impl Fn(&Rules, &Txn) -> bool) -> Option<&'a Txn> {
    let rules = book.deciding(Epoch(txns.iter().map(|txn| txn.epoch).max()?));
    let order = |txn: &&&Txn| (preferred(rules, txn), book.rank(rules, txn.author()));
    txns.iter().max_by_key(order).copied()
}

pub(super) fn column_id(at: usize) -> ColumnId {
    ColumnId(u16::try_from(at).expect("a few columns"))
}
