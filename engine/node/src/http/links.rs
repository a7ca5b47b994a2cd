//! Links: held and resumed by the node that sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use synapse_engine_identity::NodeId;

use super::Api;
use super::failure::Failure;
use crate::answer::ask_one;
use crate::frames::Request;
use crate::shared::Shared;

/// What `from` sends to `to`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Direction {
    /// This node when it is not said.
    from: Option<NodeId>,
    to: NodeId,
}

#[derive(Serialize)]
pub(crate) struct Link {
    from: NodeId,
    to: NodeId,
    held: bool,
}

pub(crate) async fn hold(
    State(api): State<Arc<Api>>,
    body: Result<Json<Direction>, JsonRejection>,
) -> Result<Json<Link>, Failure> {
    let (from, to) = direction(&api.shared, body)?;
    ask_one(&api.shared, from, Request::Hold { to }).await?;
    Ok(Json(Link { from, to, held: true }))
}

pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    body: Result<Json<Direction>, JsonRejection>,
) -> Result<Json<Link>, Failure> {
    let (from, to) = direction(&api.shared, body)?;
    ask_one(&api.shared, from, Request::Resume { to }).await?;
    Ok(Json(Link { from, to, held: false }))
}

fn direction(shared: &Shared, body: Result<Json<Direction>, JsonRejection>) -> Result<(NodeId, NodeId), Failure> {
    let Json(Direction { from, to }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let me = shared.me.node;
    let from = from.unwrap_or(me);
    if from == to {
        return Err(Failure::usage(format!("{to} sends nothing to itself")));
    }
    let peers = shared.peers();
    // A peer that has never been heard cannot be told from a mistake only as long as one is missing.
    let all_known = peers.len() >= shared.config.cluster.join.len();
    for node in [from, to] {
        if node != me && !peers.contains_key(&node) && (all_known || node == from) {
            return Err(Failure::unknown(format!("{node} is not known to {me}")));
        }
    }
    Ok((from, to))
}
