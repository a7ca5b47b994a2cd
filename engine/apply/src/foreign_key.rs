//! The foreign keys of a database. Nothing of the server enforces them where the applier writes.

mod sql;

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row};

use crate::error::{Error, Result};
use crate::name::cast_type;
pub use sql::part_of_image;
pub(crate) use sql::text_of;

/// One foreign key, as it was declared: what partitions inherit of it is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name, unique within `child`.
    pub name: String,
    /// The table whose rows refer.
    pub child: Related,
    /// The table whose rows are referred to.
    pub parent: Related,
    /// The columns, in the constraint's order.
    pub columns: Vec<Pair>,
    /// What a DELETE of a referenced row does to the rows that refer to it.
    pub on_delete: OnDelete,
}

/// A table of a foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub name: String,
    /// Whether its partitions hold its rows.
    pub partitioned: bool,
    /// The tables that hold its rows, by schema and name: itself, or its leaves.
    pub leaves: Vec<(String, String)>,
    /// The columns that can be written: name, and type as SQL for a cast.
    pub columns: Vec<(String, String)>,
}

/// A column that refers, and the one that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of the child.
    pub child: String,
    /// Of the parent.
    pub parent: String,
    /// The parent column's type as SQL for a cast.
    parent_type: String,
    /// Equality within the parent's column, as SQL.
    same: String,
    /// Equality of the parent's column, on the left, and the child's, as SQL.
    equal: String,
}

/// The action of ON DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// Referenced rows cannot be deleted: NO ACTION, RESTRICT.
    Refuse,
    /// Rows that refer go too.
    Cascade,
    /// Rows that refer change: SET NULL, SET DEFAULT.
    Change,
}

/// What says whether a table is referred to, and refers, through the same foreign keys as before: the triggers that enforce
/// them. Partitions have their own.
pub(crate) const MARK: &str = "concat_ws(' ', count(*), sum(t.oid::bigint))";
/// The triggers of `MARK`.
pub(crate) const ENFORCING: &str = "t.tgisinternal AND t.tgconstrrelid <> 0";

/// Those that are enforced and compare by equality, without what partitions inherit. It takes no lock on any table: it is
/// asked while a session of ours holds some.
const SQL: &str = "\
WITH RECURSIVE involved AS (
    SELECT conrelid AS oid FROM pg_constraint WHERE contype = 'f' UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f'
), tree AS (
    SELECT oid AS root, oid FROM involved
    UNION SELECT tree.root, h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid
), related AS (
    SELECT r.oid, n.nspname, r.relname, r.relkind = 'p' AS partitioned,
           CASE WHEN r.relkind = 'p' THEN l.schemas ELSE ARRAY[n.nspname::text] END AS leaf_schemas,
           CASE WHEN r.relkind = 'p' THEN l.names ELSE ARRAY[r.relname::text] END AS leaf_names,
           a.names AS columns, a.types
      FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
      CROSS JOIN LATERAL (
          SELECT coalesce(array_agg(ln.nspname::text ORDER BY lc.oid), '{}') AS schemas,
                 coalesce(array_agg(lc.relname::text ORDER BY lc.oid), '{}') AS names
            FROM tree JOIN pg_class lc ON lc.oid = tree.oid JOIN pg_namespace ln ON ln.oid = lc.relnamespace
           WHERE tree.root = r.oid AND lc.relkind <> 'p') l
      CROSS JOIN LATERAL (
          SELECT coalesce(array_agg(c.attname::text ORDER BY c.attnum), '{}') AS names,
                 coalesce(array_agg(format_type(c.atttypid, c.atttypmod) ORDER BY c.attnum), '{}') AS types
            FROM pg_attribute c
           WHERE c.attrelid = r.oid AND c.attnum > 0 AND NOT c.attisdropped AND c.attgenerated = '') a
     WHERE r.oid IN (SELECT oid FROM involved)
)
SELECT o.conname::text, o.confdeltype::text,
       c.nspname::text, c.relname::text, c.partitioned, c.leaf_schemas, c.leaf_names, c.columns, c.types,
       p.nspname::text, p.relname::text, p.partitioned, p.leaf_schemas, p.leaf_names, p.columns, p.types,
       k.children, k.parents, k.types, k.same, k.equal
  FROM pg_constraint o
  JOIN related c ON c.oid = o.conrelid
  JOIN related p ON p.oid = o.confrelid
  CROSS JOIN LATERAL (
      SELECT array_agg(ca.attname::text ORDER BY x.ord) AS children,
             array_agg(pa.attname::text ORDER BY x.ord) AS parents,
             array_agg(format_type(pa.atttypid, pa.atttypmod) ORDER BY x.ord) AS types,
             array_agg(format('OPERATOR(%I.%s)', sn.nspname, s.oprname) ORDER BY x.ord) AS same,
             array_agg(format('OPERATOR(%I.%s)', en.nspname, e.oprname) ORDER BY x.ord) AS equal
        FROM unnest(o.conkey, o.confkey, o.conppeqop, o.conpfeqop) WITH ORDINALITY AS x(child, parent, same, equal, ord)
        JOIN pg_attribute ca ON ca.attrelid = o.conrelid AND ca.attnum = x.child
        JOIN pg_attribute pa ON pa.attrelid = o.confrelid AND pa.attnum = x.parent
        JOIN pg_operator s ON s.oid = x.same JOIN pg_namespace sn ON sn.oid = s.oprnamespace
        JOIN pg_operator e ON e.oid = x.equal JOIN pg_namespace en ON en.oid = e.oprnamespace) k
 WHERE o.contype = 'f' AND o.conparentid = 0
   AND coalesce((to_jsonb(o) ->> 'conenforced')::boolean, true)
   AND NOT coalesce((to_jsonb(o) ->> 'conperiod')::boolean, false)
 ORDER BY c.nspname, c.relname, o.conname";

