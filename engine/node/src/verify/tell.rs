//! What a comparison or a repair says while it runs.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

/// Events that wait to be taken. Progress beyond that is dropped: the next one says more.
const EVENTS_AHEAD: usize = 16;

/// One thing that is said. Each is a line of JSON in an answer that is followed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// How far it is.
    Progress(Progress),
    /// A table is done: its result.
    Table(Box<RawValue>),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    /// `schema.table`.
    pub(crate) table: String,
    /// Its number among the tables that are compared, from 1.
    pub(crate) number: usize,
    /// How many those are.
    pub(crate) tables: usize,
    pub(crate) step: Step,
    /// Of the step: nodes, buckets or rows, as the step says.
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Each node reads its rows. Counted in nodes that are done.
    Reading,
    /// Buckets that differ are compared key by key. Counted in buckets.
    Comparing,
    /// Rows that differ, or may, are read again until they are settled. Counted in rows; the total is what began.
    Settling,
    /// Rows are repaired. Counted in rows.
    Repairing,
}

/// Where events go; nobody may be there to take them.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    to: mpsc::Sender<Event>,
    table: String,
    number: usize,
    tables: usize,
}

impl Tell {
    /// And where they are taken.
    pub(crate) fn channel() -> (Tell, mpsc::Receiver<Event>) {
        let (to, events) = mpsc::channel(EVENTS_AHEAD);
        let tell = Tell {
            to,
            table: String::new(),
            number: 0,
            tables: 0,
        };
        (tell, events)
    }

    /// What is said from here on is of this table.
    pub(crate) fn of_table(&self, table: &str, number: usize, tables: usize) -> Tell {
        Tell {
            to: self.to.clone(),
            table: table.to_owned(),
            number,
            tables,
        }
    }

    /// Says how far it is.
    pub(crate) fn progress(&self, step: Step, done: u64, total: u64) {
        let progress = Progress {
            table: self.table.clone(),
            number: self.number,
            tables: self.tables,
            step,
            done,
            total,
        };
        // Nobody looks, or not fast enough: the next one says more.
        let _ = self.to.try_send(Event::Progress(progress));
    }

    /// Gives the result of a table that is done.
    pub(crate) async fn done(&self, result: &impl Serialize) {
        let result = to_raw_value(result).expect("a result is plain data");
        // The asker is gone, and whoever works for it ends with it.
        let _ = self.to.send(Event::Table(result)).await;
    }
}

#[cfg(test)]
mod tests;
