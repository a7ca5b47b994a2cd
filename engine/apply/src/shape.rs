//! How a table's key is compared: read from the catalogue once per table.

use synapse_engine_plan::Table;
use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::name::{list, quoted};

/// A table's key as its unique index compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The index; 0 for a table without a key.
    pub(crate) index: u32,
    /// For each key column, in the order of `Table::key`: the equality operator, qualified, because the operators of
    /// extension types are in no fixed schema.
    pub(crate) operators: Vec<String>,
    /// For each key column the index's collation as SQL, where it is not the column's own.
    pub(crate) collations: Vec<Option<String>>,
    /// Whether `ON CONFLICT` must name the key: it fails on a deferrable constraint if it names nothing.
    pub(crate) deferrable: bool,
}

/// `ON CONFLICT` infers the same index; strategy 3 of a B-tree operator class is equality. A key WITHOUT OVERLAPS (PostgreSQL
/// 18) has an index of another kind, where strategy 3 of a range is that it overlaps: what makes two such keys the same
/// is the equality of the type.
const SQL: &str = "\
SELECT i.indexrelid, a.attname::text, o.oprname::text, n.nspname::text,
  CASE WHEN co.oid <> a.attcollation THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END,
  EXISTS (SELECT FROM pg_index d WHERE d.indrelid = i.indrelid AND NOT d.indimmediate)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace cs ON cs.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, ord)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_opclass oc ON oc.oid = i.indclass[(k.ord - 1)::int]
JOIN pg_opclass eq ON CASE WHEN i.indisexclusion
  THEN eq.opcintype = oc.opcintype AND eq.opcdefault AND eq.opcmethod = (SELECT am.oid FROM pg_am am WHERE am.amname = 'btree')
  ELSE eq.oid = oc.oid END
JOIN pg_amop ao ON ao.amopfamily = eq.opcfamily AND ao.amoplefttype = eq.opcintype
  AND ao.amoprighttype = eq.opcintype AND ao.amopstrategy = 3
JOIN pg_operator o ON o.oid = ao.amopopr
JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_collation co ON co.oid = i.indcollation[(k.ord - 1)::int]
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE cs.nspname = $1::text AND c.relname = $2::text AND k.ord <= i.indnkeyatts
  AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indisreplident DESC, i.indisprimary DESC, i.indexrelid, k.ord";

impl Shape {
    /// Looks up the unique index on the table's key.
    pub(crate) async fn read(client: &Client, table: &Table) -> Result<Shape> {
        let rows = client
            .query(SQL, &[&table.schema, &table.name])
            .await
            .map_err(Error::doing("read a table's key"))?;
        let mut parts: Vec<Part> = Vec::new();
        for row in &rows {
            parts.push(Part::of(row).map_err(Error::doing("read a table's key"))?);
        }
        for index in parts.chunk_by(|a, b| a.index == b.index) {
            let found: Vec<&Part> = table
                .key
                .iter()
                .filter_map(|id| index.iter().find(|part| part.column == table.at(*id).name))
                .collect();
            if found.len() == table.key.len() && found.len() == index.len() {
                return Ok(Shape {
                    index: index[0].index,
                    operators: found.iter().map(|part| part.operator.clone()).collect(),
                    collations: found.iter().map(|part| part.collation.clone()).collect(),
                    deferrable: index.iter().any(|part| part.deferrable),
                });
            }
        }
        Err(Error::NoKeyIndex {
            schema: table.schema.clone(),
            table: table.name.clone(),
            key: list(table, &table.key),
        })
    }

    /// The shape of a table without a key.
    pub(crate) const fn keyless() -> Shape {
        Shape {
            index: 0,
            operators: Vec::new(),
            collations: Vec::new(),
            deferrable: false,
        }
    }

    /// The shape of a key of built-in types.
    #[cfg(test)]
    pub(crate) fn builtin(columns: usize) -> Shape {
        Shape {
            index: 1,
            operators: vec!["OPERATOR(\"pg_catalog\".=)".to_owned(); columns],
            collations: vec![None; columns],
            deferrable: false,
        }
    }
}

/// One column of one index.
struct Part {
    index: u32,
    column: String,
    operator: String,
    collation: Option<String>,
    deferrable: bool,
}

impl Part {
    fn of(row: &tokio_postgres::Row) -> std::result::Result<Part, tokio_postgres::Error> {
        let (operator, schema): (String, String) = (row.try_get(2)?, row.try_get(3)?);
        Ok(Part {
            index: row.try_get(0)?,
            column: row.try_get(1)?,
            operator: format!("OPERATOR({}.{operator})", quoted(&schema)),
            collation: row.try_get(4)?,
            deferrable: row.try_get(5)?,
        })
    }
}
