//! Policies that are set in SQL: the same checks and the same words as `synapsectl table set`.

use std::time::{Duration, Instant};

use synapse_engine_sandbox::What;
use tokio_postgres::Client;

use super::set;
use crate::cluster::{Cluster, MIXED, Server};

/// An idle server flushes nothing by itself for fifteen seconds, and the request is to be seen long before.
const SOON: Duration = Duration::from_secs(10);

/// What the function answers, or its error: SQLSTATE, message, hint.
async fn ask(client: &Client, table: &str, policy: &str) -> Result<String, (String, String, String)> {
    let sql = format!("SELECT synapse.set_conflict_policy('{table}', '{policy}')");
    match client.query_one(&sql, &[]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => {
            let error = error.as_db_error().expect("the server answers");
            Err((
                error.code().code().to_owned(),
                error.message().to_owned(),
                error.hint().unwrap_or_default().to_owned(),
            ))
        }
    }
}

#[tokio::test]
async fn a_policy_is_set_in_sql_on_any_node_and_in_the_words_of_the_command() {
    let cluster = Cluster::start(&[Server::Own, Server::WithVector, Server::Eighteen]).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY, n int)")
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 100)").await;
    cluster.equal(&["t"]).await;
    for (node, policy) in [
        ("n1", "counter(n)"),
        ("n2", "counter(n) update-wins"),
        ("n3", "counter(n) delete-wins"),
    ] {
        let client = cluster.session(node).await;
        let since = Instant::now();
        let said = ask(&client, "t", policy).await.unwrap();
        println!("{node}: answered in {:?}", since.elapsed());
        assert_eq!(said, format!("public.t: {policy}, on every node"));
        assert!(since.elapsed() < SOON, "{node}: {:?}", since.elapsed());
        let command = cluster.synapsectl(node, &["table", "set", "--table", "u", "--policy", policy]);
        let command = String::from_utf8_lossy(&command.stdout).into_owned();
        assert_eq!(command, said.replace("public.t", "public.u") + "\n");
        for name in cluster.names() {
            let listed = cluster.synapsectl(&name, &["table", "list"]);
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            assert!(
                listed.contains(&format!("last-write-wins {policy}")),
                "{name}: {listed}"
            );
            let identity = "SELECT relreplident::text FROM pg_class WHERE oid = 't'::regclass";
            assert_eq!(cluster.value(&name, identity).await.as_deref(), Some("f"), "{name}");
        }
    }
    cluster.hold_all().await;
    cluster.sql("n1", "UPDATE t SET n = n - 3").await;
    cluster.sql("n3", "UPDATE t SET n = n - 4").await;
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT n FROM t").await, 93);
    // It is set when the function returns, whatever becomes of the transaction.
    let client = cluster.session("n2").await;
    client.batch_execute("BEGIN").await.unwrap();
    ask(&client, "t", "merge").await.unwrap();
    ask(&client, "u", "merge").await.unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    let policies = "SELECT count(*) FROM synapse.policies WHERE policy = 'last-write-wins merge'";
    assert_eq!(cluster.number("n1", policies).await, 2);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_in_sql_as_by_the_command() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE k (a int); CREATE ROLE weak; CREATE ROLE owner; \
             CREATE TABLE owned (id int PRIMARY KEY, a text); ALTER TABLE owned OWNER TO owner",
        )
        .await;
    let client = cluster.session("n2").await;
    let refusals = [
        ("t", "newest-wins", "22023", "does not belong there"),
        ("k", "first-write-wins", "55000", "n1, n2: public.k has no key"),
        (
            "t",
            "counter(a)",
            "55000",
            "counters are smallint, integer, bigint or numeric",
        ),
    ];
    for (table, policy, code, why) in refusals {
        let command = cluster.synapsectl("n2", &["table", "set", "--table", table, "--policy", policy]);
        let command = String::from_utf8_lossy(&command.stderr).into_owned();
        let (state, message, hint) = ask(&client, table, policy).await.unwrap_err();
        assert_eq!(state, code, "{message}");
        assert!(message.contains(why), "{message}");
        assert!(command.contains(&message) && command.contains(&hint), "{command}");
        assert_eq!(hint.is_empty(), code == "22023", "{hint}");
    }
    let local = cluster.session("n1").await;
    let (state, message, hint) = ask(&local, "k", "first-write-wins").await.unwrap_err();
    assert_eq!(
        (state.as_str(), hint.as_str()),
        ("55000", "nothing has changed, on no node")
    );
    assert!(message.contains("n1, n2: public.k has no key"), "{message}");

    client.batch_execute("SET ROLE weak").await.unwrap();
    let (state, message, _) = ask(&client, "owned", "first-write-wins").await.unwrap_err();
    assert_eq!(state, "42501");
    assert_eq!(
        message,
        "role weak must own table public.owned to set its conflict policy"
    );
    // What somebody without the right writes by himself is not believed, whoever it says that waits.
    let forged = "SELECT pg_logical_emit_message(false, 'synapse-request', jsonb_build_object('id', 'x', 'pid', \
                  pg_backend_pid(), 'role', 'owner', 'schema', 'public', 'table', 'owned', 'policy', 'error')::text)";
    client.batch_execute(forged).await.unwrap();
    client.batch_execute("RESET ROLE; SET ROLE owner").await.unwrap();
    let said = ask(&client, "owned", "first-write-wins").await.unwrap();
    assert_eq!(said, "public.owned: first-write-wins, on every node");
    let all = "SELECT string_agg(table_name || ' ' || policy, ', ') FROM synapse.policies";
    assert_eq!(
        cluster.value("n2", all).await.as_deref(),
        Some("owned first-write-wins")
    );
}

