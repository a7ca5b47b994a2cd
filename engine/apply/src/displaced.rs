//! Rows that lost against rows that exclude them: `synapse.displaced`.

use std::sync::Arc;

use postgres_types::{ToSql, Type};
use serde_json::Value;
use synapse_engine_change::Value as Cell;
use synapse_engine_identity::{ColumnId, Hlc, KeyHash, Origin};
use synapse_engine_plan::Table;
use tokio_postgres::{Client, Row};

use crate::array::TextArray;
use crate::error::{Error, Result};
use crate::excluders::key_of;
use crate::render::{DisplacedSql, displaced, put_displaced};
use crate::rows::cut;
use crate::texts::{Raw, Texts};
use crate::transaction::Transaction;

/// A row that is in its table nowhere, and is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced {
    /// Which row of the table.
    pub row: KeyHash,
    /// The text of its key, in the order of `Table::key`.
    pub key: Texts,
    /// Its values as the server writes them, `None` for NULL, by column. A column that came to the table later is left out
    /// of what is read.
    pub image: Vec<(ColumnId, Option<Vec<u8>>)>,
    /// Whose the row's latest known write is.
    pub origin: Origin,
    /// The time of that write.
    pub hlc: Hlc,
    /// The text of the keys of the rows that stand in its way, the latest first: for people. Not read back.
    pub rivals: Vec<Texts>,
}

/// Which rows of a table are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// All that are kept.
    All,
    /// These, as far as they are kept.
    Rows(&'a [KeyHash]),
}

/// A row by the names of its table: numbers of tables are of one process only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedRow {
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub table: String,
    /// Which row of the table.
    pub row: KeyHash,
}

/// All rows that are displaced or exclude one that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Rows of `synapse.displaced`, in order.
    pub displaced: Vec<NamedRow>,
    /// Rows of `synapse.rivals`, in order: the displaced row, and the one in its way.
    pub rivals: Vec<(NamedRow, KeyHash)>,
}

/// Reads which rows are displaced or exclude one that is, of all tables.
///
/// # Errors
/// [`Error::Unreadable`], or what the server says.
pub async fn read_apart(client: &Client) -> Result<Apart> {
    let doing = || Error::doing("read which rows are displaced");
    let sql = "SELECT table_schema, table_name, row_id, NULL::bytea FROM synapse.displaced UNION ALL \
               SELECT table_schema, table_name, row_id, rival_id FROM synapse.rivals";
    let mut apart = Apart::default();
    for row in client.query_typed(sql, &[]).await.map_err(doing())? {
        let named = NamedRow {
            schema: row.try_get(0).map_err(doing())?,
            table: row.try_get(1).map_err(doing())?,
            row: key_hash(row.try_get(2).map_err(doing())?)?,
        };
        match row.try_get::<_, Option<&[u8]>>(3).map_err(doing())? {
            None => apart.displaced.push(named),
            Some(rival) => apart.rivals.push((named, key_hash(rival)?)),
        }
    }
    apart.displaced.sort_unstable();
    apart.rivals.sort_unstable();
    Ok(apart)
}

