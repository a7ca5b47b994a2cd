//! Names that need quoting, and other schemas.

use crate::cluster::{Cluster, MIXED};

const TABLES: &[&str] = &[
    "\"Upper Case\"",
    "\"odd\"\"quote\"",
    "\"it's\"",
    "\"stůl 馬\"",
    "\"select\"",
    "\"a.b\"",
    "\"Other Schema\".\"Upper Case\"",
    "\"dotted.schema\".t",
    "other.t",
];

#[tokio::test]
async fn names_of_any_kind_are_replicated() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE SCHEMA \"Other Schema\"; CREATE SCHEMA \"dotted.schema\"; CREATE SCHEMA other")
        .await;
    for table in TABLES {
        cluster.sql_all(&format!("CREATE TABLE {table} (\"Id\" int, \"a\"\"b\" text, \"user\" text, \"ř,{{}}\" int, PRIMARY KEY (\"Id\", \"user\"))")).await;
    }
    for (i, table) in TABLES.iter().enumerate() {
        let (here, there) = if i % 2 == 0 { ("n1", "n2") } else { ("n2", "n1") };
        cluster
            .sql(
                here,
                &format!("INSERT INTO {table} SELECT i, 'x', 'u', i FROM generate_series(1, 20) i"),
            )
            .await;
        cluster.settle().await;
        cluster.sql(there, &format!("UPDATE {table} SET \"a\"\"b\" = NULL, \"ř,{{}}\" = 0 WHERE \"Id\" < 10; DELETE FROM {table} WHERE \"Id\" = 20; \
            UPDATE {table} SET \"user\" = 'v' WHERE \"Id\" = 5")).await;
    }
    cluster.equal(&[]).await;
    for table in TABLES {
        assert_eq!(cluster.difference(table).await, None, "{table}");
        assert_eq!(
            cluster.number("n1", &format!("SELECT count(*) FROM {table}")).await,
            19,
            "{table}"
        );
    }
}
