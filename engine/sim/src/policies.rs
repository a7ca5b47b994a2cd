//! Conflict policies in the simulated databases: numbers in a table, that node n1 alone writes.

use synapse_engine_change::{Change, Relation, Tuple};
use synapse_engine_identity::{ColumnId, ColumnSet, Epoch};
use synapse_engine_plan::PolicySet;
use synapse_engine_replication::{Policy, Rules};

use crate::catalog::{datum, table_id};
use crate::postgres::{Datum, Row, Table};

/// The policies, by their codes. Those after the first six need old rows.
const POLICIES: [&str; 14] = [
    "last-write-wins",
    "first-write-wins",
    "priority(n2,n1)",
    "last-write-wins delete-wins",
    "last-write-wins update-wins",
    "first-write-wins update-wins",
    "merge",
    "counter(n)",
    "merge counter(n) update-wins",
    "first-write-wins merge delete-wins",
    "priority(n3,n2) counter(n)",
    "custom(public.greatest)",
    "custom(public.greatest) update-wins",
    "custom(public.greatest) delete-wins",
];
/// Codes that go with tables that do not log old rows.
const WITHOUT_OLD_ROWS: u64 = 6;
/// What a person is asked for.
pub(crate) const ERROR: u64 = 14;

/// How many codes a table may have.
pub(crate) const fn codes(table: Table) -> u64 {
    if table.logs_old_rows() { ERROR } else { WITHOUT_OLD_ROWS }
}

/// The tables whose policies change.
pub(crate) const TABLES: [Table; 5] = [Table::Plain, Table::Toast, Table::Full, Table::Unique, Table::Tree];

/// The rules that a code stands for.
pub(crate) fn rules(table: Table, code: u64) -> Rules {
    let text = usize::try_from(code).ok().and_then(|code| POLICIES.get(code));
    let policy: Policy = text
        .unwrap_or(&"error")
        .parse()
        .expect("policies are written as they are read");
    let found = |name: &String| table.columns().iter().position(|column| column == name);
    let column = |at: usize| ColumnId(u16::try_from(at).expect("tables have a few columns"));
    let counters: ColumnSet = policy.counters().iter().filter_map(found).map(column).collect();
    Rules { policy, counters }
}

/// What a row of the table of policies says.
pub(crate) fn of_row(row: &Row) -> PolicySet {
    let number = |at: usize| row[at].expect("policies are not null");
    let table = Table::ALL[usize::try_from(number(1)).expect("small")];
    PolicySet {
        epoch: Epoch(u32::try_from(number(0)).expect("small")),
        table: table_id(table),
        rules: rules(table, number(2)),
    }
}

/// What a change says of policies, if it does.
pub(crate) fn of_change(change: &Change<'_>) -> Option<PolicySet> {
    let of_policies = |relation: &Relation| relation.name == Table::Policies.name();
    match *change {
        Change::Insert { relation, new } if of_policies(relation) => Some(of_row(&row(new))),
        Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } | Change::Truncate { .. } => None,
    }
}

fn row(tuple: Tuple<'_>) -> Row {
    tuple.iter().map(|value| -> Datum { datum(value).flatten() }).collect()
}

/// What the function makes of two rows: of each column the greatest value.
pub(crate) fn greatest(a: &Row, b: &Row) -> Row {
    a.iter().zip(b).map(|(a, b)| *a.max(b)).collect()
}
