//! Questions.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use synapse_engine_setup::{ReplicaIdentity, SCHEMA};

use super::Api;
use super::failure::Failure;
use crate::status::{self, Status};
use crate::{answer, policies, wait};

/// How long `wait` waits when it is not told.
const WAIT_DEFAULT_MS: u64 = 60_000;
/// And at most.
const WAIT_MAX_MS: u64 = 24 * 3_600_000;

pub(crate) async fn healthz() -> &'static str {
    "alive\n"
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<String>,
}

pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> Response {
    let reasons = status::not_ready(&api.shared);
    let ready = reasons.is_empty();
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(Ready { ready, reasons })).into_response()
}

pub(crate) async fn status(State(api): State<Arc<Api>>) -> Json<Status> {
    Json(built(api).await)
}

/// The status; it may read a block of a journal, so not where the links' work is done.
pub(crate) async fn built(api: Arc<Api>) -> Status {
    api.slot.refresh().await;
    let build = tokio::task::spawn_blocking(move || status::status(&api.shared, &api.slot));
    build
        .await
        .expect("building a status does not panic and is not aborted")
}

#[derive(Serialize)]
pub(crate) struct TableStatus {
    table: String,
    replicated: bool,
    key: Vec<String>,
    /// How conflicts are decided; none where rows have no key.
    policy: Option<String>,
    /// What becomes of rows that are left without what they refer to; none where the table has no foreign keys.
    foreign_keys: Option<String>,
    /// Why it is not replicated, or what replication promises less of it.
    note: Option<String>,
}

pub(crate) async fn tables(State(api): State<Arc<Api>>) -> Result<Json<Vec<TableStatus>>, Failure> {
    let catalog = answer::catalog(&api.shared).await?;
    let rules = policies::foreign_keys::rules(&api.shared).await?;
    let tables = catalog.tables.iter().filter(|table| table.schema != SCHEMA);
    let replicated = tables.map(|table| {
        let key = table.key().map_or_else(Vec::new, |key| key.columns.clone());
        let note = match (key.is_empty(), table.replica_identity) {
            (_, ReplicaIdentity::Nothing) => {
                Some("replica identity nothing: UPDATE and DELETE are refused by PostgreSQL")
            }
            (true, ReplicaIdentity::Default | ReplicaIdentity::Full | ReplicaIdentity::Index) => {
                Some("no key: nodes are sure to converge for INSERT and TRUNCATE only")
            }
            (false, ReplicaIdentity::Default | ReplicaIdentity::Full | ReplicaIdentity::Index) => None,
        };
        let policy = (!key.is_empty()).then(|| policies::in_force(&api.shared, &table.schema, &table.name));
        let rule = rules.get(&(table.schema.clone(), table.name.clone()));
        let table = format!("{}.{}", table.schema, table.name);
        TableStatus {
            table,
            replicated: true,
            key,
            policy: policy.flatten().map(|policy| policy.to_string()),
            foreign_keys: rule.map(ToString::to_string),
            note: note.map(str::to_owned),
        }
    });
    let left_out = catalog.why_not_replicated.iter().map(|left| TableStatus {
        table: format!("{}.{}", left.schema, left.name),
        replicated: false,
        key: Vec::new(),
        policy: None,
        foreign_keys: None,
        note: Some(left.reason.to_string()),
    });
    let mut tables: Vec<TableStatus> = replicated.chain(left_out).collect();
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(Json(tables))
}

#[derive(Deserialize)]
pub(crate) struct WaitQuery {
    timeout_ms: Option<u64>,
}

pub(crate) async fn wait(
    State(api): State<Arc<Api>>,
    query: Result<Query<WaitQuery>, QueryRejection>,
) -> Result<Json<wait::Waited>, Failure> {
    let Query(query) = query.map_err(Failure::usage)?;
    let timeout_ms = query.timeout_ms.unwrap_or(WAIT_DEFAULT_MS);
    if timeout_ms > WAIT_MAX_MS {
        return Err(Failure::usage(format!("timeout_ms: expected at most {WAIT_MAX_MS}")));
    }
    Ok(Json(wait::wait(&api.shared, Duration::from_millis(timeout_ms)).await))
}