/// By schema and name, the mark of every table that has one: it is another one when the table is referred to through other
/// foreign keys.
pub type Marks = BTreeMap<(String, String), String>;

/// Reads the marks of all tables.
///
/// # Errors
/// What the server says.
pub async fn foreign_key_marks(client: &Client) -> Result<Marks> {
    let doing = Error::doing("read the marks of foreign keys");
    let sql = format!(
        "SELECT n.nspname::text, r.relname::text, {MARK} FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid \
         JOIN pg_namespace n ON n.oid = r.relnamespace WHERE {ENFORCING} GROUP BY n.nspname, r.relname"
    );
    let rows = client.query(&sql, &[]).await.map_err(doing)?;
    let read = |row: &Row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?));
    rows.iter().map(|row| read(row).map_err(doing)).collect()
}

/// Reads all foreign keys that are enforced, but for those over periods (PostgreSQL 18).
///
/// # Errors
/// What the server says.
pub async fn foreign_keys(client: &Client) -> Result<Vec<ForeignKey>> {
    let doing = Error::doing("read the foreign keys");
    let rows = client.query(SQL, &[]).await.map_err(doing)?;
    let read = rows.iter().map(|row| read(row).map_err(doing));
    read.collect()
}

fn read(row: &Row) -> std::result::Result<ForeignKey, tokio_postgres::Error> {
    let action: String = row.try_get(1)?;
    let lists: [Vec<String>; 5] = [
        row.try_get(16)?,
        row.try_get(17)?,
        row.try_get(18)?,
        row.try_get(19)?,
        row.try_get(20)?,
    ];
    let pair = |at: usize| {
        let [child, parent, parent_type, same, equal] = lists.each_ref().map(|list| list[at].clone());
        Pair {
            child,
            parent,
            parent_type: cast_type(&parent_type),
            same,
            equal,
        }
    };
    Ok(ForeignKey {
        name: row.try_get(0)?,
        child: related(row, 2)?,
        parent: related(row, 9)?,
        columns: (0..lists[0].len()).map(pair).collect(),
        on_delete: match action.as_str() {
            "c" => OnDelete::Cascade,
            "n" | "d" => OnDelete::Change,
            _ => OnDelete::Refuse,
        },
    })
}

fn related(row: &Row, first: usize) -> std::result::Result<Related, tokio_postgres::Error> {
    let texts = |at: usize| row.try_get::<_, Vec<String>>(first + at);
    Ok(Related {
        schema: row.try_get(first)?,
        name: row.try_get(first + 1)?,
        partitioned: row.try_get(first + 2)?,
        leaves: texts(3)?.into_iter().zip(texts(4)?).collect(),
        columns: texts(5)?.into_iter().zip(texts(6)?).collect(),
    })
}
