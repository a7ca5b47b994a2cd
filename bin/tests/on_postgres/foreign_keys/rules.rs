//! What each rule makes of a row whose parent was deleted elsewhere.

use super::{THREE, WAITING, everywhere, logged, mended, parted, rule, settled};
use crate::cluster::Cluster;

const TABLES: [&str; 8] = ["pr", "cr", "pd", "cd", "below", "pp", "cp", "two"];

async fn tables() -> Cluster {
    let tables = "CREATE TABLE pr (id int PRIMARY KEY, a text, at timestamptz, big text); \
         CREATE TABLE cr (id int PRIMARY KEY, pr int REFERENCES pr); \
         CREATE TABLE two (id int PRIMARY KEY, pr int REFERENCES pr); \
         CREATE TABLE pd (id int PRIMARY KEY); CREATE TABLE cd (id int PRIMARY KEY, pd int REFERENCES pd); \
         CREATE TABLE below (id int PRIMARY KEY, cd int REFERENCES cd ON DELETE CASCADE); \
         CREATE TABLE pp (id int PRIMARY KEY); CREATE TABLE cp (id int PRIMARY KEY, pp int REFERENCES pp)";
    let fill = "INSERT INTO pr SELECT i, E'it''s \"one\"\\\\', now(), repeat('x', 9000) FROM generate_series(1, 5) i; \
         INSERT INTO pd SELECT generate_series(1, 5); INSERT INTO pp SELECT generate_series(1, 5)";
    let cluster = parted(tables, fill).await;
    // A rule and a policy stand beside each other, whichever is set last.
    rule(&cluster, "n2", "cd", "delete-child");
    for (table, policy) in [("cd", "first-write-wins"), ("cp", "update-wins")] {
        let done = cluster.synapsectl("n1", &["table", "set", "--table", table, "--policy", policy]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    rule(&cluster, "n3", "public.cp", "report");
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
}

#[tokio::test]
async fn each_rule_does_as_it_says_on_three_nodes() {
    let cluster = tables().await;
    cluster
        .sql(
            "n1",
            "INSERT INTO cr VALUES (1, 1), (2, 2); INSERT INTO cd VALUES (1, 1); INSERT INTO below VALUES (1, 1), (2, 1); \
             INSERT INTO cp VALUES (1, 1)",
        )
        .await;
    // Two nodes refer to one row, from two tables.
    cluster.sql("n3", "INSERT INTO two VALUES (3, 2)").await;
    let was = "SELECT md5(string_agg(pr::text, ' ' ORDER BY id)) FROM pr";
    let before = everywhere(&cluster, was).await;
    for parent in ["pr", "pd", "pp"] {
        cluster.sql("n2", &format!("DELETE FROM {parent} WHERE id <= 2")).await;
    }
    // Both hear of the delete, and of nothing else before they have mended what they wrote.
    for node in ["n1", "n3"] {
        cluster.resume("n2", node).await;
        cluster
            .until_value(node, "SELECT count(*) FROM pr WHERE id = 2", "1")
            .await;
        cluster.until_value(node, WAITING, "0").await;
    }
    mended(&cluster, &TABLES).await;
    assert_eq!(everywhere(&cluster, was).await, before, "what came back is as it was");
    let left = [
        ("SELECT array_agg(id ORDER BY id) FROM cr", "{1,2}"),
        ("SELECT array_agg(id) FROM two", "{3}"),
        // The child went, and what referred to it.
        (
            "SELECT concat_ws(' ', (SELECT count(*) FROM cd), (SELECT count(*) FROM below), (SELECT count(*) FROM pd))",
            "0 0 3",
        ),
        // Nothing is changed.
        (
            "SELECT concat_ws(' ', (SELECT count(*) FROM cp), (SELECT count(*) FROM pp))",
            "1 3",
        ),
    ];
    for (sql, expected) in left {
        assert_eq!(everywhere(&cluster, sql).await, expected, "{sql}");
    }
    it_is_told(&cluster).await;
    // What is reported stays until somebody changes it, or the rule.
    rule(&cluster, "n1", "cp", "restore-parent");
    cluster.until_value("n2", "SELECT count(*) FROM pp", "4").await;
    settled(&cluster).await;
    cluster.equal(&TABLES).await;
    let gone = async || (cluster.status("n1").await["orphans"]["reported"] == 0).then_some(());
    cluster.until("nothing is reported any more", gone).await;
}

/// The log, status, metrics and commands say who did what.
async fn it_is_told(cluster: &Cluster) {
    let logs = [
        ("n1", "cr", "1 restore-parent local n1 n2, 2 restore-parent local n1 n2"),
        ("n1", "cd", "1 delete-child remote n1 n2"),
        ("n1", "cp", "1 report both n1 n2"),
        ("n3", "two", "3 restore-parent local n3 n2"),
    ];
    for node in cluster.names() {
        for table in ["cr", "cd", "cp", "two"] {
            let expected = logs.iter().find(|(n, t, _)| (*n, *t) == (node.as_str(), table));
            let expected = expected.map_or("nothing", |(_, _, entries)| entries);
            assert_eq!(logged(cluster, &node, table).await, expected, "{table} on {node}");
        }
    }
    let status = cluster.status("n1").await;
    let orphans = &status["orphans"];
    assert_eq!(
        (&orphans["reported"], &orphans["restored"], &orphans["deleted"]),
        (&1.into(), &2.into(), &1.into()),
        "{status}"
    );
    let warned = status["warnings"].to_string();
    assert!(warned.contains("referred to in 1 place,"), "{status}");
    assert_eq!(status["conflicts"]["by_kind"]["foreign_key_orphan"], 4, "{status}");
    let restored = cluster
        .metric("n3", "synapse_orphans_total", "outcome=\"restored\"")
        .await;
    assert!((restored - 1.0).abs() < 0.5, "{restored}");
    let filter = [
        "conflict",
        "list",
        "--kind",
        "foreign_key_orphan",
        "--policy",
        "delete-child",
    ];
    let listed = cluster.synapsectl("n1", &filter);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("public.cd {\"id\":\"1\"}  foreign_key_orphan  delete-child: remote"),
        "{listed}"
    );
    let listed = cluster.synapsectl("n3", &["table", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = |table: &str| listed.lines().find(|line| line.starts_with(table)).unwrap_or_default();
    for (table, policy, rule) in [
        ("public.cd ", "first-write-wins", "delete-child"),
        ("public.cp ", "update-wins", "report"),
    ] {
        assert!(line(table).contains(policy) && line(table).contains(rule), "{listed}");
    }
    assert!(line("public.cr ").contains("restore-parent"), "{listed}");
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused() {
    let cluster = Cluster::start(&THREE).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY)").await;
    let refusals = [
        ("t", "keep", 2, "expected restore-parent, delete-child or report"),
        (
            "t",
            "report",
            5,
            "the rule for foreign keys cannot be in force: n1, n2, n3: there is no table public.t with a foreign key\n\
             hint: nothing has changed, on no node; the rule belongs to the table that refers, of a partitioned table to the whole of it\n",
        ),
    ];
    // The first node gives it; another passes on what that says.
    for node in ["n1", "n3"] {
        for (table, rule, code, why) in refusals {
            let done = cluster.synapsectl(node, &["table", "set", "--table", table, "--foreign-keys", rule]);
            let complained = String::from_utf8_lossy(&done.stderr);
            assert!(complained.contains(why), "{complained}");
            assert_eq!(done.status.code(), Some(code), "{complained}");
        }
    }
    let both = [
        "table",
        "set",
        "--table",
        "t",
        "--foreign-keys",
        "report",
        "--policy",
        "merge",
    ];
    assert_eq!(cluster.synapsectl("n1", &both).status.code(), Some(2));
    assert_eq!(cluster.synapsectl("n1", &both[..4]).status.code(), Some(2));
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM synapse.policies").await, 0);
}
