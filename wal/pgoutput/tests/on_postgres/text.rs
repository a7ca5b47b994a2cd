//! Changes in the words of `contrib/test_decoding`.

use std::collections::HashMap;

use synapse_wal_pgoutput::{Change, Relation, TupleData, Value};

/// Null columns of the row before are left out.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Told,
    LeftOut,
}

pub(crate) fn change(change: &Change<'_>, types: &HashMap<u32, String>) -> String {
    match change {
        Change::Insert { relation, new } => {
            format!(
                "table {}: INSERT:{}",
                table(relation),
                columns(relation, new, Nulls::Told, types)
            )
        }
        Change::Update { relation, old, new } => {
            let old = old
                .as_ref()
                .map(|old| columns(relation, old.tuple(), Nulls::LeftOut, types));
            let old = old.map_or(String::new(), |old| format!(" old-key:{old} new-tuple:"));
            format!(
                "table {}: UPDATE:{old}{}",
                table(relation),
                columns(relation, new, Nulls::Told, types)
            )
        }
        Change::Delete { relation, old } => {
            format!(
                "table {}: DELETE:{}",
                table(relation),
                columns(relation, old.tuple(), Nulls::LeftOut, types)
            )
        }
        Change::Truncate { relations, options } => {
            let tables: Vec<String> = relations.iter().map(|relation| table(relation)).collect();
            let flags = match (options.restart_identity, options.cascade) {
                (false, false) => " (no-flags)",
                (true, false) => " restart_seqs",
                (false, true) => " cascade",
                (true, true) => " restart_seqs cascade",
            };
            format!("table {}: TRUNCATE:{flags}", tables.join(", "))
        }
        Change::Message { prefix, content, .. } => message(1, prefix, content),
    }
}

pub(crate) fn message(transactional: u8, prefix: &str, content: &[u8]) -> String {
    let text = std::str::from_utf8(content).unwrap();
    format!(
        "message: transactional: {transactional} prefix: {prefix}, sz: {} content:{text}",
        content.len()
    )
}

fn table(relation: &Relation) -> String {
    format!("{}.{}", quoted(&relation.schema), quoted(&relation.name))
}

/// `quote_identifier`, for names that are no keywords.
fn quoted(name: &str) -> String {
    let safe = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if safe {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn columns(relation: &Relation, tuple: &TupleData<'_>, nulls: Nulls, types: &HashMap<u32, String>) -> String {
    let mut told = String::new();
    for (column, value) in relation.columns.iter().zip(&tuple.values) {
        if *value == Value::Null && nulls == Nulls::LeftOut {
            continue;
        }
        let type_name = &types[&column.type_oid.0];
        told += &format!(" {}[{type_name}]:{}", quoted(&column.name), literal(value, type_name));
    }
    told
}

fn literal(value: &Value<'_>, type_name: &str) -> String {
    let text = match value {
        Value::Null => return "null".to_owned(),
        Value::UnchangedToast => return "unchanged-toast-datum".to_owned(),
        Value::Text(bytes) => std::str::from_utf8(bytes).unwrap(),
        Value::Binary(bytes) => panic!("binary value {bytes:?}"),
    };
    match (type_name, text) {
        ("integer" | "double precision" | "numeric", _) => text.to_owned(),
        ("bit", _) => format!("B'{text}'"),
        ("boolean", "t") => "true".to_owned(),
        ("boolean", "f") => "false".to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Without transactions that say nothing (pgoutput leaves most of them out) and without the partitioned table itself,
/// which is not published beside its partitions.
fn comparable(lines: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        let line = line.replace("public.split, public.split_low", "public.split_low");
        if line.starts_with("COMMIT") && kept.last().is_some_and(|last| last.starts_with("BEGIN")) {
            kept.pop();
        } else {
            kept.push(line);
        }
    }
    kept
}

/// Both tell the same, line by line.
pub(crate) fn assert_same(read: &[String], told: &[String]) {
    let (read, told) = (comparable(read), comparable(told));
    for (number, (read, told)) in read.iter().zip(&told).enumerate() {
        assert_eq!(read, told, "line {number}");
    }
    assert_eq!(read.len(), told.len());
    assert!(told.len() > 5_000, "only {} lines", told.len());
}
