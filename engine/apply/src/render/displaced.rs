//! `synapse.displaced`, whose images have a table's columns by name.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;

use crate::name::literal;

/// Reads displaced rows of a table: $1 and $2 are its names, $3 whether all are wanted, $4 else which; `locked`: and locks them.
pub(crate) struct DisplacedSql {
    pub(crate) read: String,
    /// The columns that it answers with, in order, behind the key.
    pub(crate) columns: Vec<ColumnId>,
}

pub(crate) fn displaced(table: &Table, locked: bool) -> DisplacedSql {
    let writable = table.columns.iter().enumerate().filter(|(_, column)| column.writable);
    let columns: Vec<ColumnId> = writable
        .filter_map(|(at, _)| u16::try_from(at).ok().map(ColumnId))
        .collect();
    let name = |id: &ColumnId| literal(&table.at(*id).name);
    let there: Vec<String> = columns
        .iter()
        .map(|id| format!("pg_catalog.jsonb_exists(image, {})", name(id)))
        .collect();
    let key = table.key.iter().map(|id| format!(", key ->> {}", name(id)));
    let image = columns.iter().map(|id| format!(", image ->> {}", name(id)));
    let texts: String = key.chain(image).collect();
    let read = format!(
        "SELECT row_id, origin, hlc, ARRAY[{}]::bool[]{texts} FROM synapse.displaced \
         WHERE table_schema = $1 AND table_name = $2 AND ($3 OR row_id = ANY ($4)) ORDER BY row_id{}",
        there.join(", "),
        if locked { " FOR UPDATE" } else { "" }
    );
    DisplacedSql { read, columns }
}

/// Keeps displaced rows with these columns. $1 and $2 name the table; arrays of `row_id`, origin, time and rivals follow, then
/// one for each column of the key and of the image.
pub(crate) fn put_displaced(table: &Table, columns: &[ColumnId]) -> String {
    let count = table.key.len() + columns.len();
    let parameters: Vec<String> = (3..7 + count).map(|at| format!("${at}")).collect();
    let names: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
    let object = |ids: &[ColumnId], first: usize| {
        let names: Vec<String> = ids.iter().map(|id| literal(&table.at(*id).name)).collect();
        let values: Vec<String> = (first..first + ids.len()).map(|at| format!("u.c{at}")).collect();
        format!(
            "jsonb_object(ARRAY[{}]::text[], ARRAY[{}]::text[])",
            names.join(", "),
            values.join(", ")
        )
    };
    format!(
        "INSERT INTO synapse.displaced (table_schema, table_name, row_id, origin, hlc, rivals, key, image) \
         SELECT $1, $2, u.row_id, u.origin, u.hlc::bigint, u.rivals::jsonb, {}, {} \
         FROM unnest({}) AS u(row_id, origin, hlc, rivals, {}) \
         ON CONFLICT (table_schema, table_name, row_id) DO UPDATE SET key = excluded.key, image = excluded.image, \
         origin = excluded.origin, hlc = excluded.hlc, rivals = excluded.rivals",
        object(&table.key, 0),
        object(columns, table.key.len()),
        parameters.join(", "),
        names.join(", ")
    )
}
