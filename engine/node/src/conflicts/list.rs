//! Conflicts read back from the log.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::error::Error;
use crate::shared::Shared;
use crate::sql;

/// A question of a person takes no longer than that of the server, in milliseconds: a table that is rare in a log of a
/// million rows is looked for in all of them.
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '20s'";

/// Which conflicts are asked for. The statements that take it have it as `$1` to `$5`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// `schema.table`.
    pub(crate) table: Option<String>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) policy: Option<String>,
    pub(crate) verdict: Option<&'static str>,
    pub(crate) since: Option<SystemTime>,
}

/// Which of them are shown: the latest below a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: i64,
    pub(crate) before: Option<i64>,
}

/// Conflicts, the latest first.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    pub(crate) conflicts: Vec<Box<RawValue>>,
    /// What to ask for `before` to see more; null when there are none.
    pub(crate) next_before: Option<i64>,
}

/// `textsend` gives the bytes as they are: a database without an encoding may hold any.
const LIST: &str = "SELECT id, textsend(json_build_object('id', id, 'table', table_name, 'key', key, 'kind', kind, \
     'policy', policy, 'local', local, 'remote', remote, 'local_stamp', local_stamp, 'remote_stamp', remote_stamp, \
     'verdict', verdict, 'resolved_at', resolved_at::text)::text) FROM synapse.conflict_log \
     WHERE ($1 IS NULL OR table_name = $1) AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR policy = $3) \
     AND ($4 IS NULL OR verdict = $4) AND ($5 IS NULL OR resolved_at >= $5) AND ($6 IS NULL OR id < $6) \
     ORDER BY id DESC LIMIT $7";
const OF_TABLE: &str = "SELECT EXISTS (SELECT FROM synapse.conflict_log WHERE table_name = $1)";

/// A session for questions.
pub(super) async fn connect(shared: &Shared) -> Result<Client, Error> {
    let client = sql::connect(shared, "conflicts").await?;
    client.batch_execute(STATEMENT_TIMEOUT).await?;
    Ok(client)
}

/// The parameters of a filter.
pub(super) fn parameters(filter: &Filter) -> [(&(dyn ToSql + Sync), Type); 5] {
    [
        (&filter.table, Type::TEXT),
        (&filter.kind, Type::TEXT),
        (&filter.policy, Type::TEXT),
        (&filter.verdict, Type::TEXT),
        (&filter.since, Type::TIMESTAMPTZ),
    ]
}

/// The text of a column that `textsend` gave.
pub(super) fn text(row: &Row, at: usize) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(row.try_get(at)?).into_owned())
}

/// Reads conflicts. `None`: there are none of that table, and no table of that name takes part.
///
/// # Errors
/// When the server cannot be reached, or the answer takes too long.
pub(crate) async fn list(shared: &Shared, filter: &Filter, page: Page) -> Result<Option<Listed>, Error> {
    let client = connect(shared).await?;
    let mut all = parameters(filter).to_vec();
    // One more than is shown tells whether there are more.
    let limit = page.limit + 1;
    all.extend([(&page.before as &(dyn ToSql + Sync), Type::INT8), (&limit, Type::INT8)]);
    let mut rows = client.query_typed(LIST, &all).await?;
    if rows.is_empty() && !is_table(shared, &client, filter).await? {
        return Ok(None);
    }
    let shown = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let last = rows.last().map(|row| row.try_get(0)).transpose()?;
    let mut conflicts = Vec::with_capacity(rows.len());
    for row in &rows {
        conflicts.push(RawValue::from_string(text(row, 1)?).expect("PostgreSQL writes JSON"));
    }
    Ok(Some(Listed {
        conflicts,
        next_before: last.filter(|_| more),
    }))
}

/// Whether the filter's table takes part, or did once.
pub(super) async fn is_table(shared: &Shared, client: &Client, filter: &Filter) -> Result<bool, Error> {
    let Some(name) = &filter.table else { return Ok(true) };
    if !shared.directory().named(name).is_empty() {
        return Ok(true);
    }
    let rows = client.query_typed(OF_TABLE, &[(name, Type::TEXT)]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}
