//! Rows that were displaced while others refer to them: noted in `synapse.orphans`. They are kept in `synapse.displaced`, so
//! that no image is needed, and this may come after they went.

use postgres_types::{ToSql, Type};

use super::{CHUNK, Reference, arrays, typed};
use crate::error::{Error, Result};
use crate::foreign_key::ForeignKey;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Notes that rows which this transaction has displaced are referred to through `key`. `gone_by` is the stamp of the
    /// write that displaced them, as JSON.
    ///
    /// # Errors
    /// What the server says.
    pub async fn note_displaced(&mut self, key: &ForeignKey, references: &[Reference], gone_by: &str) -> Result<()> {
        let doing = Error::doing("note that a displaced row is referred to");
        let after = key.columns.len();
        let refs: Vec<String> = (0..after).map(|at| format!("u.c{at}")).collect();
        let refs = format!("jsonb_build_array({})", refs.join(", "));
        let [schema, table, child_schema, child_table, name, by] =
            std::array::from_fn(|at| format!("${}::text", after + at + 1));
        let sent = key.sent(1);
        let noted = format!(
            "o.child_schema = {child_schema} AND o.child_table = {child_table} AND o.foreign_key = {name} AND o.refs = {refs}"
        );
        let again = format!(
            "UPDATE synapse.orphans o SET displaced = true, image = NULL, kept_with = DEFAULT, kept_at = DEFAULT, \
             gone_by = {by}::jsonb, state = DEFAULT, problem = NULL, schema_name = {schema}, table_name = {table} \
             FROM {sent} WHERE {noted}"
        );
        let note = format!(
            "INSERT INTO synapse.orphans (schema_name, table_name, child_schema, child_table, foreign_key, refs, gone_by, displaced) \
             SELECT {schema}, {table}, {child_schema}, {child_table}, {name}, {refs}, {by}::jsonb, true FROM {sent} \
             WHERE NOT EXISTS (SELECT FROM synapse.orphans o WHERE {noted})"
        );
        let names = [
            &key.parent.schema,
            &key.parent.name,
            &key.child.schema,
            &key.child.name,
            &key.name,
        ];
        let client = self.enter().await?;
        for chunk in references.chunks(CHUNK) {
            let arrays = arrays(key, chunk);
            let mut parameters = typed(&arrays);
            parameters.extend(names.map(|name| (name as &(dyn ToSql + Sync), Type::TEXT)));
            parameters.push((&gone_by, Type::TEXT));
            for sql in [&again, &note] {
                client.execute_typed(sql, &parameters).await.map_err(doing)?;
            }
        }
        self.leave();
        Ok(())
    }
}
