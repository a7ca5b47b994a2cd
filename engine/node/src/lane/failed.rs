//! What a failed attempt leads to: another one, or a link that stops and waits for a person or the catalogue.

use std::time::Duration;

use synapse_engine_apply::Remedy;
use synapse_engine_change::Part;
use synapse_engine_identity::Origin;
use synapse_engine_plan::{Path, Undecided};
use synapse_engine_replication::Policy;

use super::Applier;
use crate::batch::Failure;
use crate::error::Error;
use crate::feed::{Feed, Next};
use crate::generation::refresh;
use crate::peer::{Stop, StopClass};
use crate::policies;
use crate::shared::lock;

/// The longest pause before a transaction that gave way is tried again.
const GIVE_WAY_MAX_MILLIS: u64 = 200;

impl Applier {
    /// What a failed attempt leads to. Answers whether to go on at once.
    pub(super) async fn failed(
        &mut self,
        origin: Origin,
        txns: &[Next],
        path: Path,
        failure: Failure,
    ) -> Result<bool, Error> {
        self.shared.counters.retries.add(1);
        let remedy = failure.remedy();
        if let Failure::Plan(synapse_engine_plan::Error::Undecided(undecided)) = &failure
            && self.is_answered(undecided)?
        {
            return Ok(true);
        }
        tracing::debug!(%origin, transactions = txns.len(), ?path, error = %failure, ?remedy, "an attempt failed");
        if txns[0].part() != Part::Whole {
            // Its parts were taken from the feed: read them again.
            let after = lock(&self.kernel).frontier().get(origin);
            let feed = Feed::start(&self.shared, origin, after, self.stop.child_token());
            let line = self.lines.get_mut(&origin).expect("lines are never closed");
            line.feed = feed;
            line.waiting.clear();
        }
        if matches!(failure, Failure::Orphaned | Failure::OtherKeys) {
            // Once more: what goes is kept; the foreign keys are known.
            return Ok(true);
        }
        let line = self.lines.get_mut(&origin).expect("lines are never closed");
        match remedy {
            Remedy::Reconnect => return Err(failure.into_error()),
            Remedy::Smaller => {
                line.at_most = (txns.len() / 2).max(1);
                line.gave_way += 1;
                let longest = (5 << line.gave_way.min(6)).min(GIVE_WAY_MAX_MILLIS);
                let pause = Duration::from_millis(rand::random_range(1..=longest));
                tokio::time::sleep(pause).await;
                return Ok(true);
            }
            Remedy::Exact if path == Path::Set => {
                line.path = Path::Exact;
                return Ok(true);
            }
            Remedy::Catalogue if !line.refreshed => {
                line.refreshed = true;
                refresh(&self.shared, &mut self.catalog).await?;
                if let Some(session) = self.sessions.get_mut(&origin) {
                    session.forget_tables();
                }
                return Ok(true);
            }
            Remedy::Exact | Remedy::Catalogue | Remedy::Fetch | Remedy::Operator if txns.len() > 1 => {
                // One by one, so that what comes before the one that fails is applied.
                line.at_most = 1;
                return Ok(true);
            }
            Remedy::Exact | Remedy::Catalogue | Remedy::Fetch | Remedy::Operator => {}
        }
        self.stop_line(origin, &txns[0], &failure, remedy == Remedy::Catalogue);
        Ok(false)
    }

    /// Whether a person has set another policy since: it may stand behind what waits for it.
    fn is_answered(&self, undecided: &Undecided) -> Result<bool, Error> {
        policies::learn_from_journals(&self.shared, &self.kernel)?;
        let kernel = lock(&self.kernel);
        let policies = kernel.policies();
        Ok(policies.at(undecided.row.table, policies.latest()).policy != Policy::Error)
    }

    fn stop_line(&mut self, origin: Origin, next: &Next, failure: &Failure, until_catalog_changes: bool) {
        let txn = next.stamp().txn;
        let (table, key) = failure.place(next);
        let class = if failure.is_bug() {
            StopClass::Bug
        } else {
            StopClass::Definite
        };
        let message = failure.to_string();
        tracing::error!(%txn, error = %message, table, "a transaction cannot be applied; its link stops until this is mended");
        let stop = Stop {
            txn,
            class,
            message,
            table,
            key,
            until_catalog_changes,
        };
        if let Some(line) = self.lines.get_mut(&origin) {
            // When it is tried again, the catalogue is looked at again first.
            line.refreshed = false;
        }
        self.shared.peers().entry(origin.node).or_default().stop = Some(stop);
        self.shared.stir();
    }

    /// Links that wait for the catalogue are tried again once it has changed.
    pub(super) async fn look_again(&mut self) -> Result<(), Error> {
        let waiting = self
            .shared
            .peers()
            .values()
            .any(|p| p.stop.as_ref().is_some_and(|s| s.until_catalog_changes));
        if !waiting {
            return Ok(());
        }
        refresh(&self.shared, &mut self.catalog).await?;
        // Others read the catalogue too: what counts is what the line has tried, not what was read last.
        let now = self.shared.directory().fingerprint;
        let mut peers = self.shared.peers();
        for (origin, _) in self.lines.iter().filter(|(_, line)| line.tried != now) {
            if let Some(session) = self.sessions.get_mut(origin) {
                session.forget_tables();
            }
            let peer = peers.entry(origin.node).or_default();
            peer.stop
                .take_if(|stop| stop.until_catalog_changes && stop.txn.origin == *origin);
        }
        Ok(())
    }

    pub(super) async fn skip_if_asked(&mut self, origin: Origin) -> Result<bool, Error> {
        let asked = {
            let mut peers = self.shared.peers();
            let Some(peer) = peers.get_mut(&origin.node) else {
                return Ok(false);
            };
            let skip = peer.skip.take();
            let Some(stop) = peer.stop.as_ref().filter(|stop| Some(stop.txn) == skip) else {
                return Ok(false);
            };
            stop.message.clone()
        };
        let line = self
            .lines
            .get_mut(&origin)
            .expect("a line is opened before it is skipped in");
        let next = match line.waiting.pop_front() {
            Some(next) => next,
            None => match line.feed.peek()? {
                Some(next) => {
                    line.feed.pass();
                    next
                }
                None => return Ok(false),
            },
        };
        match self.skip(origin, &next, &asked).await {
            Ok(()) => {
                self.shared.peers().entry(origin.node).or_default().stop = None;
                self.shared.stir();
                Ok(true)
            }
            Err(failure) => Err(failure.into_error()),
        }
    }
}
