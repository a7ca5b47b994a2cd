//! What the log holds, in numbers.

use serde::Serialize;

use super::list::{Filter, connect, is_table, parameters, text};
use crate::error::Error;
use crate::shared::Shared;

/// Conflicts in the log that are alike.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) table: String,
    pub(crate) kind: String,
    pub(crate) policy: String,
    pub(crate) verdict: String,
    pub(crate) count: i64,
    /// When the first and the last of them were decided.
    pub(crate) first: String,
    pub(crate) last: String,
}

const STATS: &str = "SELECT textsend(table_name), kind, policy, verdict, count(*), \
     min(resolved_at)::text, max(resolved_at)::text FROM synapse.conflict_log \
     WHERE ($1 IS NULL OR table_name = $1) AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR policy = $3) \
     AND ($4 IS NULL OR verdict = $4) AND ($5 IS NULL OR resolved_at >= $5) \
     GROUP BY table_name, kind, policy, verdict ORDER BY count(*) DESC, table_name, kind, policy, verdict";

/// Counts conflicts in the log. `None`: there is no such table, and never was one in the log.
///
/// # Errors
/// When the server cannot be reached, or the answer takes too long.
pub(crate) async fn stats(shared: &Shared, filter: &Filter) -> Result<Option<Vec<Group>>, Error> {
    let client = connect(shared).await?;
    let rows = client.query_typed(STATS, &parameters(filter)).await?;
    if rows.is_empty() && !is_table(shared, &client, filter).await? {
        return Ok(None);
    }
    let mut groups = Vec::with_capacity(rows.len());
    for row in &rows {
        groups.push(Group {
            table: text(row, 0)?,
            kind: row.try_get(1)?,
            policy: row.try_get(2)?,
            verdict: row.try_get(3)?,
            count: row.try_get(4)?,
            first: row.try_get(5)?,
            last: row.try_get(6)?,
        });
    }
    Ok(Some(groups))
}
