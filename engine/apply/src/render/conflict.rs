//! Conflicts into `synapse.conflict_log`.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;
use synapse_engine_replication::Kind;

use crate::conflicts::IMAGE_BYTES_MAX;
use crate::name::{literal, quoted, relation};

/// Columns that are sent beside the key: table, kind, policy, verdict, remote image, and two stamps.
pub(super) const COLUMNS: usize = 5 + 2 * STAMP_COLUMNS;
/// Node, position, time, transaction.
const STAMP_COLUMNS: usize = 4;

/// Kinds in which the write met a delete: how the row stands when that is found late is not how it stood.
const MET_A_DELETE: [Kind; 3] = [Kind::InsertDeleted, Kind::UpdateDeleted, Kind::DeleteMissing];

/// Inserts what was sent, and beside it the row of that key as it stands, if it does and did. Answers with the new numbers in the
/// order sent. Values are shown by their types' output functions, as the stream has them: a cast to text is
/// something else for a boolean and for a padded string.
pub(super) fn log(table: &Table, key: &[ColumnId], rows: &str, key_equals: &str) -> String {
    let sent = |at: usize| format!("u.c{}", key.len() + at);
    let writable: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.writable)
        .map(|column| column.name.as_str())
        .collect();
    let shown = |name: &&str| {
        let column = format!("t.{}", quoted(name));
        format!("CASE WHEN {column} IS DISTINCT FROM NULL THEN format('%s', {column}) END")
    };
    let image = array(writable.iter().map(shown));
    let image_names = array(writable.iter().map(|name| literal(name)));
    let key_names = array(key.iter().map(|id| literal(&table.at(*id).name)));
    let key_values = array((0..key.len()).map(|at| format!("u.c{at}")));
    let columns: Vec<String> = (0..5).map(sent).collect();
    let [table_name, kind, policy, verdict, remote] = &columns[..] else {
        unreachable!("five columns were named")
    };
    let met_a_delete = MET_A_DELETE.map(|kind| literal(kind.name())).join(", ");
    // OFFSET keeps the image from being computed once for each use.
    format!(
        "INSERT INTO synapse.conflict_log (table_name, key, kind, policy, verdict, remote, local_stamp, remote_stamp, local) \
         SELECT {table_name}, jsonb_object({key_names}, {key_values}), {kind}, {policy}, {verdict}, {remote}::jsonb, {}, {}, \
         CASE WHEN t.ctid IS NULL OR {kind} IN ({met_a_delete}) THEN NULL \
         WHEN pg_column_size(i.v) > {IMAGE_BYTES_MAX} THEN to_jsonb(format('left out: %s bytes', pg_column_size(i.v))) \
         ELSE jsonb_object({image_names}, i.v) END \
         FROM {rows} LEFT JOIN ONLY {} AS t ON {key_equals} CROSS JOIN LATERAL (SELECT {image} AS v OFFSET 0) AS i \
         ORDER BY u.ord RETURNING id",
        stamp(&sent, 5),
        stamp(&sent, 5 + STAMP_COLUMNS),
        relation(table),
    )
}

/// A stamp as JSON; a hybrid time counts microseconds from 2000 on.
fn stamp(sent: &impl Fn(usize) -> String, first: usize) -> String {
    let [node, lsn, time, txn] = std::array::from_fn(|at| sent(first + at));
    format!(
        "jsonb_build_object('node', {node}, 'lsn', {lsn}, 'time', \
         (timestamptz '2000-01-01 00:00:00+00' + {time}::bigint * interval '1 microsecond')::text, 'transaction', {txn})"
    )
}

fn array(elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<String> = elements.collect();
    format!("ARRAY[{}]::text[]", elements.join(", "))
}
