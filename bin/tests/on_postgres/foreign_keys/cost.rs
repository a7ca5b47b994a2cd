//! What is asked of the server, as its log says.

use super::parted;
use crate::cluster::Cluster;

/// How often n1's applier has looked for orphans.
fn looked(cluster: &Cluster) -> usize {
    let log = std::fs::read_to_string(&cluster.node("n1").postgres_log).unwrap();
    log.lines().filter(|line| line.contains("bool_or(c.xmin")).count()
}

/// Waits until the log has a statement that is sent now: what was sent before stands before it.
async fn said(cluster: &Cluster, words: &str) {
    let logs = async || {
        cluster.sql("n1", &format!("SELECT '{words}'")).await;
        let log = std::fs::read_to_string(&cluster.node("n1").postgres_log).unwrap();
        log.contains(words).then_some(())
    };
    cluster.until("statements are logged", logs).await;
}

#[tokio::test]
async fn only_a_delete_of_what_is_referred_to_is_looked_behind() {
    let tables = "CREATE TABLE alone (id int PRIMARY KEY, a int); CREATE TABLE p (id int PRIMARY KEY, a int); \
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)";
    let fill = "INSERT INTO alone SELECT i FROM generate_series(1, 100) i; INSERT INTO p SELECT i FROM generate_series(1, 100) i";
    let cluster = parted(tables, fill).await;
    cluster.sql("n1", "ALTER SYSTEM SET log_statement = 'all'").await;
    cluster.sql("n1", "SELECT pg_reload_conf()").await;
    said(&cluster, "from here on").await;
    let others = [
        "DELETE FROM alone WHERE id <= 10",
        "UPDATE alone SET a = 1; UPDATE p SET a = 1",
        "UPDATE alone SET id = id + 1000 WHERE id = 20",
        "INSERT INTO c SELECT i, i FROM generate_series(1, 20) i",
        "UPDATE c SET p = NULL WHERE id <= 5; DELETE FROM c WHERE id <= 5",
        "TRUNCATE alone",
    ];
    for sql in others {
        cluster.sql("n2", sql).await;
        cluster.settle().await;
    }
    said(&cluster, "up to here").await;
    assert_eq!(looked(&cluster), 0, "nothing that others refer to went");
    cluster.sql("n2", "DELETE FROM p WHERE id > 50").await;
    cluster.settle().await;
    let once = async || (looked(&cluster) > 0).then_some(());
    cluster
        .until("it is looked for rows that refer to what went", once)
        .await;
    assert_eq!(looked(&cluster), 1, "once for all of them");
}
