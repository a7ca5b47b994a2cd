//! Which rows exclude each other, as the server says.

mod enforced;
mod exclusion;
mod names;
mod scale;
mod types;
mod unique;

use std::sync::Arc;

use synapse_engine_apply::{Displaced, Session};
use synapse_engine_identity::{ColumnId, Hlc, KeyHash};
use synapse_engine_plan::{Row, Table};
use tokio_postgres::Client;

use crate::conflicts::SCHEMA;
use crate::fixture::{answer, begin, origin, row, row_id, session, table};
use crate::server::Server;

/// A table in a schema of its own, rows that are displaced from it, rows asked about, and what excludes those.
pub(super) struct Case {
    pub(super) what: &'static str,
    /// The least major that knows this.
    pub(super) since: i32,
    /// Makes the table `t` and rows in it.
    pub(super) sql: &'static str,
    /// Rows of all columns that can be written; `NULL` is null.
    pub(super) displaced: &'static [&'static [&'static str]],
    pub(super) images: &'static [&'static [&'static str]],
    /// `image-key` for standing rows, `image+key` for displaced ones, `image~image`, each with its constraint.
    pub(super) found: &'static str,
}

/// A row that is displaced from another table of the same name, whose columns are of other types.
const ELSEWHERE: &str = "INSERT INTO synapse.displaced VALUES ('elsewhere', 't', decode(repeat('00', 16), 'hex'), '{}', \
     '{\"id\": \"no number\", \"a\": \"no number\", \"active\": \"perhaps\", \"r\": \"no range\"}', 'n2:1', 1, '[]')";

/// Asks every case on every server.
pub(super) async fn check(cases: &[Case]) {
    for server in Server::each().await {
        let client = server.application("postgres").await;
        client.batch_execute(SCHEMA).await.unwrap();
        client.batch_execute(ELSEWHERE).await.unwrap();
        let major: i32 = answer(&client, "SELECT current_setting('server_version_num')::int / 10000")
            .await
            .parse()
            .unwrap();
        let mut session = session(&server, "postgres").await;
        for (case, number) in cases.iter().zip(0..) {
            if major < case.since {
                continue;
            }
            let what = format!("{} on {major}", case.what);
            let schema = format!("case {number}");
            let make = format!(
                "CREATE SCHEMA \"{schema}\"; SET search_path = \"{schema}\", public; {}",
                case.sql
            );
            client
                .batch_execute(&make)
                .await
                .unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let t = table(&client, number, &schema, "t").await;
            let found = ask(&mut session, &client, &t, case.displaced, case.images).await;
            assert_eq!(found, case.found, "{what}");
            enforced::check(&client, &t, case, &what).await;
        }
    }
}

/// Asks about images beside displaced rows, in a transaction that is rolled back.
pub(super) async fn ask(
    session: &mut Session,
    client: &Client,
    table: &Arc<Table>,
    displaced: &[&[&str]],
    images: &[&[&str]],
) -> String {
    let displaced: Vec<Row<'_>> = displaced.iter().map(|values| whole(table, values)).collect();
    let images: Vec<Row<'_>> = images.iter().map(|values| whole(table, values)).collect();
    let mut transaction = begin(session, client, 1, None).await;
    let kept: Vec<Displaced> = displaced.iter().map(|row| keep(table, row)).collect();
    transaction.put_displaced(table, &kept).await.unwrap();
    let exclusions = transaction.excluders(table, &images).await;
    let exclusions = exclusions.unwrap_or_else(|error| {
        panic!(
            "{}: {error} {:?}",
            table.schema,
            error.refusal().map(|r| r.message().to_owned())
        )
    });
    transaction.rollback().await.unwrap();
    let name = |hash: KeyHash| {
        let row = displaced.iter().find(|row| row_id(table, row).key == hash).unwrap();
        key(table, row)
    };
    let standing = exclusions.standing.iter().map(|e| {
        assert_eq!(e.other.row.table, table.id);
        let texts = e
            .other
            .key
            .iter()
            .map(|text| String::from_utf8(text.clone().unwrap()).unwrap());
        format!("{}-{} {}", e.image, texts.collect::<Vec<_>>().join("/"), e.constraint)
    });
    let apart = exclusions
        .displaced
        .iter()
        .map(|e| format!("{}+{} {}", e.image, name(e.other), e.constraint));
    let pairs = exclusions
        .images
        .iter()
        .map(|e| format!("{}~{} {}", e.image, e.other, e.constraint));
    let mut all: Vec<String> = standing.chain(apart).chain(pairs).collect();
    all.sort_by_key(|line| (line.find(['-', '+', '~']).map(|at| line.as_bytes()[at]), line.clone()));
    all.join(", ")
}

/// A row of all columns that can be written.
pub(super) fn whole<'a>(table: &Table, values: &[&'a str]) -> Row<'a> {
    let mut values = values.iter();
    let values: Vec<Option<&str>> = table
        .columns
        .iter()
        .map(|column| match column.writable {
            true => values.next().copied().filter(|text| *text != "NULL"),
            false => Some("<unchanged>"),
        })
        .collect();
    row(&values)
}

/// The row as it is kept.
pub(super) fn keep(table: &Arc<Table>, row: &Row<'_>) -> Displaced {
    let text = |id: ColumnId| row[usize::from(id.0)].flat().1.to_vec();
    let all = (0..).map(ColumnId).zip(row).zip(&table.columns);
    let image = all.filter(|(_, column)| column.writable).map(|((id, value), _)| {
        let there = *value != synapse_engine_change::Value::Null;
        (id, there.then(|| text(id)))
    });
    Displaced {
        row: row_id(table, row).key,
        key: table.key.iter().map(|id| Some(text(*id))).collect(),
        image: image.collect(),
        origin: origin("n2"),
        hlc: Hlc(5),
        rivals: Vec::new(),
    }
}

fn key(table: &Table, row: &Row<'_>) -> String {
    let parts = table
        .key
        .iter()
        .map(|id| String::from_utf8_lossy(row[usize::from(id.0)].flat().1).into_owned());
    parts.collect::<Vec<_>>().join("/")
}
