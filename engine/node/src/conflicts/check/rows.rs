//! Rows to try a function on: some of the table's, and values that it may meet.

use synapse_engine_identity::Hlc;
use synapse_engine_setup::{Column, Generated, Table};
use tokio_postgres::Transaction;

use super::cases::{Family, Row};
use super::laws::{Ended, attempt};
use crate::clock;
use crate::error::Error;

/// Rows that are read of the table.
const SAMPLE_ROWS: i64 = 20;
/// Blocks that are looked at for them, about.
const SAMPLE_BLOCKS: i64 = 200;

/// A table as the function sees it.
#[derive(Debug)]
pub(super) struct Shape {
    /// Schema and name, quoted.
    pub(super) relation: String,
    /// The name, quoted.
    name: String,
    columns: Vec<Column>,
    key: Vec<bool>,
    /// What its CHECK constraints ask of a row.
    checks: Vec<String>,
}

impl Shape {
    pub(super) async fn read(transaction: &Transaction<'_>, table: &Table) -> Result<Shape, Error> {
        let written = table.columns.iter().filter(|column| column.generated == Generated::No);
        let columns: Vec<Column> = written.cloned().collect();
        let keys = table.key().map_or(&[][..], |key| &key.columns);
        let sql =
            "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = $1::int8::oid AND contype = 'c'";
        let checks = transaction.query(sql, &[&i64::from(table.oid.0)]).await?;
        Ok(Shape {
            relation: format!("{}.{}", quoted(&table.schema), quoted(&table.name)),
            name: quoted(&table.name),
            key: columns.iter().map(|column| keys.contains(&column.name)).collect(),
            columns,
            checks: checks.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
        })
    }

    /// Which columns are of the key.
    pub(super) fn key(&self) -> &[bool] {
        &self.key
    }

    /// The JSON of a row.
    pub(super) fn json(&self, row: &Row) -> String {
        let cells = self.columns.iter().zip(row).map(|(column, value)| {
            let name = serde_json::Value::from(column.name.as_str());
            format!("{name}: {value}")
        });
        format!("{{{}}}", cells.collect::<Vec<_>>().join(", "))
    }

