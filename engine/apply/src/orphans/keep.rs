//! Rows that are about to go, copied into `synapse.orphans` as they are.

use postgres_types::{ToSql, Type};
use tokio_postgres::Client;

use super::{CHUNK, Reference, arrays, typed};
use crate::error::{Error, Result};
use crate::foreign_key::ForeignKey;
use crate::transaction::Transaction;

/// How far rows that a kept row refers to are kept with it.
const ANCESTORS_MAX: usize = 100;

impl Transaction<'_> {
    /// Notes that rows which are about to go are referred to through `key`, each as it is, and with what it refers to in
    /// turn. Comes before the batch's steps. `gone_by` is the stamp of the write that takes them, as JSON. What is noted
    /// already is left, and where no row is, it is noted without an image.
    ///
    /// # Errors
    /// What the server says.
    pub async fn keep(
        &mut self,
        key: &ForeignKey,
        all: &[ForeignKey],
        references: &[Reference],
        gone_by: &str,
    ) -> Result<()> {
        let client = self.enter().await?;
        for chunk in references.chunks(CHUNK) {
            keep_rows(&client, key, chunk, gone_by).await?;
        }
        let mut tables = vec![&key.parent];
        for _ in 0..ANCESTORS_MAX {
            let mut next = Vec::new();
            for table in tables {
                for above in all.iter().filter(|above| above.child.is(table)) {
                    if keep_above(&client, above).await? > 0 {
                        next.push(&above.parent);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            tables = next;
        }
        self.leave();
        Ok(())
    }
}

async fn keep_rows(client: &Client, key: &ForeignKey, references: &[Reference], gone_by: &str) -> Result<()> {
    let doing = Error::doing("keep a row that is referred to");
    let lock = format!(
        "SELECT FROM {} JOIN {} AS p ON {} FOR UPDATE OF p",
        key.sent(1),
        key.parent.rows(),
        key.parent_is_sent()
    );
    let arrays = arrays(key, references);
    client.query_typed(&lock, &typed(&arrays)).await.map_err(doing)?;
    let after = key.columns.len();
    let refs: Vec<String> = (0..after).map(|at| format!("u.c{at}")).collect();
    let refs = format!("jsonb_build_array({})", refs.join(", "));
    let [schema, table, child_schema, child_table, name, by] =
        std::array::from_fn(|at| format!("${}::text", after + at + 1));
    let (sent, parent, is, image) = (
        key.sent(1),
        key.parent.rows(),
        key.parent_is_sent(),
        key.parent.image("p"),
    );
    // What was there again since it was noted, and goes once more, is noted as it is now.
    let again = format!(
        "UPDATE synapse.orphans o SET kept_with = DEFAULT, kept_at = DEFAULT, displaced = DEFAULT, image = {image}, gone_by = {by}::jsonb, \
         state = DEFAULT, problem = NULL FROM {sent} JOIN {parent} AS p ON {is} \
         WHERE o.child_schema = {child_schema} AND o.child_table = {child_table} AND o.foreign_key = {name} \
         AND o.refs = {refs} AND o.schema_name = {schema} AND o.table_name = {table}"
    );
    let keep = format!(
        "INSERT INTO synapse.orphans (schema_name, table_name, image, child_schema, child_table, foreign_key, refs, gone_by) \
         SELECT {schema}, {table}, CASE WHEN p.tableoid IS NOT NULL THEN {image} END, {child_schema}, {child_table}, {name}, \
         {refs}, {by}::jsonb FROM {sent} LEFT JOIN {parent} AS p ON {is} \
         WHERE NOT EXISTS (SELECT FROM synapse.orphans o WHERE o.child_schema = {child_schema} \
         AND o.child_table = {child_table} AND o.foreign_key = {name} AND o.refs = {refs})"
    );
    let names = [
        &key.parent.schema,
        &key.parent.name,
        &key.child.schema,
        &key.child.name,
        &key.name,
    ];
    let mut parameters = typed(&arrays);
    parameters.extend(names.map(|name| (name as &(dyn ToSql + Sync), Type::TEXT)));
    parameters.push((&gone_by, Type::TEXT));
    for sql in [again, keep] {
        client.execute_typed(&sql, &parameters).await.map_err(doing)?;
    }
    Ok(())
}

/// Keeps what rows of `key.child` that this transaction has kept refer to. What is gone already is kept as an earlier
/// transaction did: that entry is forgotten as soon as this row is gone too. Answers with how many are new.
async fn keep_above(client: &Client, key: &ForeignKey) -> Result<u64> {
    let doing = Error::doing("keep what a kept row refers to");
    let sql = format!(
        "INSERT INTO synapse.orphans (schema_name, table_name, image) \
         SELECT DISTINCT $1::text, $2::text, i.image FROM synapse.orphans o, LATERAL ({child}) AS c, LATERAL ( \
             (SELECT {image} AS image FROM {parent} AS p WHERE {refers}) UNION ALL \
             (SELECT k.image FROM synapse.orphans k, LATERAL ({kept}) AS p WHERE k.schema_name = $1::text \
              AND k.table_name = $2::text AND k.image IS NOT NULL AND k.kept_with <> o.kept_with AND {refers} \
              AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {refers}) ORDER BY k.id DESC LIMIT 1)) AS i \
         WHERE o.kept_with = pg_current_xact_id()::text::bigint AND o.schema_name = $3::text AND o.table_name = $4::text \
         AND o.image IS NOT NULL AND NOT EXISTS (SELECT FROM synapse.orphans x WHERE x.kept_with = o.kept_with \
         AND x.schema_name = $1::text AND x.table_name = $2::text AND x.image = i.image)",
        child = key.child.of_image("o.image"),
        image = key.parent.image("p"),
        parent = key.parent.rows(),
        refers = key.child_refers_to_parent(),
        kept = key.parent.of_image("k.image"),
    );
    let names = [&key.parent.schema, &key.parent.name, &key.child.schema, &key.child.name];
    let parameters = names.map(|name| (name as &(dyn ToSql + Sync), Type::TEXT));
    client.execute_typed(&sql, &parameters).await.map_err(doing)
}
