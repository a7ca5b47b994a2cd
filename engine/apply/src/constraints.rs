//! What keeps two rows of a table from standing together, besides its key: read from the catalogue once per table.

use std::sync::Arc;

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;
use tokio_postgres::{Client, Row};

use crate::error::{Error, Result};
use crate::name::quoted;
use crate::shape::Shape;

/// The unique indexes and exclusion constraints of a table, but for the index of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    pub(crate) all: Vec<Constraint>,
    /// The table's columns as the server has them, in order; empty where nothing is to be asked.
    pub(crate) attributes: Vec<Attribute>,
    /// How keys are compared.
    pub(crate) shape: Shape,
}

/// A unique index or an exclusion constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Its name, as a violation of it tells it.
    pub name: Arc<str>,
    /// Whether it is deferrable, and so not enforced in apply sessions.
    pub deferrable: bool,
    /// Whether a null equals a null in it (NULLS NOT DISTINCT).
    pub(crate) nulls_equal: bool,
    /// Two rows exclude each other when all of these do.
    pub(crate) elements: Vec<Element>,
    /// The condition that a row must meet to be held to it.
    pub(crate) predicate: Option<String>,
}

/// What is compared of two rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// An expression over unqualified columns.
    pub(crate) sql: String,
    /// The column, where it is no expression and the server does not compute it.
    pub(crate) column: Option<ColumnId>,
    /// The operator, qualified: rows exclude each other where it holds.
    pub(crate) operator: String,
    /// The collation as SQL, if the operator needs one.
    pub(crate) collation: Option<String>,
}

/// A column as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// Its name, unquoted.
    pub(crate) name: String,
    /// Where its values are from.
    pub(crate) source: Source,
}

/// Where the values of a column are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// They are written.
    Written,
    /// They are computed by this expression over unqualified columns when a row is written.
    Stored(String),
    /// They are computed when a row is read (PostgreSQL 18); no index holds them.
    Virtual,
}

/// A key WITHOUT OVERLAPS (PostgreSQL 18) is the key and excludes rows of other keys. `pg_get_indexdef` and `pg_get_expr`
/// give unqualified columns and qualify all else, because the search path of our sessions is bare.
const CONSTRAINTS_SQL: &str = "\
SELECT x.relname::text, NOT i.indimmediate, coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
  pg_get_expr(i.indpred, i.indrelid), pg_get_indexdef(i.indexrelid, k.ord, false),
  CASE WHEN a.attgenerated = '' THEN a.attname::text END, o.oprname::text, n.nspname::text,
  CASE WHEN co.oid IS NOT NULL THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace cs ON cs.oid = c.relnamespace
CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) AS k(ord)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.ord - 1] AND a.attnum > 0
JOIN pg_opclass oc ON oc.oid = i.indclass[k.ord - 1]
LEFT JOIN pg_constraint e ON i.indisexclusion AND e.conindid = i.indexrelid AND e.conrelid = i.indrelid AND e.conexclop IS NOT NULL
LEFT JOIN pg_amop ao ON NOT i.indisexclusion AND ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype
  AND ao.amoprighttype = oc.opcintype AND ao.amopstrategy = 3
JOIN pg_operator o ON o.oid = coalesce(e.conexclop[k.ord], ao.amopopr)
JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_collation co ON co.oid = i.indcollation[k.ord - 1]
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE cs.nspname = $1::text AND c.relname = $2::text AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
  AND (i.indisexclusion OR i.indexrelid <> $3::oid)
ORDER BY x.relname COLLATE \"C\", k.ord";

const ATTRIBUTES_SQL: &str = "\
SELECT a.attname::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace cs ON cs.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
WHERE cs.nspname = $1::text AND c.relname = $2::text AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum";

