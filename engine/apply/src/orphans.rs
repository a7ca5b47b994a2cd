//! Rows whose foreign key refers to nothing, because what they referred to went in this transaction: found, and what went
//! kept as it was, in `synapse.orphans`.
//!
//! An application's session that writes a row locks what it refers to (FOR KEY SHARE), and whoever deletes that waits for
//! it. So a statement that begins after a row went sees every row that was made to refer to it.

mod displaced;
mod keep;

use postgres_types::{ToSql, Type};

use crate::array::TextArray;
use crate::error::{Error, Result};
use crate::foreign_key::{ENFORCING, ForeignKey, MARK, Marks};
use crate::texts::{Raw, Texts};
use crate::transaction::Transaction;

/// Values of the columns that a foreign key refers to.
pub type Reference = Texts;

/// References of one statement at most.
const CHUNK: usize = 5_000;
/// Rows that [`Transaction::referring`] reads at most.
pub const REFERRING_MAX: usize = 10_000;

/// The session chooses among all kinds of joins: an index on the columns that refer is not a matter of course.
const ANY_PLAN: &str =
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_bitmapscan = on";
/// As every statement of the applier is planned.
const OWN_PLANS: &str =
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_bitmapscan = off";

/// The marks of tables by schema and name, with their places in what was given.
pub(crate) fn marks_sql() -> String {
    format!(
        "SELECT u.ord, {MARK} FROM unnest($1, $2) WITH ORDINALITY AS u(schema, name, ord) \
         JOIN pg_namespace n ON n.nspname = u.schema JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = u.name \
         JOIN pg_trigger t ON t.tgrelid = r.oid WHERE {ENFORCING} GROUP BY u.ord"
    )
}
/// Types of its parameters.
pub(crate) const MARKS_TYPES: [Type; 2] = [Type::TEXT_ARRAY, Type::TEXT_ARRAY];

/// A reference to nothing, with rows that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphaned {
    /// What is referred to.
    pub reference: Reference,
    /// Whether one of the rows was written last by a transaction that is no applier's.
    pub local: bool,
    /// Whether one of them was written last by this transaction: who wrote it before is not known any more.
    pub overwritten: bool,
    /// Whether the server has forgotten who wrote one of them.
    pub forgotten: bool,
}

/// A row that refers to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanRow {
    /// Which of the references asked for.
    pub at: usize,
    /// The table that holds it, by schema and name.
    pub table: (String, String),
    /// Its values in the columns asked for.
    pub values: Texts,
}

