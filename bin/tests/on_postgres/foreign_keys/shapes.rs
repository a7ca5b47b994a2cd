//! The ways in which a row loses what it refers to.

use super::{everywhere, mended, parted};
use crate::cluster::Cluster;

/// Each pair of tables: where the parent's rows are, where the child's, and the condition under which a child has none.
const PAIRS: [(&str, &str, &str); 9] = [
    ("cascaded", "cascaded_child", "p.id = c.p"),
    ("pair", "pair_child", "p.a = c.a AND p.b = c.b"),
    ("tree", "tree", "p.id = c.above"),
    ("renamed", "renamed_child", "p.id = c.p"),
    ("emptied", "emptied_child", "p.id = c.p"),
    ("moved", "moved_child", "p.id = c.p"),
    ("coded", "coded_child", "p.code = c.code"),
    ("parts", "parts_child", "p.id = c.p AND p.r = c.r"),
    ("loose", "loose_child", "p.id = c.p"),
];

const TABLES: &str = "\
    CREATE TABLE cascaded (id int PRIMARY KEY, a text); \
    CREATE TABLE cascaded_child (id int PRIMARY KEY, p int NOT NULL REFERENCES cascaded ON DELETE CASCADE); \
    CREATE TABLE pair (a int, b numeric, c text, PRIMARY KEY (a, b)); \
    CREATE TABLE pair_child (id int PRIMARY KEY, a int, b numeric, FOREIGN KEY (a, b) REFERENCES pair); \
    CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree ON DELETE CASCADE); \
    CREATE TABLE renamed (id int PRIMARY KEY, a text); \
    CREATE TABLE renamed_child (id int PRIMARY KEY, p int REFERENCES renamed ON UPDATE CASCADE); \
    CREATE TABLE emptied (id int PRIMARY KEY, a text); \
    CREATE TABLE emptied_child (id int PRIMARY KEY, p int REFERENCES emptied); \
    CREATE TABLE moved (id int PRIMARY KEY); \
    CREATE TABLE moved_child (id int PRIMARY KEY, p int REFERENCES moved); \
    CREATE TABLE coded (id int PRIMARY KEY, code text UNIQUE, n int); \
    CREATE TABLE coded_child (id int PRIMARY KEY, code text REFERENCES coded (code)); \
    CREATE TABLE parts (id int, r int, a text, PRIMARY KEY (id, r)) PARTITION BY LIST (r); \
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); \
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2); \
    CREATE TABLE parts_child (id int, p int, r int, PRIMARY KEY (id, r), FOREIGN KEY (p, r) REFERENCES parts) PARTITION BY LIST (r); \
    CREATE TABLE parts_child_1 PARTITION OF parts_child FOR VALUES IN (1); \
    CREATE TABLE parts_child_2 PARTITION OF parts_child FOR VALUES IN (2); \
    CREATE TABLE loose (id int PRIMARY KEY); CREATE TABLE loose_child (a text, p int REFERENCES loose)";

const FILL: &str = "\
    INSERT INTO cascaded SELECT i, 'was ' || i FROM generate_series(1, 9) i; INSERT INTO cascaded_child SELECT i, i FROM generate_series(1, 9) i; \
    INSERT INTO pair SELECT i, i + 0.50, 'was ' || i FROM generate_series(1, 9) i; \
    INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3); \
    INSERT INTO renamed SELECT i, 'was ' || i FROM generate_series(1, 9) i; INSERT INTO renamed_child SELECT i, i FROM generate_series(1, 9) i; \
    INSERT INTO emptied SELECT i, 'was ' || i FROM generate_series(1, 9) i; INSERT INTO emptied_child SELECT i, i FROM generate_series(1, 9) i; \
    INSERT INTO moved SELECT generate_series(1, 9); INSERT INTO moved_child VALUES (1, 5), (2, NULL); \
    INSERT INTO coded SELECT i, 'c' || i, i FROM generate_series(1, 9) i; \
    INSERT INTO parts SELECT i, 1 + i % 2, 'was ' || i FROM generate_series(1, 9) i; \
    INSERT INTO loose SELECT generate_series(1, 9)";