impl Transaction<'_> {
    /// Reads displaced rows of a table in the order of their `row_id`, and locks them.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or what the server says.
    pub async fn displaced(&mut self, table: &Table, which: Which<'_>) -> Result<Vec<Displaced>> {
        let DisplacedSql { read, columns } = displaced(table, true);
        let (all, rows) = wanted(which);
        let client = self.enter().await?;
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&all, Type::BOOL),
            (&rows, Type::BYTEA_ARRAY),
        ];
        let doing = Error::doing("read displaced rows");
        let answer = client.query_typed(&read, &parameters).await.map_err(doing)?;
        let kept = answer.iter().map(|row| kept(table, &columns, row));
        let kept = kept.collect::<Result<Vec<_>>>()?;
        self.leave();
        Ok(kept)
    }

    /// Keeps displaced rows: a row that is kept is replaced, but for the time since when it is.
    ///
    /// # Errors
    /// What the server says.
    ///
    /// # Panics
    /// When a key has not as many values as the table's.
    pub async fn put_displaced(&mut self, table: &Table, rows: &[Displaced]) -> Result<()> {
        let mut groups: Vec<(Vec<ColumnId>, Vec<&Displaced>)> = Vec::new();
        for row in rows {
            assert_eq!(row.key.len(), table.key.len(), "a displaced row has the whole key");
            let columns: Vec<ColumnId> = row.image.iter().map(|(id, _)| *id).collect();
            match groups.iter_mut().find(|(known, _)| *known == columns) {
                Some((_, group)) => group.push(row),
                None => groups.push((columns, vec![row])),
            }
        }
        let client = self.enter().await?;
        for (columns, group) in groups {
            let sql = put_displaced(table, &columns);
            for part in cut(group.iter().map(|row| image_bytes(row))) {
                put(&client, table, &sql, &group[part]).await?;
            }
        }
        self.leave();
        Ok(())
    }

    /// Takes rows out of `synapse.displaced`. Answers how many there were.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove_displaced(&mut self, table: &Table, rows: &[KeyHash]) -> Result<u64> {
        let sql = "DELETE FROM synapse.displaced WHERE table_schema = $1 AND table_name = $2 AND row_id = ANY ($3)";
        let (_, rows) = wanted(Which::Rows(rows));
        let client = self.enter().await?;
        let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
            (&table.schema, Type::TEXT),
            (&table.name, Type::TEXT),
            (&rows, Type::BYTEA_ARRAY),
        ];
        let removed = client.execute_typed(sql, &parameters).await;
        let removed = removed.map_err(Error::doing("take rows out of the displaced ones"))?;
        self.leave();
        Ok(removed)
    }
}

/// One statement: the parameters are the table, the rows' numbers, origins, times and rivals, then a column of texts for each
/// column of the key and of the image.
async fn put(client: &Arc<Client>, table: &Table, sql: &str, rows: &[&Displaced]) -> Result<()> {
    let ids: Vec<&[u8]> = rows.iter().map(|row| &row.row.0[..]).collect();
    let origins: Vec<String> = rows.iter().map(|row| row.origin.to_string()).collect();
    let times: Vec<String> = rows.iter().map(|row| row.hlc.to_string()).collect();
    let rivals = rows.iter().map(|row| {
        row.rivals
            .iter()
            .map(|key| object(table, key))
            .collect::<Value>()
            .to_string()
    });
    let rivals: Vec<String> = rivals.collect();
    let keys = (0..table.key.len()).map(|at| TextArray(rows.iter().map(|row| row.key[at].as_deref()).collect()));
    let width = rows.first().map_or(0, |row| row.image.len());
    let image = (0..width).map(|at| TextArray(rows.iter().map(|row| row.image[at].1.as_deref()).collect()));
    let texts: Vec<TextArray<'_>> = keys.chain(image).collect();
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&table.schema, Type::TEXT),
        (&table.name, Type::TEXT),
        (&ids, Type::BYTEA_ARRAY),
        (&origins, Type::TEXT_ARRAY),
        (&times, Type::TEXT_ARRAY),
        (&rivals, Type::TEXT_ARRAY),
    ];
    parameters.extend(
        texts
            .iter()
            .map(|array| (array as &(dyn ToSql + Sync), Type::TEXT_ARRAY)),
    );
    let put = client.execute_typed(sql, &parameters).await;
    put.map(|_| ()).map_err(Error::doing("keep displaced rows"))
}

