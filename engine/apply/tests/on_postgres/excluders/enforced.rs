//! What is answered is what the server enforces: of two rows that exclude each other an application cannot insert both.

use synapse_engine_plan::Table;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Case, key, whole};

/// Inserts every image beside the standing rows, beside each displaced row, and beside each other image.
pub(super) async fn check(client: &Client, table: &Table, case: &Case, what: &str) {
    let found: Vec<&str> = case.found.split(", ").collect();
    let told = |pair: String| found.iter().any(|line| line.starts_with(&pair));
    for (at, image) in case.images.iter().enumerate() {
        let refused = is_refused(client, table, None, image).await;
        assert_eq!(refused, told(format!("{at}-")), "{what}: image {at}");
        for row in case.displaced {
            let refused = is_refused(client, table, Some(row), image).await;
            let displaced = key(table, &whole(table, row));
            assert_eq!(
                refused,
                told(format!("{at}+{displaced} ")),
                "{what}: image {at} and {displaced}"
            );
        }
        for (other, row) in case.images.iter().enumerate().skip(at + 1) {
            let refused = is_refused(client, table, Some(row), image).await;
            assert_eq!(
                refused,
                told(format!("{at}~{other} ")),
                "{what}: images {at} and {other}"
            );
        }
    }
}

/// Whether a constraint refuses the row beside another one alone, or beside what stands but for the row of its key.
async fn is_refused(client: &Client, table: &Table, alone: Option<&[&str]>, row: &[&str]) -> bool {
    let name = format!("\"{}\".\"{}\"", table.schema, table.name);
    let before = match alone {
        Some(other) => format!("DELETE FROM {name}; {}", insert(table, &name, other)),
        None => {
            let values = whole(table, row);
            let key = table.key.iter().map(|id| {
                let text = String::from_utf8_lossy(values[usize::from(id.0)].flat().1);
                format!("\"{}\" = {}", table.at(*id).name, literal(&text))
            });
            let key: Vec<String> = key.collect();
            format!("DELETE FROM {name} WHERE {}", key.join(" AND "))
        }
    };
    let before = format!("BEGIN; SET CONSTRAINTS ALL IMMEDIATE; {before}");
    client
        .batch_execute(&before)
        .await
        .unwrap_or_else(|error| panic!("{before}: {error:?}"));
    let done = client.batch_execute(&insert(table, &name, row)).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    match done {
        Ok(()) => false,
        Err(error) => {
            let code = error.code().cloned();
            assert!(
                matches!(code, Some(SqlState::UNIQUE_VIOLATION | SqlState::EXCLUSION_VIOLATION)),
                "{row:?}: {error:?}"
            );
            true
        }
    }
}

fn insert(table: &Table, name: &str, row: &[&str]) -> String {
    let columns = table.columns.iter().filter(|column| column.writable);
    let columns: Vec<String> = columns.map(|column| format!("\"{}\"", column.name)).collect();
    let values: Vec<String> = row.iter().map(|text| literal(text)).collect();
    format!(
        "INSERT INTO {name} ({}) VALUES ({})",
        columns.join(", "),
        values.join(", ")
    )
}

fn literal(text: &str) -> String {
    match text {
        "NULL" => "NULL".to_owned(),
        text => format!("'{}'", text.replace('\'', "''")),
    }
}
