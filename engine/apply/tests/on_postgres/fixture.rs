//! Tables, rows and sessions for tests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_apply::{Begin, Executed, Options, Session, SynchronousCommit, Transaction, our_roidents};
use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, Epoch, Hlc, Incarnation, KeyHash, Origin, RowId, TableId};
use synapse_engine_plan::{Batch, Constrained, KeyClass, Row, Rows, Step, Table, TableColumn};
use synapse_engine_replication::{Marker, MarkerKind};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};
use tokio_postgres::{Client, NoTls};

use crate::server::Server;

pub(crate) fn origin(node: &str) -> Origin {
    Origin {
        node: node.parse().unwrap(),
        incarnation: Incarnation(7),
    }
}

pub(crate) fn options() -> Options {
    Options {
        application_name: "synapse".to_owned(),
        lock_timeout: Duration::from_secs(20),
        synchronous_commit: SynchronousCommit::Off,
    }
}

pub(crate) async fn session(server: &Server, database: &str) -> Session {
    session_of(server, database, "n1").await
}

pub(crate) async fn session_of(server: &Server, database: &str, node: &str) -> Session {
    let config = server.config(database);
    Session::connect(&config, NoTls, &options(), origin(node))
        .await
        .unwrap()
}

/// A server, an application's session on it, and the table `t` that `sql` makes.
pub(crate) async fn with_table(sql: &str) -> (Server, Client, Arc<Table>) {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client.batch_execute(sql).await.unwrap();
    let t = table(&client, 1, "public", "t").await;
    (server, client, t)
}

/// The table as the catalogue describes it.
pub(crate) async fn table(client: &Client, id: u32, schema: &str, name: &str) -> Arc<Table> {
    client.batch_execute("SET search_path = pg_catalog").await.unwrap();
    let sql = "SELECT attname::text, format_type(atttypid, atttypmod), atttypid, attidentity::text, attgenerated::text,
         coalesce(attnum = ANY ((SELECT indkey FROM pg_index WHERE indrelid = attrelid AND indisprimary)::int2[]), false)
         FROM pg_attribute WHERE attrelid = format('%I.%I', $1::text, $2::text)::regclass AND attnum > 0
         AND NOT attisdropped ORDER BY attnum";
    let rows = client.query(sql, &[&schema, &name]).await.unwrap();
    let mut table = Table {
        id: TableId(id),
        schema: schema.to_owned(),
        name: name.to_owned(),
        columns: Vec::new(),
        key: Vec::new(),
        constrained: Constrained::No,
    };
    for (at, row) in rows.iter().enumerate() {
        let type_sql: String = row.get(1);
        let class = match type_sql.ends_with("citext") {
            true => KeyClass::Citext,
            false => KeyClass::of_builtin(row.get(2)),
        };
        if row.get(5) {
            table.key.push(ColumnId(u16::try_from(at).unwrap()));
        }
        table.columns.push(TableColumn {
            name: row.get(0),
            type_sql,
            class,
            identity_always: row.get::<_, String>(3) == "a",
            writable: row.get::<_, String>(4).is_empty(),
        });
    }
    client.batch_execute("RESET search_path").await.unwrap();
    Arc::new(table)
}

/// A row's values; `None` is NULL, `"<unchanged>"` is not carried.
pub(crate) fn row<'a>(values: &[Option<&'a str>]) -> Row<'a> {
    let value = |v: &Option<&'a str>| match v {
        None => Value::Null,
        Some("<unchanged>") => Value::Unchanged,
        Some(text) => Value::Text(text.as_bytes()),
    };
    values.iter().map(value).collect()
}

/// A row of texts.
pub(crate) fn texts<'a>(values: &[&'a str]) -> Row<'a> {
    row(&values.iter().map(|v| Some(*v)).collect::<Vec<_>>())
}

pub(crate) fn row_id(table: &Table, row: &Row<'_>) -> RowId {
    let parts: Vec<_> = table
        .key
        .iter()
        .map(|id| table.at(*id).class.canonical(row[usize::from(id.0)].flat().1))
        .collect();
    RowId {
        table: table.id,
        key: KeyHash::of(parts.iter().map(AsRef::as_ref)),
    }
}

/// Rows of a step: the columns are those that the first of them carries.
pub(crate) fn rows<'a>(table: &Arc<Table>, rows: &[Row<'a>]) -> Rows<'a> {
    let carried = |at: &u16| rows[0][usize::from(*at)] != Value::Unchanged;
    let columns = u16::try_from(table.columns.len()).unwrap();
    Rows {
        table: Arc::clone(table),
        columns: (0..columns).filter(carried).map(ColumnId).collect(),
        rows: rows.iter().map(|row| (row_id(table, row), row.clone())).collect(),
    }
}

/// Rows of a delete: key columns only.
pub(crate) fn keys<'a>(table: &Arc<Table>, values: &[Row<'a>]) -> Rows<'a> {
    Rows {
        columns: table.key.clone(),
        ..rows(table, values)
    }
}

/// A batch of these steps that knows every row in them.
pub(crate) fn batch<'a>(steps: Vec<Step<'a>>) -> Batch<'a> {
    let mut all = HashMap::new();
    for step in &steps {
        if let Step::Insert(rows) | Step::Update(rows) | Step::Delete(rows) = step {
            for (id, row) in &rows.rows {
                all.insert(*id, (Arc::clone(&rows.table), row.clone()));
            }
        }
    }
    Batch {
        steps,
        rows: all,
        ..Batch::default()
    }
}

pub(crate) fn marker(kind: MarkerKind, node: &str, last: u64) -> Marker {
    Marker {
        kind,
        origin: origin(node),
        first: Lsn(last),
        last: Lsn(last),
        hlc: Hlc(1),
        decided_at: Lsn(2),
        epoch: Epoch(0),
        xmin: Xid(0),
    }
}

/// Begins a transaction of n1 up to `last`; every origin of ours on the server counts.
pub(crate) async fn begin<'s>(
    session: &'s mut Session,
    client: &Client,
    last: u64,
    horizon: Option<Xid>,
) -> Transaction<'s> {
    let begin = Begin {
        marker: marker(MarkerKind::Batch, session.origin().node.as_str(), last),
        commit_ts: PgTimestamp(1_234_567_890_123_456 % 1_000_000_000_000_000),
        horizon,
        our_roidents: our_roidents(client).await.unwrap(),
    };
    session.begin(begin).await.unwrap()
}

/// Applies steps in one transaction that commits.
pub(crate) async fn apply<'a>(
    session: &mut Session,
    client: &Client,
    last: u64,
    horizon: Option<Xid>,
    steps: Vec<Step<'a>>,
) -> Executed {
    let mut transaction = begin(session, client, last, horizon).await;
    let executed = transaction.execute(&batch(steps), &HashMap::new()).await.unwrap();
    transaction.commit().await.unwrap();
    executed
}

/// Every xid below it has ended.
pub(crate) async fn horizon(client: &Client) -> Xid {
    let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text";
    let text: String = client.query_one(sql, &[]).await.unwrap().get(0);
    Xid(text.parse().unwrap())
}

/// A query's first column as text, joined by commas.
pub(crate) async fn answer(client: &Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap();
    let mut values = Vec::new();
    for message in rows {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            values.push(row.get(0).unwrap_or("NULL").to_owned());
        }
    }
    values.join(",")
}
