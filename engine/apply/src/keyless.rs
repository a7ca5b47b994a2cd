//! Changes of tables without a key, one by one.

use std::sync::Arc;

use postgres_types::{ToSql, Type};
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::{KeylessStep, Row, Table};
use synapse_wal_types::Xid;

use crate::array::Text;
use crate::error::{Error, Result};
use crate::execute::{Executed, carried};
use crate::late;
use crate::render;
use crate::rows::bytes_of;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Changes exactly one row that is equal to the old image, or counts it as missing.
    pub(crate) async fn keyless(
        &mut self,
        table: &Arc<Table>,
        step: &KeylessStep<'_>,
        executed: &mut Executed,
    ) -> Result<()> {
        let (sql, values) = match step {
            KeylessStep::Delete { old } => {
                let columns = carried(old);
                (render::keyless_delete(table, &columns), texts(table, &columns, old)?)
            }
            KeylessStep::Update { old, new } => {
                let (before, mut after) = (carried(old), carried(new));
                after.retain(|id| !table.at(*id).identity_always);
                if after.is_empty() {
                    return Ok(());
                }
                let mut values = texts(table, &before, old)?;
                values.extend(texts(table, &after, new)?);
                (render::keyless_update(table, &before, &after), values)
            }
        };
        if self.change_one(&sql, &values).await? {
            return Ok(());
        }
        // A row that another session has just changed is locked in its new version, which the statement's snapshot does
        // not show yet, and one that a transaction inserted may not be visible though its commit has been read and sent:
        // another statement sees them. If the wait for that is too long the row counts as missing, as ever without a key.
        let now = late::in_progress(&self.session.client).await?;
        let late: Vec<Xid> = now.iter().filter(|t| t.committed).map(|t| t.xid).collect();
        late::await_visible(&self.session.client, &late).await?;
        if self.change_one(&sql, &values).await? {
            return Ok(());
        }
        let missing = match step {
            KeylessStep::Delete { .. } => &mut executed.delete_missing,
            KeylessStep::Update { .. } => &mut executed.update_missing,
        };
        *missing.entry(table.id).or_default() += 1;
        Ok(())
    }

    async fn change_one(&self, sql: &str, values: &[Text<'_>]) -> Result<bool> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = values
            .iter()
            .map(|value| (value as &(dyn ToSql + Sync), Type::TEXT))
            .collect();
        let changed = self.session.client.execute_typed(sql, &parameters).await;
        Ok(changed.map_err(Error::doing("change a row of a table without a key"))? > 0)
    }
}

fn texts<'a>(table: &Table, columns: &[ColumnId], row: &Row<'a>) -> Result<Vec<Text<'a>>> {
    columns.iter().map(|id| bytes_of(table, *id, row).map(Text)).collect()
}
