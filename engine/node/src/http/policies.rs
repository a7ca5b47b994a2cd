//! Conflict policies: set.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};

use super::Api;
use super::failure::Failure;
use crate::policies::foreign_keys;
use crate::policies::set::{SetError, set};
use crate::wait;

/// How long it is waited for that the policy is in force on every node; it comes there anyway.
const EVERYWHERE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPolicy {
    table: String,
    policy: Option<String>,
    foreign_keys: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct PolicySet {
    table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    foreign_keys: Option<String>,
    epoch: u32,
    /// Whether every node has applied it.
    everywhere: bool,
}

/// Sets the conflict policy of a table, or the rule for its foreign keys, on all nodes.
pub(crate) async fn set_policy(
    State(api): State<Arc<Api>>,
    body: Result<Json<SetPolicy>, JsonRejection>,
) -> Result<Json<PolicySet>, Failure> {
    let Json(SetPolicy {
        table,
        policy,
        foreign_keys,
    }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let (schema, name) = table.split_once('.').unwrap_or(("public", &table));
    let epoch = match (&policy, &foreign_keys) {
        (Some(policy), None) => set(&api.shared, schema, name, policy).await?,
        (None, Some(rule)) => foreign_keys::set(&api.shared, schema, name, rule).await?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Failure::usage("expected one of policy and foreign_keys"));
        }
    };
    let waited = wait::wait(&api.shared, EVERYWHERE_PATIENCE).await;
    Ok(Json(PolicySet {
        table: format!("{schema}.{name}"),
        policy,
        foreign_keys,
        epoch: epoch.0,
        everywhere: waited.done,
    }))
}

impl From<SetError> for Failure {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Invalid(error) => Failure::usage(error),
            SetError::Rule(error) => Failure::usage(error),
            SetError::Missing { .. } => Failure::refused(error).hint("`synapsectl status` shows who is missing"),
            SetError::Problems(_) => Failure::refused(error).hint("nothing has changed, on no node"),
            SetError::Ask(error) => error.into(),
            SetError::Failed(error) => error.into(),
        }
    }
}
