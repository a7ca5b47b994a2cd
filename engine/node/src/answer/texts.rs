//! One row's values, for a peer that lacks them.

use synapse_engine_apply::{Texts, row_texts};
use synapse_engine_change::Value;

use crate::error::Error;
use crate::shared::Shared;
use crate::sql;

/// Reads `columns` of the row with this key; nothing when there is no such row, table or column here.
pub(super) async fn row(
    shared: &Shared,
    (schema, name): (&str, &str),
    key: &[(String, Vec<u8>)],
    columns: &[String],
) -> Result<Option<Texts>, Error> {
    let directory = shared.directory();
    let Some(table) = directory.get(schema, name) else {
        return Ok(None);
    };
    let mut row = vec![Value::Unchanged; table.columns.len()];
    for (column, text) in key {
        let Some(id) = table.column(column) else {
            return Ok(None);
        };
        row[usize::from(id.0)] = Value::Text(text);
    }
    let Some(wanted) = columns
        .iter()
        .map(|name| table.column(name))
        .collect::<Option<Vec<_>>>()
    else {
        return Ok(None);
    };
    let client = sql::connect(shared, "values").await?;
    Ok(row_texts(&client, table, &row, &wanted).await?)
}
