//! A node that is to be copied from another: the first time, or in place of what it holds.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use synapse_engine_identity::NodeId;

use super::Api;
use super::failure::Failure;
use crate::join::{count_rows, replace};
use crate::shared::Shared;
use crate::sql;
use crate::state::Join;

/// How long rows are counted that would be lost.
const COUNT_MAX: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    from: NodeId,
    #[serde(default)]
    replace_local: bool,
    #[serde(default)]
    confirm: bool,
}

#[derive(Serialize)]
pub(crate) struct Joining {
    from: NodeId,
    replaced: bool,
}

/// Has this node copied from another.
pub(crate) async fn join(
    State(api): State<Arc<Api>>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Joining>, Failure> {
    let Json(wanted) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let (shared, from) = (&api.shared, wanted.from);
    let me = shared.me.node;
    if from == me {
        return Err(Failure::usage(format!("{me} cannot be copied from itself")));
    }
    let all_known = shared.peers().len() >= shared.config.cluster.join.len();
    if all_known && !shared.peers().contains_key(&from) {
        return Err(Failure::unknown(format!("{from} is not known to {me}")));
    }
    if wanted.replace_local {
        if !wanted.confirm {
            return Err(Failure::refused(loss(shared).await).hint("say --confirm"));
        }
        replace(shared, from)?;
        // The daemon starts again, and does it then.
        shared.shutdown.cancel();
        return Ok(Json(Joining { from, replaced: true }));
    }
    let Join::New { .. } = shared.state().join else {
        return Err(Failure::refused(format!("{me} has begun already"))
            .hint("say --replace-local to have its rows replaced by those of the other node"));
    };
    shared.change_state(|state| {
        if let Join::New { from: wanted, .. } = &mut state.join {
            *wanted = Some(from);
        }
    })?;
    Ok(Json(Joining { from, replaced: false }))
}

/// What would be lost, in words.
async fn loss(shared: &Shared) -> String {
    let me = shared.me.node;
    let counted = async {
        let client = sql::connect(shared, "join").await?;
        count_rows(shared, &client).await
    };
    match tokio::time::timeout(COUNT_MAX, counted).await {
        Ok(Ok((tables, rows))) => {
            format!("{me} would lose {rows} rows in {tables} tables, and what it has not sent to its peers")
        }
        Ok(Err(_)) | Err(_) => {
            format!("{me} would lose all rows of its replicated tables, and what it has not sent to its peers")
        }
    }
}
