//! One row's values, for a peer that lacks them.

use synapse_engine_apply::{Texts, await_visible, displaced_texts, in_progress, row_texts};
use synapse_engine_change::Value;

use crate::error::Error;
use crate::shared::{Shared, lock};
use crate::sql;

/// A message that is none of the applier's, in a commit that waits for the flush: then all is flushed that was read. What a
/// crash could take back must not stand at a peer under another transaction's stamp.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'synapse.flush', '')";

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
    let mut texts = row_texts(&client, table, &row, &wanted).await?;
    if texts.is_none() {
        // It is asked because of an update that was read here, and that may not be visible yet.
        let now = in_progress(&client).await?;
        let late = shared
            .kernel()
            .map(|kernel| lock(&kernel).late(&now))
            .unwrap_or_default();
        if !await_visible(&client, &late).await? {
            return Err(Error::Refused("a committed transaction is not visible yet".to_owned()));
        }
        texts = row_texts(&client, table, &row, &wanted).await?;
    }
    if texts.is_none() {
        texts = displaced_texts(&client, table, &row, &wanted).await?;
    }
    client.batch_execute(FLUSH).await?;
    Ok(texts)
}