    /// The columns of a row `r`, as they are compared.
    pub(super) fn columns_of(&self, r: &str) -> String {
        let columns = self
            .columns
            .iter()
            .map(|column| format!("{r}.{}", quoted(&column.name)));
        columns.collect::<Vec<_>>().join(", ")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Some rows of the table, from wherever they lie.
pub(super) async fn sample(transaction: &Transaction<'_>, shape: &Shape) -> Result<Vec<Row>, Error> {
    let columns = shape.columns.iter().map(|column| {
        let name = quoted(&column.name);
        format!("coalesce(to_jsonb(t.{name})::text, 'null')")
    });
    let relation = &shape.relation;
    let select = format!(
        "SELECT ARRAY[{}]::text[] FROM ONLY {relation} AS t",
        columns.collect::<Vec<_>>().join(", ")
    );
    let percent = format!(
        "least(100, 100.0 * {SAMPLE_BLOCKS} * current_setting('block_size')::bigint \
         / greatest(pg_relation_size('{}'), 1))",
        relation.replace('\'', "''")
    );
    let scattered = format!("{select} TABLESAMPLE SYSTEM ({percent}) ORDER BY random() LIMIT {SAMPLE_ROWS}");
    let mut rows = transaction.query(&scattered, &[]).await?;
    if rows.is_empty() {
        rows = transaction.query(&format!("{select} LIMIT {SAMPLE_ROWS}"), &[]).await?;
    }
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Values that each column may have and the sample may lack: none at all, and the ends of what its type can be.
pub(super) async fn values(transaction: &mut Transaction<'_>, shape: &Shape) -> Result<Vec<Vec<String>>, Error> {
    let mut all = Vec::with_capacity(shape.columns.len());
    for column in &shape.columns {
        let mut values = Vec::new();
        if !column.not_null {
            values.push("null".to_owned());
        }
        for text in ends(column) {
            let sql = format!("SELECT to_jsonb($1::text::{})::text", column.type_name);
            // What its type, or its domain, does not take is left out.
            if let Ended::Answered(rows) = attempt(transaction, &sql, &[text]).await? {
                for row in rows {
                    values.extend(row.try_get::<_, Option<String>>(0)?);
                }
            }
        }
        values.dedup();
        all.push(values);
    }
    Ok(all)
}

/// Texts that stand for the ends of a type; some of them only for types of the same category.
const fn ends(column: &Column) -> &'static [&'static str] {
    match column.base.category {
        'N' => &[
            "-9223372036854775808",
            "9223372036854775807",
            "-2147483648",
            "2147483647",
            "-32768",
            "32767",
            "Infinity",
            "NaN",
            "0",
        ],
        'S' => &["z", ""],
        'B' => &["true", "false"],
        'D' => &["-infinity", "infinity", "epoch", "00:00"],
        'T' => &["-1 day", "0"],
        'A' => &["{}"],
        'U' => &[
            "{}",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00000000-0000-0000-0000-000000000000",
            "\\x",
        ],
        _ => &[],
    }
}

/// The rows that the table's CHECK constraints permit; families of less than two tell nothing but of themselves.
pub(super) async fn permitted(
    transaction: &mut Transaction<'_>,
    shape: &Shape,
    families: Vec<Family>,
) -> Result<Vec<Family>, Error> {
    if shape.checks.is_empty() {
        return Ok(families);
    }
    let checks = shape.checks.iter().map(|check| format!("({check}) IS NOT FALSE"));
    let sql = format!(
        "SELECT i.at FROM unnest($1::text[]) WITH ORDINALITY AS i(image, at) WHERE (SELECT {} FROM \
         jsonb_populate_record(NULL::{}, i.image::jsonb) AS {})",
        checks.collect::<Vec<_>>().join(" AND "),
        shape.relation,
        shape.name
    );
    let mut permitted = Vec::with_capacity(families.len());
    for family in families {
        let images: Vec<String> = family.iter().map(|row| shape.json(row)).collect();
        let rows = transaction.query(&sql, &[&images]).await?;
        let rows: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let is_one = |at: usize| rows.iter().any(|row| usize::try_from(*row) == Ok(at + 1));
        let family = family.into_iter().enumerate().filter(|(at, _)| is_one(*at));
        let family: Family = family.map(|(_, row)| row).collect();
        if !family.is_empty() {
            permitted.push(family);
        }
    }
    Ok(permitted)
}

/// Stamps as the applier gives them: three writes one after the other, and three of which two have the same time.
pub(super) async fn stamps(transaction: &Transaction<'_>, nodes: &[String]) -> Result<[[String; 3]; 2], Error> {
    let Hlc(now) = clock::now_hlc();
    let stamp = async |at: u64, time: u64| -> Result<String, Error> {
        let node = usize::try_from(at).ok().and_then(|at| nodes.get(at % nodes.len()));
        let node = node.map_or("n1", String::as_str);
        let lsn = synapse_wal_types::Lsn(0x0100_0000 * (at + 1)).to_string();
        let time = i64::try_from(now.saturating_add(time)).unwrap_or(i64::MAX);
        let sql = "SELECT jsonb_build_object('node', $1::text, 'lsn', $2::text, 'time', \
                   '2000-01-01 00:00:00+00'::timestamptz + $3::int8 * '1 microsecond'::interval, \
                   'transaction', $1 || ':1@' || $2)::text";
        let row = transaction.query_one(sql, &[&node, &lsn, &time]).await?;
        Ok(row.try_get(0)?)
    };
    let earlier = [
        stamp(0, 0).await?,
        stamp(1, 1_000_000).await?,
        stamp(2, 2_000_000).await?,
    ];
    let equal = [stamp(0, 0).await?, stamp(1, 0).await?, stamp(2, 2_000_000).await?];
    Ok([earlier, equal])
}
