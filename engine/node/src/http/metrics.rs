//! `/metrics` in Prometheus' text format.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::queries::built;
use crate::conflicts::{Class, Conflicts, Counts};
use crate::status::{Orphans, PeerStatus, Status};
use crate::telemetry::{self, Counters};

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let status = built(Arc::clone(&api)).await;
    let page = render(&status, &api.shared.counters, &api.shared.conflicts);
    ([(CONTENT_TYPE, FORMAT)], page).into_response()
}

/// All metrics of one daemon.
fn render(status: &Status, counters: &Counters, conflicts: &Conflicts) -> String {
    let mut page = Page(String::new());
    let peers = || status.peers.iter();
    page.family(telemetry::LAG_BYTES, "gauge", "WAL of a peer that is not applied here");
    for peer in peers() {
        page.sample(telemetry::LAG_BYTES, &[("peer", &peer.node)], peer.lag_bytes);
    }
    page.family(
        telemetry::LAG_SECONDS,
        "gauge",
        "Age of a peer's oldest transaction that is not applied here",
    );
    for peer in peers() {
        page.sample(telemetry::LAG_SECONDS, &[("peer", &peer.node)], peer.lag_seconds);
    }
    page.clocks(&status.peers);
    page.family(
        telemetry::APPLIED_TRANSACTIONS,
        "counter",
        "Transactions of an origin that were applied",
    );
    for (origin, count) in counters.applied_by_origin() {
        page.sample(telemetry::APPLIED_TRANSACTIONS, &[("origin", &origin)], count);
    }
    page.family(telemetry::APPLY_ROWS, "counter", "Rows applied, by the path they took");
    let rows = &status.rows;
    let paths = [
        ("guarded", rows.guarded),
        ("exact", rows.exact),
        ("skipped", rows.skipped),
        ("rechecked", rows.rechecked),
    ];
    for (path, count) in paths {
        page.sample(telemetry::APPLY_ROWS, &[("path", path)], count);
    }
    page.conflicts(
        telemetry::CONFLICTS,
        "Conflicts by table, kind and policy",
        conflicts.found(),
    );
    page.conflicts(
        telemetry::CONFLICTS_LEFT_OUT,
        "Conflicts that are not in synapse.conflict_log",
        conflicts.left_out(),
    );
    page.orphans(&status.orphans);
    for (name, kind, help, value) in single(status, counters) {
        page.family(name, kind, help);
        page.sample(name, &[], value);
    }
    page.0
}

/// Metrics of one value each: name, kind, help, value.
fn single(status: &Status, counters: &Counters) -> [(&'static str, &'static str, &'static str, u64); 7] {
    [
        (
            telemetry::CAPTURED_TRANSACTIONS,
            "counter",
            "Transactions captured from this node's own stream",
            counters.captured_transactions.get(),
        ),
        (
            telemetry::APPLY_BATCHES,
            "counter",
            "Transactions of the applier",
            counters.applied_batches.get(),
        ),
        (
            telemetry::APPLY_RETRIES,
            "counter",
            "Attempts of the applier that gave way",
            counters.retries.get(),
        ),
        (
            telemetry::JOURNAL_REPAIRED_BLOCKS,
            "counter",
            "Damaged blocks of journals that were put back",
            counters.repaired_blocks.get(),
        ),
        (
            telemetry::JOURNAL_BYTES,
            "gauge",
            "Journals on disk",
            status.journal_bytes,
        ),
        (
            telemetry::MEMORY_BYTES,
            "gauge",
            "Resident memory of the daemon",
            status.memory_bytes,
        ),
        (
            telemetry::DISPLACED_ROWS,
            "gauge",
            "Rows of synapse.displaced",
            status.displaced,
        ),
    ]
}

/// The text so far.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn clocks(&mut self, peers: &[PeerStatus]) {
        let name = telemetry::CLOCK_SKEW_SECONDS;
        self.family(name, "gauge", "How far this node's clock is ahead of a peer's");
        for peer in peers {
            if let Some(skew) = peer.clock_skew_seconds {
                self.sample(name, &[("peer", &peer.node)], skew);
            }
        }
        let name = telemetry::CLOCK_HELD_SECONDS;
        self.family(
            name,
            "gauge",
            "For how long a peer's transactions wait, whose time lies too far ahead",
        );
        for peer in peers {
            self.sample(name, &[("peer", &peer.node)], peer.held_seconds.unwrap_or(0.0));
        }
    }

    fn conflicts(&mut self, name: &str, help: &str, counts: Counts) {
        self.family(name, "counter", help);
        for (Class { table, kind, policy }, count) in counts {
            self.sample(name, &[("table", &table), ("kind", kind), ("policy", &policy)], count);
        }
    }

    fn orphans(&mut self, orphans: &Orphans) {
        let help = "References to rows that are gone, by what became of the rows that have them";
        self.family(telemetry::ORPHANS, "counter", help);
        let ended = [
            ("restored", orphans.restored),
            ("deleted", orphans.deleted),
            ("left_to_others", orphans.left_to_others),
        ];
        for (outcome, count) in ended {
            self.sample(telemetry::ORPHANS, &[("outcome", outcome)], count);
        }
        let help =
            "Entries of synapse.orphans, by whether they wait, stay by their table's rule, or refer to a displaced row";
        self.family(telemetry::ORPHANS_STANDING, "gauge", help);
        let standing = [
            ("waiting", orphans.waiting),
            ("reported", orphans.reported),
            ("displaced", orphans.displaced),
        ];
        for (state, count) in standing {
            self.sample(telemetry::ORPHANS_STANDING, &[("state", state)], count);
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{text}").expect("writing to a String cannot fail");
    }
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
