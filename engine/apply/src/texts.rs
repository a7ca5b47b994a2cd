//! Values of one row, read as text: what a row that comes back whole still lacks.

use std::error::Error as StdError;

use postgres_types::{FromSql, ToSql, Type};
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::{Row, Table};
use tokio_postgres::Client;

use crate::array::Text;
use crate::error::{Error, Result};
use crate::name::{cast_type, quoted, relation};
use crate::shape::Shape;

/// A row's values by column asked for; `None` for NULL.
pub type Texts = Vec<Option<Vec<u8>>>;

/// Text in the session's client encoding, whatever that is.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TEXT
    }
}

/// Reads `columns` of the row whose key stands in `key`; `None` when there is no such row.
///
/// # Errors
/// [`Error::NoKeyIndex`], or what the server says.
pub async fn row_texts(client: &Client, table: &Table, key: &Row<'_>, columns: &[ColumnId]) -> Result<Option<Texts>> {
    let shape = Shape::read(client, table).await?;
    let wanted: Vec<String> = columns
        .iter()
        .map(|c| format!("t.{}::text", quoted(&table.at(*c).name)))
        .collect();
    let conditions = table.key.iter().enumerate().map(|(at, id)| {
        let (column, collation) = (table.at(*id), shape.collations[at].as_ref());
        let collate = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
        let (name, operator, cast) = (quoted(&column.name), &shape.operators[at], cast_type(&column.type_sql));
        format!("t.{name}{collate} {operator} ${}::text::{cast}", at + 1)
    });
    let conditions: Vec<String> = conditions.collect();
    let sql = format!(
        "SELECT {} FROM ONLY {} AS t WHERE {}",
        wanted.join(", "),
        relation(table),
        conditions.join(" AND ")
    );
    let mut values = Vec::with_capacity(table.key.len());
    for id in &table.key {
        values.push(match key[usize::from(id.0)] {
            synapse_engine_change::Value::Text(text) => Text(Some(text)),
            synapse_engine_change::Value::Null
            | synapse_engine_change::Value::Unchanged
            | synapse_engine_change::Value::Binary(_) => Text(None),
        });
    }
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = values
        .iter()
        .map(|value| (value as &(dyn ToSql + Sync), Type::TEXT))
        .collect();
    let doing = || Error::doing("read a row's values");
    let rows = client.query_typed(&sql, &parameters).await.map_err(doing())?;
    let Some(row) = rows.first() else { return Ok(None) };
    let texts = (0..columns.len()).map(|at| Ok(row.try_get::<_, Option<Raw>>(at)?.map(|raw| raw.0)));
    texts
        .collect::<std::result::Result<Texts, tokio_postgres::Error>>()
        .map(Some)
        .map_err(doing())
}
