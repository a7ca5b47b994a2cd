//! What the exact path writes: the target of a locked row, in terms of values.

use std::sync::Arc;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, ColumnSet, Origin, RowId, Stamp, TxnId};
use synapse_engine_replication::{Carried, Counted, Overflow, Registers, Target};
use synapse_wal_types::Lsn;

use crate::{Batch, Error, Row, Table, Undecided};

/// A locked row and what is to become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact<'a> {
    /// The row.
    pub row: RowId,
    /// Its table.
    pub table: Arc<Table>,
    /// Its values as the batch brought them; key columns always.
    pub values: Row<'a>,
    /// What is to become of it.
    pub write: ExactWrite,
    /// Whether what others won is written too where the row is there: it may not stand in it any more.
    pub every: bool,
    /// Values that no write carries as they are to be; they are made before the row is written.
    pub made: Made,
}

/// What is to become of a locked row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExactWrite {
    /// It stays as it is.
    Nothing,
    /// It goes, if it is there.
    Delete,
    /// It lives.
    Live {
        /// Columns that this batch won: their values are in [`Exact::values`].
        won: Vec<ColumnId>,
        /// Columns that others won: in the row, if it is there; else they are read from the journal.
        others: Vec<(TxnId, Vec<ColumnId>)>,
        /// Columns that no known write carries: in the row, if it is there; else they are nowhere on this node.
        unknown: Vec<ColumnId>,
    },
}

/// Values that are made of several writes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Made {
    /// Sums of what was added to counters.
    pub counters: Option<Counters>,
    /// What the policy's function makes of the rows that these transactions left, in this order: these columns of it.
    pub folds: Vec<(Vec<TxnId>, Vec<ColumnId>)>,
}

/// What the sums of a row's counters are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The columns whose sums begin with what a transaction wrote; then comes all that it had not seen.
    pub written: Vec<(ColumnId, TxnId)>,
    /// The columns whose sums begin with what the policy's function makes of these transactions; then comes all that none
    /// of them had seen.
    pub folded: Vec<(ColumnId, Vec<TxnId>)>,
    /// The columns whose sums begin with what stands in the row; then comes what the batch brings. Where the row is not
    /// there, they begin with what `before` says, and then comes all that it had not seen.
    pub standing: Vec<ColumnId>,
    /// Transactions that say what the counters of a row that went away were: the first that does, by what it deleted or by
    /// what it wrote.
    pub before: Vec<TxnId>,
    /// The transactions that added to counters and are not stable, each with the columns that it counts in.
    pub added: Vec<(TxnId, ColumnSet)>,
}

impl Counters {
    /// The transactions that added to `column` what none of `bases` had seen.
    pub fn unseen<'s>(&'s self, column: ColumnId, bases: &'s [Stamp]) -> impl Iterator<Item = TxnId> + 's {
        let added = self.added.iter().filter(move |(_, columns)| columns.contains(column));
        let unseen = added.filter(|(txn, _)| !bases.iter().any(|base| base.saw(*txn)));
        unseen.map(|(txn, _)| *txn)
    }
}

impl Made {
    /// Whether there is nothing to make.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.counters.is_none() && self.folds.is_empty()
    }
}

