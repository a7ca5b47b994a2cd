//! An orphan in `synapse.conflict_log`, as each of its rows was when it was mended.

use synapse_engine_apply::{ForeignKey, IMAGE_BYTES_MAX, ORIGIN_PREFIX, part_of_image};
use synapse_engine_identity::{Hlc, TxnId};
use synapse_engine_replication::Outcome;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::Rule;
use super::entry::Entry;
use crate::conflicts::{Class, Met};
use crate::error::Error;
use crate::shared::Shared;

/// What such conflicts are called.
pub(crate) const KIND: &str = "foreign_key_orphan";

impl Rule {
    /// Which of the two writes stands: that of the row that refers, or the one that took what it refers to.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Rule::RestoreParent => Outcome::Local,
            Rule::DeleteChild => Outcome::Remote,
            Rule::Report => Outcome::Both,
        }
    }
}

/// A stamp as `synapse.orphans` keeps it.
pub(crate) fn stamp_json(txn: TxnId, hlc: Hlc) -> serde_json::Value {
    serde_json::json!({
        "node": txn.origin.node.as_str(), "lsn": txn.lsn.to_string(), "hlc": hlc.to_string(), "transaction": txn.to_string(),
    })
}

/// Logs the rows that refer to what is gone, as far as the rate allows. Comes before anything is done about them.
/// Answers with what is to be counted once that is committed.
pub(super) async fn note(
    shared: &Shared,
    transaction: &mut Transaction<'_>,
    key: &ForeignKey,
    entry: &Entry,
    (rule, outcome): (Rule, Outcome),
) -> Result<Met, Error> {
    let count = format!(
        "SELECT count(*) FROM {} JOIN {} AS c ON {}",
        key.sent(1),
        key.child.rows(),
        key.child_refers_to_sent()
    );
    let rows = transaction.query_typed(&count, &entry.refs.parameters()).await?;
    let found = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
    let found = found.unwrap_or(0).unsigned_abs();
    let room = shared.conflicts.room(shared.clock.monotonic()).min(found);
    let savepoint = transaction.savepoint("conflict_log").await?;
    let logged = match insert(shared, &savepoint, key, entry, (rule, outcome, room)).await {
        Ok(logged) => {
            savepoint.commit().await?;
            shared.conflicts.log_takes();
            logged
        }
        Err(error) => {
            savepoint.rollback().await?;
            if shared.conflicts.log_refuses() {
                tracing::warn!(%error, "conflicts are decided and counted, and not logged: synapse.conflict_log cannot be written");
            }
            0
        }
    };
    let class = Class {
        table: key.child.shown(),
        kind: KIND,
        policy: rule.to_string(),
    };
    let mut met = Met {
        logged,
        ..Met::default()
    };
    met.found.insert(class.clone(), found);
    if found > logged {
        met.left_out.insert(class, found - logged);
    }
    Ok(met)
}

async fn insert(
    shared: &Shared,
    transaction: &Transaction<'_>,
    key: &ForeignKey,
    entry: &Entry,
    (rule, outcome, room): (Rule, Outcome, u64),
) -> Result<u64, Error> {
    let directory = shared.directory();
    let tables = key
        .child
        .leaves
        .iter()
        .filter_map(|(schema, name)| directory.get(schema, name));
    let table = tables.into_iter().find(|table| table.has_key());
    let names: Vec<&str> = table.map_or_else(Vec::new, |table| {
        table.key.iter().map(|id| table.at(*id).name.as_str()).collect()
    });
    let next = entry.refs.next();
    let [policy, verdict, me, prefix, id, limit] = std::array::from_fn(|at| format!("${}", next + at));
    let sql = format!(
        "INSERT INTO synapse.conflict_log (table_name, key, kind, policy, verdict, local_stamp, remote_stamp, local) \
         SELECT format('%s.%s', n.nspname, r.relname), {}, '{KIND}', {policy}::text, {verdict}::text, \
         jsonb_build_object('node', a.node, 'lsn', NULL, 'time', w.timestamp::text, 'transaction', a.node), \
         jsonb_build_object('node', e.gone_by ->> 'node', 'lsn', e.gone_by ->> 'lsn', 'time', \
         (timestamptz '2000-01-01 00:00:00+00' + (e.gone_by ->> 'hlc')::bigint * interval '1 microsecond')::text, \
         'transaction', e.gone_by ->> 'transaction'), \
         CASE WHEN pg_column_size(i.image) > {IMAGE_BYTES_MAX} \
         THEN to_jsonb(format('left out: %s bytes', pg_column_size(i.image))) ELSE i.image END \
         FROM {} JOIN {} AS c ON {} JOIN synapse.orphans e ON e.id = {id}::bigint \
         JOIN pg_class r ON r.oid = c.tableoid JOIN pg_namespace n ON n.oid = r.relnamespace \
         CROSS JOIN LATERAL pg_xact_commit_timestamp_origin(c.xmin) AS w \
         LEFT JOIN pg_replication_origin o ON o.roident = w.roident AND starts_with(o.roname, {prefix}::text) \
         CROSS JOIN LATERAL (SELECT coalesce(regexp_replace(substr(o.roname, length({prefix}::text) + 1), '_[0-9]+$', ''), \
         {me}::text) AS node) AS a \
         CROSS JOIN LATERAL (SELECT {} AS image OFFSET 0) AS i LIMIT {limit}::bigint",
        part_of_image("c", &names),
        key.sent(1),
        key.child.rows(),
        key.child_refers_to_sent(),
        key.child.image("c"),
    );
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    let (rule, verdict, me) = (rule.name(), outcome.name(), shared.me.node);
    let me = me.as_str();
    let mut parameters = entry.refs.parameters();
    parameters.extend([
        (&rule as _, Type::TEXT),
        (&verdict as _, Type::TEXT),
        (&me as _, Type::TEXT),
        (&ORIGIN_PREFIX as _, Type::TEXT),
        (&entry.id as _, Type::INT8),
        (&limit as _, Type::INT8),
    ]);
    Ok(transaction.execute_typed(&sql, &parameters).await?)
}
