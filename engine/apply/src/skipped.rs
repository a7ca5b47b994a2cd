//! Transactions that are not applied, kept for an operator.

use postgres_types::{ToSql, Type};
use synapse_engine_identity::TxnId;

use crate::error::{Error, Result};
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Notes that `txn` is skipped, and what it would have changed (`changes` is JSON text). With the commit of this
    /// transaction the origin's progress moves past it.
    pub async fn skip(&mut self, txn: TxnId, reason: &str, changes: &str) -> Result<()> {
        let sql = "INSERT INTO synapse.skipped (origin, lsn, reason, changes) \
             VALUES ($1, $2::text::pg_lsn, $3, $4::text::jsonb) ON CONFLICT (origin, lsn) DO NOTHING";
        let client = self.enter().await?;
        let (origin, lsn) = (txn.origin.to_string(), txn.lsn.to_string());
        let values: [&(dyn ToSql + Sync); 4] = [&origin, &lsn, &reason, &changes];
        let parameters: Vec<_> = values.into_iter().map(|value| (value, Type::TEXT)).collect();
        let written = client.execute_typed(sql, &parameters).await;
        written.map_err(Error::doing("note a skipped transaction"))?;
        self.leave();
        Ok(())
    }
}
