//! Where registers go that do not fit in memory.

use std::collections::BTreeMap;

use synapse_engine_identity::{KeyHash, RowId, TableId};

use crate::register::Register;

/// Where registers go that do not fit in memory. What is put last for a row is what is got; a row may stay in it after
/// it has been taken back into memory. A synchronous port: what stands behind it must answer within a disk read.
pub trait Overflow {
    /// The last register put for `row`.
    fn get(&mut self, row: RowId) -> Option<Register>;
    /// Takes registers in.
    fn put(&mut self, registers: Vec<(RowId, Register)>);
    /// Every row of `table` that was ever put and may still matter.
    fn rows_of(&mut self, table: TableId) -> Vec<RowId>;
    /// Everything put so far is stable and may be forgotten.
    fn clear(&mut self);
}

/// An overflow that holds everything in memory: for tests, simulation and tools.
#[derive(Debug, Default)]
pub struct MemoryOverflow {
    rows: BTreeMap<(TableId, KeyHash), Register>,
}

impl Overflow for MemoryOverflow {
    fn get(&mut self, row: RowId) -> Option<Register> {
        self.rows.get(&(row.table, row.key)).cloned()
    }

    fn put(&mut self, registers: Vec<(RowId, Register)>) {
        self.rows.extend(
            registers
                .into_iter()
                .map(|(row, register)| ((row.table, row.key), register)),
        );
    }

    fn rows_of(&mut self, table: TableId) -> Vec<RowId> {
        self.rows
            .keys()
            .filter(|(t, _)| *t == table)
            .map(|(table, key)| RowId {
                table: *table,
                key: *key,
            })
            .collect()
    }

    fn clear(&mut self) {
        self.rows.clear();
    }
}
