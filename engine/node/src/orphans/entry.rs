//! What the applier noted in `synapse.orphans`, read back.

use std::time::Duration;

use synapse_engine_apply::ForeignKey;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, GenericClient, Transaction};

use super::Standing;
use crate::error::Error;

/// Read at once.
const READ_AT_ONCE: i64 = 500;
/// How long another node, which may know how a row was, has time to bring it back.
const OTHERS_MEND_WITHIN: Duration = Duration::from_secs(10);
/// Problems that are shown.
const SHOWN: i64 = 3;

/// Rows without what they refer to.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    /// Schema and name of the table that refers.
    pub(super) child: (String, String),
    /// The foreign key's name.
    pub(super) key: String,
    pub(super) refs: Refs,
    /// Whether it is known how it was.
    pub(super) has_image: bool,
    /// Whether it was noted within [`OTHERS_MEND_WITHIN`].
    pub(super) fresh: bool,
    /// Whether it went because another row displaced it.
    pub(super) displaced: bool,
    /// Whether it was told of already.
    pub(super) told: bool,
}

/// What is referred to: one value for each column of a foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refs(Vec<Vec<Option<String>>>);

impl Refs {
    pub(super) fn new(values: Vec<Option<String>>) -> Self {
        Refs(values.into_iter().map(|value| vec![value]).collect())
    }

    /// As [`ForeignKey::sent`] takes it, from `$1` on.
    pub(super) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        let array = |values| (values as &(dyn ToSql + Sync), Type::TEXT_ARRAY);
        self.0.iter().map(array).collect()
    }

    /// Which parameter follows.
    pub(super) fn next(&self) -> usize {
        self.0.len() + 1
    }
}

/// Where a row is that others refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In its table.
    Standing,
    /// In `synapse.displaced`.
    Displaced,
    /// Nowhere.
    Gone,
}

/// Those after `after` that are in that state of being told of, in the order in which they were noted.
pub(super) async fn read(client: &Client, told: bool, after: i64) -> Result<Vec<Entry>, Error> {
    let sql = "SELECT id, child_schema, child_table, foreign_key, ARRAY(SELECT jsonb_array_elements_text(refs)), \
               image IS NOT NULL, displaced, kept_at > now() - make_interval(secs => $4) FROM synapse.orphans \
               WHERE foreign_key IS NOT NULL AND (state <> 'waiting') = $1 AND id > $2 ORDER BY id LIMIT $3";
    let patience = OTHERS_MEND_WITHIN.as_secs_f64();
    let rows = client.query(sql, &[&told, &after, &READ_AT_ONCE, &patience]).await?;
    let entry = |row: &tokio_postgres::Row| {
        Ok(Entry {
            id: row.try_get(0)?,
            child: (row.try_get(1)?, row.try_get(2)?),
            key: row.try_get(3)?,
            refs: Refs::new(row.try_get(4)?),
            has_image: row.try_get(5)?,
            displaced: row.try_get(6)?,
            fresh: row.try_get(7)?,
            told,
        })
    };
    rows.iter().map(entry).collect()
}

/// What stands there.
pub(super) async fn standing(client: &Client) -> Result<Standing, Error> {
    let sql = "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'reported'), \
               count(*) FILTER (WHERE state = 'displaced'), count(*) FILTER (WHERE state = 'stuck') \
               FROM synapse.orphans WHERE foreign_key IS NOT NULL";
    let row = client.query_one(sql, &[]).await?;
    let sql = "SELECT format('rows of %s.%s refer to a row of %s.%s that is gone, through %s: %s', child_schema, \
               child_table, schema_name, table_name, foreign_key, problem) FROM synapse.orphans \
               WHERE state = 'stuck' ORDER BY id LIMIT $1";
    let stuck = client.query(sql, &[&SHOWN]).await?;
    Ok(Standing {
        waiting: row.try_get::<_, i64>(0)?.unsigned_abs(),
        reported: row.try_get::<_, i64>(1)?.unsigned_abs(),
        displaced: row.try_get::<_, i64>(2)?.unsigned_abs(),
        stuck: row.try_get::<_, i64>(3)?.unsigned_abs(),
        problems: stuck.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
    })
}

/// Forgets an entry.
pub(super) async fn forget(transaction: &Transaction<'_>, id: i64) -> Result<(), Error> {
    let sql = "DELETE FROM synapse.orphans WHERE id = $1";
    transaction.execute(sql, &[&id]).await?;
    Ok(())
}

/// Forgets what was kept beside entries that are forgotten.
pub(super) async fn sweep(client: &Client) -> Result<(), Error> {
    let sql = "DELETE FROM synapse.orphans o WHERE o.foreign_key IS NULL AND NOT EXISTS (SELECT FROM synapse.orphans x \
               WHERE x.kept_with = o.kept_with AND x.foreign_key IS NOT NULL)";
    client.execute(sql, &[]).await?;
    Ok(())
}

/// Says that an entry stays, and why.
pub(super) async fn mark(
    client: &impl GenericClient,
    id: i64,
    state: &str,
    problem: Option<&str>,
) -> Result<(), Error> {
    let sql = "UPDATE synapse.orphans SET state = $2, problem = $3, displaced = displaced OR $2 = 'displaced' WHERE id = $1 \
               AND (state, problem) IS DISTINCT FROM ($2, $3)";
    client.execute(sql, &[&id, &state, &problem]).await?;
    Ok(())
}

/// Whether what is referred to is there; if so, it stays until the transaction ends.
pub(super) async fn stands(transaction: &Transaction<'_>, key: &ForeignKey, refs: &Refs) -> Result<bool, Error> {
    let sql = format!(
        "SELECT FROM {} JOIN {} AS p ON {} FOR KEY SHARE OF p",
        key.sent(1),
        key.parent.rows(),
        key.parent_is_sent()
    );
    Ok(!transaction.query_typed(&sql, &refs.parameters()).await?.is_empty())
}

/// Where that is which is referred to. Nothing is locked: it may be there or displaced a moment later.
pub(super) async fn whereabouts(
    transaction: &Transaction<'_>,
    key: &ForeignKey,
    refs: &Refs,
) -> Result<Whereabouts, Error> {
    let rows = transaction
        .query_typed(&key.parent_whereabouts(), &refs.parameters())
        .await?;
    let Some(row) = rows.first() else {
        return Ok(Whereabouts::Gone);
    };
    Ok(match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => Whereabouts::Standing,
        (false, true) => Whereabouts::Displaced,
        (false, false) => Whereabouts::Gone,
    })
}

/// Whether rows refer to it; if so, one of them stays until the transaction ends.
pub(super) async fn referred(transaction: &Transaction<'_>, key: &ForeignKey, refs: &Refs) -> Result<bool, Error> {
    let sql = format!(
        "SELECT FROM {} JOIN {} AS c ON {} LIMIT 1 FOR KEY SHARE OF c",
        key.sent(1),
        key.child.rows(),
        key.child_refers_to_sent()
    );
    Ok(!transaction.query_typed(&sql, &refs.parameters()).await?.is_empty())
}
