//! Conflict policies: set.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;

use super::Api;
use super::failure::Failure;
use crate::policies::PolicyChange;
use crate::policies::set::{SetError, Wanted, set_and_wait};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPolicy {
    table: String,
    policy: Option<String>,
    foreign_keys: Option<String>,
}

/// Sets the conflict policy of a table, or the rule for its foreign keys, on all nodes.
pub(crate) async fn set_policy(
    State(api): State<Arc<Api>>,
    body: Result<Json<SetPolicy>, JsonRejection>,
) -> Result<Json<PolicyChange>, Failure> {
    let Json(SetPolicy {
        table,
        policy,
        foreign_keys,
    }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let (schema, name) = table.split_once('.').unwrap_or(("public", &table));
    let wanted = match (policy, foreign_keys) {
        (Some(policy), None) => Wanted::Policy(policy),
        (None, Some(rule)) => Wanted::ForeignKeys(rule),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Failure::usage("expected one of policy and foreign_keys"));
        }
    };
    Ok(Json(set_and_wait(&api.shared, schema, name, wanted).await?))
}

impl From<SetError> for Failure {
    fn from(error: SetError) -> Self {
        let hint = error.hint().map(str::to_owned);
        let failure = match error {
            SetError::Invalid(error) => Failure::usage(error),
            SetError::Rule(error) => Failure::usage(error),
            SetError::Missing { .. } | SetError::Problems { .. } | SetError::Refused { .. } => Failure::refused(error),
            SetError::Ask(error) => return error.into(),
            SetError::Failed(error) => error.into(),
        };
        match hint {
            Some(hint) => failure.hint(&hint),
            None => failure,
        }
    }
}
