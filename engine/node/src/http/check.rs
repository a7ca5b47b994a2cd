//! `POST /v1/conflicts/check`: a conflict function, tried. It asks for the token, because a function may do anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use tokio_postgres::error::SqlState;

use super::Api;
use super::conflicts::named;
use super::failure::Failure;
use crate::conflicts::{self, CheckError, Checked};
use crate::error::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    table: String,
    function: String,
}

/// Tries a function on rows of a table.
pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    body: Result<Json<Check>, JsonRejection>,
) -> Result<Json<Checked>, Failure> {
    let Json(Check { table, function }) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let (schema, name) = named(&api.shared, &table)?.unwrap_or_else(|| match table.split_once('.') {
        Some((schema, name)) => (schema.to_owned(), name.to_owned()),
        None => ("public".to_owned(), table.clone()),
    });
    Ok(Json(conflicts::check(&api.shared, &schema, &name, &function).await?))
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Invalid(error) => Failure::usage(error),
            CheckError::Unknown { .. } => Failure::unknown(error).hint("`synapsectl table list` names the tables"),
            CheckError::Problems(_) => Failure::refused(error),
            CheckError::Failed(Error::Sql(sql)) if sql.code() == Some(&SqlState::QUERY_CANCELED) => {
                Failure::timed_out("the server took more than 5 s for one statement of a few dozen calls")
                    .hint("a conflict function is called while rows are locked: make it faster")
            }
            CheckError::Failed(error) => error.into(),
        }
    }
}
