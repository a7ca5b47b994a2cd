//! Which logs grew.

use std::collections::BTreeMap;
use std::sync::Mutex;

use synapse_engine_identity::Origin;
use tokio::sync::watch;

use crate::shared::UNPOISONED;

/// A notice for each log: whoever reads one is not woken for the others. On the way of a single transaction every task
/// that is woken in vain costs as much as one that has work.
#[derive(Debug, Default)]
pub(crate) struct Growth(Mutex<BTreeMap<Origin, watch::Sender<()>>>);

impl Growth {
    /// Changes from now on when the log of `origin` grows.
    pub(crate) fn of(&self, origin: Origin) -> watch::Receiver<()> {
        let mut logs = self.0.lock().expect(UNPOISONED);
        logs.entry(origin).or_default().subscribe()
    }

    /// The log of `origin` grew.
    pub(crate) fn grew(&self, origin: Origin) {
        if let Some(log) = self.0.lock().expect(UNPOISONED).get(&origin) {
            log.send_replace(());
        }
    }
}
