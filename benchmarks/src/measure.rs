//! What a benchmark hands to the report.

use std::time::Duration;

use serde::Serialize;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// SynapseDB.
    Ours,
    /// PostgreSQL's own logical replication, or its tools.
    Native,
    /// A server that is not replicated.
    Alone,
}

impl Side {
    pub(crate) const ALL: [Side; 3] = [Side::Ours, Side::Native, Side::Alone];

    /// As it stands in headings and names of files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Native => "native",
            Side::Alone => "alone",
        }
    }
}

/// Which values are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// Times and costs.
    Lower,
    /// Rates.
    Higher,
}

/// A quantity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// The project's aim for ours / native, if it has one.
    pub(crate) ratio_max: Option<f64>,
}

impl Metric {
    pub(crate) const fn lower(name: &'static str, unit: &'static str) -> Metric {
        let better = Better::Lower;
        Metric {
            name,
            unit,
            better,
            ratio_max: None,
        }
    }

    pub(crate) const fn higher(name: &'static str, unit: &'static str) -> Metric {
        let better = Better::Higher;
        Metric {
            name,
            unit,
            better,
            ratio_max: None,
        }
    }

    /// With an aim for ours / native.
    pub(crate) const fn at_most(self, ratio: f64) -> Metric {
        Metric {
            ratio_max: Some(ratio),
            ..self
        }
    }
}

/// One value of one round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// The variant of the benchmark, for example `half load`.
    pub(crate) case: &'static str,
    pub(crate) metric: Metric,
    pub(crate) side: Side,
    pub(crate) value: f64,
}

/// All of one benchmark.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// What a reader must know to judge the numbers, one sentence or more each.
    pub(crate) notes: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

impl Outcome {
    pub(crate) fn add(&mut self, case: &'static str, metric: Metric, side: Side, value: f64) {
        self.samples.push(Sample {
            case,
            metric,
            side,
            value,
        });
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}

/// `total` over `count`, in microseconds each.
pub(crate) fn micros_each(total: Duration, count: u64) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