/// A row of the answer: number, origin, time, which columns are kept, then the key and the columns.
fn kept(table: &Table, columns: &[ColumnId], row: &Row) -> Result<Displaced> {
    let doing = || Error::doing("read displaced rows");
    let there: Vec<bool> = row.try_get(3).map_err(doing())?;
    let text = |at: usize| {
        row.try_get::<_, Option<Raw>>(at)
            .map(|text| text.map(|raw| raw.0))
            .map_err(doing())
    };
    let first = 4 + table.key.len();
    let key = (4..first).map(text).collect::<Result<Texts>>()?;
    let mut image = Vec::with_capacity(columns.len());
    for (at, (id, there)) in columns.iter().zip(there).enumerate() {
        if there {
            image.push((*id, text(first + at)?));
        }
    }
    Ok(Displaced {
        row: key_hash(row.try_get(0).map_err(doing())?)?,
        origin: origin(row.try_get(1).map_err(doing())?)?,
        hlc: hlc(row.try_get(2).map_err(doing())?)?,
        rivals: Vec::new(),
        key,
        image,
    })
}

pub(crate) fn wanted(which: Which<'_>) -> (bool, Vec<&[u8]>) {
    match which {
        Which::All => (true, Vec::new()),
        Which::Rows(rows) => (false, rows.iter().map(|row| &row.0[..]).collect()),
    }
}

fn image_bytes(row: &Displaced) -> usize {
    row.image
        .iter()
        .map(|(_, text)| text.as_ref().map_or(0, Vec::len) + 8)
        .sum()
}

/// A row as `row_id` tells it.
pub(crate) fn key_hash(row_id: &[u8]) -> Result<KeyHash> {
    let unreadable = || Error::Unreadable {
        why: format!("row_id has {} bytes, not 16", row_id.len()),
    };
    row_id.try_into().map(KeyHash).map_err(|_| unreadable())
}

pub(crate) fn origin(text: &str) -> Result<Origin> {
    text.parse().map_err(|error| Error::Unreadable {
        why: format!("{error}"),
    })
}

pub(crate) fn hlc(micros: i64) -> Result<Hlc> {
    let unreadable = |_| Error::Unreadable {
        why: format!("hlc is {micros}"),
    };
    u64::try_from(micros).map(Hlc).map_err(unreadable)
}

/// The texts of a key, for this table alone.
pub(crate) fn json(key: &Texts) -> Value {
    key.iter().map(text).collect()
}

/// A key by its columns' names, for people.
fn object(table: &Table, key: &Texts) -> Value {
    let names = table.key.iter().map(|id| table.at(*id).name.clone());
    names.zip(key.iter().map(text)).collect()
}

fn text(value: &Option<Vec<u8>>) -> Value {
    value.as_deref().map(String::from_utf8_lossy).into()
}

/// Reads `columns` of a displaced row whose key stands in `key`; `None` when there is no such row.
///
/// # Errors
/// What the server says.
pub async fn displaced_texts(
    client: &Client,
    table: &Table,
    key: &synapse_engine_plan::Row<'_>,
    columns: &[ColumnId],
) -> Result<Option<Texts>> {
    let text = |id: &ColumnId| match key[usize::from(id.0)] {
        Cell::Text(text) | Cell::Binary(text) => Some(text.to_vec()),
        Cell::Null | Cell::Unchanged => None,
    };
    let row = key_of(table, &table.key.iter().map(text).collect());
    let DisplacedSql { read, columns: all } = displaced(table, false);
    let ids: [&[u8]; 1] = [&row.0];
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&table.schema, Type::TEXT),
        (&table.name, Type::TEXT),
        (&false, Type::BOOL),
        (&&ids[..], Type::BYTEA_ARRAY),
    ];
    let rows = client.query_typed(&read, &parameters).await;
    let rows = rows.map_err(Error::doing("read a displaced row"))?;
    let Some(found) = rows.first() else { return Ok(None) };
    let image = kept(table, &all, found)?.image;
    let value = |id: &ColumnId| {
        image
            .iter()
            .find(|(column, _)| column == id)
            .and_then(|(_, text)| text.clone())
    };
    Ok(Some(columns.iter().map(value).collect()))
}
