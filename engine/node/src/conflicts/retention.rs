//! What is old, or too much, leaves the log.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Error;
use crate::shared::Shared;
use crate::sql;

/// How often the log is looked at: that takes a look at both ends of an index.
const PERIOD: Duration = Duration::from_secs(10);
/// Rows that go in one statement: it takes milliseconds, so that nothing waits for it.
const DELETED_AT_ONCE: i64 = 1_000;

/// The first rows of the log, as far as they are older than `$1` seconds: numbers grow with time.
const DELETE_OLD: &str = "DELETE FROM synapse.conflict_log WHERE id IN ( \
     SELECT id FROM (SELECT id, resolved_at FROM synapse.conflict_log ORDER BY id LIMIT $2) AS first \
     WHERE resolved_at < now() - $1::float8 * interval '1 second')";
/// At least as many rows as there are: numbers are given once, and not all of them stay.
const AT_MOST: &str = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM synapse.conflict_log";
/// The last row that is one too many.
const TOO_MANY_UP_TO: &str = "SELECT id FROM synapse.conflict_log ORDER BY id DESC OFFSET $1 LIMIT 1";
/// The first rows of the log, up to a number.
const DELETE_UP_TO: &str = "DELETE FROM synapse.conflict_log WHERE id IN ( \
     SELECT id FROM synapse.conflict_log WHERE id <= $1 ORDER BY id LIMIT $2)";

/// Deletes what is not to be kept, until the daemon stops.
///
/// # Errors
/// None: what cannot be deleted now can be later.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut client = None;
    let mut failed = false;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        // The daemon's end does not wait for a statement: what it would have deleted goes after the next start.
        let round = tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            round = round(&shared, &mut client) => round,
        };
        match round {
            Ok(0) => failed = false,
            Ok(rows) => {
                failed = false;
                tracing::debug!(rows, "deleted from synapse.conflict_log");
            }
            Err(error) => {
                client = None;
                // It is tried again every few seconds, and said once.
                if !failed {
                    tracing::warn!(%error, "cannot delete from synapse.conflict_log what is not to be kept; it grows until this succeeds");
                }
                failed = true;
            }
        }
    }
}

/// Answers with the number of rows that went.
async fn round(shared: &Shared, client: &mut Option<Client>) -> Result<u64, Error> {
    let connected = match client.take().filter(|client| !client.is_closed()) {
        Some(connected) => connected,
        None => sql::connect(shared, "conflict log").await?,
    };
    let config = &shared.config.conflicts;
    let rows_max = i64::try_from(config.keep_rows).unwrap_or(i64::MAX);
    let old = delete_old(&connected, config.keep_for).await?;
    let too_many = delete_beyond(&connected, rows_max).await?;
    *client = Some(connected);
    Ok(old + too_many)
}

async fn delete_old(client: &Client, keep_for: Duration) -> Result<u64, Error> {
    let seconds = keep_for.as_secs_f64();
    let mut deleted = 0;
    loop {
        let rows = client
            .execute_typed(DELETE_OLD, &[(&seconds, Type::FLOAT8), (&DELETED_AT_ONCE, Type::INT8)])
            .await?;
        deleted += rows;
        if rows < DELETED_AT_ONCE.unsigned_abs() {
            return Ok(deleted);
        }
    }
}

async fn delete_beyond(client: &Client, rows_max: i64) -> Result<u64, Error> {
    let at_most: i64 = client.query_one(AT_MOST, &[]).await?.try_get(0)?;
    if at_most <= rows_max {
        return Ok(0);
    }
    let Some(row) = client.query_opt(TOO_MANY_UP_TO, &[&rows_max]).await? else {
        return Ok(0);
    };
    let last: i64 = row.try_get(0)?;
    let mut deleted = 0;
    loop {
        let rows = client
            .execute_typed(DELETE_UP_TO, &[(&last, Type::INT8), (&DELETED_AT_ONCE, Type::INT8)])
            .await?;
        deleted += rows;
        if rows < DELETED_AT_ONCE.unsigned_abs() {
            return Ok(deleted);
        }
    }
}