#[tokio::test]
async fn however_a_row_goes_it_comes_back_for_those_that_refer_to_it() {
    let cluster = parted(TABLES, FILL).await;
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "INSERT INTO cascaded_child VALUES (100, 2); INSERT INTO pair_child VALUES (100, 2, 2.5), (101, NULL, 3.5); \
             INSERT INTO tree VALUES (100, 4), (101, 100); INSERT INTO renamed_child VALUES (100, 2); \
             UPDATE moved_child SET p = 2 WHERE id = 2; \
             INSERT INTO coded_child VALUES (100, 'c2'), (101, 'c3'); INSERT INTO parts_child VALUES (100, 2, 1), (101, 3, 2); \
             INSERT INTO loose_child VALUES ('x', 2)",
        )
        .await;
    let elsewhere = [
        "DELETE FROM cascaded WHERE id = 2",
        "DELETE FROM pair WHERE a IN (2, 3)",
        "DELETE FROM tree WHERE id = 1",
        "UPDATE renamed SET id = 200 WHERE id = 2",
        "TRUNCATE emptied CASCADE",
        "DELETE FROM moved WHERE id = 2",
        "DELETE FROM coded WHERE id = 2",
        "DELETE FROM coded WHERE id = 3; INSERT INTO coded VALUES (30, 'c3', 3)",
        "DELETE FROM parts WHERE id IN (2, 3)",
        "DELETE FROM loose WHERE id = 2",
    ];
    for sql in elsewhere {
        cluster.sql("n2", sql).await;
    }
    // Later than the TRUNCATE, which would win over it.
    cluster.sql("n1", "INSERT INTO emptied_child VALUES (100, 2)").await;
    let names = PAIRS.iter().flat_map(|(parent, child, _)| [*parent, *child]);
    let names: Vec<&str> = names.map(leaves).collect::<Vec<_>>().concat();
    mended(&cluster, &names).await;
    no_orphans(&cluster).await;
    came_back(&cluster).await;
    for node in cluster.names() {
        assert_eq!(
            cluster.number(&node, "SELECT count(*) FROM synapse.orphans").await,
            0,
            "{node}"
        );
    }
}

/// No row of any pair refers to nothing.
async fn no_orphans(cluster: &Cluster) {
    for (parent, child, refers) in PAIRS {
        let columns = refers.split(" AND ").filter_map(|equal| equal.split(" = ").last());
        let whole: Vec<String> = columns.map(|column| format!("{column} IS NOT NULL")).collect();
        let whole = whole.join(" AND ");
        let orphans = format!(
            "SELECT count(*) FROM {child} c WHERE {whole} AND NOT EXISTS (SELECT FROM {parent} p WHERE {refers})"
        );
        assert_eq!(everywhere(cluster, &orphans).await, "0", "{child}");
    }
}

/// What is there, and how it is.
async fn came_back(cluster: &Cluster) {
    let came_back = [
        ("SELECT string_agg(a, ' ') FROM cascaded WHERE id = 2", "was 2"),
        ("SELECT count(*) FROM cascaded_child WHERE p = 2", "1"),
        (
            "SELECT string_agg(c, ' ' ORDER BY a) FROM pair WHERE a IN (2, 3)",
            "was 2",
        ),
        (
            "SELECT string_agg(concat_ws('<', id, above), ' ' ORDER BY id) FROM tree",
            "1 2<1 3<2 4<3 100<4 101<100",
        ),
        (
            "SELECT string_agg(id || a, ' ' ORDER BY id) FROM renamed WHERE id IN (2, 200)",
            "2was 2 200was 2",
        ),
        ("SELECT string_agg(id || a, ' ') FROM emptied", "2was 2"),
        ("SELECT string_agg(id || ':' || p, ' ') FROM emptied_child", "100:2"),
        (
            "SELECT string_agg(id || ':' || p, ' ' ORDER BY id) FROM moved_child",
            "1:5 2:2",
        ),
        (
            "SELECT string_agg(id || code, ' ' ORDER BY id) FROM coded WHERE n IN (2, 3)",
            "2c2 30c3",
        ),
        (
            "SELECT string_agg(id || a, ' ' ORDER BY id) FROM parts WHERE id IN (2, 3)",
            "2was 2 3was 3",
        ),
        ("SELECT count(*) FROM loose WHERE id = 2", "1"),
    ];
    for (sql, expected) in came_back {
        assert_eq!(everywhere(cluster, sql).await, expected, "{sql}");
    }
}

/// The tables that hold a table's rows.
fn leaves(table: &'static str) -> Vec<&'static str> {
    match table {
        "parts" => vec!["parts_1", "parts_2"],
        "parts_child" => vec!["parts_child_1", "parts_child_2"],
        other => vec![other],
    }
}
