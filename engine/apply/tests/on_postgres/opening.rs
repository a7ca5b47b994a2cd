//! BEGIN goes out together with what follows it.

use std::collections::HashMap;

use synapse_engine_apply::Session;
use synapse_engine_plan::Step;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::{Config, NoTls};

use crate::fixture::{answer, batch, begin, options, origin, row_id, rows, texts, with_table};

const BEGIN: &[u8] = b"BEGIN READ WRITE";
const REFUSED: &[u8] = b"SELECT 1/0      ";

#[tokio::test]
async fn where_begin_is_refused_nothing_is_written() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'old'), (2, 'old')").await;
    let between = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(between.path().join(".s.PGSQL.5432")).unwrap();
    let mut config = Config::new();
    config.host_path(between.path()).user("postgres").dbname("postgres");
    let socket = server.socket();
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        refuse_begin(near, UnixStream::connect(socket).await.unwrap()).await;
    });
    let mut session = Session::connect(&config, NoTls, &options(), origin("n1"))
        .await
        .unwrap();
    let (one, three) = (texts(&["1", "new"]), texts(&["3", "new"]));
    let update = batch(vec![Step::Update(rows(&t, std::slice::from_ref(&one)))]);
    let insert = batch(vec![Step::Insert(rows(&t, &[three]))]);
    for known in [&update, &insert] {
        let mut transaction = begin(&mut session, &client, 100, None).await;
        let error = transaction.execute(known, &HashMap::new()).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().code(), "22012", "{error}");
    }
    let mut transaction = begin(&mut session, &client, 100, None).await;
    let error = transaction.lock(&update, &[row_id(&t, &one)]).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code(), "22012", "{error}");
    assert_eq!(answer(&client, "SELECT a FROM t ORDER BY id").await, "old,old");
}

/// Carries bytes both ways, with another statement in BEGIN's place.
async fn refuse_begin(near: UnixStream, far: UnixStream) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let back = async {
        // It ends with the session.
        let _ = tokio::io::copy(&mut from_far, &mut to_near).await;
    };
    let there = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_near.read(&mut bytes).await {
            let sent = &mut bytes[..length];
            while let Some(at) = sent.windows(BEGIN.len()).position(|found| found == BEGIN) {
                sent[at..at + REFUSED.len()].copy_from_slice(REFUSED);
            }
            to_far.write_all(sent).await.unwrap();
        }
    };
    tokio::join!(back, there);
}
