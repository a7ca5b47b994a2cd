//! Commits that are read in the log before they are visible: they wait for a synchronous standby that is not there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_apply::{Scope, Values};
use synapse_engine_identity::RowId;
use synapse_engine_plan::{Batch, Exact, ExactWrite, KeylessStep, Row, Step, Table};
use synapse_wal_types::Xid;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::fixture::{answer, batch, begin, keys, row_id, session, texts, with_table};
use crate::server::Server;

/// Between two looks at whether something has come about.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A commit that is in the log and stays invisible until it is let go.
struct Late {
    xid: Xid,
    pid: i32,
    commit: JoinHandle<()>,
}

impl Late {
    async fn insert(server: &Server, watcher: &Client, values: &str) -> Late {
        watcher
            .batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            .await
            .unwrap();
        watcher.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let client = server.application("postgres").await;
        while answer(&client, "SHOW synchronous_standby_names").await != "nobody" {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let sql = format!("BEGIN; INSERT INTO t VALUES {values}; SET LOCAL synchronous_commit = on");
        client.batch_execute(&sql).await.unwrap();
        let xid = answer(&client, "SELECT pg_current_xact_id()::xid")
            .await
            .parse()
            .unwrap();
        let pid = answer(&client, "SELECT pg_backend_pid()").await.parse().unwrap();
        let commit = tokio::spawn(async move { client.batch_execute("COMMIT").await.unwrap() });
        let waits = format!("SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'SyncRep'");
        while answer(watcher, &waits).await != "1" {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let xid = Xid(xid);
        Late { xid, pid, commit }
    }

    /// Ends the wait: the transaction is committed, and visible from here on.
    async fn let_go(self, watcher: &Client) {
        answer(watcher, &format!("SELECT pg_cancel_backend({})", self.pid)).await;
        self.commit.await.unwrap();
    }
}

async fn locked<'a>(table: &Arc<Table>, row: &Row<'a>) -> (Batch<'a>, Vec<RowId>, Vec<Exact<'a>>) {
    let ids = vec![row_id(table, row)];
    let exact = Exact {
        every: false,
        made: synapse_engine_plan::Made::default(),
        row: ids[0],
        table: Arc::clone(table),
        values: row.clone(),
        write: ExactWrite::Delete,
    };
    let known = batch(vec![Step::Delete(keys(table, std::slice::from_ref(row)))]);
    (known, ids, vec![exact])
}

#[tokio::test]
async fn a_row_whose_insert_is_not_visible_yet_is_deleted_once_it_is() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut session = session(&server, "postgres").await;
    let late = Late::insert(&server, &client, "(1, 'late')").await;
    let open = server.application("postgres").await;
    open.batch_execute("BEGIN; INSERT INTO t VALUES (2, 'open')")
        .await
        .unwrap();
    let one = texts(&["1", "late"]);
    let (known, ids, exacts) = locked(&t, &one).await;
    let mut transaction = begin(&mut session, &client, 100, None).await;
    assert_eq!(transaction.lock(&known, &ids).await.unwrap(), []);
    let written = transaction
        .write(&exacts, &Values::default(), Scope::Won)
        .await
        .unwrap();
    assert_eq!(written.absent, ids);
    let in_progress = transaction.take_in_progress();
    let committed: Vec<Xid> = in_progress.iter().filter(|t| t.committed).map(|t| t.xid).collect();
    assert_eq!((committed, in_progress.len()), (vec![late.xid], 2), "{in_progress:?}");
    let xids = [late.xid];
    let (visible, ()) = tokio::join!(transaction.await_visible(&xids), late.let_go(&client));
    assert!(visible.unwrap());
    assert_eq!(transaction.lock(&known, &ids).await.unwrap(), ids);
    transaction
        .write(&exacts, &Values::default(), Scope::Won)
        .await
        .unwrap();
    assert_eq!(transaction.take_in_progress(), [], "it was waited for");
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_commit_that_stays_invisible_is_not_waited_for_for_ever() {
    let (server, client, _) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut session = session(&server, "postgres").await;
    let late = Late::insert(&server, &client, "(1, 'late')").await;
    let mut transaction = begin(&mut session, &client, 100, None).await;
    assert!(!transaction.await_visible(&[late.xid]).await.unwrap());
    transaction.rollback().await.unwrap();
    late.let_go(&client).await;
}

#[tokio::test]
async fn a_change_without_a_key_waits_for_a_row_that_is_not_visible_yet() {
    let (server, client, t) = with_table("CREATE TABLE t (a int, b text)").await;
    let mut session = session(&server, "postgres").await;
    let late = Late::insert(&server, &client, "(1, 'late')").await;
    let step = KeylessStep::Delete {
        old: texts(&["1", "late"]),
    };
    let steps = batch(vec![Step::Keyless {
        table: Arc::clone(&t),
        step,
    }]);
    let mut transaction = begin(&mut session, &client, 100, None).await;
    let none = HashMap::new();
    let let_go = async {
        let looks =
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'synapse' AND query LIKE '%pg_snapshot_xip%'";
        while answer(&client, looks).await != "1" {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        late.let_go(&client).await;
    };
    let (executed, ()) = tokio::join!(transaction.execute(&steps, &none), let_go);
    assert!(executed.unwrap().delete_missing.is_empty());
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT count(*) FROM t").await, "0");
}
