//! Conflicts as this node decided them: counted, and as far as the rate allows kept in `synapse.conflict_log`.

mod check;
mod list;
mod policy;
mod rate;
mod recent;
mod retention;
mod stats;

use std::collections::BTreeMap;
use std::sync::Mutex;

use synapse_engine_replication::Monotonic;

use crate::config::ConflictsSection;
use crate::shared::UNPOISONED;
pub(crate) use check::{CheckError, Checked, check};
pub(crate) use list::{Filter, Listed, Page, list};
pub(crate) use policy::{KINDS, NO_POLICY, VERDICTS, policy_named, policy_of};
use rate::Rate;
use recent::Recent;
pub(crate) use retention::run;
pub(crate) use stats::{Group, stats};

/// What conflicts are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    /// `schema.table`.
    pub(crate) table: String,
    pub(crate) kind: &'static str,
    pub(crate) policy: String,
}

/// Numbers of conflicts by what they are.
pub(crate) type Counts = BTreeMap<Class, u64>;

/// What one transaction of the applier met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// All of it.
    pub(crate) found: Counts,
    /// What of it is not in the log.
    pub(crate) left_out: Counts,
    /// How many are in the log.
    pub(crate) logged: u64,
}

impl Met {
    /// Adds what another part of the transaction met.
    pub(crate) fn and(&mut self, more: Met) {
        add(&mut self.found, more.found);
        add(&mut self.left_out, more.left_out);
        self.logged += more.logged;
    }
}

/// The conflicts of one daemon; they start at zero with it.
#[derive(Debug)]
pub(crate) struct Conflicts(Mutex<Book>);

#[derive(Debug)]
struct Book {
    found: Counts,
    left_out: Counts,
    recent: Recent,
    rate: Rate,
    /// Whether the server did not take the last ones for the log.
    refused: bool,
}

impl Conflicts {
    pub(crate) fn new(config: &ConflictsSection) -> Self {
        Conflicts(Mutex::new(Book {
            found: Counts::new(),
            left_out: Counts::new(),
            recent: Recent::default(),
            rate: Rate::new(config.log_rate, config.log_burst),
            refused: false,
        }))
    }

    /// How many conflicts the log may take `now`.
    pub(crate) fn room(&self, now: Monotonic) -> u64 {
        self.0.lock().expect(UNPOISONED).rate.room(now)
    }

    /// Counts what a transaction met, once it is committed.
    pub(crate) fn count(&self, now: Monotonic, met: Met) {
        let mut book = self.0.lock().expect(UNPOISONED);
        book.recent.add(now, met.found.values().sum());
        book.rate.take(now, met.logged);
        add(&mut book.found, met.found);
        add(&mut book.left_out, met.left_out);
    }

    /// The server took conflicts for the log.
    pub(crate) fn log_takes(&self) {
        self.0.lock().expect(UNPOISONED).refused = false;
    }

    /// It did not. Answers whether that is news.
    pub(crate) fn log_refuses(&self) -> bool {
        !std::mem::replace(&mut self.0.lock().expect(UNPOISONED).refused, true)
    }

    /// All that were met.
    pub(crate) fn found(&self) -> Counts {
        self.0.lock().expect(UNPOISONED).found.clone()
    }

    /// Those that are not in the log.
    pub(crate) fn left_out(&self) -> Counts {
        self.0.lock().expect(UNPOISONED).left_out.clone()
    }

    /// How many were met in a second, on the average of the last minute.
    pub(crate) fn per_second(&self, now: Monotonic) -> f64 {
        self.0.lock().expect(UNPOISONED).recent.per_second(now)
    }
}

fn add(to: &mut Counts, more: Counts) {
    for (class, count) in more {
        *to.entry(class).or_default() += count;
    }
}

#[cfg(test)]
mod tests;
