//! Rows cut into statements, and their values as parameters.

use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt;
use postgres_types::ToSql;
use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId};
use synapse_engine_plan::{Row, Table};
use tokio_postgres::{Client, Statement};

use crate::array::TextArray;
use crate::error::{Error, Result};
use crate::transaction::Guard;

/// Rows of one statement at most: beyond it nothing gets cheaper.
const CHUNK_ROWS_MAX: usize = 5_000;
/// Bytes of values in one statement, unless a single row has more.
const CHUNK_BYTES_MAX: usize = 4 << 20;

/// The bytes of a value that is written.
pub(crate) fn bytes_of<'a>(table: &Table, column: ColumnId, row: &Row<'a>) -> Result<Option<&'a [u8]>> {
    let names = || {
        let column = table.columns.get(usize::from(column.0)).map(|c| c.name.clone());
        (table.schema.clone(), table.name.clone(), column.unwrap_or_default())
    };
    match row.get(usize::from(column.0)).copied().unwrap_or(Value::Unchanged) {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        Value::Binary(_) => {
            let (schema, table, column) = names();
            Err(Error::BinaryValue { schema, table, column })
        }
        Value::Unchanged => {
            let (schema, table, column) = names();
            Err(Error::NoValue { schema, table, column })
        }
    }
}

/// One parameter for each column.
pub(crate) fn arrays<'a>(table: &Table, columns: &[ColumnId], rows: &[(RowId, Row<'a>)]) -> Result<Vec<TextArray<'a>>> {
    let array = |column: &ColumnId| {
        let cells = rows.iter().map(|(_, row)| bytes_of(table, *column, row));
        cells.collect::<Result<Vec<_>>>().map(TextArray)
    };
    columns.iter().map(array).collect()
}

/// Cuts rows into statements.
pub(crate) fn chunks(rows: &[(RowId, Row<'_>)]) -> Vec<Range<usize>> {
    cut(rows.iter().map(|(_, row)| row_bytes(row)))
}

/// The bytes that a row takes in a statement, about.
pub(crate) fn row_bytes(row: &Row<'_>) -> usize {
    row.iter().map(|v| v.flat().1.len() + 8).sum()
}

/// Cuts rows of so many bytes into statements.
pub(crate) fn cut(sizes: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut cut = Vec::new();
    let (mut first, mut bytes, mut end) = (0, 0, 0);
    for (at, more) in sizes.enumerate() {
        if at > first && (at - first >= CHUNK_ROWS_MAX || bytes + more > CHUNK_BYTES_MAX) {
            cut.push(first..at);
            (first, bytes) = (at, 0);
        }
        bytes += more;
        end = at + 1;
    }
    if first < end {
        cut.push(first..end);
    }
    cut
}

/// Runs a statement that answers with numbers of rows: which of the `count` rows sent were answered.
pub(crate) async fn numbers(
    client: Arc<Client>,
    statement: Statement,
    arrays: Vec<TextArray<'_>>,
    guard: Option<Guard>,
    count: usize,
    action: &'static str,
) -> Result<Vec<bool>> {
    let doing = || Error::doing(action);
    let mut parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|a| a as _).collect();
    if let Some(guard) = &guard {
        parameters.push(&*guard.ours);
        parameters.push(&guard.horizon);
    }
    let mut answered = vec![false; count];
    let stream = client.query_raw(&statement, parameters).await.map_err(doing())?;
    let mut stream = std::pin::pin!(stream);
    while let Some(row) = stream.try_next().await.map_err(doing())? {
        let number: i64 = row.try_get(0).map_err(doing())?;
        let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        let place = at.and_then(|at| answered.get_mut(at));
        *place.expect("the server answers with the numbers of the rows sent") = true;
    }
    Ok(answered)
}

/// Runs a statement that answers with a count.
pub(crate) async fn count(
    client: Arc<Client>,
    statement: Statement,
    arrays: Vec<TextArray<'_>>,
    action: &'static str,
) -> Result<u64> {
    let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|a| a as _).collect();
    let executed = client.execute_raw(&statement, parameters).await;
    executed.map_err(Error::doing(action))
}

#[cfg(test)]
mod tests;
