//! Whether there are rows.

use synapse_engine_setup::Pattern;
use tokio_postgres::Client;

use crate::error::Error;
use crate::shared::Shared;

/// Whether no replicated table of the catalogue that was read last holds a row.
pub(crate) async fn is_empty(shared: &Shared, client: &Client) -> Result<bool, Error> {
    for table in &shared.directory().catalog.tables {
        let sql = format!("SELECT EXISTS (SELECT FROM ONLY {})", name(&table.schema, &table.name));
        let holds: bool = client.query_one(&sql, &[]).await?.try_get(0)?;
        if holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many replicated tables hold rows, and how many rows.
pub(crate) async fn count_rows(shared: &Shared, client: &Client) -> Result<(usize, u64), Error> {
    let (mut tables, mut rows) = (0, 0_u64);
    for table in &shared.directory().catalog.tables {
        let sql = format!("SELECT count(*) FROM ONLY {}", name(&table.schema, &table.name));
        let count: i64 = client.query_one(&sql, &[]).await?.try_get(0)?;
        if count > 0 {
            tables += 1;
            rows = rows.saturating_add(count.unsigned_abs());
        }
    }
    Ok((tables, rows))
}

/// A table's name for SQL.
pub(super) fn name(schema: &str, table: &str) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quoted(schema), quoted(table))
}

/// The configured exclusions.
pub(crate) fn exclusions(shared: &Shared) -> Vec<Pattern> {
    let patterns = shared.config.replication.exclude.iter();
    let parse = |p: &String| p.parse().expect("the configuration was checked when it was read");
    patterns.map(parse).collect()
}
