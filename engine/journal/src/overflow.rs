//! Registers that do not fit in memory: an [`Overflow`] of sorted files.

mod bloom;
mod merge;
mod run;
mod scan;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use synapse_engine_identity::{RowId, TableId};
use synapse_engine_replication::{Overflow, Register};

use crate::error::{Error, Result};
use merge::Merge;
use run::Run;
use scan::Scan;
use writer::RunWriter;

/// With more runs than this, a merge begins.
const RUNS_MAX: usize = 8;
/// A merge is paced to be done when there are this many runs.
const RUNS_HARD_MAX: usize = 2 * RUNS_MAX;
/// A run is merged with the younger ones when it is at most this many times as large as they are together.
const TIER: u64 = 2;

/// Numbers the files of the whole process: one overflow may still be in use while the next one is opened.
static NEXT_RUN: AtomicU64 = AtomicU64::new(0);

/// Registers on disk, in runs sorted by row; a younger run shadows the older ones.
///
/// In memory it keeps about 1.8 bytes for each row it holds: ten bits of a filter, and a 64th of an index entry. A
/// [`get`](Overflow::get) reads one block of 64 rows from each run whose filter knows the row, which is nearly always
/// at most one. Nothing is ever fsynced: registers are made from the journals again at every start.
///
/// # Panics
/// When the disk fails, is full, or returns other bytes than were written: a register that is silently lost would let
/// nodes diverge, and the next start makes all of them again.
#[derive(Debug)]
pub struct DiskOverflow {
    dir: PathBuf,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
    merge: Option<Merge>,
    block: Vec<u8>,
}

impl DiskOverflow {
    /// An empty overflow in `dir`, which is made when it does not exist, and emptied when it does.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let path = entry.map_err(Error::io("list", dir))?.path();
            if path.extension().is_some_and(|extension| extension == run::EXTENSION) {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(DiskOverflow {
            dir: dir.to_owned(),
            runs: Vec::new(),
            merge: None,
            block: Vec::new(),
        })
    }

    /// What all runs take on disk, in bytes; a merge under way takes up to as much again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes()).sum()
    }

    /// What filters and indexes take in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.memory_bytes()).sum()
    }

    /// How many runs a row may have to be looked for in.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    fn writer(&self, rows: usize) -> Result<RunWriter> {
        let number = NEXT_RUN.fetch_add(1, Ordering::Relaxed);
        RunWriter::create(self.dir.join(format!("{number:016x}.{}", run::EXTENSION)), rows)
    }

    fn find(&mut self, row: RowId) -> Result<Option<Register>> {
        for run in self.runs.iter().rev() {
            if let Some(record) = run.get(row, &mut self.block)? {
                return Ok(Some(run.decode(record)?));
            }
        }
        Ok(None)
    }

    fn write(&mut self, mut registers: Vec<(RowId, Register)>) -> Result<()> {
        if registers.is_empty() {
            return Ok(());
        }
        // Stable: of two registers of one row the later one counts.
        registers.sort_by_key(|(row, _)| *row);
        let mut writer = self.writer(registers.len())?;
        let mut record = Vec::new();
        for (at, (row, register)) in registers.iter().enumerate() {
            if registers.get(at + 1).is_some_and(|(next, _)| next == row) {
                continue;
            }
            record.clear();
            register.encode(&mut record);
            writer.push(*row, &record)?;
        }
        self.runs.push(Arc::new(writer.finish()?));
        self.tidy()
    }

    /// Keeps the number of runs bounded, an equal piece of work with each put, so that none takes much longer.
    fn tidy(&mut self) -> Result<()> {
        if self.merge.is_none() && self.runs.len() > RUNS_MAX {
            let from = self.merged_from();
            let rows = self.runs[from..].iter().map(|run| run.rows).sum();
            self.merge = Some(Merge::new(from, &self.runs[from..], self.writer(rows)?)?);
        }
        let Some(mut merge) = self.merge.take() else {
            return Ok(());
        };
        let puts_left = RUNS_HARD_MAX.saturating_sub(self.runs.len()) + 1;
        if merge.advance(merge.left().div_ceil(puts_left))? {
            let range = merge.range();
            let merged = merge.finish()?;
            self.runs.splice(range, [Arc::new(merged)]);
        } else {
            self.merge = Some(merge);
        }
        Ok(())
    }

    /// The oldest run to merge: the younger ones are together not much smaller than it, so that each row is written a
    /// logarithmic number of times.
    fn merged_from(&self) -> usize {
        let mut from = self.runs.len() - 2;
        let mut younger: u64 = self.runs[from..].iter().map(|run| run.bytes()).sum();
        while from > 0 && self.runs[from - 1].bytes() <= younger.saturating_mul(TIER) {
            from -= 1;
            younger += self.runs[from].bytes();
        }
        from
    }

    fn list(&self, table: TableId) -> Result<Vec<RowId>> {
        let mut rows = Vec::new();
        for run in &self.runs {
            let mut scan = Scan::of_table(Arc::clone(run), table)?;
            while let Some(row) = scan.row().filter(|row| row.table == table) {
                rows.push(row);
                scan.advance()?;
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }
}

impl Overflow for DiskOverflow {
    fn get(&mut self, row: RowId) -> Option<Register> {
        self.find(row).unwrap_or_else(|error| lost(&error))
    }

    fn put(&mut self, registers: Vec<(RowId, Register)>) {
        self.write(registers).unwrap_or_else(|error| lost(&error));
    }

    fn rows_of(&mut self, table: TableId) -> Vec<RowId> {
        self.list(table).unwrap_or_else(|error| lost(&error))
    }

    fn clear(&mut self) {
        self.merge = None;
        self.runs.clear();
    }
}

/// The port has no way to say that knowledge is lost, and nobody could go on without it.
fn lost<T>(error: &Error) -> T {
    panic!("the registers on disk are lost, a restart makes them again from the journals: {error}")
}

#[cfg(test)]
mod tests;
