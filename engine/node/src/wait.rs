//! `wait`: until every node has applied what all nodes had committed when it was asked.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_wal_types::Lsn;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::answer::{AskError, ask_one};
use crate::frames::{Answer, Request};
use crate::shared::{Shared, lock};

pub(crate) use judge::{Behind, Report, Verdict};

/// A node that waits for others answers after this time at the latest, so that what stands still elsewhere is heard.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two rounds in which some node could not be asked.
const PAUSE: Duration = Duration::from_millis(100);

/// The answer to `GET /v1/wait`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Waited {
    pub(crate) done: bool,
    pub(crate) reason: Option<Reason>,
    /// The reason in words.
    pub(crate) detail: Option<String>,
    pub(crate) behind: Vec<Behind>,
}

/// Why it is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reason {
    /// Something stands still that does not pass by itself.
    Stands,
    /// The time is over.
    Timeout,
}

/// Waits, at most for `patience`.
pub(crate) async fn wait(shared: &Arc<Shared>, patience: Duration) -> Waited {
    let deadline = Instant::now() + patience;
    let mut positions = Positions::default();
    loop {
        positions.ask(shared);
        let all_known = positions.all_known(shared);
        let reports = reports(shared, &positions.known, deadline).await;
        let silent = silent(shared, &positions.known, &reports);
        match judge::judge(&positions.known, all_known, &reports, &silent) {
            Verdict::Done => {
                return Waited {
                    done: true,
                    reason: None,
                    detail: None,
                    behind: Vec::new(),
                };
            }
            Verdict::Stands { detail, behind } => {
                return Waited {
                    done: false,
                    reason: Some(Reason::Stands),
                    detail: Some(detail),
                    behind,
                };
            }
            Verdict::NotYet { detail, behind } if Instant::now() >= deadline || shared.shutdown.is_cancelled() => {
                return Waited {
                    done: false,
                    reason: Some(Reason::Timeout),
                    detail: Some(detail),
                    behind,
                };
            }
            Verdict::NotYet { .. } => {}
        }
        // What is known may still be unknown to others, or nobody could be asked.
        positions
            .heard_within(PAUSE.min(deadline.saturating_duration_since(Instant::now())))
            .await;
    }
}

/// This node and every peer that has been heard of.
pub(crate) fn nodes(shared: &Shared) -> BTreeSet<NodeId> {
    shared.peers().keys().copied().chain([shared.me.node]).collect()
}

/// What each node had committed, as far as it has answered.
#[derive(Debug, Default)]
struct Positions {
    known: BTreeMap<NodeId, (Origin, Lsn)>,
    asked: BTreeSet<NodeId>,
    coming: JoinSet<(NodeId, Result<Answer, AskError>)>,
}

impl Positions {
    /// Asks every node that can be asked and has not been.
    fn ask(&mut self, shared: &Arc<Shared>) {
        for node in linked(shared) {
            if !self.known.contains_key(&node) && self.asked.insert(node) {
                let shared = Arc::clone(shared);
                self.coming
                    .spawn(async move { (node, ask_one(&shared, node, Request::Position).await) });
            }
        }
    }

    /// Takes what is answered within `time`; returns at the first.
    async fn heard_within(&mut self, time: Duration) {
        if self.coming.is_empty() {
            tokio::time::sleep(time).await;
            return;
        }
        let heard = tokio::time::timeout(time, self.coming.join_next()).await;
        let Ok(Some(Ok((node, answer)))) = heard else { return };
        if let Ok(Answer::Position { origin, lsn }) = answer {
            self.known.insert(node, (origin, lsn));
        } else {
            // It is asked again once it can be.
            self.asked.remove(&node);
            tokio::time::sleep(time).await;
        }
    }

    fn all_known(&self, shared: &Shared) -> bool {
        self.known.len() > shared.config.cluster.join.len()
    }
}

/// This node and the peers that have a link.
fn linked(shared: &Shared) -> Vec<NodeId> {
    let peers = shared.peers();
    let linked = peers
        .iter()
        .filter(|(_, peer)| peer.link.is_some())
        .map(|(node, _)| *node);
    linked.chain([shared.me.node]).collect()
}

/// Nodes that do not answer, and what they had applied by the last word of them that came here.
fn silent(
    shared: &Shared,
    known: &BTreeMap<NodeId, (Origin, Lsn)>,
    reports: &BTreeMap<NodeId, Report>,
) -> BTreeMap<NodeId, Context> {
    let silent: Vec<NodeId> = nodes(shared)
        .into_iter()
        .filter(|node| !reports.contains_key(node))
        .collect();
    let kernel = shared.kernel();
    let applied = |node: NodeId| {
        let Some(kernel) = &kernel else { return Context::new() };
        let kernel = lock(kernel);
        known
            .values()
            .map(|(origin, _)| (*origin, kernel.stability().applied_by(node, *origin)))
            .collect()
    };
    silent.into_iter().map(|node| (node, applied(node))).collect()
}

/// Asks every linked node how far it is.
async fn reports(
    shared: &Arc<Shared>,
    known: &BTreeMap<NodeId, (Origin, Lsn)>,
    deadline: Instant,
) -> BTreeMap<NodeId, Report> {
    let wanted: Context = known.values().copied().collect();
    let patience = PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
    // Not all are known yet: what stands still is asked for, nothing is waited for.
    let patience_ms = if known.is_empty() {
        0
    } else {
        u32::try_from(patience.as_millis()).unwrap_or(0)
    };
    let asked = linked(shared).into_iter().map(|node| {
        let request = Request::Applied {
            wanted: wanted.clone(),
            patience_ms,
        };
        async move {
            let answer = tokio::time::timeout(patience + PATIENCE, ask_one(shared, node, request)).await;
            match answer {
                Ok(Ok(Answer::Applied {
                    applied,
                    settled,
                    stands,
                })) => Some((
                    node,
                    Report {
                        applied,
                        settled,
                        stands,
                    },
                )),
                Ok(Ok(_) | Err(_)) | Err(_) => None,
            }
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}
