//! The SQL that reads rows to compare. Every value goes through its type's own output function, under fixed settings.

use synapse_engine_setup::{Catalog, Column, TypeKind};

use crate::frames::TablePart;

/// Types below this id are built in: their operators are found whatever the search path.
const FIRST_USER_OID: u32 = 16_384;

/// A row as text: injective, because a record's text quotes its fields and tells NULL from the empty string.
fn record(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("t.{}", ident(column))).collect();
    format!("ROW({})::text", columns.join(", "))
}

fn row_md5(part: &TablePart) -> String {
    format!("md5({})", record(&part.columns))
}

/// By what rows are divided into buckets.
fn bucket_md5(part: &TablePart) -> String {
    if part.key.is_empty() {
        row_md5(part)
    } else {
        format!("md5({})", record(&part.key))
    }
}

fn bucket_of(md5: &str, buckets: u32) -> String {
    format!("(('x' || substr({md5}, 1, 8))::bit(32)::int8 & {})", buckets - 1)
}

/// Partitions and children are tables of their own.
pub(crate) fn from(part: &TablePart) -> String {
    format!("FROM ONLY {}.{} AS t", ident(&part.schema), ident(&part.table))
}

/// Bucket, rows, and the sums of both halves of the rows' digests as text.
pub(super) fn digests(part: &TablePart, buckets: u32) -> String {
    // OFFSET 0 keeps the planner from hashing a row once for each use.
    format!(
        "SELECT {bucket}, count(*), sum(('x' || substr(r, 1, 16))::bit(64)::int8)::text, \
                sum(('x' || substr(r, 17, 16))::bit(64)::int8)::text \
           FROM (SELECT {key} AS k, {row} AS r {from} OFFSET 0) d GROUP BY 1",
        bucket = bucket_of("k", buckets),
        key = bucket_md5(part),
        row = row_md5(part),
        from = from(part),
    )
}

/// Key columns as text, then the row's MD5, then how many: the rows of the buckets in `$1`, an `int8[]`.
pub(super) fn keys(part: &TablePart, buckets: u32) -> String {
    let chosen = format!("{} = ANY ($1)", bucket_of(&bucket_md5(part), buckets));
    if part.key.is_empty() {
        return format!(
            "SELECT {r}, {r}, count(*) {from} WHERE {chosen} GROUP BY 1",
            r = row_md5(part),
            from = from(part)
        );
    }
    format!(
        "SELECT {}, {}, 1::int8 {} WHERE {chosen}",
        key_texts(part),
        row_md5(part),
        from(part)
    )
}

/// As [`keys`], of the rows with the keys in `$1`, `$2`, …: a `text[]` for each key column.
pub(crate) fn rows(part: &TablePart, catalog: &Catalog) -> String {
    if part.key.is_empty() {
        return format!(
            "SELECT r, r, count(*) FROM (SELECT {} AS r {} OFFSET 0) d WHERE r = ANY ($1) GROUP BY 1",
            row_md5(part),
            from(part)
        );
    }
    format!(
        "SELECT {}, {}, 1::int8 {} {}",
        key_texts(part),
        row_md5(part),
        from(part),
        wanted(part, catalog)
    )
}

/// Key columns as text, the key as JSON, then two arrays: the columns as JSON and their MD5. Parameters as in [`rows`].
pub(crate) fn values(part: &TablePart, catalog: &Catalog) -> String {
    let each = |form: &dyn Fn(String) -> String| {
        let columns: Vec<String> = part.columns.iter().map(|c| form(format!("t.{}", ident(c)))).collect();
        format!("ARRAY[{}]::text[]", columns.join(", "))
    };
    let json = each(&|column| format!("coalesce(to_json({column})::text, 'null')"));
    let digests = each(&|column| format!("md5(ROW({column})::text)"));
    let key = if part.key.is_empty() { &part.columns } else { &part.key };
    let key: Vec<String> = key.iter().map(|c| format!("t.{}", ident(c))).collect();
    let key_json = format!("(SELECT row_to_json(x.*)::text FROM (SELECT {}) x)", key.join(", "));
    if part.key.is_empty() {
        let r = row_md5(part);
        let from = from(part);
        return format!("SELECT DISTINCT ON ({r}) {r}, {key_json}, {json}, {digests} {from} WHERE {r} = ANY ($1)");
    }
    format!(
        "SELECT {}, {key_json}, {json}, {digests} {} {}",
        key_texts(part),
        from(part),
        wanted(part, catalog)
    )
}

pub(crate) fn key_texts(part: &TablePart) -> String {
    let texts: Vec<String> = part
        .key
        .iter()
        .map(|column| text(&format!("t.{}", ident(column))))
        .collect();
    texts.join(", ")
}

/// The output function's text; a cast would trim a `bpchar`.
fn text(column: &str) -> String {
    format!("format('%s', {column})")
}

/// Joins with the wanted keys.
fn wanted(part: &TablePart, catalog: &Catalog) -> String {
    format!("JOIN {} ON {}", wanted_rows(part), wanted_on(part, catalog))
}

/// The wanted keys, as `w`.
pub(crate) fn wanted_rows(part: &TablePart) -> String {
    let arrays: Vec<String> = (1..=part.key.len()).map(|at| format!("${at}::text[]")).collect();
    let names: Vec<String> = (1..=part.key.len()).map(|at| format!("k{at}")).collect();
    format!("unnest({}) AS w({})", arrays.join(", "), names.join(", "))
}

/// Whether a row has a wanted key: by the type's own equality where an index can serve it, and by text always.
pub(crate) fn wanted_on(part: &TablePart, catalog: &Catalog) -> String {
    let table = catalog.find(&part.schema, &part.table);
    let mut conditions = Vec::new();
    for (at, column) in part.key.iter().enumerate() {
        let (name, wanted) = (format!("t.{}", ident(column)), format!("w.k{}", at + 1));
        conditions.push(format!("{} = {wanted}", text(&name)));
        if let Some(column) = table
            .and_then(|table| table.column(column))
            .filter(|column| has_builtin_equality(column))
        {
            conditions.push(format!("{name} = {wanted}::{}", column.type_name));
        }
    }
    conditions.join(" AND ")
}

fn has_builtin_equality(column: &Column) -> bool {
    match column.base.kind {
        TypeKind::Enum | TypeKind::Range | TypeKind::Multirange => true,
        TypeKind::Base => column.base.oid.0 < FIRST_USER_OID && !column.base.is_array(),
        TypeKind::Composite | TypeKind::Domain | TypeKind::Pseudo => false,
    }
}

pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
