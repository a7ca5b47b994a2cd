//! Names and types as they stand in SQL.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;

/// A name in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The table with its schema.
pub(crate) fn relation(table: &Table) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// A list of columns.
pub(crate) fn list(table: &Table, columns: &[ColumnId]) -> String {
    let names: Vec<String> = columns.iter().map(|c| quoted(&table.at(*c).name)).collect();
    names.join(", ")
}

/// The type to cast a value's text to. A cast that is written out cuts strings silently to the declared length; without
/// the length they are checked when they are stored, and one that is too long is an error.
pub(crate) fn cast_type(type_sql: &str) -> String {
    let lengthless = [
        ("character varying", "pg_catalog.\"varchar\""),
        ("character", "pg_catalog.bpchar"),
        ("bit varying", "pg_catalog.varbit"),
        ("bit", "pg_catalog.\"bit\""),
    ];
    let bare = type_sql.strip_prefix("pg_catalog.").unwrap_or(type_sql);
    for (name, plain) in lengthless {
        let Some(rest) = bare.strip_prefix(name) else { continue };
        let dimensions = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((length, after)) if length.bytes().all(|b| b.is_ascii_digit()) => after,
            Some(_) => continue,
            None => rest,
        };
        if dimensions.is_empty() || dimensions.starts_with('[') {
            return format!("{plain}{dimensions}");
        }
    }
    type_sql.to_owned()
}
