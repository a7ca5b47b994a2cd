use synapse_engine_identity::{RowId, Stamp, TxnId};
use synapse_engine_replication::{Overflow, Registers};

use crate::Table;

/// Why a change cannot be planned here. Each is definite until the local catalogue changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The table does not exist here, or is not replicated here.
    #[error(
        "table {schema}.{table} does not exist here; hint: create it as it is on {on}, then it is tried again by itself"
    )]
    MissingTable {
        /// Schema at the origin.
        schema: String,
        /// Name at the origin.
        table: String,
        /// The origin's node.
        on: String,
    },
    /// The table has no such column here.
    #[error("table {schema}.{table} has no column {column:?} here; hint: add it, then it is tried again by itself")]
    MissingColumn {
        /// Schema of the table.
        schema: String,
        /// Name of the table.
        table: String,
        /// The column the origin has.
        column: String,
    },
    /// The identity has other columns here than at the origin.
    #[error(
        "table {schema}.{table} is identified by ({theirs}) at the origin and by ({ours}) here; hint: give it the same primary key or replica identity on every node"
    )]
    IdentityDiffers {
        /// Schema of the table.
        schema: String,
        /// Name of the table.
        table: String,
        /// Key columns at the origin.
        theirs: String,
        /// Key columns here.
        ours: String,
    },
    /// The policy needs what a row was, and the stream does not say it.
    #[error(
        "the policy {policy:?} of table {schema}.{table} needs whole old rows, and {on} sends keys only; hint: there, ALTER TABLE {schema}.{table} REPLICA IDENTITY FULL; then skip the transaction and repair its rows, or set another policy and retry"
    )]
    OldRowNeeded {
        /// Schema of the table.
        schema: String,
        /// Name of the table.
        table: String,
        /// The policy.
        policy: String,
        /// The origin's node.
        on: String,
    },
    /// A counter's value is nothing that can be added to.
    #[error("a counter's value {value:?} is no number that anything can be added to; hint: set it to a number")]
    NoNumber {
        /// The value, cut off.
        value: String,
    },
    /// A conflict that a person has to decide.
    #[error(transparent)]
    Undecided(Box<Undecided>),
}

/// A conflict that a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} table {schema}.{table}, and its policy is to ask a person; hint: synapsectl table set --table {schema}.{table} --policy …, then synapsectl apply retry; or synapsectl apply skip"
)]
pub struct Undecided {
    /// Schema of the table.
    pub schema: String,
    /// Name of the table.
    pub table: String,
    /// The row.
    pub row: RowId,
    /// What was done to the table, and by which transactions.
    pub what: String,
}

impl Undecided {
    /// Whether nobody has to be asked about `row`.
    ///
    /// # Errors
    /// [`Error::Undecided`].
    pub(crate) fn check<O: Overflow>(registers: &mut Registers<O>, table: &Table, row: RowId) -> Result<(), Error> {
        match registers.undecided(row) {
            Some((incoming, standing)) => Err(Self::over(table, row, one_row(incoming, standing))),
            None => Ok(()),
        }
    }

    /// Whether nobody has to be asked about a TRUNCATE that comes.
    ///
    /// # Errors
    /// [`Error::Undecided`].
    pub(crate) fn check_truncate<O: Overflow>(
        registers: &mut Registers<O>,
        table: &Table,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        match registers.undecided_truncate(stamp, table.id) {
            Some((row, standing)) => Err(Self::over(table, row, one_row(stamp.txn, standing))),
            None => Ok(()),
        }
    }

    /// Two rows that exclude each other, the last written by these as far as it is known.
    pub(crate) fn excluded(table: &Table, row: RowId, writers: [Option<TxnId>; 2]) -> Error {
        let writers: Vec<String> = writers.into_iter().flatten().map(|txn| txn.to_string()).collect();
        let what = format!(
            "transactions {} wrote rows that exclude each other in",
            writers.join(" and ")
        );
        Self::over(table, row, what)
    }

    fn over(table: &Table, row: RowId, what: String) -> Error {
        Error::Undecided(Box::new(Undecided {
            schema: table.schema.clone(),
            table: table.name.clone(),
            row,
            what,
        }))
    }
}

fn one_row(incoming: TxnId, standing: TxnId) -> String {
    format!("transactions {incoming} and {standing} wrote the same row of")
}
