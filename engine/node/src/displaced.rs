//! Rows that are displaced, and those in their way, as this node's database says it at the start.

use synapse_engine_apply::{Apart, NamedRow};
use synapse_engine_identity::{KeyHash, RowId};
use synapse_engine_replication::Contention;

use crate::shared::{NodeKernel, Shared, UNPOISONED};

/// Teaches the kernel what stands in the database.
pub(crate) fn learn(shared: &Shared, kernel: &mut NodeKernel, apart: &Apart) {
    let mut numbers = shared.numbers.lock().expect(UNPOISONED);
    let mut row = |named: &NamedRow, key: KeyHash| RowId {
        table: numbers.columns(&named.schema, &named.table, &[]).0,
        key,
    };
    for named in &apart.displaced {
        let row = row(named, named.row);
        kernel.contention(&Contention::Displaced { row, is: true });
    }
    for (named, rival) in &apart.rivals {
        let (row, rival) = (row(named, named.row), row(named, *rival));
        kernel.contention(&Contention::Rival { row, rival, is: true });
    }
}
