//! Tables without a key: exactly one row that is equal in every column.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;

use crate::name::{cast_type, quoted, relation};

/// Deletes one row that equals the parameters, which are those of `old`.
pub(crate) fn keyless_delete(table: &Table, old: &[ColumnId]) -> String {
    let name = relation(table);
    format!(
        "DELETE FROM ONLY {name} AS t WHERE t.ctid = ({})",
        one_equal(table, old)
    )
}

/// Updates one row that equals the first parameters, those of `old`, to the others, those of `new`.
pub(crate) fn keyless_update(table: &Table, old: &[ColumnId], new: &[ColumnId]) -> String {
    let set: Vec<String> = new
        .iter()
        .enumerate()
        .map(|(at, id)| {
            format!(
                "{} = {}",
                quoted(&table.at(*id).name),
                value(table, *id, old.len() + at)
            )
        })
        .collect();
    format!(
        "UPDATE ONLY {} AS t SET {} WHERE t.ctid = ({})",
        relation(table),
        set.join(", "),
        one_equal(table, old)
    )
}

/// Both sides go through the same cast to text, because not every type has an equality (json, xml, point).
fn one_equal(table: &Table, old: &[ColumnId]) -> String {
    let equal: Vec<String> = old
        .iter()
        .enumerate()
        .map(|(at, id)| {
            let column = quoted(&table.at(*id).name);
            let value = value(table, *id, at);
            format!("x.{column}::text COLLATE \"C\" IS NOT DISTINCT FROM ({value})::text COLLATE \"C\"")
        })
        .collect();
    let condition = if equal.is_empty() {
        "true".to_owned()
    } else {
        equal.join(" AND ")
    };
    format!(
        "SELECT x.ctid FROM ONLY {} AS x WHERE {condition} LIMIT 1 FOR UPDATE",
        relation(table)
    )
}

fn value(table: &Table, column: ColumnId, at: usize) -> String {
    format!("${}::text::{}", at + 1, cast_type(&table.at(column).type_sql))
}
