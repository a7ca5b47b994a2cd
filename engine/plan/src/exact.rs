//! What the exact path writes: the target of a locked row, in terms of values.

use std::sync::Arc;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, Origin, RowId, TxnId};
use synapse_engine_replication::{Carried, Overflow, Registers, Target};
use synapse_wal_types::Lsn;

use crate::{Batch, Row, Table};

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

impl Exact<'_> {
    /// Asks the registers what `row` should be, as part of a batch of `first..=last` of `origin`. `None`: the batch does
    /// not know the row.
    pub fn of<'a, O: Overflow>(
        registers: &mut Registers<O>,
        batch: &Batch<'a>,
        (origin, first, last): (Origin, Lsn, Lsn),
        row: RowId,
    ) -> Option<Exact<'a>> {
        let (table, values) = batch.rows.get(&row)?;
        let write = match registers.target(row) {
            Target::Untouched => ExactWrite::Nothing,
            Target::Dead => ExactWrite::Delete,
            Target::Live(winners) => {
                let mut open = Carried::ALL;
                let (mut won, mut others) = (Vec::new(), Vec::new());
                for (author, carried) in winners {
                    let txn = TxnId {
                        origin: registers.origin(author.origin),
                        lsn: author.lsn,
                    };
                    let columns = columns_in(table, &carried);
                    open = open.and(&carried.complement());
                    if txn.origin == origin && first <= txn.lsn && txn.lsn <= last {
                        let (here, before): (Vec<_>, Vec<_>) = columns
                            .into_iter()
                            .partition(|c| values[usize::from(c.0)] != Value::Unchanged);
                        won.extend(here);
                        if !before.is_empty() {
                            others.push((txn, before));
                        }
                    } else {
                        others.push((txn, columns));
                    }
                }
                ExactWrite::Live {
                    won,
                    others,
                    unknown: columns_in(table, &open),
                }
            }
        };
        Some(Exact {
            row,
            table: Arc::clone(table),
            values: values.clone(),
            write,
        })
    }
}

fn columns_in(table: &Table, carried: &Carried) -> Vec<ColumnId> {
    let all = (0..=u16::MAX).map(ColumnId).take(table.columns.len());
    all.filter(|c| table.at(*c).writable && carried.contains(*c)).collect()
}
