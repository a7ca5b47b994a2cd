//! Whole tables out of a snapshot and into another database.

use futures_util::TryStreamExt;
use synapse_engine_apply::{CopySource, CopyTarget, Error};
use synapse_engine_identity::ColumnId;
use tokio_postgres::NoTls;

use crate::fixture::{answer, options, table};
use crate::server::Server;

#[tokio::test]
async fn a_table_is_copied_as_its_snapshot_shows_it() {
    let server = Server::start().await;
    let source = server.application("postgres").await;
    let define = "CREATE TABLE \"Ü t\" (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, a text, g int GENERATED ALWAYS AS (id * 2) STORED)";
    source.batch_execute("CREATE DATABASE target").await.unwrap();
    let target = server.application("target").await;
    for client in [&source, &target] {
        client.batch_execute(define).await.unwrap();
    }
    let fill = "INSERT INTO \"Ü t\" (a) SELECT E'tab\\t back\\\\slash ' || i FROM generate_series(1, 20000) i; INSERT INTO \"Ü t\" (a) VALUES (NULL), ('')";
    source.batch_execute(fill).await.unwrap();
    let t = table(&source, 1, "public", "Ü t").await;
    let exporter = server.application("postgres").await;
    exporter
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    let snapshot = answer(&exporter, "SELECT pg_export_snapshot()").await;
    source.batch_execute("DELETE FROM \"Ü t\"").await.unwrap();
    let config = server.config("postgres");
    let copy = CopySource::connect(&config, NoTls, &options(), &snapshot)
        .await
        .unwrap();
    let columns = [ColumnId(1), ColumnId(0)];
    let target_config = server.config("target");
    let into = CopyTarget::connect(&target_config, NoTls, &options()).await.unwrap();
    // What a copy left that was cut off goes first.
    target
        .batch_execute("INSERT INTO \"Ü t\" (a) VALUES ('left')")
        .await
        .unwrap();
    let rows = copy.rows(&t, &columns).await.unwrap();
    let filled = into.replace(&t, &columns, rows).await.unwrap();
    assert_eq!(filled.commit().await.unwrap(), 20_002);
    let sum = "SELECT (count(*), count(a), sum(g), max(a), sum(id))::text FROM \"Ü t\"";
    assert_eq!(
        answer(&target, sum).await,
        "(20002,20001,400100006,\"tab\t back\\\\slash 9999\",200050003)"
    );

    // An error of the source is handed back, and nothing stays.
    let broken = copy
        .rows(&t, &columns)
        .await
        .unwrap()
        .and_then(|_| async { Err(Error::Failed) });
    assert!(matches!(into.replace(&t, &columns, broken).await, Err(Error::Failed)));
    drop(into);
    assert_eq!(answer(&target, "SELECT count(*) FROM \"Ü t\"").await, "20002");
}
