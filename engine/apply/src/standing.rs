//! What stands in rows that are locked, and rows that a function makes.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use postgres_types::{ToSql, Type};
use synapse_engine_identity::{ColumnId, Hlc, RowId, TxnId};
use synapse_engine_plan::{Batch, Table};

use crate::error::{Error, Result};
use crate::name::{cast_type, quoted, relation};
use crate::render::Op;
use crate::rows::arrays;
use crate::texts::{Raw, Texts};
use crate::transaction::Transaction;

/// One write as a conflict function is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The row that it left: columns, and their text, `None` for NULL.
    pub values: Vec<(ColumnId, Option<Vec<u8>>)>,
    /// Whose it is.
    pub txn: TxnId,
    /// Its time.
    pub hlc: Hlc,
}

impl<'a> Transaction<'_> {
    /// Whether `row` was there when it was locked last.
    #[must_use]
    pub fn is_there(&self, row: RowId) -> bool {
        self.locked.get(&row).copied().unwrap_or(false)
    }

    /// The text of `columns` in rows of one table that are locked; rows that are not there are left out.
    ///
    /// # Errors
    /// What the server says, or a row that the batch does not know.
    pub async fn standing(
        &mut self,
        batch: &Batch<'a>,
        table: &Arc<Table>,
        columns: &[ColumnId],
        rows: &[RowId],
    ) -> Result<HashMap<RowId, Texts>> {
        let known = rows.iter().map(|row| {
            let (_, values) = batch.rows.get(row).ok_or(Error::UnknownRow { row: *row })?;
            Ok((*row, values.clone()))
        });
        let known = known.collect::<Result<Vec<_>>>()?;
        let keyed: Vec<ColumnId> = table.key.iter().chain(columns).copied().collect();
        let client = self.enter().await?;
        let statement = self.statement(Op::Read, table, &keyed).await?;
        let arrays = arrays(table, &table.key, &known)?;
        let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
        let doing = || Error::doing("read locked rows");
        let answer = client.query_raw(&statement, parameters).await.map_err(doing())?;
        let mut answer = std::pin::pin!(answer);
        let mut found = HashMap::new();
        while let Some(row) = answer.try_next().await.map_err(doing())? {
            let number: i64 = row.try_get(0).map_err(doing())?;
            let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            let id = at.and_then(|at| rows.get(at));
            let texts = (1..=columns.len()).map(|at| Ok(row.try_get::<_, Option<Raw>>(at)?.map(|raw| raw.0)));
            let texts = texts.collect::<std::result::Result<Texts, tokio_postgres::Error>>();
            found.insert(
                *id.expect("the server answers with the numbers of the rows sent"),
                texts.map_err(doing())?,
            );
        }
        self.leave();
        Ok(found)
    }

    /// What `function` makes of rows of `table`, pair by pair in the order given: the text of `columns` of the last row.
    ///
    /// # Errors
    /// What the server or the function says; [`Error::NoRow`] when the function gives none.
    pub async fn fold(
        &mut self,
        table: &Table,
        function: &str,
        images: &[Image],
        columns: &[ColumnId],
    ) -> Result<Texts> {
        let mut texts: Vec<Option<String>> = Vec::new();
        let mut parameter = |text: Option<String>| {
            texts.push(text);
            format!("${}::pg_catalog.text", texts.len())
        };
        let mut made: Option<(String, String)> = None;
        for image in images {
            let values = image.values.iter().map(|(id, value)| {
                let column = table.at(*id);
                let text = value.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
                format!(
                    "{}::{} AS {}",
                    parameter(text),
                    cast_type(&column.type_sql),
                    quoted(&column.name)
                )
            });
            let values: Vec<String> = values.collect();
            let row = format!(
                "(SELECT pg_catalog.to_jsonb(r) FROM (SELECT {}) AS r)",
                values.join(", ")
            );
            let stamp = format!(
                "pg_catalog.jsonb_build_object('node', {}, 'lsn', {}, 'time', \
                 '2000-01-01 00:00:00+00'::pg_catalog.timestamptz + {}::pg_catalog.int8 * '1 microsecond'::pg_catalog.interval, \
                 'transaction', {})",
                parameter(Some(image.txn.origin.node.to_string())),
                parameter(Some(image.txn.lsn.to_string())),
                parameter(Some(image.hlc.to_string())),
                parameter(Some(image.txn.to_string())),
            );
            made = Some(match made {
                None => (row, stamp),
                Some((before, of)) => (format!("{function}({before}, {row}, {of}, {stamp})"), stamp),
            });
        }
        let Some((made, _)) = made else { return Ok(Vec::new()) };
        let wanted: Vec<String> = columns
            .iter()
            .map(|c| format!("r.{}::pg_catalog.text", quoted(&table.at(*c).name)))
            .collect();
        let sql = format!(
            "SELECT m.made IS NULL, {} FROM (SELECT {made} AS made) AS m, \
             LATERAL pg_catalog.jsonb_populate_record(NULL::{}, m.made) AS r",
            wanted.join(", "),
            relation(table)
        );
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = texts
            .iter()
            .map(|text| (text as &(dyn ToSql + Sync), Type::TEXT))
            .collect();
        let client = self.enter().await?;
        let doing = || Error::doing("call the conflict function");
        let rows = client.query_typed(&sql, &parameters).await.map_err(doing())?;
        let no_row = || Error::NoRow {
            function: function.to_owned(),
        };
        let row = rows.first().ok_or_else(no_row)?;
        if row.try_get::<_, bool>(0).map_err(doing())? {
            return Err(no_row());
        }
        let texts = (1..=columns.len()).map(|at| Ok(row.try_get::<_, Option<Raw>>(at)?.map(|raw| raw.0)));
        let texts = texts.collect::<std::result::Result<Texts, tokio_postgres::Error>>();
        self.leave();
        texts.map_err(doing())
    }

    /// Gives a table the identity that sends old rows whole, if it is there and has not.
    ///
    /// # Errors
    /// What the server says: the table is locked, or is another's.
    pub async fn send_old_rows(&mut self, schema: &str, table: &str) -> Result<()> {
        let client = self.enter().await?;
        let sql = "SELECT format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', n.nspname, c.relname) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND c.relreplident <> 'f'";
        let doing = || Error::doing("have whole old rows sent");
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schema, Type::TEXT), (&table, Type::TEXT)];
        let rows = client.query_typed(sql, &parameters).await.map_err(doing())?;
        for row in rows {
            let sql: String = row.try_get(0).map_err(doing())?;
            client.batch_execute(&sql).await.map_err(doing())?;
        }
        self.leave();
        Ok(())
    }
}
