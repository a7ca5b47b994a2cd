//! The report for people.

use std::fmt::Write as _;

use super::{Benchmark, Report, Row};
use crate::measure::{Better, Side};

/// The whole file.
pub(super) fn render(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "# Benchmarks\n\n\
         - machine: {}, {} cores, {} MiB; Linux {}; load average before: {}\n\
         - versions: PostgreSQL {}, SynapseDB {}, sources at {}\n\
         - daemon: {}\n\
         - started {}; rounds: {}{}\n\n\
         Medians of the rounds. What counts is the ratio ours / native, measured in turn on this machine; absolute numbers \
         are context. The output of every program is in `raw/`, every round's value in `report.json`.\n",
        machine.cpu,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.load_before,
        machine.postgres,
        machine.synapse,
        machine.commit,
        machine.daemon,
        machine.started,
        report.rounds,
        if report.quick {
            "; **quick: small loads, numbers of little worth**"
        } else {
            ""
        },
    );
    for benchmark in &report.benchmarks {
        text.push_str(&section(benchmark));
    }
    text
}

fn section(benchmark: &Benchmark) -> String {
    let mut text = format!("\n## {}\n\n", benchmark.name.as_str());
    let of_row = |row: &Row, side: Side| {
        row.sides
            .iter()
            .find(|values| values.side == side)
            .map(|values| values.median)
    };
    let measured = |side: &Side| benchmark.rows.iter().any(|row| of_row(row, *side).is_some());
    let sides: Vec<Side> = Side::ALL.into_iter().filter(measured).collect();
    let names: Vec<&str> = sides.iter().map(|side| side.name()).collect();
    let mut lines = vec![
        format!(
            "| case | measured | better | {} | ours / native | aim |",
            names.join(" | ")
        ),
        format!("|---|---|---|{}---:|---|", "---:|".repeat(sides.len())),
    ];
    for row in &benchmark.rows {
        let better = match row.metric.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        let cells: Vec<String> = sides
            .iter()
            .map(|side| of_row(row, *side).map(number).unwrap_or_default())
            .collect();
        let ratio = row.ratio.map(|ratio| format!("**{ratio:.2}**")).unwrap_or_default();
        let (metric, unit) = (row.metric.name, row.metric.unit);
        lines.push(format!(
            "| {} | {metric}, {unit} | {better} | {} | {ratio} | {} |",
            row.case,
            cells.join(" | "),
            aim(row)
        ));
    }
    for line in lines.iter().chain([&String::new()]) {
        writeln!(text, "{line}").expect("writing to a string cannot fail");
    }
    for note in &benchmark.notes {
        writeln!(text, "- {note}").expect("writing to a string cannot fail");
    }
    text
}

fn aim(row: &Row) -> String {
    let Some(max) = row.metric.ratio_max else {
        return String::new();
    };
    let verdict = match row.met {
        Some(true) => ": met",
        Some(false) => ": **missed**",
        None => "",
    };
    format!("≤ {max:.2}{verdict}")
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
