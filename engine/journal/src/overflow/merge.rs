use std::ops::Range;
use std::sync::Arc;

use super::run::Run;
use super::scan::Scan;
use super::writer::RunWriter;
use crate::error::Result;

/// Several runs on their way to becoming one. They stay in use until it is finished.
#[derive(Debug)]
pub(super) struct Merge {
    /// Where among all runs they stand: only younger ones come while it is under way.
    range: Range<usize>,
    /// Youngest first.
    scans: Vec<Scan>,
    /// Rows that are not read yet.
    left: usize,
    writer: RunWriter,
}

impl Merge {
    /// Of neighbours, oldest first, the first of which stands at `from`.
    pub(super) fn new(from: usize, runs: &[Arc<Run>], writer: RunWriter) -> Result<Self> {
        let scans = runs.iter().rev().map(|run| Scan::all(Arc::clone(run)));
        Ok(Merge {
            range: from..from + runs.len(),
            scans: scans.collect::<Result<_>>()?,
            left: runs.iter().map(|run| run.rows).sum(),
            writer,
        })
    }

    /// Rows that are not read yet.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Reads at least `rows` rows, or all; whether it is done.
    pub(super) fn advance(&mut self, rows: usize) -> Result<bool> {
        let goal = self.left.saturating_sub(rows);
        loop {
            if self.left <= goal && self.left > 0 {
                return Ok(false);
            }
            // Of equal ones the first: the youngest.
            let least = self.scans.iter().filter_map(|scan| Some((scan.row()?, scan)));
            let Some((row, scan)) = least.min_by_key(|(row, _)| *row) else {
                return Ok(true);
            };
            self.writer.push(row, scan.register())?;
            for scan in &mut self.scans {
                if scan.row() == Some(row) {
                    scan.advance()?;
                    self.left -= 1;
                }
            }
        }
    }

    /// Which runs the merged one replaces.
    pub(super) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The merged run.
    pub(super) fn finish(self) -> Result<Run> {
        self.writer.finish()
    }
}
