//! What is measured, how often, and where.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::measure::Side;

/// Options of every benchmark.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How often each side is measured; medians are reported [default: 3, with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=101))]
    pub rounds: Option<u32>,
    /// Small loads: shows that everything works, and says little about speed
    #[arg(long)]
    pub quick: bool,
    /// Measure one side alone; there are no ratios then
    #[arg(long, value_enum)]
    pub only: Option<Only>,
    /// Where the report goes [default: report/ beside this package's manifest]
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Where the servers' data go, in a directory of its own; every user must be able to enter it
    #[arg(long, default_value = "/var/tmp")]
    pub scratch: PathBuf,
    /// The daemon; by default synapsed beside this program
    #[arg(long)]
    pub synapsed: Option<PathBuf>,
}

/// One side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// SynapseDB.
    Ours,
    /// PostgreSQL's own logical replication.
    Native,
}

impl Options {
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// The sides in the order of this round: each side goes first in every other round.
    pub(crate) fn sides(&self, round: u32) -> Vec<Side> {
        match self.only {
            Some(Only::Ours) => vec![Side::Ours],
            Some(Only::Native) => vec![Side::Native],
            None if round.is_multiple_of(2) => vec![Side::Ours, Side::Native],
            None => vec![Side::Native, Side::Ours],
        }
    }

    /// The first value, or the second with `--quick`.
    pub(crate) fn full_or_quick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The daemon that a sandbox runs.
    pub(crate) fn daemon(&self) -> PathBuf {
        let beside = || std::env::current_exe().unwrap_or_default().with_file_name("synapsed");
        self.synapsed.clone().unwrap_or_else(beside)
    }

    pub(crate) fn report_dir(&self) -> PathBuf {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("report");
        self.report.clone().unwrap_or_else(default)
    }
}

/// The sides of a round with the server alone among them, each time at another place: what comes first is not always
/// the same.
pub(crate) fn with_alone(mut sides: Vec<Side>, round: u32) -> Vec<Side> {
    let places = sides.len() + 1;
    let place = usize::try_from(round).unwrap_or(0) % places;
    sides.insert(place, Side::Alone);
    sides
}

#[cfg(test)]
mod tests;
