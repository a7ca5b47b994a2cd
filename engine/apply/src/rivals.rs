//! Who stands in the way of displaced rows: `synapse.rivals`.

use postgres_types::{ToSql, Type};
use synapse_engine_identity::{Hlc, KeyHash, Origin};
use synapse_engine_plan::Table;

use crate::displaced::{Which, hlc, json, key_hash, origin, wanted};
use crate::error::{Error, Result};
use crate::texts::Texts;
use crate::transaction::Transaction;

/// A row that stands and excludes a displaced one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// The displaced row.
    pub row: KeyHash,
    /// The text of its key, in the order of `Table::key`.
    pub row_key: Texts,
    /// The row in its way.
    pub rival: KeyHash,
    /// The text of that one's key.
    pub rival_key: Texts,
    /// Whose the latest known write of the row in the way was when that was last looked at.
    pub origin: Origin,
    /// The time of that write.
    pub hlc: Hlc,
}

const RIVALS_SQL: &str = "SELECT row_id, rival_id, origin, hlc, ARRAY(SELECT jsonb_array_elements_text(row_key)), \
    ARRAY(SELECT jsonb_array_elements_text(rival_key)) \
    FROM synapse.rivals \
    WHERE table_schema = $1 AND table_name = $2 AND (row_id = ANY ($3) OR rival_id = ANY ($3)) \
    ORDER BY row_id, rival_id FOR UPDATE";
const PUT_RIVALS_SQL: &str = "INSERT INTO synapse.rivals (table_schema, table_name, row_id, rival_id, row_key, rival_key, origin, hlc) \
    SELECT $1, $2, u.row_id, u.rival_id, u.row_key::jsonb, u.rival_key::jsonb, u.origin, u.hlc::bigint \
    FROM unnest($3, $4, $5, $6, $7, $8) AS u(row_id, rival_id, row_key, rival_key, origin, hlc) \
    ON CONFLICT (table_schema, table_name, row_id, rival_id) DO UPDATE SET origin = excluded.origin, hlc = excluded.hlc";
const REMOVE_RIVALS_SQL: &str = "DELETE FROM synapse.rivals AS r USING unnest($3, $4) AS u(row_id, rival_id) \
    WHERE r.table_schema = $1 AND r.table_name = $2 AND r.row_id = u.row_id AND r.rival_id = u.rival_id";

impl Transaction<'_> {
    /// Reads who stands in the way of `rows` of a table, and in whose way they stand, and locks what is known of that.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or what the server says.
    pub async fn rivals(&mut self, table: &Table, rows: &[KeyHash]) -> Result<Vec<Rival>> {
        let (_, rows) = wanted(Which::Rows(rows));
        let client = self.enter().await?;
        let doing = || Error::doing("read rivals of displaced rows");
        let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&rows, Type::BYTEA_ARRAY),
        ];
        let mut rivals = Vec::new();
        for row in client.query_typed(RIVALS_SQL, &parameters).await.map_err(doing())? {
            let key = |at: usize| {
                let texts: Vec<String> = row.try_get(at).map_err(doing())?;
                Ok(texts.into_iter().map(|text| Some(text.into_bytes())).collect::<Texts>())
            };
            rivals.push(Rival {
                row: key_hash(row.try_get(0).map_err(doing())?)?,
                rival: key_hash(row.try_get(1).map_err(doing())?)?,
                row_key: key(4)?,
                rival_key: key(5)?,
                origin: origin(row.try_get(2).map_err(doing())?)?,
                hlc: hlc(row.try_get(3).map_err(doing())?)?,
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
        let others: Vec<&[u8]> = rivals.iter().map(|rival| &rival.rival.0[..]).collect();
        let origins: Vec<String> = rivals.iter().map(|rival| rival.origin.to_string()).collect();
        let times: Vec<String> = rivals.iter().map(|rival| rival.hlc.to_string()).collect();
        let row_keys: Vec<String> = rivals.iter().map(|rival| json(&rival.row_key).to_string()).collect();
        let rival_keys: Vec<String> = rivals.iter().map(|rival| json(&rival.rival_key).to_string()).collect();
        let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&rows, Type::BYTEA_ARRAY),
            (&others, Type::BYTEA_ARRAY),
            (&row_keys, Type::TEXT_ARRAY),
            (&rival_keys, Type::TEXT_ARRAY),
            (&origins, Type::TEXT_ARRAY),
            (&times, Type::TEXT_ARRAY),
        ];
        let put = client.execute_typed(PUT_RIVALS_SQL, &parameters).await;
        put.map_err(Error::doing("note rivals of displaced rows"))?;
        self.leave();
        Ok(())
    }

    /// Takes pairs out of `synapse.rivals`, the displaced row first. Answers how many there were.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove_rivals(&mut self, table: &Table, pairs: &[(KeyHash, KeyHash)]) -> Result<u64> {
        let rows: Vec<&[u8]> = pairs.iter().map(|(row, _)| &row.0[..]).collect();
        let others: Vec<&[u8]> = pairs.iter().map(|(_, rival)| &rival.0[..]).collect();
        let client = self.enter().await?;
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&rows, Type::BYTEA_ARRAY),
            (&others, Type::BYTEA_ARRAY),
        ];
        let removed = client.execute_typed(REMOVE_RIVALS_SQL, &parameters).await;
        let removed = removed.map_err(Error::doing("forget rivals of displaced rows"))?;
        self.leave();
        Ok(removed)
    }
}
