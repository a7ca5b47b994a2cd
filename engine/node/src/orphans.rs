//! Rows whose foreign key refers to nothing, because nodes wrote at the same time: found by the applier, mended by the
//! node that wrote them, in an ordinary transaction of its own (`docs/decisions/0013-foreign-keys.md`).

mod delete;
mod entry;
mod keys;
mod mend;
mod note;
mod restore;
mod rule;

use std::sync::{Arc, RwLock};

use tokio::sync::{Notify, watch};

use crate::shared::UNPOISONED;
use crate::telemetry::Counter;
pub(crate) use keys::{Keys, refresh};
pub(crate) use mend::run;
pub(crate) use note::{KIND, stamp_json};
pub(crate) use rule::{InvalidRule, Rule, in_force};

/// What the parts of the daemon share about foreign keys.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    keys: RwLock<Arc<Keys>>,
    /// The applier has noted some.
    found: Notify,
    /// Rows without what they refer to that another node mends, as far as they were seen here.
    pub(crate) left_to_others: Counter,
    pub(crate) restored: Counter,
    pub(crate) deleted: Counter,
    pub(crate) standing: watch::Sender<Standing>,
}

/// What stands in `synapse.orphans`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What is mended next.
    pub(crate) waiting: u64,
    /// What stays as it is, because that is the rule.
    pub(crate) reported: u64,
    /// What waits for a displaced row to come back, or to be given up.
    pub(crate) displaced: u64,
    /// What cannot be mended.
    pub(crate) stuck: u64,
    /// Why, for the first few.
    pub(crate) problems: Vec<String>,
}

impl Orphans {
    /// The foreign keys as they were read last.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().expect(UNPOISONED))
    }

    /// The applier has noted some, and that is committed.
    pub(crate) fn noted(&self) {
        self.found.notify_one();
    }
}
