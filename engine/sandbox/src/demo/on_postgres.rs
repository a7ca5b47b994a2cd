//! The demo's load on a real server.

use crate::demo::load::Pgbench;
use crate::query::run_sql;
use crate::up::on_postgres::{open_dir, options, servers, value};

#[tokio::test]
async fn the_load_fills_the_first_node_and_runs_on_all() {
    let dir = open_dir();
    let sandbox = servers(&options(&dir, 2, "/bin/true")).await;
    let record = sandbox.record().clone();
    let pgbench = Pgbench::find(&record).unwrap();
    pgbench.fill(&record).await.unwrap();
    for (node, rows) in record.nodes.iter().zip(["200000", "0"]) {
        assert_eq!(
            value(node, "SELECT count(*) FROM pgbench_accounts").await,
            rows,
            "{}",
            node.name
        );
        let key = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid = 'pgbench_accounts'::regclass";
        assert_eq!(value(node, key).await, "1");
    }
    // Nothing replicates here, and pgbench takes its scale from the rows it finds.
    pgbench.initialize(&record, &record.nodes[1], "g").await.unwrap();
    let lines = std::sync::Mutex::new(Vec::new());
    let narrate = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let loads = pgbench.run(&record, 3, &narrate).await.unwrap();
    for (node, load) in record.nodes.iter().zip(&loads) {
        assert!(load.transactions > 0 && load.failed == 0, "{load:?}");
        let written = value(node, "SELECT count(*) FROM pgbench_history").await;
        assert_eq!(written, load.transactions.to_string(), "{}", node.name);
    }
    let lines = lines.into_inner().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("n2") && !line.contains("n2     0 tps")),
        "{lines:?}"
    );
    sandbox.down(false, &|_| {}).await.unwrap();
}

#[tokio::test]
async fn a_load_that_fails_is_shown_with_what_pgbench_said() {
    let dir = open_dir();
    let sandbox = servers(&options(&dir, 1, "/bin/true")).await;
    let record = sandbox.record().clone();
    run_sql(&record.nodes[0], "app", "CREATE TABLE pgbench_branches (bid int)")
        .await
        .unwrap();
    let error = Pgbench::find(&record)
        .unwrap()
        .run(&record, 1, &|_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("pgbench"), "{error}");
    sandbox.down(false, &|_| {}).await.unwrap();
}