impl Transaction<'_> {
    /// Of these references those that rows have and that refer to nothing.
    ///
    /// # Errors
    /// What the server says.
    pub async fn orphaned(&mut self, key: &ForeignKey, references: &[Reference]) -> Result<Vec<Orphaned>> {
        // What stands is left out first: it may be referred to by millions.
        let sql = format!(
            "WITH gone AS MATERIALIZED (SELECT u.* FROM {sent} WHERE NOT EXISTS (SELECT FROM {parent} AS p WHERE {is})) \
             SELECT u.ord, bool_or(c.xmin <> own.xid AND w.roident <> ALL (${ours})), \
             bool_or(c.xmin <> own.xid AND w.roident IS NULL), bool_or(c.xmin = own.xid) \
             FROM (SELECT pg_current_xact_id()::xid AS xid) AS own, gone AS u JOIN {child} AS c ON {refers} \
             CROSS JOIN LATERAL pg_xact_commit_timestamp_origin(c.xmin) AS w GROUP BY u.ord ORDER BY u.ord",
            ours = key.columns.len() + 1,
            sent = key.sent(1),
            child = key.child.rows(),
            refers = key.child_refers_to_sent(),
            parent = key.parent.rows(),
            is = key.parent_is_sent(),
        );
        let doing = Error::doing("look for rows whose foreign key refers to nothing");
        let client = self.enter().await?;
        client.batch_execute(ANY_PLAN).await.map_err(doing)?;
        let mut found = Vec::new();
        for chunk in references.chunks(CHUNK) {
            let arrays = arrays(key, chunk);
            let mut parameters = typed(&arrays);
            parameters.push((&*self.guard.ours, Type::OID_ARRAY));
            for row in client.query_typed(&sql, &parameters).await.map_err(doing)? {
                let number: i64 = row.try_get(0).map_err(doing)?;
                found.push(Orphaned {
                    reference: chunk[place(number)].clone(),
                    local: row.try_get::<_, Option<bool>>(1).map_err(doing)?.unwrap_or(false),
                    forgotten: row.try_get::<_, Option<bool>>(2).map_err(doing)?.unwrap_or(false),
                    overwritten: row.try_get::<_, Option<bool>>(3).map_err(doing)?.unwrap_or(false),
                });
            }
        }
        client.batch_execute(OWN_PLANS).await.map_err(doing)?;
        self.leave();
        Ok(found)
    }

    /// The marks of those of these tables that have one. Whoever makes a foreign key waits for all who have written what it
    /// refers to, and they for it: asked after rows of a table were written, it is what it will be until the commit.
    ///
    /// # Errors
    /// What the server says.
    pub async fn marks(&mut self, tables: &[(String, String)]) -> Result<Marks> {
        let doing = Error::doing("read the marks of foreign keys");
        let client = self.enter().await?;
        let statement = self.session.statements.marks(&client).await?;
        let schemas: Vec<&str> = tables.iter().map(|(schema, _)| schema.as_str()).collect();
        let names: Vec<&str> = tables.iter().map(|(_, name)| name.as_str()).collect();
        let rows = client.query(&statement, &[&schemas, &names]).await.map_err(doing)?;
        self.leave();
        let read = |row: &tokio_postgres::Row| Ok((tables[place(row.try_get(0)?)].clone(), row.try_get(1)?));
        rows.iter().map(|row| read(row).map_err(doing)).collect()
    }

    /// Every reference to nothing. Reads the whole table that refers.
    ///
    /// # Errors
    /// What the server says.
    pub async fn dangling(&mut self, key: &ForeignKey) -> Result<Vec<Reference>> {
        let sql = format!(
            "SELECT DISTINCT {} FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
            key.child_texts().join(", "),
            key.child.rows(),
            key.child_refers(),
            key.parent.rows(),
            key.child_refers_to_parent()
        );
        let doing = Error::doing("look through a table for foreign keys that refer to nothing");
        let client = self.enter().await?;
        client.batch_execute(ANY_PLAN).await.map_err(doing)?;
        let rows = client.query_typed(&sql, &[]).await.map_err(doing)?;
        client.batch_execute(OWN_PLANS).await.map_err(doing)?;
        self.leave();
        rows.iter()
            .map(|row| texts(row, 0, key.columns.len()).map_err(doing))
            .collect()
    }

    /// Rows that have one of these references, with their values in `columns`: [`REFERRING_MAX`] at most.
    ///
    /// # Errors
    /// What the server says.
    pub async fn referring(
        &mut self,
        key: &ForeignKey,
        references: &[Reference],
        columns: &[String],
    ) -> Result<Vec<OrphanRow>> {
        let wanted = columns.iter().map(|name| crate::foreign_key::text_of("c", name));
        let sql = format!(
            "SELECT u.ord, n.nspname::text, r.relname::text, {} FROM {} JOIN {} AS c ON {} \
             JOIN pg_class r ON r.oid = c.tableoid JOIN pg_namespace n ON n.oid = r.relnamespace LIMIT {REFERRING_MAX}",
            wanted.collect::<Vec<_>>().join(", "),
            key.sent(1),
            key.child.rows(),
            key.child_refers_to_sent()
        );
        let doing = Error::doing("read rows whose foreign key refers to nothing");
        let client = self.enter().await?;
        client.batch_execute(ANY_PLAN).await.map_err(doing)?;
        let arrays = arrays(key, references);
        let rows = client.query_typed(&sql, &typed(&arrays)).await.map_err(doing)?;
        client.batch_execute(OWN_PLANS).await.map_err(doing)?;
        self.leave();
        let read = |row: &tokio_postgres::Row| {
            Ok(OrphanRow {
                at: place(row.try_get(0)?),
                table: (row.try_get(1)?, row.try_get(2)?),
                values: texts(row, 3, columns.len())?,
            })
        };
        rows.iter().map(|row| read(row).map_err(doing)).collect()
    }
}

/// One parameter for each column.
fn arrays<'a>(key: &ForeignKey, references: &'a [Reference]) -> Vec<TextArray<'a>> {
    let array = |at: usize| TextArray(references.iter().map(|reference| reference[at].as_deref()).collect());
    (0..key.columns.len()).map(array).collect()
}

fn typed<'p>(arrays: &'p [TextArray<'_>]) -> Vec<(&'p (dyn ToSql + Sync), Type)> {
    arrays
        .iter()
        .map(|array| (array as &(dyn ToSql + Sync), Type::TEXT_ARRAY))
        .collect()
}

fn place(number: i64) -> usize {
    let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    at.expect("the server answers with the numbers of the rows sent")
}

fn texts(row: &tokio_postgres::Row, first: usize, count: usize) -> std::result::Result<Texts, tokio_postgres::Error> {
    let text = |at| Ok(row.try_get::<_, Option<Raw>>(at)?.map(|raw| raw.0));
    (first..first + count).map(text).collect()
}
