//! Transactions that cannot be applied: shown, tried again, skipped.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use synapse_engine_identity::{NodeId, TxnId};

use super::Api;
use super::failure::Failure;
use crate::peer::Stop;
use crate::shared::Shared;

/// How long a skip is waited for; it goes on when the asker is gone.
const SKIP_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
pub(crate) struct Stopped {
    from: NodeId,
    #[serde(flatten)]
    stop: Stop,
}

/// Every transaction that stands in the way here.
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Vec<Stopped>> {
    let peers = api.shared.peers();
    let stops = peers.iter().filter_map(|(from, peer)| {
        Some(Stopped {
            from: *from,
            stop: peer.stop.clone()?,
        })
    });
    Json(stops.collect())
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// Whose; every stopped one when it is not said.
    from: Option<NodeId>,
}

#[derive(Serialize)]
pub(crate) struct Retried {
    retried: Vec<NodeId>,
}

/// Tries what is stopped again.
pub(crate) async fn retry(
    State(api): State<Arc<Api>>,
    body: Result<Json<Retry>, JsonRejection>,
) -> Result<Json<Retried>, Failure> {
    let Json(Retry { from }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let mut retried = Vec::new();
    for (node, peer) in api.shared.peers().iter_mut() {
        if from.is_none_or(|from| from == *node) && peer.stop.take().is_some() {
            retried.push(*node);
        }
    }
    if retried.is_empty() {
        return Err(Failure::refused("nothing is stopped here").hint("`synapsectl apply list` shows what is"));
    }
    api.shared.stir();
    Ok(Json(Retried { retried }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skip {
    from: NodeId,
    txn: String,
    #[serde(default)]
    confirm: bool,
}

#[derive(Serialize)]
pub(crate) struct Skipped {
    skipped: String,
}

/// Skips the transaction that is stopped: it is noted in `synapse.skipped` and never applied here.
pub(crate) async fn skip(
    State(api): State<Arc<Api>>,
    body: Result<Json<Skip>, JsonRejection>,
) -> Result<Json<Skipped>, Failure> {
    let Json(skip) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let txn = chosen(&skip, stopped(&api.shared, skip.from))?;
    api.shared.peers().entry(skip.from).or_default().skip = Some(txn);
    api.shared.stir();
    let gone = tokio::time::timeout(SKIP_PATIENCE, passed(&api.shared, txn)).await;
    gone.map_err(|_| {
        Failure::timed_out(format!("{txn} is not skipped yet")).hint("`synapsectl apply list` shows when it is")
    })?;
    Ok(Json(Skipped {
        skipped: txn.to_string(),
    }))
}

/// The transaction to skip, given the one that is stopped.
fn chosen(skip: &Skip, stopped: Option<TxnId>) -> Result<TxnId, Failure> {
    let Some(stopped) = stopped else {
        return Err(Failure::refused(format!("nothing of {} is stopped here", skip.from)));
    };
    // Its position names it among the transactions of one node.
    if skip.txn != stopped.to_string() && skip.txn != stopped.lsn.to_string() {
        return Err(Failure::refused(format!(
            "{} is not what is stopped: that is {stopped}",
            skip.txn
        )));
    }
    if !skip.confirm {
        return Err(
            Failure::refused(format!("skipping {stopped} leaves this node without its changes"))
                .hint("say --confirm; synapse.skipped keeps them"),
        );
    }
    Ok(stopped)
}

/// The transaction of `from` that cannot be applied.
fn stopped(shared: &Shared, from: NodeId) -> Option<TxnId> {
    shared
        .peers()
        .get(&from)
        .and_then(|peer| peer.stop.as_ref().map(|stop| stop.txn))
}

/// Resolves when `txn` stands in nobody's way any more.
async fn passed(shared: &Shared, txn: TxnId) {
    let mut stirred = shared.stirred.subscribe();
    loop {
        stirred.borrow_and_update();
        if stopped(shared, txn.origin.node) != Some(txn) || stirred.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