impl<'a> Exact<'a> {
    /// Asks the registers what `row` should be, as part of a batch of `first..=last` of `origin`. `None`: the batch does
    /// not know the row.
    ///
    /// # Errors
    /// [`Error::Undecided`] when a person has to say it.
    pub fn of<O: Overflow>(
        registers: &mut Registers<O>,
        batch: &Batch<'a>,
        span: (Origin, Lsn, Lsn),
        row: RowId,
    ) -> Result<Option<Exact<'a>>, Error> {
        let Some((table, values)) = batch.rows.get(&row) else {
            return Ok(None);
        };
        Undecided::check(registers, table, row)?;
        let (write, made) = match registers.target(row) {
            Target::Untouched => (ExactWrite::Nothing, Made::default()),
            Target::Dead => (ExactWrite::Delete, Made::default()),
            Target::Live(winners) => {
                let winners = winners.into_iter().map(|(author, carried)| {
                    let (origin, lsn) = (registers.origin(author.origin), author.lsn);
                    (TxnId { origin, lsn }, carried)
                });
                let winners: Vec<_> = winners.collect();
                let made = made(registers, table, row, &winners);
                (live(table, values, span, &winners), made)
            }
        };
        Ok(Some(Exact {
            row,
            table: Arc::clone(table),
            values: values.clone(),
            write,
            every: registers.may_return(row),
            made,
        }))
    }

    /// Takes a value that was made: the column counts as won.
    pub fn give(&mut self, column: ColumnId, value: Value<'a>) {
        let ExactWrite::Live { won, others, unknown } = &mut self.write else {
            return;
        };
        self.values[usize::from(column.0)] = value;
        unknown.retain(|id| *id != column);
        others
            .iter_mut()
            .for_each(|(_, theirs)| theirs.retain(|id| *id != column));
        others.retain(|(_, theirs)| !theirs.is_empty());
        if !won.contains(&column) {
            won.push(column);
        }
    }
}

fn live(
    table: &Table,
    values: &Row<'_>,
    (origin, first, last): (Origin, Lsn, Lsn),
    winners: &[(TxnId, Carried)],
) -> ExactWrite {
    let mut open = Carried::ALL;
    let (mut won, mut others) = (Vec::new(), Vec::new());
    for (txn, carried) in winners {
        let columns = columns_in(table, carried);
        open = open.and(&carried.complement());
        if txn.origin == origin && first <= txn.lsn && txn.lsn <= last {
            let (here, before): (Vec<_>, Vec<_>) = columns
                .into_iter()
                .partition(|c| values[usize::from(c.0)] != Value::Unchanged);
            won.extend(here);
            if !before.is_empty() {
                others.push((*txn, before));
            }
        } else {
            others.push((*txn, columns));
        }
    }
    ExactWrite::Live {
        won,
        others,
        unknown: columns_in(table, &open),
    }
}

fn made<O: Overflow>(registers: &mut Registers<O>, table: &Table, row: RowId, winners: &[(TxnId, Carried)]) -> Made {
    let folds = registers.folds(row).into_iter();
    let folds: Vec<(Vec<TxnId>, Vec<ColumnId>)> = folds
        .map(|(members, columns)| (members, columns_in(table, &columns)))
        .collect();
    let Counted { adding, before } = registers.counted(row);
    let columns = adding
        .iter()
        .fold(ColumnSet::new(), |all, (_, columns)| all.union(columns));
    let (mut written, mut folded, mut standing) = (Vec::new(), Vec::new(), Vec::new());
    for column in columns.iter().filter(|id| is_writable(table, *id)) {
        let winner = winners.iter().find(|(_, carried)| carried.contains(column));
        let fold = folds.iter().find(|(_, columns)| columns.contains(&column));
        match (winner, fold) {
            (Some((txn, _)), _) => written.push((column, *txn)),
            (None, Some((members, _))) => folded.push((column, members.clone())),
            (None, None) => standing.push(column),
        }
    }
    let counters = Counters {
        written,
        folded,
        standing,
        before,
        added: adding,
    };
    Made {
        counters: (!columns.is_empty()).then_some(counters),
        folds,
    }
}

/// A policy may name a column that is not there any more.
fn is_writable(table: &Table, column: ColumnId) -> bool {
    table.columns.get(usize::from(column.0)).is_some_and(|c| c.writable)
}

fn columns_in(table: &Table, carried: &Carried) -> Vec<ColumnId> {
    let all = (0..=u16::MAX).map(ColumnId).take(table.columns.len());
    all.filter(|c| table.at(*c).writable && carried.contains(*c)).collect()
}
