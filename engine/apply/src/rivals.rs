//! Rows that stand and exclude displaced ones: `synapse.rivals`.

use postgres_types::{ToSql, Type};
use synapse_engine_identity::{Hlc, KeyHash, Origin};
use synapse_engine_plan::Table;

use crate::displaced::{Which, hlc, key_hash, origin, wanted};
use crate::error::{Error, Result};
use crate::transaction::Transaction;

/// A row that stands and excludes a displaced one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Which row of the table.
    pub row: KeyHash,
    /// Whose its latest known write was when that was last looked at.
    pub origin: Origin,
    /// The time of that write.
    pub hlc: Hlc,
}

const RIVALS_SQL: &str = "SELECT row_id, origin, hlc FROM synapse.rivals \
    WHERE table_schema = $1 AND table_name = $2 AND ($3 OR row_id = ANY ($4)) ORDER BY row_id FOR UPDATE";
const PUT_RIVALS_SQL: &str = "INSERT INTO synapse.rivals AS r (table_schema, table_name, row_id, origin, hlc) \
    SELECT $1, $2, u.row_id, u.origin, u.hlc::bigint FROM unnest($3, $4, $5) AS u(row_id, origin, hlc) \
    ON CONFLICT (table_schema, table_name, row_id) DO UPDATE SET origin = excluded.origin, hlc = excluded.hlc";

impl Transaction<'_> {
    /// Reads rivals of displaced rows of a table in the order of their `row_id`, and locks what is known of them.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or what the server says.
    pub async fn rivals(&mut self, table: &Table, which: Which<'_>) -> Result<Vec<Rival>> {
        let (all, rows) = wanted(which);
        let client = self.enter().await?;
        let doing = || Error::doing("read rivals of displaced rows");
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&all, Type::BOOL),
            (&rows, Type::BYTEA_ARRAY),
        ];
        let mut rivals = Vec::new();
        for row in client.query_typed(RIVALS_SQL, &parameters).await.map_err(doing())? {
            rivals.push(Rival {
                row: key_hash(row.try_get(0).map_err(doing())?)?,
                origin: origin(row.try_get(1).map_err(doing())?)?,
                hlc: hlc(row.try_get(2).map_err(doing())?)?,
            });
        }
        self.leave();
        Ok(rivals)
    }

    /// Notes rivals of displaced rows, or what is known of them now.
    ///
    /// # Errors
    /// What the server says.
    pub async fn put_rivals(&mut self, table: &Table, rivals: &[Rival]) -> Result<()> {
        let client = self.enter().await?;
        let rows: Vec<&[u8]> = rivals.iter().map(|rival| &rival.row.0[..]).collect();
        let origins: Vec<String> = rivals.iter().map(|rival| rival.origin.to_string()).collect();
        let times: Vec<String> = rivals.iter().map(|rival| rival.hlc.to_string()).collect();
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&rows, Type::BYTEA_ARRAY),
            (&origins, Type::TEXT_ARRAY),
            (&times, Type::TEXT_ARRAY),
        ];
        let put = client.execute_typed(PUT_RIVALS_SQL, &parameters).await;
        put.map_err(Error::doing("note rivals of displaced rows"))?;
        self.leave();
        Ok(())
    }

    /// Takes rows out of `synapse.rivals`. Answers how many there were.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove_rivals(&mut self, table: &Table, rows: &[KeyHash]) -> Result<u64> {
        self.remove("synapse.rivals", table, rows).await
    }
}
