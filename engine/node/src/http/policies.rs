//! Conflict policies: set.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};

use super::Api;
use super::failure::Failure;
use crate::policies::set::{SetError, set};
use crate::wait;

/// How long it is waited for that the policy is in force on every node; it comes there anyway.
const EVERYWHERE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPolicy {
    table: String,
    policy: String,
}

#[derive(Serialize)]
pub(crate) struct PolicySet {
    table: String,
    policy: String,
    epoch: u32,
    /// Whether every node has applied it.
    everywhere: bool,
}

/// Sets the conflict policy of a table, on all nodes.
pub(crate) async fn set_policy(
    State(api): State<Arc<Api>>,
    body: Result<Json<SetPolicy>, JsonRejection>,
) -> Result<Json<PolicySet>, Failure> {
    let Json(SetPolicy { table, policy }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let (schema, name) = table.split_once('.').unwrap_or(("public", &table));
    let epoch = set(&api.shared, schema, name, &policy).await?;
    let waited = wait::wait(&api.shared, EVERYWHERE_PATIENCE).await;
    Ok(Json(PolicySet {
        table: format!("{schema}.{name}"),
        policy,
        epoch: epoch.0,
        everywhere: waited.done,
    }))
}

impl From<SetError> for Failure {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Invalid(error) => Failure::usage(error),
            SetError::Missing { .. } => Failure::refused(error).hint("`synapsectl status` shows who is missing"),
            SetError::Problems(_) => Failure::refused(error).hint("nothing has changed, on no node"),
            SetError::Ask(error) => error.into(),
            SetError::Failed(error) => error.into(),
        }
    }
}