impl Constraints {
    /// Looks them up, in a session of [`crate::connect`]: one statement for the key, one for the constraints, and one
    /// more if there are any. A partition has its own; an index that is not valid is none.
    ///
    /// # Errors
    /// [`Error::NoKeyIndex`]; [`Error::UnknownColumn`] when the catalogue has changed since the table was read; or what
    /// the server says.
    pub async fn read(client: &Client, table: &Table) -> Result<Constraints> {
        let shape = match table.has_key() {
            true => Shape::read(client, table).await?,
            false => Shape::keyless(),
        };
        let doing = || Error::doing("read a table's constraints");
        let rows = client
            .query(CONSTRAINTS_SQL, &[&table.schema, &table.name, &shape.index])
            .await
            .map_err(doing())?;
        let mut all: Vec<Constraint> = Vec::new();
        for row in &rows {
            let (constraint, element) = constraint(table, row).map_err(doing())?;
            match all.last_mut().filter(|last| last.name == constraint.name) {
                Some(last) => last.elements.push(element),
                None => all.push(Constraint {
                    elements: vec![element],
                    ..constraint
                }),
            }
        }
        let attributes = match all.is_empty() {
            true => Vec::new(),
            false => attributes(client, table).await?,
        };
        Ok(Constraints { all, attributes, shape })
    }

    /// Whether only the key keeps rows apart.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them is deferrable: the server does not enforce it in apply sessions, so that what is written must
    /// be asked about beforehand.
    #[must_use]
    pub fn any_deferrable(&self) -> bool {
        self.all.iter().any(|constraint| constraint.deferrable)
    }

    /// Whether a value of `column` may matter to one of them.
    #[must_use]
    pub fn matters(&self, column: ColumnId) -> bool {
        let by = |constraint: &Constraint| constraint.columns().is_none_or(|columns| columns.contains(&column));
        self.all.iter().any(by)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Constraint> {
        self.all.iter()
    }
}

impl Constraint {
    /// The columns that it looks at, where it looks at columns alone; `None` when it has expressions or a condition, or
    /// a column that the server computes: any column may matter to it.
    #[must_use]
    pub fn columns(&self) -> Option<Vec<ColumnId>> {
        match self.predicate {
            None => self.elements.iter().map(|element| element.column).collect(),
            Some(_) => None,
        }
    }
}

/// One row of the answer: the constraint without its elements, and one of these.
fn constraint(table: &Table, row: &Row) -> std::result::Result<(Constraint, Element), tokio_postgres::Error> {
    let (operator, schema): (String, String) = (row.try_get(6)?, row.try_get(7)?);
    let column: Option<String> = row.try_get(5)?;
    let element = Element {
        sql: row.try_get(4)?,
        column: column.and_then(|name| table.column(&name)),
        operator: format!("OPERATOR({}.{operator})", quoted(&schema)),
        collation: row.try_get(8)?,
    };
    let name: String = row.try_get(0)?;
    let constraint = Constraint {
        name: name.into(),
        deferrable: row.try_get(1)?,
        nulls_equal: row.try_get(2)?,
        elements: Vec::new(),
        predicate: row.try_get(3)?,
    };
    Ok((constraint, element))
}

async fn attributes(client: &Client, table: &Table) -> Result<Vec<Attribute>> {
    let doing = || Error::doing("read a table's columns");
    let rows = client
        .query(ATTRIBUTES_SQL, &[&table.schema, &table.name])
        .await
        .map_err(doing())?;
    let mut attributes = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: String = row.try_get(0).map_err(doing())?;
        let generated: String = row.try_get(1).map_err(doing())?;
        let expression: Option<String> = row.try_get(2).map_err(doing())?;
        let source = match (generated.as_str(), expression) {
            ("", _) => Source::Written,
            ("s", Some(expression)) => Source::Stored(expression),
            (_, _) => Source::Virtual,
        };
        if source == Source::Written && !table.column(&name).is_some_and(|id| table.at(id).writable) {
            return Err(Error::UnknownColumn {
                schema: table.schema.clone(),
                table: table.name.clone(),
                column: name,
            });
        }
        attributes.push(Attribute { name, source });
    }
    Ok(attributes)
}
