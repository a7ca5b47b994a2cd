//! Whether a function keeps the laws that a `custom` policy rests on: tried on rows of the table, and on rows made from
//! them. What is not found is not proved.

mod cases;
mod example;
mod laws;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use synapse_engine_replication::{InvalidPolicy, Policy};
use tokio::time::Instant;
use tokio_postgres::IsolationLevel;

use crate::answer::catalog;
use crate::error::Error;
use crate::policies::{of_function, of_table};
use crate::shared::Shared;
use crate::sql;
use crate::wait::nodes;
pub(crate) use example::Counterexample;
use laws::{LAWS, Trial};
use rows::Shape;

/// How long cases are tried; those that are left are not. A person waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// What one statement may take, with a few dozen calls.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '5s'";

/// What was tried, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    table: String,
    function: String,
    /// Rows of the table that others were made from.
    rows: usize,
    /// Whether no law was broken.
    holds: bool,
    /// Whether all was tried that was meant to be: the time was enough.
    complete: bool,
    laws: Vec<Outcome>,
}

/// What came of one law.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) law: &'static str,
    /// In how many cases it was looked at.
    pub(crate) tried: usize,
    pub(crate) holds: bool,
    /// The first case that broke it.
    pub(crate) counterexample: Option<Counterexample>,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The name is no function's.
    #[error(transparent)]
    Invalid(#[from] InvalidPolicy),
    /// There is no such table, or it takes no part.
    #[error("there is no replicated table {schema}.{table}")]
    Unknown {
        /// Its schema.
        schema: String,
        /// Its name.
        table: String,
    },
    /// Function or table cannot be those of a policy.
    #[error("{}", .0.join("; "))]
    Problems(Vec<String>),
    /// The server cannot be asked, or did not answer in time.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<tokio_postgres::Error> for CheckError {
    fn from(error: tokio_postgres::Error) -> Self {
        CheckError::Failed(error.into())
    }
}

/// Tries `function` on rows of a table. Nothing is written: all of it is in a read-only transaction that is rolled back.
pub(crate) async fn check(
    shared: &Arc<Shared>,
    schema: &str,
    table: &str,
    function: &str,
) -> Result<Checked, CheckError> {
    let policy: Policy = format!("custom({function})").parse()?;
    let catalog = catalog(shared).await?;
    let unknown = || CheckError::Unknown {
        schema: schema.to_owned(),
        table: table.to_owned(),
    };
    let found = catalog.find(schema, table).ok_or_else(unknown)?;
    let mut client = sql::connect(shared, "conflict check").await?;
    let mut problems = of_table(found, &policy);
    problems.extend(of_function(&client, function).await?);
    if !problems.is_empty() {
        return Err(CheckError::Problems(problems));
    }
    let transaction = client
        .build_transaction()
        .read_only(true)
        .isolation_level(IsolationLevel::RepeatableRead)
        .start();
    let mut transaction = transaction.await?;
    transaction.batch_execute(STATEMENT_TIMEOUT).await?;
    let shape = Shape::read(&transaction, found).await?;
    let sampled = rows::sample(&transaction, &shape).await?;
    let values = rows::values(&mut transaction, &shape).await?;
    let families = cases::families(&sampled, &values, shape.key());
    let families = rows::permitted(&mut transaction, &shape, families).await?;
    let names: Vec<String> = nodes(shared).iter().map(ToString::to_string).collect();
    let stamps = rows::stamps(&transaction, &names).await?;
    let mut trial = Trial::new(&shape, function, stamps, Instant::now() + PATIENCE);
    for law in LAWS {
        trial.run(&mut transaction, law, &families).await?;
    }
    transaction.rollback().await?;
    let complete = trial.complete();
    let laws = trial.outcomes();
    Ok(Checked {
        table: format!("{schema}.{table}"),
        function: function.to_owned(),
        rows: sampled.len(),
        holds: laws.iter().all(|outcome| outcome.holds),
        complete,
        laws,
    })
}
