//! The SQL that repairs. Keys come as in `verify`: `$1`, `$2`, …, a `text[]` for each key column.

use synapse_engine_setup::{Catalog, Column, Generated, IdentityColumn, Table};

use crate::frames::{Act, TablePart};
use crate::verify::statement::{from, ident, key_texts, wanted_on, wanted_rows};

/// Notes rows: table, source and who repairs, then keys, before and after as arrays of JSON.
pub(super) const LOG: &str = "INSERT INTO synapse.repair_log (table_name, key, source, before, after, repaired_by) \
     SELECT $1, u.key::jsonb, $2, u.before::jsonb, u.after::jsonb, $3 \
       FROM unnest($4::text[], $5::text[], $6::text[]) AS u(key, before, after)";

/// Locks rows and gives the key columns of those that are there and that nobody else has locked. Who has locked one is
/// about to write it: it is not waited for.
pub(super) fn lock(part: &TablePart, catalog: &Catalog, act: Act) -> String {
    let strength = match act {
        Act::Send => "NO KEY UPDATE",
        Act::Delete => "UPDATE",
    };
    format!(
        "SELECT {} {} JOIN {} ON {} FOR {strength} OF t SKIP LOCKED",
        key_texts(part),
        from(part),
        wanted_rows(part),
        wanted_on(part, catalog)
    )
}

/// Deletes rows that are locked.
pub(super) fn delete(part: &TablePart, catalog: &Catalog) -> String {
    format!(
        "DELETE {} USING {} WHERE {}",
        from(part),
        wanted_rows(part),
        wanted_on(part, catalog)
    )
}

/// Writes rows that are locked again as they are, so that the WAL carries all of their columns; none for a table of which
/// an UPDATE may set no column.
///
/// A value that is stored out of line is carried only if it is stored anew, which `SET c = c` does not
/// (`toast_tuple_init` in `toast_helper.c` keeps a pointer that is the same). Through its text it is a new value, as it
/// is at every peer. `IS DISTINCT FROM NULL` is true of a row value whose fields are NULL.
pub(super) fn send(part: &TablePart, catalog: &Catalog) -> Option<String> {
    let table = catalog.find(&part.schema, &part.table)?;
    let set = assignments(table, part)?;
    let target = from(part).replacen("FROM", "UPDATE", 1);
    Some(format!(
        "{target} SET {set} FROM {} WHERE {}",
        wanted_rows(part),
        wanted_on(part, catalog)
    ))
}

fn assignments(table: &Table, part: &TablePart) -> Option<String> {
    let may_be_set = |c: &&Column| c.generated == Generated::No && c.identity != IdentityColumn::Always;
    let is_key = |c: &Column| part.key.contains(&c.name);
    let anew = |c: &Column| {
        let name = ident(&c.name);
        let value = format!("format('%s', t.{name})::{}", c.type_name);
        format!("{name} = CASE WHEN t.{name} IS DISTINCT FROM NULL THEN {value} END")
    };
    let out_of_line = table
        .columns
        .iter()
        .filter(may_be_set)
        .filter(|c| c.toastable && !is_key(c));
    let set: Vec<String> = out_of_line.map(anew).collect();
    if !set.is_empty() {
        return Some(set.join(", "));
    }
    // Any column will do; one of the key last, because that takes a stronger lock.
    let mut settable: Vec<&Column> = table.columns.iter().filter(may_be_set).collect();
    settable.sort_by_key(|c| is_key(c));
    let name = ident(&settable.first()?.name);
    Some(format!("{name} = t.{name}"))
}

/// Key columns, the time of the last write in microseconds, and the origin's name that it carries.
pub(super) fn written(part: &TablePart, catalog: &Catalog) -> String {
    format!(
        "SELECT {}, (extract(epoch FROM x.at) * 1000000)::int8, o.roname::text {} JOIN {} ON {} \
           CROSS JOIN LATERAL pg_xact_commit_timestamp_origin(t.xmin) AS x(at, roident) \
           LEFT JOIN pg_replication_origin o ON o.roident = x.roident",
        key_texts(part),
        from(part),
        wanted_rows(part),
        wanted_on(part, catalog)
    )
}

#[cfg(test)]
mod tests;
