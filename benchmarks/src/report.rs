//! The report: samples by case and metric, medians, ratios.

mod markdown;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::benchmark::Name;
use crate::machine::Machine;
use crate::measure::{Metric, Outcome, Sample, Side};
use crate::options::Options;
use crate::statistics::median;

/// All of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    rounds: u32,
    quick: bool,
    benchmarks: Vec<Benchmark>,
}

/// One benchmark's part.
#[derive(Debug, Serialize)]
struct Benchmark {
    name: Name,
    notes: Vec<String>,
    rows: Vec<Row>,
}

/// One quantity of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    case: &'static str,
    metric: Metric,
    sides: Vec<Values>,
    /// Median of ours by median of native; `None` when one was not measured or native's is zero.
    ratio: Option<f64>,
    /// Whether the ratio is what the project aims at; `None` without an aim or a ratio.
    met: Option<bool>,
}

/// What one side had, round by round.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Values {
    side: Side,
    median: f64,
    rounds: Vec<f64>,
}

impl Report {
    pub(crate) fn new(machine: Machine, options: &Options) -> Report {
        Report {
            machine,
            rounds: options.rounds(),
            quick: options.quick,
            benchmarks: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: Name, outcome: Outcome) {
        let rows = rows(&outcome.samples);
        self.benchmarks.push(Benchmark {
            name,
            notes: outcome.notes,
            rows,
        });
    }

    /// Writes `report.md` and `report.json`.
    pub(crate) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self).context("cannot write JSON")?;
        for (name, text) in [("report.json", json), ("report.md", markdown::render(self))] {
            let path = directory.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The samples as rows, in the order in which cases and metrics first came.
fn rows(samples: &[Sample]) -> Vec<Row> {
    let mut keys: Vec<(&'static str, Metric)> = Vec::new();
    for sample in samples {
        let key = (sample.case, sample.metric);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.into_iter()
        .map(|(case, metric)| row(samples, case, metric))
        .collect()
}

fn row(samples: &[Sample], case: &'static str, metric: Metric) -> Row {
    let mut sides = Vec::new();
    for side in Side::ALL {
        let of_side = samples
            .iter()
            .filter(|s| s.case == case && s.metric == metric && s.side == side);
        let rounds: Vec<f64> = of_side.map(|sample| sample.value).collect();
        if let Some(median) = median(&rounds) {
            sides.push(Values { side, median, rounds });
        }
    }
    let of = |side: Side| {
        sides
            .iter()
            .find(|values| values.side == side)
            .map(|values| values.median)
    };
    let ratio = match (of(Side::Ours), of(Side::Native)) {
        (Some(ours), Some(native)) if native != 0.0 => Some(ours / native),
        (_, _) => None,
    };
    let met = ratio.zip(metric.ratio_max).map(|(ratio, max)| ratio <= max);
    Row {
        case,
        metric,
        sides,
        ratio,
        met,
    }
}

#[cfg(test)]
mod tests;