#[tokio::test]
async fn where_the_answer_could_not_be_seen_or_a_node_is_down_nothing_is_set() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let (client, local) = (cluster.session("n2").await, cluster.session("n1").await);
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    let (state, message, _) = ask(&client, "t", "merge").await.unwrap_err();
    assert_eq!(state, "55000");
    assert!(message.contains("in a REPEATABLE READ transaction"), "{message}");
    client.batch_execute("ROLLBACK; BEGIN READ ONLY").await.unwrap();
    assert_eq!(ask(&client, "t", "merge").await.unwrap_err().0, "25006");
    client.batch_execute("ROLLBACK").await.unwrap();

    // One at a time: the first keeps its lock until its transaction ends.
    local.batch_execute("BEGIN").await.unwrap();
    ask(&local, "t", "first-write-wins").await.unwrap();
    let other = cluster.session("n1").await;
    let (state, message, _) = ask(&other, "t", "merge").await.unwrap_err();
    assert_eq!(
        (state.as_str(), message.as_str()),
        ("55P03", "another transaction is setting a conflict policy on this node")
    );
    local.batch_execute("COMMIT").await.unwrap();

    cluster.kill("n1", What::Engine).await;
    cluster
        .until_peer("n2", "n1", "it is gone", |peer| peer["state"] == "connecting")
        .await;
    let (state, message, hint) = ask(&client, "t", "merge").await.unwrap_err();
    assert_eq!(state, "55000");
    assert!(message.contains("while all nodes are up"), "{message}");
    assert_eq!(hint, "`synapsectl status` shows who is missing");
}

#[tokio::test]
async fn a_request_outlives_a_restart_of_the_daemon_and_not_the_session_that_waits() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY, a text)")
        .await;
    set(&cluster, "n1", "u", "update-wins");
    cluster.settle().await;
    cluster.stop("n1", What::Engine).await;
    let gives_up = cluster.session("n1").await;
    gives_up.batch_execute("SET statement_timeout = '1s'").await.unwrap();
    assert_eq!(ask(&gives_up, "u", "error").await.unwrap_err().0, "57014");
    let patient = cluster.session("n1").await;
    let (state, message, _) = ask(&patient, "u", "merge").await.unwrap_err();
    assert_eq!(state, "08000");
    assert_eq!(
        message,
        "synapsed has not taken up the request within 20 s: nothing has changed, on no node"
    );
    let waits = tokio::spawn(async move { ask(&patient, "t", "first-write-wins").await });
    // It waits before there is anybody who could hear it.
    cluster
        .until_value(
            "n1",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%set_conflict_policy%' AND wait_event = 'PgSleep'",
            "1",
        )
        .await;
    cluster.start_again("n1", What::Engine).await;
    let said = waits.await.unwrap().unwrap();
    assert!(said.starts_with("public.t: first-write-wins"), "{said}");
    let all = "SELECT string_agg(table_name || ' ' || policy, ', ' ORDER BY epoch) FROM synapse.policies";
    cluster.settle().await;
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, all).await.as_deref(),
            Some("u last-write-wins update-wins, t first-write-wins"),
            "{node}"
        );
    }
}
